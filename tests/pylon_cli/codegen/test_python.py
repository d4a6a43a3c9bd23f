"""The Python client: ``mypy --strict`` takes it whatever an app calls things, and its types say what may be."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from pylon_cli.codegen.client import client_source
from pylon_cli.codegen.model import FunctionFiles
from pylon_core.manifest import AppManifest
from tests.pylon_cli.codegen.apps import (
    CLIENTS,
    SHOP,
    SHOP_FUNCTIONS,
    TYPED_FUNCTIONS,
    App,
    manifest,
    mypy,
    odd_apps,
    plain_apps,
)
from tests.strategies.documents import app, field


@pytest.mark.parametrize(("declared", "functions"), CLIENTS.values(), ids=CLIENTS)
def test_the_same_app_gives_the_same_bytes(declared: AppManifest, functions: FunctionFiles | None) -> None:
    assert client_source("python", declared, functions) == client_source("python", declared, functions)


@pytest.mark.parametrize(("declared", "functions"), CLIENTS.values(), ids=CLIENTS)
def test_the_client_of_every_app_can_be_imported(
    declared: AppManifest, functions: FunctionFiles | None, tmp_path: Path
) -> None:
    path = tmp_path / "client.py"
    path.write_text(client_source("python", declared, functions))

    ran = subprocess.run(
        [sys.executable, "-W", "error", path.name], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert (ran.returncode, ran.stderr) == (0, "")


def test_strict_type_checking_takes_the_client_of_every_app(tmp_path: Path) -> None:
    for name, (declared, functions) in CLIENTS.items():
        (tmp_path / f"{name}.py").write_text(client_source("python", declared, functions))

    assert mypy(tmp_path) == ""


def test_strict_type_checking_takes_whatever_a_manifest_may_be(tmp_path: Path) -> None:
    written = iter(range(1_000))

    @settings(max_examples=40, phases=[Phase.generate], suppress_health_check=list(HealthCheck), deadline=None)
    @given(plain_apps() | odd_apps())
    def write(declared: App) -> None:
        source = client_source("python", *declared)
        assert source == client_source("python", *declared)
        compile(source, "client.py", "exec")
        (tmp_path / f"app{next(written)}.py").write_text(source)

    write()

    assert mypy(tmp_path) == ""


USE = """\
from typing import assert_type

from client import Item, NewItem, PylonClient, Task

client = PylonClient("http://localhost:1", "token")
made: NewItem = {"sku": "a", "count": 1, "sold": False, "made": "", "ownerId": "u", "odd": 1, "tags": ["x"]}
assert_type(client.entities.Item.list(), list[Item])
assert_type(client.entities.Item.get("1"), Item | None)
item = client.entities.Item.insert(made)
assert_type(item["price"], float | None)
assert_type(client.entities.Task.insert({"title": "milk"}), Task)
client.entities.Item.update("1", {"price": None})
client.functions.placeOrder(to={"city": "Graz"}, lines=["1"])
client.functions.pick(size="s", note=None)
client.functions.pick(size="m")
client.functions.ping()
client.functions.anything(at=all)
assert_type(client.actions.restock(sku="a", count=1)["executed"], bool)
client.actions.reset()
"""

RESULTS = """\
from typing import Any, Literal, assert_type

from client import ListOutput, PylonClient, TotalsOutput, TotalsOutputToItem

functions = PylonClient().functions
assert_type(functions.totals(), TotalsOutput)
assert_type(functions.totals()["sum"], float)
assert_type(functions.totals()["by"], dict[str, int])
assert_type(functions.totals()["to"], list[TotalsOutputToItem | None])
assert_type(functions.totals().get("note"), str | None)
assert_type(functions.names(), list[str])
found = functions.find()
assert_type(found["sum"] if found is not None else None, float | None)
assert_type(functions.state(), Literal["on", "off"])
assert_type(functions.list(), dict[str, Any])
functions.clear()
listed: ListOutput = functions.list()
assert_type(functions.whatever(), Any)
assert_type(functions.unsaid(), Any)
"""


def test_functions_that_say_what_they_return_are_typed(tmp_path: Path) -> None:
    (tmp_path / "client.py").write_text(client_source("python", SHOP, TYPED_FUNCTIONS))
    (tmp_path / "use.py").write_text(RESULTS)

    assert mypy(tmp_path) == ""


MISUSE = {
    "client.entities.Thing": "no such entity",
    "client.entities.User.insert({})": "the address is missing",
    'client.entities.User.update("1", {"mail": "x"})': "no such field",
    'client.entities.User.insert({"email": "x", "passwordHash": "y"})': "secret",
    'client.functions.pick(size="l")': "no such size",
    "client.functions.pick()": "the size is missing",
    "client.functions.ping(a=1)": "it takes nothing",
    'client.functions.placeOrder(to={"zip": "8010"}, lines=[])': "the city is missing",
    'client.actions.restock(sku="a", count="many")': "of another type",
}


def test_types_take_what_the_server_takes_and_refuse_the_rest(tmp_path: Path) -> None:
    (tmp_path / "client.py").write_text(client_source("python", SHOP, SHOP_FUNCTIONS))
    (tmp_path / "use.py").write_text(USE)
    misuse = "".join(f"{code}  # {why}\n" for code, why in MISUSE.items())
    (tmp_path / "misuse.py").write_text(f"from client import PylonClient\nclient = PylonClient()\n{misuse}")

    complaints = mypy(tmp_path)

    assert "use.py" not in complaints.replace("misuse.py", "")
    wrong = {line.split(":")[1] for line in complaints.splitlines() if ": error:" in line}
    assert wrong == {str(number) for number, _ in enumerate(MISUSE, start=3)}


@pytest.mark.parametrize("names", [("title", "__private"), ("class", "due-date"), ("__proto__", "名前")], ids=str)
def test_members_are_called_as_they_are_sent(names: tuple[str, ...], tmp_path: Path) -> None:
    odd = manifest(app(actions=[{"name": "add", "input": [field(name) for name in names]}]))
    (tmp_path / "client.py").write_text(client_source("python", odd, None))

    told = subprocess.run(
        [sys.executable, "-X", "utf8", "-c", "import client; print(*client.AddInput.__annotations__)"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=True,
    )

    assert told.stdout.split() == list(names)
