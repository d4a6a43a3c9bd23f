"""Where each field of a row is in its document, how it is read there, and how it is made another value.

    root map ``row``            plain values, by field (numbers as doubles); absent is null
    root text ``<field>``       a text
    root counter ``<field>``    a number that is counted up and down
    root list ``<field>``       an array (``list``, ``movable-list``)
    root tree ``<field>``       an array of nodes, parents before children

Writing makes the smallest edit that leads to the value, so that what others edit at the same time stays. What is
nested in values is left alone: no reading follows it down. One thread uses a document at a time.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from pylon_core.manifest import CrdtKind

if TYPE_CHECKING:
    from loro import LoroDoc, LoroList, LoroMap, LoroMovableList, LoroTree, TreeID

ROW = "row"
_EXACT_IN_DOUBLE = 2**53

_PLAIN = (str, int, float, bool)


class Container(ABC):
    """A field in a document. ``empty`` is what a container reads as that nobody has put anything into: in a row
    that may also be null, which containers are never. ``None`` where null is a value like any other."""

    empty: ClassVar[Any] = None

    def __init__(self, field: str) -> None:
        self.field = field

    @abstractmethod
    def read(self, doc: "LoroDoc", plain: Mapping[str, Any]) -> Any:
        """The value as JSON; ``plain`` is what the map ``row`` holds."""

    @abstractmethod
    def write(self, doc: "LoroDoc", value: Any) -> None:
        """Make it the value, which is not what ``read`` gives."""

    def adopt(self, doc: "LoroDoc") -> None:  # noqa: B027 - most have nothing to take over
        """Take over what other servers keep elsewhere in the document."""


class PlainValue(Container):
    def read(self, doc: "LoroDoc", plain: Mapping[str, Any]) -> Any:  # noqa: ARG002 - read at once for all fields
        value = plain.get(self.field)
        return value if isinstance(value, _PLAIN) else None

    def write(self, doc: "LoroDoc", value: Any) -> None:
        row = doc.get_map(ROW)
        if value is None:
            row.delete(self.field)
        else:
            row.insert(self.field, _plain(value))


class Text(Container):
    empty = ""

    def read(self, doc: "LoroDoc", plain: Mapping[str, Any]) -> str:  # noqa: ARG002
        return doc.get_text(self.field).to_string()

    def write(self, doc: "LoroDoc", value: str | None) -> None:
        text = doc.get_text(self.field)
        splice = splice_between(text.to_string(), value or "")
        if splice.removed:
            text.delete(splice.start, splice.removed)
        if splice.added:
            text.insert(splice.start, str(splice.added))

    def adopt(self, doc: "LoroDoc") -> None:
        """Some keep texts in the map: such a text moves to the root, unless one is there already."""
        row = doc.get_map(ROW)
        nested = getattr(row.get(self.field), "container", None)
        if nested is None:
            return
        if hasattr(nested, "to_string") and not self.read(doc, {}):
            self.write(doc, nested.to_string())
        row.delete(self.field)


class Counter(Container):
    empty = 0.0

    def read(self, doc: "LoroDoc", plain: Mapping[str, Any]) -> float:  # noqa: ARG002
        return float(doc.get_counter(self.field))

    def write(self, doc: "LoroDoc", value: float | None) -> None:
        counter = doc.get_counter(self.field)
        for _ in range(2):  # the second makes up for what the first was rounded by
            counter.increment(float(value or 0) - float(counter))
            if float(counter) == (value or 0):
                return


class List(Container):
    empty: ClassVar[Sequence[Any]] = []

    def read(self, doc: "LoroDoc", plain: Mapping[str, Any]) -> list[Any]:  # noqa: ARG002
        return _items(self._list(doc))

    def write(self, doc: "LoroDoc", value: list[Any] | None) -> None:
        items = self._list(doc)
        splice = splice_between(_items(items), value or [])
        kept = self._replace(items, splice)
        if splice.removed > kept:
            items.delete(splice.start + kept, splice.removed - kept)
        for offset, item in enumerate(splice.added[kept:], splice.start + kept):
            items.insert(offset, _plain(item))

    def _list(self, doc: "LoroDoc") -> "LoroList | LoroMovableList":
        return doc.get_list(self.field)

    def _replace(self, items: Any, splice: "Splice") -> int:  # noqa: ARG002
        """Give items another value in place; how many."""
        return 0


class MovableList(List):
    def _list(self, doc: "LoroDoc") -> "LoroList | LoroMovableList":
        return doc.get_movable_list(self.field)

    def _replace(self, items: Any, splice: "Splice") -> int:
        kept = min(splice.removed, len(splice.added))
        for offset in range(kept):
            items.set(splice.start + offset, _plain(splice.added[offset]))
        return kept


class Tree(Container):
    """Nodes are made in documents only, which give them their ids; so the one value it can be given is none."""

    empty: ClassVar[Sequence[Any]] = []

    def read(self, doc: "LoroDoc", plain: Mapping[str, Any]) -> list[Any]:  # noqa: ARG002
        return list(_nodes(doc.get_tree(self.field)))

    def write(self, doc: "LoroDoc", value: list[Any] | None) -> None:
        if value:
            raise ValueError("a tree cannot be given nodes")
        tree = doc.get_tree(self.field)
        for root in tree.roots:
            tree.delete(root)


class Splice(NamedTuple):
    """What is between what two sequences begin and end with alike: how much goes, what comes."""

    start: int
    removed: int
    added: Sequence[Any]


def splice_between(old: Sequence[Any], new: Sequence[Any]) -> Splice:
    shorter = min(len(old), len(new))
    start = _common(old, new, shorter)
    end = _common(old[start:][::-1], new[start:][::-1], shorter - start)
    return Splice(start, len(old) - start - end, new[start : len(new) - end])


def container(field: str, kind: CrdtKind) -> Container:
    return _CONTAINERS[kind](field)


_CONTAINERS: Mapping[CrdtKind, type[Container]] = {
    "lww": PlainValue,
    "text": Text,
    "counter": Counter,
    "list": List,
    "movable-list": MovableList,
    "tree": Tree,
}


def _common(one: Sequence[Any], other: Sequence[Any], most: int) -> int:
    """How many they begin with alike, by halves: comparing slices is quick where looking at each is not."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _plain(value: Any) -> Any:
    """Numbers are doubles, as JavaScript's are, where that loses nothing."""
    if type(value) is int and abs(value) <= _EXACT_IN_DOUBLE:
        return float(value)
    return value


def _items(items: "LoroList | LoroMovableList") -> list[Any]:
    found = items.get_value()
    assert isinstance(found, list)
    return [item if isinstance(item, _PLAIN) else None for item in found]


def _nodes(tree: "LoroTree") -> Iterator[dict[str, Any]]:
    """Depth first; what is to come is a list here and not the interpreter's stack, as a tree may be deep."""
    pending: list[tuple[TreeID, str | None, int]] = _children(tree, None, None)
    while pending:
        node, parent, index = pending.pop()
        name = _name(node)
        yield {"id": name, "parent": parent, "index": index, "meta": _meta(tree.get_meta(node))}
        pending += _children(tree, node, name)


def _children(tree: "LoroTree", node: "TreeID | None", name: str | None) -> "list[tuple[TreeID, str | None, int]]":
    """The last first."""
    found = tree.roots if node is None else tree.children(node) or []
    return [(child, name, index) for index, child in enumerate(found)][::-1]


def _name(node: "TreeID") -> str:
    return f"{node.counter}@{node.peer}"


def _meta(values: "LoroMap") -> dict[str, Any]:
    found = values.get_value()
    assert isinstance(found, dict)
    return {key: value if isinstance(value, _PLAIN) else None for key, value in sorted(found.items())}
