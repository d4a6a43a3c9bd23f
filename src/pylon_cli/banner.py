"""What a person sees when a server is up: where it is, what it holds, what to look at."""

from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from pylon_cli.output import Output
from pylon_core.manifest import AppManifest
from pylon_runtime.app_folder import AppFolder
from pylon_runtime.application import Application
from pylon_runtime.stores import SqliteFile

_THIS_MACHINE = frozenset({"127.0.0.1", "0.0.0.0", "::", "::1"})


def show_banner(output: Output, app: Application, folder: AppFolder) -> None:
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim", justify="right")
    facts.add_column()
    for label, value in _facts(app, folder):
        facts.add_row(label, value)
    manifest = app.loaded.manifest
    title = Text.assemble((manifest.name, "bold"), " ", (manifest.version, "dim"))
    output.show(Panel(facts, title=title, title_align="left", border_style="cyan", expand=False))


def summary(manifest: AppManifest) -> str:
    """An app in one line."""
    counts = (
        (len(manifest.entities), "entities"),
        (len(manifest.queries), "queries"),
        (len(manifest.actions), "actions"),
        (len(manifest.policies), "policies"),
        (len(manifest.routes), "routes"),
    )
    return f"{manifest.name} {manifest.version}: {', '.join(f'{count} {noun}' for count, noun in counts)}"


def address(host: str, port: int) -> str:
    """Where a person on this machine reaches a server that listens on ``host``."""
    if host in _THIS_MACHINE:
        host = "localhost"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _facts(app: Application, folder: AppFolder) -> list[tuple[str, Text | str]]:
    url = address(app.config.host, app.server.port)
    entities = [entity.name for entity in app.loaded.manifest.entities]
    return [
        ("Open", Text(url, style="bold cyan underline")),
        ("API", f"{url}/api/entities/{entities[0]}"),
        ("Live", f"{url.replace('http', 'ws', 1)}/api/sync/ws"),
        ("Entities", ", ".join(entities)),
        ("Database", _short(app, folder)),
    ]


def _short(app: Application, folder: AppFolder) -> str:
    database = app.database
    if isinstance(database, SqliteFile) and database.path.is_relative_to(folder.root):
        return str(database.path.relative_to(folder.root))
    return str(database)
