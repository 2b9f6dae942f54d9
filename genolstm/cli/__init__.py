"""The command line: parse, call one function, write one file."""
