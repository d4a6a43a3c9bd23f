"""Which of many live queries a change may concern, found without asking each of them.

A change concerns a query whose result the row is in as far as it is known (it is *held*), and one whose result
it may be in now. Of the latter, those that want one value of a field (``Selection.equality``) are kept by that
value. One thread uses an instance; what it keeps is bounded by the queries and the rows they hold.
"""

from collections.abc import Hashable, Iterable, Mapping
from typing import Any, Generic, TypeVar

Q = TypeVar("Q", bound=Hashable)
Equality = tuple[str, Any]


class _OfEntity(Generic[Q]):
    def __init__(self) -> None:
        self.others: dict[Q, None] = {}
        """Those without an equality."""
        self.by_value: dict[str, dict[Any, dict[Q, None]]] = {}
        """By field and value."""
        self.holders: dict[str, dict[Q, None]] = {}
        """By id of a row."""


class QueryIndex(Generic[Q]):
    def __init__(self) -> None:
        self._entities: dict[str, _OfEntity[Q]] = {}

    def add(self, query: Q, entity: str, equality: Equality | None) -> None:
        known = self._entities.setdefault(entity, _OfEntity())
        if equality is None:
            known.others[query] = None
        else:
            field, value = equality
            known.by_value.setdefault(field, {}).setdefault(value, {})[query] = None

    def remove(self, query: Q, entity: str, equality: Equality | None, held: Iterable[str]) -> None:
        """``held`` are the rows that it holds."""
        for row_id in held:
            self.release(query, entity, row_id)
        known = self._entities[entity]
        if equality is None:
            del known.others[query]
        else:
            field, value = equality
            queries = known.by_value[field][value]
            del queries[query]
            if not queries:
                del known.by_value[field][value]
            if not known.by_value[field]:
                del known.by_value[field]
        if not known.others and not known.by_value:
            del self._entities[entity]

    def hold(self, query: Q, entity: str, row_id: str) -> None:
        self._entities[entity].holders.setdefault(row_id, {})[query] = None

    def release(self, query: Q, entity: str, row_id: str) -> None:
        holders = self._entities[entity].holders
        queries = holders.get(row_id)
        if queries is not None and query in queries:
            del queries[query]
            if not queries:
                del holders[row_id]

    def concerned(self, entity: str, row_id: str, row: Mapping[str, Any] | None) -> Iterable[Q]:
        """The queries to ask about a row as it is after a change, ``None`` when it is gone."""
        known = self._entities.get(entity)
        if known is None:
            return ()
        found = dict(known.holders.get(row_id, ()))
        if row is not None:
            found.update(known.others)
            for field, by_value in known.by_value.items():
                value = row.get(field)
                if value is not None:
                    found.update(by_value.get(value, ()))
        return found.keys()
