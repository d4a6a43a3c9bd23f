"""``pylon codegen``: the manifest of an entry file, and what sub-commands generate (contract 08 §5, §8).

``pylon codegen app.ts`` has a file where a group expects the name of a sub-command: whatever is no such name is
for the hidden sub-command that runs entry files, so that its options may come before the file as well.
"""

import os
from pathlib import Path

import click

from pylon_cli.app_source import write_manifest
from pylon_cli.codegen.command import client
from pylon_cli.output import Output
from pylon_cli.usage import CallError
from pylon_core.errors import PylonError
from pylon_runtime.entry_file import EntryFile

_RUN_ENTRY = "entry"


class _EntryOrCommand(click.Group):
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        first = args[0] if args else ""
        if first not in (*self.list_commands(ctx), *self.get_help_option_names(ctx)):
            args = [_RUN_ENTRY, *args]
        return super().parse_args(ctx, args)


@click.group(cls=_EntryOrCommand, subcommand_metavar="ENTRY | COMMAND [ARGS]...", no_args_is_help=False)
def codegen() -> None:
    """Run the ENTRY file of an app and print the manifest it builds (to a file with --out), or generate something
    else from an app."""


@codegen.command(_RUN_ENTRY, hidden=True)
@click.argument("entry", type=click.Path(path_type=Path), required=False)
@click.option("--out", type=click.Path(path_type=Path), help="File to write the manifest to.")
@click.pass_obj
def run_entry(output: Output, entry: Path | None, out: Path | None) -> None:
    """Run the ENTRY file of an app and print the manifest it builds."""
    if entry is None:
        raise CallError(
            "CODEGEN_NO_ENTRY", "Which file builds the manifest?", "For example `pylon codegen app.ts`."
        )
    if not entry.is_file():
        raise PylonError(
            "CODEGEN_ENTRY_NOT_FOUND", f"There is no file {entry}.", hint="Name your app's entry file."
        )
    built = EntryFile(entry, Path.cwd(), os.environ).build()
    output.aside(built.said)
    if out is None:
        output.text(built.text)
        return
    write_manifest(out, built.text)
    output.done("CODEGEN_OK", f"Wrote {out}.", path=str(out))


codegen.add_command(client)
