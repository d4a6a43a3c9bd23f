"""A VFS whose writes fail, tear and whose syncs fail, by the throw of a seeded die (for tests only)."""

import random

import apsw


class Dice:
    """Decides which calls fail. ``armed`` false: everything works."""

    def __init__(self, seed: int, *, write: float, torn: float, sync: float) -> None:
        self._random = random.Random(seed)
        self._chances = {"write": write, "torn": torn, "sync": sync}
        self.armed = False
        self.thrown = {"write": 0, "torn": 0, "sync": 0}

    def fails(self, what: str) -> bool:
        if not self.armed or self._random.random() >= self._chances[what]:
            return False
        self.thrown[what] += 1
        return True

    def part_of(self, length: int) -> int:
        return self._random.randrange(length)


class FaultyVfs(apsw.VFS):
    """Registered under ``name``; unregister it when the test is over."""

    def __init__(self, name: str, dice: Dice) -> None:
        self._dice = dice
        super().__init__(name, "")

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> "FaultyFile":  # noqa: N802 - SQLite names it so
        return FaultyFile(name, flags, self._dice)


class FaultyFile(apsw.VFSFile):
    def __init__(self, name: str | apsw.URIFilename | None, flags: list[int], dice: Dice) -> None:
        self._dice = dice
        super().__init__("", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - SQLite names it so
        if self._dice.fails("torn"):
            super().xWrite(data[: self._dice.part_of(len(data))], offset)
            raise apsw.IOError("torn write")
        if self._dice.fails("write"):
            raise apsw.FullError("no space")
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:  # noqa: N802 - SQLite names it so
        if self._dice.fails("sync"):
            raise apsw.IOError("sync failed")
        super().xSync(flags)
