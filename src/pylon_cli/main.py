"""The command group and the one place that turns outcomes into exit codes (contract 16 §1.1)."""

import os
import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import TextIO

import click
from click.exceptions import NoArgsIsHelpError

from pylon_cli.commands.codegen import codegen
from pylon_cli.commands.dev import dev
from pylon_cli.commands.start import start
from pylon_cli.commands.test import test
from pylon_cli.output import Output, problem
from pylon_cli.usage import CallError
from pylon_core.diagnostics import Diagnostic
from pylon_core.errors import PylonError
from pylon_core.exit_codes import ExitCode
from pylon_runtime.entry_file import ENTRY_SUFFIXES
from pylon_runtime.version import VERSION

_DASHED_SCRIPT = re.compile(rf"-[^=]*({'|'.join(map(re.escape, sorted(ENTRY_SUFFIXES)))})")


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Everywhere --json makes the output one JSON value a line, for programs to read.",
)
@click.version_option(VERSION, prog_name="pylon")
def cli() -> None:
    """The whole backend of a web, mobile or game project in one program."""


cli.add_command(codegen)
cli.add_command(dev)
cli.add_command(start)
cli.add_command(test)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; ``--json`` may stand anywhere in it."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _run(words, Output.for_arguments(words))
    finally:
        for stream in (sys.stdout, sys.stderr):
            _let_go(stream)


def _let_go(stream: TextIO | None) -> None:
    """Drop what a stream cannot write any more (a full disk, a terminal that went away). Python would try again on
    the way out, fail, and turn the exit code into 120."""
    if stream is None:
        return
    try:
        stream.flush()
    except (OSError, ValueError):
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


def _run(words: list[str], output: Output) -> int:
    try:
        result = cli.main(
            _arguments(output.without_json_flag(words)), prog_name="pylon", standalone_mode=False, obj=output
        )
    except NoArgsIsHelpError as usage:
        output.show(usage.format_message())
        return ExitCode.OK
    except click.UsageError as error:
        output.diagnostics([_misuse(error)])
        return ExitCode.USAGE
    except click.Abort:
        return ExitCode.ERROR
    except PylonError as error:
        output.error(error)
        return ExitCode.ERROR
    return result if isinstance(result, int) else ExitCode.OK


def _arguments(words: Sequence[str]) -> list[str]:
    """A script whose name begins with a dash is a file, and nobody is to take it for options."""
    return [os.path.join(".", word) if _DASHED_SCRIPT.fullmatch(word) else word for word in words]


def _misuse(error: click.UsageError) -> Diagnostic:
    if isinstance(error, CallError):
        return problem(error.code, error.message, error.hint)
    command = error.ctx.command_path if error.ctx else "pylon"
    return problem("USAGE", error.format_message(), f"See `{command} --help`.")
