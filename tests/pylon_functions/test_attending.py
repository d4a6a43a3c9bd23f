"""Operations on single rows are answered by the thread that reads the child, without waking the call's own."""

import threading
from collections.abc import Iterator

import pytest

from pylon_auth.context import ANONYMOUS
from pylon_core.clock import SystemClock
from pylon_core.manifest import parse_manifest
from pylon_functions.endings import CallTimedOut
from pylon_functions.host import FunctionHost
from pylon_functions.invocation import Invocation
from pylon_functions.mailbox import Mail, Mailbox, Unsent
from pylon_functions.protocol import Database
from pylon_functions.runner import Runner
from pylon_http import Filter, Row
from pylon_storage import EphemeralStore
from pylon_storage.rows import SqlReader
from tests.pylon_functions.scripted_child import Frame, Script, ScriptedChild, ScriptedWorkers, saying
from tests.support.waiting import until

MANIFEST = parse_manifest(
    """{"manifest_version": 1, "name": "lots", "version": "1", "routes": [], "entities": [
      {"name": "Lot", "crdt": false, "indexes": [], "fields": [
        {"name": "title", "type": "string", "optional": false, "unique": false}]}]}"""
)
INSERT: Frame = {"type": "db", "op_id": "1", "op": "insert", "entity": "Lot", "data": {"title": "t"}}
GET: Frame = {"type": "db", "op_id": "2", "op": "get", "entity": "Lot", "id": "none"}
LIST: Frame = {"type": "db", "op_id": "3", "op": "list", "entity": "Lot"}
RETURN: Frame = {"type": "return", "value": 7}
KINDS = {"q": "query", "m": "mutation"}


class FullPipe(ScriptedChild):
    """A child that takes nothing that is offered; what is sent comes through, with what was offered before it."""

    def __init__(self, script: Script) -> None:
        self._left = b""
        self.offers = 0
        super().__init__(script, **KINDS)

    @property
    def is_clear(self) -> bool:
        return not self._left

    def offer(self, lines: bytes) -> bool:
        self.offers += 1
        self._left += lines
        return False

    def send(self, line: bytes, deadline: float) -> None:
        left, self._left = self._left + line, b""
        for each in left.splitlines(keepends=True):
            super().send(each, deadline)


@pytest.fixture
def store() -> Iterator[EphemeralStore]:
    store = EphemeralStore(MANIFEST, watched={})
    yield store
    store.close()


@pytest.fixture
def readers(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The threads on which rows were read, in that order."""
    threads: list[str] = []
    get, query = SqlReader.get, SqlReader.query

    def getting(reader: SqlReader, entity: str, row_id: str) -> Row | None:
        threads.append(threading.current_thread().name)
        return get(reader, entity, row_id)

    def querying(reader: SqlReader, entity: str, rows: Filter) -> list[Row]:
        threads.append(threading.current_thread().name)
        return query(reader, entity, rows)

    monkeypatch.setattr(SqlReader, "get", getting)
    monkeypatch.setattr(SqlReader, "query", querying)
    return threads


def asking(*frames: Frame) -> Script:
    """A handler that asks for one thing after the other, each when it has the answer to the last."""
    left = iter(frames)

    def script(child: ScriptedChild, heard: Frame) -> None:
        child.say({**next(left, RETURN), "call_id": heard["call_id"]})

    return script


def call(store: EphemeralStore, child: ScriptedChild, name: str) -> bytes:
    host = FunctionHost(MANIFEST, store, ScriptedWorkers(child), SystemClock(), 5.0)
    return bytes(host.run(Invocation(name, {}, ANONYMOUS)))


def titles(store: EphemeralStore) -> list[str]:
    with store.read() as reader:
        return [row["title"] for row in reader.query("Lot", Filter())]


@pytest.mark.parametrize("name", ["q", "m"])
def test_an_operation_on_one_row_is_done_where_the_child_is_read(
    store: EphemeralStore, readers: list[str], name: str
) -> None:
    """From the first on for which the call's own thread is already waiting."""
    call(store, ScriptedChild(asking(*[GET] * 100), **KINDS), name)

    assert len(readers) == 100
    assert readers[-1] == "scripted-child"


@pytest.mark.parametrize("name", ["q", "m"])
def test_what_may_take_longer_is_done_by_the_calls_own_thread(
    store: EphemeralStore, readers: list[str], name: str
) -> None:
    call(store, ScriptedChild(asking(*[LIST] * 100), **KINDS), name)

    assert set(readers) == {threading.current_thread().name}


def test_answers_keep_the_order_of_what_was_asked(store: EphemeralStore) -> None:
    asked = [INSERT, LIST, GET, LIST, INSERT, GET, RETURN]
    child = ScriptedChild(saying(*({**frame, "op_id": str(n)} for n, frame in enumerate(asked))), **KINDS)

    assert call(store, child, "m") == b"7"

    until(lambda: len(child.answers()) == 6, "everything was answered")
    assert [answer["op_id"] for answer in child.answers()] == ["0", "1", "2", "3", "4", "5"]
    assert titles(store) == ["t", "t"]


def test_a_refusal_reaches_the_handler(store: EphemeralStore) -> None:
    child = ScriptedChild(saying({**INSERT, "data": {"nope": 1}}, RETURN), **KINDS)

    assert call(store, child, "m") == b"7"

    until(lambda: bool(child.answers()), "it was answered")
    assert [answer["error"]["code"] for answer in child.answers()] == ["INVALID_COLUMN"]
    assert titles(store) == []


def test_answers_that_the_child_does_not_take_are_the_calls_to_send(store: EphemeralStore) -> None:
    child = FullPipe(asking(*[INSERT] * 100))

    assert call(store, child, "m") == b"7"

    assert len(child.answers()) == 100
    assert len(titles(store)) == 100
    assert child.offers > 0


class Told:
    """A channel that takes nothing, and asks at each offer how much the call's own thread was given by then."""

    def __init__(self, mailbox: Mailbox) -> None:
        self.given: list[int] = []
        self.is_clear = True
        self._mailbox = mailbox

    def send(self, line: bytes, deadline: float) -> None:
        raise CallTimedOut

    def offer(self, lines: bytes) -> bool:
        self.given.append(self._mailbox.qsize())
        return False

    def close(self) -> None:
        pass


def test_an_answer_goes_out_before_the_calls_thread_hears_of_what_was_asked_next() -> None:
    mailbox = Mailbox()
    channel = Told(mailbox)
    runner = Runner(channel)
    runner.feed(b'{"type":"ready","functions":[]}\n')
    runner.begin("c", mailbox)
    heard: list[Mail] = []
    attendant = {"get": b"{}\n"}
    waiting = threading.Thread(
        target=lambda: heard.append(
            mailbox.take(20, lambda frame: attendant.get(frame.op) if isinstance(frame, Database) else None)
        ),
        name="waiting",
    )
    waiting.start()
    get = Database("c", op="get")
    until(lambda: mailbox.answer(get) is not None, "it waits")

    runner.feed(b'{"type":"db","call_id":"c","op":"get"}\n{"type":"db","call_id":"c","op":"list"}\n')
    waiting.join(20)

    assert channel.given == [0]
    assert isinstance(heard[0], Unsent)


def test_lines_that_nobody_sends_are_made_known_to_every_call_under_way() -> None:
    mailboxes = {"a": Mailbox(), "b": Mailbox()}
    runner = Runner(Told(mailboxes["a"]))
    runner.feed(b'{"type":"ready","functions":[]}\n')
    for call_id, mailbox in mailboxes.items():
        runner.begin(call_id, mailbox)

    with pytest.raises(CallTimedOut):
        runner.send(b"line\n", 0.0)

    assert [mailbox.take(0) for mailbox in mailboxes.values()] == [Unsent("a"), Unsent("b")]
