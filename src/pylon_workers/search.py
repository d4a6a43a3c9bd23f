"""SQLite's text index where no function of ours can be called: D1 ranks with its own."""

from typing import ClassVar

from pylon_storage.search.fts5 import Fts5Index
from pylon_storage.search.index import MakeIndex


class D1TextIndex(Fts5Index):
    rank_function: ClassVar[str] = "bm25"


_: MakeIndex = D1TextIndex
