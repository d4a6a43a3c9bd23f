"""Reading an app's folder: where its parts are, and everything that can be wrong with its manifest."""

import json
from pathlib import Path
from typing import Any

import pytest

from pylon_core.diagnostics import Severity
from pylon_core.manifest import ManifestError
from pylon_runtime.app_folder import AppFolder, load_manifest
from pylon_runtime.config import ServerConfig
from pylon_runtime.stores import SqliteFile, database_of
from tests.strategies.documents import app, entity, policy

DEV = ServerConfig.from_env({"PYLON_DEV_MODE": "1"})
PRODUCTION = ServerConfig.from_env({"PYLON_CORS_ORIGIN": "https://notes.example"})


def folder_with(path: Path, manifest: Any) -> AppFolder:
    folder = AppFolder(path)
    folder.manifest.write_text(json.dumps(manifest))
    return folder


def codes(error: ManifestError) -> list[str]:
    return [found.code for found in error.diagnostics]


def test_relative_paths_are_relative_to_the_app_and_absolute_ones_stay(tmp_path: Path) -> None:
    folder = AppFolder(tmp_path)
    elsewhere = ServerConfig.from_env(
        {"PYLON_DEV_MODE": "1", "PYLON_DB_PATH": "/data/app.db", "PYLON_FUNCTIONS_DIR": "/code"}
    )

    assert database_of(DEV, folder) == SqliteFile(tmp_path / ".pylon" / "dev.db")
    assert folder.functions(DEV) == tmp_path / "functions"
    assert database_of(elsewhere, folder) == SqliteFile(Path("/data/app.db"))
    assert folder.functions(elsewhere) == Path("/code")


def test_a_sound_manifest_comes_with_its_policies_compiled(tmp_path: Path) -> None:
    loaded = load_manifest(folder_with(tmp_path, app(policies=[policy(entity="Note")])), DEV)

    assert loaded.manifest.name == "notes"
    assert loaded.findings == ()


@pytest.mark.parametrize(("config", "meaning"), [(DEV, "open to everyone"), (PRODUCTION, "closed to all but")])
def test_what_an_entity_without_a_policy_means_is_said(tmp_path: Path, config: ServerConfig, meaning: str) -> None:
    document = app(entities=[entity("Note"), entity("Bare")], policies=[policy(entity="Note")])

    (found,) = load_manifest(folder_with(tmp_path, document), config).findings

    assert (found.code, found.severity) == ("ENTITY_WITHOUT_POLICY", Severity.WARNING)
    assert found.message.startswith(f"No policy covers Bare: {meaning}")
    assert "PYLON_DEFAULT_POLICY" in (found.hint or "")


def test_a_missing_manifest(tmp_path: Path) -> None:
    with pytest.raises(ManifestError) as failed:
        load_manifest(AppFolder(tmp_path), DEV)

    (found,) = failed.value.diagnostics
    assert (found.code, found.message) == ("MANIFEST_READ_FAILED", "There is no pylon.manifest.json here.")


def test_a_manifest_that_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "pylon.manifest.json").mkdir()

    with pytest.raises(ManifestError) as failed:
        load_manifest(AppFolder(tmp_path), DEV)

    assert codes(failed.value) == ["MANIFEST_READ_FAILED"]
    assert "cannot be read" in failed.value.diagnostics[0].message


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "pylon.manifest.json").write_bytes(b"\xff\xfe{\x00}")

    with pytest.raises(ManifestError) as failed:
        load_manifest(AppFolder(tmp_path), DEV)

    assert codes(failed.value) == ["MANIFEST_PARSE_ERROR"]


def test_a_policy_that_does_not_parse_stops_the_app(tmp_path: Path) -> None:
    with pytest.raises(ManifestError) as failed:
        load_manifest(folder_with(tmp_path, app(policies=[policy("mine", entity="Note", allow="1 ==")])), DEV)

    assert codes(failed.value)[-1] == "POLICY_SYNTAX_ERROR"
    assert "mine" in failed.value.diagnostics[-1].message
