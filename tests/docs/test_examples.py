"""The examples in the documents work: manifests are clean, rules give the stated results, functions compile, the
guide can be followed, the WSGI module serves.
"""

import json
import os
import re
import runpy
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from werkzeug.test import Client

from pylon_auth import AuthContext
from pylon_core.diagnostics import has_errors
from pylon_core.manifest import parse_manifest
from pylon_core.manifest_checks import check_manifest
from pylon_policy import PolicyEngine, parse
from pylon_policy.lowering import lower
from pylon_policy.predicate import compile_predicate
from pylon_runtime.entry_file import EntryFile
from tests.docs.markdown import DOCS, DOCUMENTS, ROOT, Block, Document, code
from tests.support.servers import ServerProcess

GUIDE = Document(DOCS / "guide.md")
NO_ACCOUNTS = "AUTH_USER_ENTITY_NOT_FOUND"
"""The one warning an app whose users are guests may have."""

MANIFESTS = [
    pytest.param(block.text, id=path.name)
    for path in DOCUMENTS
    for block in Document(path).blocks
    if block.note == "manifest" or block.file == "pylon.manifest.json"
]
RULES = [row for table in Document(DOCS / "policies.md").tables("Rule") for row in table]


@pytest.mark.parametrize("text", MANIFESTS)
def test_a_manifest_is_clean(text: str) -> None:
    manifest = parse_manifest(text)

    findings = [*check_manifest(manifest), *PolicyEngine(manifest, default_allow=False).diagnostics]

    assert not has_errors(findings)
    assert {finding.code for finding in findings} <= {NO_ACCOUNTS}


@pytest.mark.parametrize("row", RULES, ids=lambda row: f"{code(row[0])[0]} {row[1]} {row[2]}")
def test_a_rule_gives_the_stated_result(row: list[str]) -> None:
    rule, caller, stored, result = (*(code(cell)[0] for cell in row[:3]), row[3])
    who = json.loads(caller)
    auth = AuthContext(
        who.get("userId"),
        is_guest=who.get("isGuest", False),
        roles=tuple(who.get("roles", ())),
        tenant_id=who.get("tenantId"),
    )
    values = json.loads(stored)

    holds = compile_predicate(lower(parse(rule)))(auth, values, values)

    assert result == ("allowed" if holds else "denied")


@pytest.mark.skipif(
    not (ROOT / "node_modules/.bin/tsc").exists(), reason="the TypeScript compiler is not installed"
)
def test_the_functions_compile(tmp_path: Path) -> None:
    functions = ROOT / "packages/functions"
    sdk = ROOT / "packages/sdk"
    for number, path in enumerate(DOCUMENTS):
        for block in Document(path).blocks:
            if block.language == "ts" and block.file:
                (tmp_path / f"{number}-{Path(block.file).name}").write_text(block.text)
    (tmp_path / "tsconfig.json").write_text(
        json.dumps(
            {
                "extends": str(functions / "tsconfig.json"),
                "compilerOptions": {
                    "paths": {
                        "@pylonsync/functions": [str(functions / "src/index.ts")],
                        "@pylonsync/sdk": [str(sdk / "src/index.ts")],
                    },
                    "typeRoots": [str(ROOT / "node_modules/@types")],
                },
                "include": ["*.ts"],
            }
        )
    )

    tsc = subprocess.run(
        [ROOT / "node_modules/.bin/tsc", "-p", tmp_path], capture_output=True, text=True, check=False
    )

    assert tsc.stdout == ""
    assert len(list(tmp_path.glob("*.ts"))) > 3


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_guide_can_be_followed(tmp_path: Path) -> None:
    for block in GUIDE.blocks:
        if block.file:
            file = tmp_path / block.file
            file.parent.mkdir(exist_ok=True)
            file.write_text(block.text)
    steps = _steps(GUIDE.blocks)
    script = "\nprintf '\\0'\n".join(step for step, _ in steps)
    server = ServerProcess(tmp_path).start()
    try:
        shell = subprocess.run(
            ["bash", "-euc", script],
            env={**os.environ, "URL": server.url},
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
        page = server.request("GET", "/")
    finally:
        server.stop()

    assert [_masked(answer) for answer in shell.stdout.split("\0")] == [answer for _, answer in steps]
    assert page[0] == 200


def test_the_wsgi_module_serves_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (module,) = (block for block in Document(DOCS / "deploying.md").blocks if block.file == "wsgi.py")
    (manifest,) = (block for block in GUIDE.blocks if block.file == "pylon.manifest.json")
    (tmp_path / "wsgi.py").write_text(module.text)
    (tmp_path / "pylon.manifest.json").write_text(manifest.text)
    for name, value in {"TODO_APP": str(tmp_path), "PYLON_DEV_MODE": "1", "PYLON_PORT": "0"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PYLON_EXTRA_PORTS", "0")
    monkeypatch.setattr("atexit.register", lambda stop: stop)

    served = runpy.run_path(str(tmp_path / "wsgi.py"))
    try:
        client = Client(served["application"])
        answers = [
            client.get("/").text,
            json.loads(client.get("/backend/health").data)["status"],
            json.loads(client.post("/backend/api/auth/guest").data)["guest"],
            client.get("/backend/api/entities/Todo").status_code,
        ]
    finally:
        served["backend"].stop()

    assert answers == ["Hello from Flask", "ok", True, 403]
    assert "wsgi" not in sys.modules


def _steps(blocks: list[Block]) -> list[tuple[str, object]]:
    """Each command to run with the answer that the block behind it shows; ``None`` without one."""
    return [
        (block.text, json.loads(after.text) if after.language == "json" else None)
        for block, after in pairwise(blocks)
        if block.note == "run"
    ]


def _masked(answer: str) -> object:
    """An answer with everything that differs from run to run left out, as the guide does."""
    text = re.sub(r"(pylon_|guest_)[0-9a-f]+", r"\1…", answer)
    return json.loads(re.sub(r'"[0-9a-f]{40}"', '"…"', text)) if text.strip() else None


def test_the_entry_file_builds_a_clean_manifest(tmp_path: Path) -> None:
    (example,) = (block for block in Document(DOCS / "schema-sdk.md").blocks if block.file == "app.ts")
    (tmp_path / "app.ts").write_text(example.text)

    manifest = parse_manifest(EntryFile(Path("app.ts"), tmp_path, os.environ).build().text)

    assert [*check_manifest(manifest), *PolicyEngine(manifest, default_allow=False).diagnostics] == []
