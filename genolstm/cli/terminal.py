"""What every command logs: its start, its progress, its end."""

import json
import logging
import shlex
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import typer

from genolstm import __version__
from genolstm.cli.options import RunOptions
from genolstm.errors import UsageError
from genolstm.outputs import release
from genolstm.settings.environment import process_count, whole_number
from genolstm.settings.train import DeviceName

if TYPE_CHECKING:
    from genolstm.model import NextSymbolModel
    from genolstm.ranks import Ranks
    from genolstm.settings.model import ModelSettings

log = logging.getLogger("genolstm")

REASONS_LOGGED = 6
WARMUP_TOLERANCE = 1e-3  # between the states after the warm-up and after half of it, which is much the further off
LONG_WORK = 1_000_000  # symbols from which on a second is spent on finding out whether a second thread pays
# commands that torchrun may start in several processes: they divide the work, or nothing is written
SHARED = frozenset(
    {"train", "score", "probe splice", "probe accessibility", "embed", "gates", "methylation fit", "doctor"}
)
RATE_SECONDS = 3.0  # from the first symbols on, before the rate is known well enough to estimate the time left
FIRST_LINE_SECONDS, LINE_SECONDS = 5.0, 60.0  # of progress in a batch log: soon, then once a minute


class _Block(Protocol):
    @property
    def codes(self) -> Sized: ...


B = TypeVar("B", bound=_Block)


class Task:
    """One run of one command: its first line, its device and its last line.

    Of several processes that torchrun started only the first logs. Raises UsageError for a command that does not
    divide its work: each process would do all of it, and write the same file.
    """

    def __init__(self, command: str, run: RunOptions | None = None, *, quiet: bool = False, seed: int = 0) -> None:
        self.command, self.seed = command, seed
        self.run = run or RunOptions(quiet=quiet)
        self.quiet = quiet = self.run.quiet
        self.began = time.perf_counter()
        self.device, self.threads, self.threads_given = "cpu", 1, False
        logging.basicConfig(stream=sys.stderr, format="%(message)s", level=logging.WARNING, force=True)
        for handler in logging.getLogger().handlers:
            handler.setFormatter(_Formatter("%(message)s"))
            for wanted in log.filters:  # else the loggers of single modules would pass it by
                handler.addFilter(wanted)
        log.setLevel(logging.WARNING if quiet else logging.INFO)
        self.processes = process_count()
        if self.processes > 1 and command not in SHARED:
            raise UsageError(
                f"genolstm {command} does not divide its work, and torchrun started {self.processes} processes; start"
                " it without torchrun (or unset WORLD_SIZE)."
            )
        if self.processes > 1 and whole_number("RANK", 0) != 0:
            self.listen()
        log.info("genolstm %s %s", __version__, command)

    def listen(self) -> None:
        """Log errors only: another process logs for this one."""
        self.quiet = True
        log.setLevel(logging.ERROR)

    @contextmanager
    def together(self, does: str = "reads contigs and strands") -> "Iterator[Ranks]":
        """Meet the other processes that torchrun started to read one genome; alone without torchrun.

        does : what each of them does, of its own.
        """
        from genolstm.ranks import reading_together

        with reading_together() as ranks:
            if ranks.size > 1:
                log.info("%d processes, each %s of its own", ranks.size, does)
            yield ranks

    def refuse_stream(self, *paths: Path | None) -> None:
        """Refuse input that can be read but once where several processes would read it. Raises UsageError."""
        for path in paths:
            if self.processes > 1 and path and (str(path) == "-" or (path.exists() and not path.is_file())):
                raise UsageError(f"{path} is a stream, which {self.processes} processes cannot all read; give a file.")

    def use_device(self, name: DeviceName, threads: int) -> Any:  # noqa: ANN401  (a torch.device; torch is imported late)
        """Choose device and threads, and log them."""
        from genolstm.devices import choose_device, describe_device, keep_freed_memory
        from genolstm.threads import set_threads

        device = choose_device(name)
        self.threads = used = set_threads(threads or None)
        self.threads_given = threads > 0
        keep_freed_memory()
        self.device = describe_device(device)
        log.info("device %s, %d thread%s, seed %d", self.device, used, "" if used == 1 else "s", self.seed)
        if name is DeviceName.AUTO and device.type == "cpu":
            log.info("no CUDA device: computing on the CPU")
        return device

    def suit(
        self,
        device: Any,  # noqa: ANN401
        model: "ModelSettings",
        steps: "tuple[int, int]",
        *,
        training: bool = False,
        symbols: int = 0,
    ) -> Any:  # noqa: ANN401
        """Refuse steps that do not fit the device, and choose threads by their size; returns the device.

        steps : lanes x symbols, of this process.   symbols : that will be read, 0 where that is not known; for long
        work it is measured, and logged, whether further threads pay. --threads is kept where given. Raises UsageError.
        """
        from genolstm.bench.memory_check import Load, check_memory
        from genolstm.threads import set_threads, threads_of_step, try_threads

        check_memory(Load(model, *steps, training=training, keeps_gates=training), device)
        if device.type != "cpu" or self.threads == 1:
            return device
        used = self.threads if self.threads_given else set_threads(threads_of_step(model, steps[0], self.threads))
        advice = ""
        if symbols >= LONG_WORK and self.processes == 1 and not self.quiet:
            advice = "; " + try_threads(model, *steps, self.threads, training=training).advice(used)
        log.info("%d of %d threads for steps of this size%s", used, self.threads, advice)
        return device

    def provenance(self, settings: Mapping[str, Any], inputs: Mapping[str, str]) -> Any:  # noqa: ANN401  (h5py is imported late)
        """Provenance of an output, as its root attributes hold it."""
        from genolstm.store.files import Provenance

        line = shlex.join(["genolstm", *sys.argv[1:]])
        return Provenance(command=line, settings=settings, seed=self.seed, inputs=inputs, device=self.device)

    def done(
        self,
        output: Path | None,
        records: Mapping[str, Any],
        summary: Mapping[str, Any],
        *,
        message: str,
        as_json: bool = False,
    ) -> None:
        """Log what was written, how long it took and the main number (`message`); print the summary under --json."""
        if output is not None:
            release(output)
        seconds = time.perf_counter() - self.began
        self._log_skipped(records.get("skipped", {}))
        log.info("%s%s in %s", f"wrote {output}: " if output else "", message, clock(seconds))
        if as_json or self.run.as_json:
            self._print(output, seconds, records, summary)

    def kept(self, output: Path, records: Mapping[str, Any], summary: Mapping[str, Any]) -> None:
        """Print the summary of an output that was complete already, under --json."""
        if self.run.as_json:
            self._print(output, time.perf_counter() - self.began, records, summary)

    def _print(
        self, output: Path | None, seconds: float, records: Mapping[str, Any], summary: Mapping[str, Any]
    ) -> None:
        fixed = {
            "command": self.command,
            "version": __version__,
            "output": str(output) if output else None,
            "seconds": round(seconds, 3),
            "device": self.device,
            "seed": self.seed,
            "records": dict(records),
        }
        typer.echo(json.dumps({**fixed, **summary}))

    def _log_skipped(self, skipped: Mapping[str, int]) -> None:
        """Log the commonest reasons; all of them are in the file and in the JSON summary."""
        ranked = sorted(skipped.items(), key=lambda item: -item[1])
        if ranked:
            reasons = "; ".join(f"{count:,} {reason}" for reason, count in ranked[:REASONS_LOGGED])
            more = f"; and {len(ranked) - REASONS_LOGGED} rarer reasons" if len(ranked) > REASONS_LOGGED else ""
            log.info("skipped: %s%s", reasons, more)


def printable(text: str) -> str:
    """Text from a file or a name, safe for a terminal: control characters are escaped."""
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)


class _Formatter(logging.Formatter):
    """Lines of the log, in which control characters in names of files, contigs and sites are escaped."""

    def format(self, record: logging.LogRecord) -> str:
        return "\n".join(map(printable, super().format(record).split("\n")))


class ProgressLine:
    """Progress of a long step: a bar on a terminal, a line at growing intervals in a log."""

    def __init__(self, label: str, *, unit: str, quiet: bool) -> None:
        self.label, self.unit = label, unit
        self.began = self.logged = time.perf_counter()
        self.wait = FIRST_LINE_SECONDS
        self.first_fraction: float | None = None
        self.bar = _bar(label) if sys.stderr.isatty() and not quiet else None

    def show(self, fraction: float, done: int, note: str = "") -> None:
        """Show the progress. fraction : done, 0 to 1.   done : symbols, for the rate.   note : the number to watch."""
        now = time.perf_counter()
        if self.first_fraction is None:  # a resumed run does not start at 0
            self.first_fraction, self.first_done, self.first_at = fraction, done, now
        elapsed, covered = now - self.first_at, fraction - self.first_fraction
        known = elapsed >= RATE_SECONDS and covered > 0  # the first steps are slow: hours would be shown for minutes
        if known:
            rate, left = (done - self.first_done) / elapsed, clock(elapsed * (1 - fraction) / covered)
            text = f"{rate:,.0f} {self.unit}/s, {left} left"
        else:
            text = f"{done:,} {self.unit}"
        text += f", {note}" if note else ""
        if self.bar:
            bar, task = self.bar
            bar.update(task, completed=fraction, text=text)
        elif now - self.logged >= self.wait and known:
            log.info("%s %.0f%%: %s", self.label, 100 * fraction, text)
            self.logged, self.wait = now, min(LINE_SECONDS, 2 * self.wait)

    def then(self, label: str) -> Callable[[float, int], None]:
        """`show` of a step that follows this one, under a label of its own."""

        def show(fraction: float, done: int) -> None:
            if self.label != label:
                self.label, self.first_fraction, self.wait = label, None, FIRST_LINE_SECONDS
                self.logged = time.perf_counter()
                if self.bar:
                    self.bar[0].update(self.bar[1], description=label)
            self.show(fraction, done)

        return show

    def watch(self, blocks: Iterable[B]) -> Iterator[B]:
        """The sequence blocks, passed on; shows how many symbols have gone by, since the total is not known."""
        symbols = 0
        for block in blocks:
            yield block
            symbols += len(block.codes)
            now = time.perf_counter()
            if self.bar:
                self.bar[0].update(self.bar[1], total=None, text=f"{symbols:,} {self.unit}")
            elif now - self.logged >= self.wait:
                log.info("%s: %s %s", self.label, f"{symbols:,}", self.unit)
                self.logged, self.wait = now, min(LINE_SECONDS, 2 * self.wait)

    def __enter__(self) -> "ProgressLine":
        return self

    def __exit__(self, *failure: object) -> None:
        if self.bar:
            self.bar[0].stop()


def _bar(label: str) -> tuple[Any, Any]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[text]}", markup=False),
    )
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    task = bar.add_task(label, total=1.0, text="")
    bar.start()
    return bar, task


def report_format(model: "NextSymbolModel", *, training: bool = False) -> None:
    """Say that a number format coarser than fp32 is read in, and how fast that is here; warn where it is slower.

    training : the model is trained in that format; its forward passes are timed, and a warning is all that is said.
    """
    from genolstm.bench.memory_check import speed_of_format
    from genolstm.settings.train import Precision

    if model.precision is Precision.FP32:
        return
    speed = speed_of_format(model)
    if speed < 1:
        log.warning(
            "%s in %s is %.1f times slower than in fp32 here; leave --precision out",
            "training" if training else "reading", model.precision, 1 / speed,
        )  # fmt: skip
    elif not training:
        log.info(
            "reading in %s, %.1f times as fast as in fp32 here: good for means; a single base, and a unit's state, may"
            " be off", model.precision, speed,
        )  # fmt: skip


def report_memory(seams: Mapping[str, float]) -> None:
    """Log where states depend on bases further back than was read. seams : summary of `stream.seams.Seams`."""
    if seams["in_sequence"]:
        log.info(
            "this model remembers more than a burn-in (states differed by up to %.2g where that was tried): every"
            " contig and strand was read from its end in one lane",
            seams["trial_max_state"],
        )
    if seams["lead_max_state"] > max(WARMUP_TOLERANCE, seams["tolerance"]):
        log.warning(
            "where reading began within a contig the state still depends on how much was read before (by up to %.2g,"
            " %.2g bits): give a longer --burn-in, or --exact",
            seams["lead_max_state"],
            seams["lead_max_bits"],
        )


def clock(seconds: float) -> str:
    """A duration as text: 42 s, 3 min 20 s, 2 h 5 min."""
    if seconds == float("inf"):
        return "unknown time"
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
