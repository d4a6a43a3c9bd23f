"""Where to look when functions do not start."""

from pathlib import Path

from pylon_cli import watching
from pylon_cli.changed_files import ChangedFiles


def test_files_that_came_changed_or_went_since_the_last_start_are_named(tmp_path: Path) -> None:
    folder = tmp_path / "functions"
    folder.mkdir()
    (folder / "same.ts").touch()
    (folder / "gone.ts").touch()
    changed = ChangedFiles(tmp_path, [watching.tree("functions", folder, lambda: None)])
    assert changed.hint() is None

    (folder / "gone.ts").unlink()
    (folder / "new.ts").touch()
    assert changed.hint() == "Changed since they last did: functions/gone.ts, functions/new.ts."

    changed.started()
    assert changed.hint() is None

    for number in range(5):
        (folder / f"{number}.ts").touch()
    assert changed.hint() == (
        "Changed since they last did: functions/0.ts, functions/1.ts, functions/2.ts and 2 more."
    )
