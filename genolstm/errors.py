"""What a user can do wrong; the only place where exit codes are written down."""


class GenolstmError(Exception):
    """A failure that the user can mend; its message is one sentence naming file, record and remedy."""

    exit_code = 1


class UsageError(GenolstmError):
    """The command was called in a way that cannot work: an output that exists, a device that is not there."""

    exit_code = 2


class InputError(GenolstmError):
    """A file holds something that it must not, or two files disagree."""

    exit_code = 3
