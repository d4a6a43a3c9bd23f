"""A made-up catalogue for search: the same rows and the same searches for the same seed, in any number.

Words are as unevenly frequent as those of a language, and some are accented, hyphenated or written without spaces.
"""

import itertools
import random
from collections.abc import Iterator
from typing import Any

from pylon_core import jsontext
from pylon_core.manifest import AppManifest, parse_manifest
from pylon_http import Condition, Search
from tests.strategies.documents import app, entity, field

BRANDS = ["Atlas", "Bolt", "Čapek", "Dune", "écru", "Zed", ""]
SYLLABLES = ["ka", "lo", "mi", "ren", "sta", "tor", "vé", "wi", "xu", "zön", "bra", "del"]
ODD_WORDS = ["Wi-Fi", "don't", "東京タワー", "ไทย", "한국어", "x-42", "running", "houses", "Straße", "naïve"]
WORDS_MAX = 2_000


def catalogue(language: str | None) -> AppManifest:
    fields = [
        field("title"),
        field("body", "richtext", optional=True),
        field("brand", optional=True),
        field("price", "float", optional=True),
        field("stock", "int", optional=True),
        field("used", "bool", optional=True),
        field("since", "datetime", optional=True),
        field("ownerId", optional=True),
    ]
    search = {
        "text": ["title", "body"],
        "facets": ["brand", "price", "stock", "used", "since"],
        "sortable": ["price", "brand", "title", "since"],
        "language": language,
    }
    return parse_manifest(jsontext.encode(app(entities=[entity("Product", fields=fields, search=search)])))


class Corpus:
    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._words = [*ODD_WORDS, *(self._word() for _ in range(WORDS_MAX))]
        self._weights = list(itertools.accumulate(1 / rank for rank, _ in enumerate(self._words, 2)))

    def rows(self, count: int) -> Iterator[tuple[str, dict[str, Any]]]:
        chance = self._chance
        for number in range(count):
            yield (
                f"p{number:06}",
                {
                    "title": self._text(chance.randint(1, 6)),
                    "body": self._text(chance.randint(0, 40)) if chance.random() < 0.9 else None,
                    "brand": chance.choice([*BRANDS, None]),
                    "price": chance.choice([None, 4, 4.5, chance.randint(1, 500) / 2]),
                    "stock": chance.choice([None, 0, 1, -(2**40), chance.randint(0, 300)]),
                    "used": chance.choice([True, False, None]),
                    "since": f"2026-0{chance.randint(1, 9)}-01T00:00:00{chance.choice(['Z', '.5Z', '+02:00'])}",
                    "ownerId": chance.choice(["alice", "bob", None]),
                },
            )

    def searches(self, count: int) -> Iterator[Search]:
        chance = self._chance
        for _ in range(count):
            yield Search(
                text=chance.choice(["", self._query(), self._query(), self._query()]),
                filters=self._filters(),
                sort=chance.choice(
                    [None, (chance.choice(["price", "brand", "title", "since"]), chance.random() < 0.5)]
                ),
                condition=chance.choice([None, None, Condition('"ownerId" = ?', ("alice",))]),
                page_size=10**6,
            )

    def _word(self) -> str:
        return "".join(self._chance.choices(SYLLABLES, k=self._chance.randint(1, 4)))

    def _text(self, length: int) -> str:
        words = self._chance.choices(self._words, cum_weights=self._weights, k=length)
        return self._chance.choice([" ", " ", ", ", "; "]).join(words).capitalize()

    def _query(self) -> str:
        return " ".join(self._part() for _ in range(self._chance.randint(1, 3)))

    def _part(self) -> str:
        chance = self._chance
        word, second = chance.choices(self._words, cum_weights=self._weights, k=2)
        parts = [
            word,
            word,
            f'"{word} {second}"',
            f"{word[: chance.randint(1, 4)]}*",
            f"-{word}",
            f'-"{word} {second}"',
        ]
        return chance.choice([*parts, word.upper(), f"{word}-{second}", '"', "*", "(OR)"])

    def _filters(self) -> dict[str, Any]:
        chance = self._chance
        possible = {
            "brand": chance.choice(BRANDS),
            "price": chance.choice([4, "4.5", 100]),
            "stock": chance.choice([0, 1, "-1099511627776", None]),
            "used": chance.choice([True, False, "true"]),
            "since": "2026-01-01T00:00:00Z",
        }
        return {facet: possible[facet] for facet in chance.sample(sorted(possible), chance.choice([0, 0, 1, 2]))}
