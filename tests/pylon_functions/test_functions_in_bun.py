"""What an app's handlers may do and what their callers get: real Bun, real store (contract 07 §13)."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from pylon_auth.context import ADMIN, ANONYMOUS, AuthContext
from pylon_functions.registry import FunctionDefinition, FunctionKind
from pylon_http import ChangeKind, TxStore
from tests.pylon_functions.bun_app import BunApp

CODE_OF = """const codeOf = async (run: () => Promise<unknown>) => {
    try { await run(); return "ok"; } catch (error) { return (error as { code: string }).code; }
  };
  """
LOST = {
    "map": ("new Map([[1, 2]])", "a Map"),
    "set": ("{ tags: [1, new Set()] }", "a Set at tags[1]"),
    "promise": ("{ row: { inner: Promise.resolve(1) } }", "a Promise at row.inner"),
    "response": ("new Response('text')", "a Response"),
    "error": ("[new TypeError('secret')]", "an Error at [0]"),
    "function": ("() => 1", "a function"),
    "method": ("{ run() {} }", "a function at run"),
    "symbol": ("Symbol('x')", "a symbol"),
    "generator": ("[1].values()", "an iterator"),
    "pattern": ("{ pattern: /x/ }", "a RegExp at pattern"),
}
FUNCTIONS = {
    "echo": "export default query({ handler: (ctx, args) => args });",
    "nothing": "export default query({ handler: () => undefined });",
    "whoami": "export default query({ handler: (ctx) => ctx.auth });",
    "keys": "export default mutation({ handler: (ctx) => Object.keys(ctx).sort() });",
    "queryKeys": "export default query({ handler: (ctx) => Object.keys(ctx).sort() });",
    "typed": """export default query({
        args: { lot: v.id("Lot"), amount: v.int() },
        handler: (ctx, args) => args.amount,
      });""",
    "both": """export default query({ handler: async (ctx, { a, b }) =>
        Promise.all([a, b, "none"].map((id) => ctx.db.get("Lot", id as string))) });""",
    "readEverything": """export default query({ handler: async (ctx) => {
        const first = await ctx.db.paginate("Lot", { cursor: null, numItems: 2 });
        return {
          list: (await ctx.db.list("Lot")).map((lot) => lot.title),
          lookup: (await ctx.db.lookup("Lot", "title", "b"))?.price,
          missing: await ctx.db.lookup("Lot", "title", "zzz"),
          query: (await ctx.db.query("Lot", { price: { $gte: 2 }, $order: { price: "desc" } }))
            .map((lot) => lot.title),
          all: (await ctx.db.query("Lot")).length,
          noId: await ctx.db.get("Lot", null as unknown as string),
          first: [first.page.map((lot) => lot.title), first.isDone],
          second: await ctx.db.paginate("Lot", { cursor: first.nextCursor, numItems: 2 }),
        };
      } });""",
    "sell": """export default mutation({ args: { title: v.string() }, handler: async (ctx, args) => {
        const id = await ctx.db.insert("Lot", { title: args.title, price: 1 });
        const mine = await ctx.db.get("Lot", id);
        return { id, mine, updated: await ctx.db.update("Lot", id, { price: 2 }) };
      } });""",
    "changes": """export default mutation({ handler: async (ctx) => {
        const id = await ctx.db.insert("Lot", { title: "x" });
        return [
          await ctx.db.update("Lot", id, {}),
          await ctx.db.update("Lot", "none", { price: 1 }),
          await ctx.db.delete("Lot", "none"),
          await ctx.db.delete("Lot", id),
          await ctx.db.get("Lot", id),
        ];
      } });""",
    "notAwaited": """export default mutation({ handler: async (ctx) => {
        ctx.db.insert("Lot", { title: "first" });
        ctx.db.insert("Lot", { title: "second" });
      } });""",
    "neverAwaited": """export default mutation({ handler: (ctx) => {
        ctx.db.insert("Lot", { title: "first" });
        ctx.db.insert("Nope", {});
        return 3;
      } });""",
    "neverAwaitedInside": """export default mutation({ handler: async (ctx) => {
        const log = async (title: string) => {
          await ctx.db.insert("Lot", { title });
          await ctx.db.insert("Lot", { title });
        };
        log("same");
      } });""",
    "neverAwaitedEarly": """export default mutation({ handler: async (ctx) => {
        ctx.db.update("Lot", "none", { colour: 1 });
        ctx.db.queryGraph({ Nope: {} }).then((rows) => rows);
        for (let n = 0; n < 3; n++) await ctx.db.insert("Lot", { title: `lot ${n}` });
      } });""",
    "neverAwaitedUnsendable": """export default mutation({ handler: async (ctx) => {
        ctx.db.insert("Lot", { title: 5n });
      } });""",
    "awaitedLate": CODE_OF
    + """export default mutation({ handler: async (ctx) => {
        const refused = ctx.db.insert("Nope", {});
        await ctx.db.insert("Lot", { title: "a" });
        await Bun.sleep(1);
        ctx.db.insert("Nope", {}).catch(() => {});
        const codes = await Promise.all([codeOf(() => refused), codeOf(() => ctx.db.insert("Nope", {}))]);
        return [...codes, (await Promise.allSettled([ctx.db.insert("Nope", {})])).length];
      } });""",
    "queryNotAwaited": """export default query({ handler: (ctx) => {
        ctx.db.get("Nope", "x");
        return "fine";
      } });""",
    "asksAfterwards": """let later: Promise<unknown> | null = null;
      const code = (error: { code?: unknown }) => error.code;
      export default query({ handler: async (ctx) => {
        const before = later;
        later = Bun.sleep(1).then(() => ctx.db.get("Lot", "x")).catch(code);
        return before === null ? null : await before;
      } });""",
    "trap": """const trap = () => { throw new Error("trap"); };
      export default mutation({ handler: () => {
        throw new Proxy({}, { get: trap, has: trap, getPrototypeOf: trap, ownKeys: trap });
      } });""",
    "getter": """export default query({ handler: () => {
        throw { code: "A", get message() { throw new Error("getter"); } };
      } });""",
    "throws": """export default query({ handler: (ctx, { code, message }) => { throw { code, message }; } });""",
    "makesNoCode": """export default mutation({ handler: (ctx) => {
        throw ctx.error("sold out", "secret");
      } });""",
    "tellsAtLength": """export default query({ handler: () => {
        throw { code: "A", message: "y".repeat(100_000) };
      } });""",
    "depth": """export default query({ handler: (ctx, { levels }) => {
        let value: unknown = 1;
        for (let n = 0; n < (levels as number); n++) value = [value];
        return value;
      } });""",
    "cycle": """export default query({ handler: () => { const a: unknown[] = []; a.push(a); return a; } });""",
    "says": """class Point { x = 1; }
      export default query({ handler: () => [
        new Date(0), new Point(), Buffer.from("a"), new URL("http://a/"), Object.create(null), undefined, NaN,
        { left: undefined, toJSON: () => "own" },
      ] });""",
    "insertsMap": """export default mutation({ handler: (ctx) => ctx.db.insert("Lot", { title: new Map() }) });""",
    "runsMap": """export default action({ handler: (ctx) => ctx.runQuery("echo", { a: [new Set()] }) });""",
    **{
        f"lost {name}": f"export default query({{ handler: () => ({value}) }});"
        for name, (value, _) in LOST.items()
    },
    "failLate": """export default mutation({ handler: async (ctx) => {
        await ctx.db.insert("Lot", { title: "gone" });
        throw ctx.error("SOLD_OUT", "None are left.");
      } });""",
    "secret": 'export default mutation({ handler: () => { throw new Error("secret"); } });',
    "codeless": "export default mutation({ handler: (ctx) => { throw ctx.error('EMPTY', ''); } });",
    "systemError": """import { readFileSync } from "node:fs";
      export default query({ handler: () => readFileSync("/no/such") });""",
    "missingModule": "export default query({ handler: async () => import(`./${'no'}where`) });",
    "missingScript": "export default query({ handler: () => require(`/srv/${'no'}where`) });",
    "badUrl": "export default query({ handler: () => new URL('not one') });",
    "bigint": "export default query({ handler: () => 5n });",
    "surrogate": "export default query({ handler: () => '<\\ud800>' });",
    "badRow": 'export default mutation({ handler: (ctx) => ctx.db.insert("Lot", { colour: 1 }) });',
    "catches": CODE_OF
    + """export default mutation({ handler: async (ctx) => {
        await ctx.db.insert("Lot", { title: "same" });
        return codeOf(() => ctx.db.insert("Lot", { title: "same" }));
      } });""",
    "strange": CODE_OF
    + """export default mutation({ handler: async (ctx) => {
        const db = ctx.db as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>;
        const tries: [string, unknown[]][] = [
          ["lookup", ["Lot", "price", 5]], ["lookup", ["Lot", "nope", 5]], ["lookup", ["Lot"]],
          ["get", ["Nope", "x"]], ["get", [{}, "x"]], ["query", ["Lot", { price: { $near: 1 } }]],
          ["query", ["Lot", "text"]], ["insert", ["Lot"]], ["insert", ["Lot", []]],
          ["queryGraph", [{}]], ["search", ["Lot", {}]], ["link", ["Lot", "a", "b", "c"]],
          ["get", ["Lot", "\\ud800"]],
        ];
        const codes: string[] = [];
        for (const [op, args] of tries) codes.push(await codeOf(() => db[op]!(...args)));
        codes.push(await codeOf(() => ctx.scheduler.runAfter(10.5, "f")));
        codes.push(await codeOf(() => ctx.scheduler.cancel("x")));
        codes.push(await codeOf(() => ctx.scheduler.runAfter(NaN, "f")));
        return codes;
      } });""",
    "totals": """export default query({ handler: async (ctx) => ({
        rows: await ctx.db.aggregate("Lot", { count: "*", sum: ["price"], groupBy: ["open"] }),
        graph: await ctx.db.queryGraph({ Lot: { where: { open: true }, limit: 1 } }),
      }) });""",
    "shelve": """export default mutation({ handler: async (ctx) => {
        await ctx.db.insert("Book", { title: "The red book", shelf: "a" });
        await ctx.db.insert("Book", { title: "Another red one", shelf: "b" });
        return ctx.db.search("Book", { query: "red", filters: { shelf: "b" }, pageSize: 1 });
      } });""",
    "findBooks": CODE_OF
    + """export default query({ handler: async (ctx) => [
        (await ctx.db.search<{ title: string }>("Book", { query: "red -another" })).hits[0]!.title,
        await codeOf(() => ctx.db.search("Book", { query: 'red "' })),
        await codeOf(() => ctx.db.search("Book", { sort: ["shelf", "asc"] })),
      ] });""",
    "nested": CODE_OF
    + """export default action({ handler: async (ctx) => {
        const [who, both] = await Promise.all([ctx.runQuery("whoami"), ctx.runQuery("echo", { n: 1 })]);
        const sold = await ctx.runMutation<{ id: string }>("sell", { title: "kept" });
        const code = await codeOf(() => ctx.runMutation("failLate"));
        return { who, both, sold: typeof sold.id, code, keys: Object.keys(ctx).sort() };
      } });""",
    "nestedWrongly": CODE_OF
    + """export default action({ handler: async (ctx) => [
        await codeOf(() => ctx.runQuery("sell")),
        await codeOf(() => ctx.runMutation("nope")),
        await codeOf(() => ctx.runQuery("nested")),
      ] });""",
    "noise": """export default query({ handler: async (ctx) => {
        await Bun.write(Bun.stdout, "not a frame\\n");
        await Bun.write(Bun.stdout, "unfinished");
        process.stdout.write('{"type":"return","call_id":"c_0","value":1}\\n');
        console.log("fine"); console.table([1]);
        return (await ctx.db.list("Lot")).length;
      } });""",
    "leaky": """export default query({ handler: async () => {
        Promise.reject(new Error("nobody awaits this"));
        setTimeout(() => { throw new Error("nor this"); }, 0);
        await Bun.sleep(5);
        return "alive";
      } });""",
    "environment": "export default query({ handler: (ctx) => ctx.env });",
    "streams": """export default mutation({ handler: async (ctx) => {
        ctx.stream.write("x".repeat(200_000)); ctx.stream.writeEvent("e", "y"); return "done";
      } });""",
    "large": "export default query({ handler: (ctx, args) => (args.text as string).length });",
    "parallel": """export default query({ handler: async (ctx) => {
        const titles = Array.from({ length: 500 }, (_, n) => `none${n}`);
        const found = await Promise.all(titles.map((title) => ctx.db.lookup("Lot", "title", title)));
        return found.filter((lot) => lot === null).length;
      } });""",
    "helper": "export const notAFunction = 1;",
    "broken": "throw new Error('does not load');",
    "old.js": "export default query({ handler: () => 'js' });",
    "echo.test.ts": "export default query({ handler: () => 'a test' });",
    "types.d.ts": "export default query({ handler: () => 'a declaration' });",
}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BunApp]:
    app = BunApp(tmp_path_factory.mktemp("app"), FUNCTIONS)
    yield app
    app.close()


@pytest.fixture
def app(shared: BunApp) -> BunApp:
    """The one app, its database emptied."""
    shared.store.transact(lambda tx: [tx.delete("Lot", lot["id"]) for lot in shared.lots()])
    return shared


def add(app: BunApp, *titles: str) -> list[str]:
    def fill(tx: Any) -> list[str]:
        return [tx.insert("Lot", {"title": title, "price": n})["id"] for n, title in enumerate(titles, 1)]

    return app.store.transact(fill)


def test_functions_are_the_modules_that_export_one(app: BunApp) -> None:
    app.call("nothing")
    names = [definition.name for definition in app.host.definitions()]

    expected = {name.removesuffix(".js") for name in FUNCTIONS} - {
        "helper",
        "broken",
        "echo.test.ts",
        "types.d.ts",
    }
    assert names == sorted(expected)


def test_a_definition_tells_kind_and_arguments(app: BunApp) -> None:
    app.call("nothing")
    definitions = {definition.name: definition for definition in app.host.definitions()}

    schema = {"lot": {"type": "id", "table": "Lot"}, "amount": {"type": "int"}}
    assert definitions["typed"] == FunctionDefinition("typed", FunctionKind.QUERY, schema)
    assert msgspec.to_builtins(definitions["nested"]) == {"name": "nested", "fn_type": "action"}


@pytest.mark.parametrize(
    ("name", "args", "value"),
    [
        ("echo", {"a": [1, 2.5, None, "é🙂\n"]}, {"a": [1, 2.5, None, "é🙂\n"]}),
        ("echo", msgspec.Raw(b'{\n "a": 1\n}'), {"a": 1}),
        ("echo", {}, {}),
        ("nothing", {}, None),
        ("old", {}, "js"),
        ("surrogate", {}, "<\ufffd>"),
        ("large", {"text": "x" * 3_000_000}, 3_000_000),
        ("streams", {}, "done"),
        ("leaky", {}, "alive"),
        ("noise", {}, 0),
        ("parallel", {}, 500),
        ("keys", {}, ["asUser", "auth", "db", "env", "error", "scheduler", "signal", "stream", "workflows"]),
        ("queryKeys", {}, ["asUser", "auth", "db", "env", "signal"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_call_returns(app: BunApp, name: str, args: Any, value: Any) -> None:
    assert app.call(name, args) == value


@pytest.mark.parametrize(
    ("auth", "seen"),
    [
        (ANONYMOUS, {"userId": None, "isAdmin": False, "tenantId": None, "roles": []}),
        (
            AuthContext("u9", tenant_id="org1", roles=("editor",)),
            {"userId": "u9", "isAdmin": False, "tenantId": "org1", "roles": ["editor"]},
        ),
        (ADMIN, {"userId": "__admin__", "isAdmin": True, "tenantId": None, "roles": ["admin"]}),
    ],
    ids=["nobody", "user", "admin"],
)
def test_a_handler_sees_who_calls(app: BunApp, auth: AuthContext, seen: dict[str, Any]) -> None:
    assert app.call("whoami", auth=auth) == seen


@pytest.mark.parametrize(
    ("name", "args", "status", "code", "message"),
    [
        ("nope", {}, 404, "FN_NOT_FOUND", 'Function "nope" is not registered'),
        ("typed", {"lot": "x"}, 400, "INVALID_ARGS", 'Missing required field "amount" (type: int)'),
        ("typed", None, 400, "INVALID_ARGS", None),
        ("typed", "text", 400, "INVALID_ARGS", "args must be an object"),
        ("failLate", {}, 400, "SOLD_OUT", "None are left."),
        ("codeless", {}, 400, "EMPTY", "Handler error"),
        ("secret", {}, 400, "HANDLER_ERROR", "Internal handler error"),
        ("systemError", {}, 400, "HANDLER_ERROR", "Internal handler error"),
        ("missingModule", {}, 400, "HANDLER_ERROR", "Internal handler error"),
        ("missingScript", {}, 400, "HANDLER_ERROR", "Internal handler error"),
        ("badUrl", {}, 400, "HANDLER_ERROR", "Internal handler error"),
        ("bigint", {}, 400, "HANDLER_ERROR", "Internal handler error"),
        ("cycle", {}, 400, "HANDLER_ERROR", "Internal handler error"),
        ("trap", {}, 400, "HANDLER_ERROR", "Internal handler error"),
        ("getter", {}, 400, "HANDLER_ERROR", "Internal handler error"),
        ("throws", {"code": "A B\n", "message": "secret"}, 400, "HANDLER_ERROR", "Internal handler error"),
        ("throws", {"code": "X" * 65, "message": "secret"}, 400, "HANDLER_ERROR", "Internal handler error"),
        ("throws", {"code": "sold", "message": "secret"}, 400, "HANDLER_ERROR", "Internal handler error"),
        ("makesNoCode", {}, 400, "HANDLER_ERROR", "Internal handler error"),
        ("throws", {"code": "SOLD_2", "message": "told"}, 400, "SOLD_2", "told"),
        ("tellsAtLength", {}, 400, "A", "y" * 3_999 + "…"),
        ("depth", {"levels": 129}, 400, "HANDLER_ERROR", None),
        ("insertsMap", {}, 400, "INVALID_DATA", None),
        ("runsMap", {}, 400, "INVALID_DATA", None),
        ("neverAwaitedUnsendable", {}, 400, "HANDLER_ERROR", None),
        ("badRow", {}, 400, "INVALID_COLUMN", None),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_call_fails(app: BunApp, name: str, args: Any, status: int, code: str, message: str | None) -> None:
    error = app.fail(name, args)

    assert (error.status, error.code) == (status, code)
    assert message is None or error.message == message
    assert app.lots() == []


def test_operations_at_once_each_get_their_own_answer(app: BunApp) -> None:
    first, second = add(app, "a", "b")

    rows = app.call("both", {"a": first, "b": second})

    assert [row and row["title"] for row in rows] == ["a", "b", None]


def test_every_way_to_read(app: BunApp) -> None:
    add(app, "a", "b", "c")

    read = app.call("readEverything")

    second = read.pop("second")
    assert ([row["title"] for row in second["page"]], second["nextCursor"], second["isDone"]) == (
        ["c"],
        None,
        True,
    )
    assert read == {
        "list": ["a", "b", "c"],
        "lookup": 2,
        "missing": None,
        "query": ["c", "b"],
        "all": 3,
        "noId": None,
        "first": [["a", "b"], False],
    }


def test_a_mutation_sees_its_own_writes_and_logs_them_in_order(app: BunApp) -> None:
    since = app.store.head()

    sold = app.call("sell", {"title": "lamp"})

    assert sold["mine"]["price"] == 1
    assert sold["updated"] is True
    assert [(row["id"], row["price"]) for row in app.lots()] == [(sold["id"], 2)]
    events = app.store.changes(since, 10).events
    assert [(event.kind, event.row_id) for event in events] == [
        (ChangeKind.INSERT, sold["id"]),
        (ChangeKind.UPDATE, sold["id"]),
    ]


def test_a_mutation_that_throws_leaves_no_row_and_no_event(app: BunApp) -> None:
    since = app.store.head()

    app.fail("failLate")

    assert app.lots() == []
    assert app.store.changes(since, 10).events == []


def test_writes_that_match_nothing_say_so(app: BunApp) -> None:
    assert app.call("changes") == [False, False, False, True, None]


@pytest.mark.parametrize(
    ("name", "code", "operation"),
    [
        ("neverAwaited", "ENTITY_NOT_FOUND", 'ctx.db.insert("Nope")'),
        ("neverAwaitedInside", "INSERT_FAILED", 'ctx.db.insert("Lot")'),
        ("neverAwaitedEarly", "INVALID_COLUMN", 'ctx.db.update("Lot")'),
        ("neverAwaitedUnsendable", "HANDLER_ERROR", 'ctx.db.insert("Lot")'),
    ],
)
def test_a_refusal_that_nobody_awaited_fails_its_mutation(
    app: BunApp, name: str, code: str, operation: str
) -> None:
    error = app.fail(name)

    assert error.code == code
    assert error.message.startswith(f"{operation} failed and nobody awaits it; await it: ")
    assert app.lots() == []


def test_a_refusal_that_somebody_awaited_however_late_is_theirs(app: BunApp) -> None:
    assert app.call("awaitedLate") == ["ENTITY_NOT_FOUND", "ENTITY_NOT_FOUND", 1]
    assert app.titles() == ["a"]


def test_a_query_need_not_await(app: BunApp) -> None:
    assert app.call("queryNotAwaited") == "fine"


def test_what_is_asked_after_the_return_is_refused_with_a_code(app: BunApp) -> None:
    assert app.call("asksAfterwards") is None
    assert app.call("asksAfterwards") == "NOT_AVAILABLE"


@pytest.mark.parametrize("name", LOST)
def test_what_json_would_lose_is_refused_by_its_name_and_place(app: BunApp, name: str) -> None:
    error = app.fail(f"lost {name}")

    assert error.code == "HANDLER_ERROR"
    assert error.message == f"The function returned {LOST[name][1]}, which JSON cannot say."


def test_what_json_can_say_is_said(app: BunApp) -> None:
    said = app.call("says")

    buffer = {"type": "Buffer", "data": [97]}
    assert said == ["1970-01-01T00:00:00.000Z", {"x": 1}, buffer, "http://a/", {}, None, None, "own"]
    assert app.call("depth", {"levels": 128}) is not None


def test_operations_issued_before_the_return_belong_to_the_transaction(app: BunApp) -> None:
    app.call("notAwaited")

    assert app.titles() == ["first", "second"]


def test_a_caught_database_error_leaves_the_transaction_usable(app: BunApp) -> None:
    assert app.call("catches") == "INSERT_FAILED"
    assert app.titles() == ["same"]


def test_a_query_adds_up_and_reads_graphs(app: BunApp) -> None:
    def fill(tx: TxStore) -> None:
        for number, is_open in enumerate([True, False, True]):
            tx.insert("Lot", {"title": f"lot {number}", "price": 10**number, "open": is_open}, f"l{number}")

    app.store.transact(fill)

    assert app.call("totals") == {
        "rows": [{"open": False, "count": 1, "sum_price": 10}, {"open": True, "count": 2, "sum_price": 101}],
        "graph": {"Lot": [{"id": "l0", "title": "lot 0", "price": 1, "open": True}]},
    }


def test_functions_search_and_a_mutation_finds_what_it_wrote(app: BunApp) -> None:
    shelved = app.call("shelve")

    assert [hit["title"] for hit in shelved["hits"]] == ["Another red one"]
    assert shelved["total"] == 1
    assert shelved["facetCounts"] == {"shelf": {"a": 1, "b": 1}}
    assert shelved["tookMs"] >= 0
    assert app.call("findBooks") == ["The red book", "ok", "INVALID_QUERY"]


def test_whatever_is_asked_for_gets_an_answer(app: BunApp) -> None:
    assert app.call("strange") == [
        "ok",
        "INVALID_COLUMN",
        "INVALID_QUERY",
        "ENTITY_NOT_FOUND",
        "ENTITY_NOT_FOUND",
        "INVALID_QUERY",
        "INVALID_QUERY",
        "INSERT_FAILED",
        "INVALID_DATA",
        "INVALID_QUERY",
        "SEARCH_NOT_CONFIGURED",
        "RELATION_NOT_FOUND",
        "ok",
        "ok",
        "ok",
        "INVALID_ARGS",
    ]


def test_an_action_keeps_what_its_mutations_committed_and_loses_admin_rights(app: BunApp) -> None:
    result = app.call("nested", auth=ADMIN)

    assert result == {
        "who": {"userId": None, "isAdmin": False, "tenantId": None, "roles": []},
        "both": {"n": 1},
        "sold": "string",
        "code": "SOLD_OUT",
        "keys": ["auth", "env", "error", "runMutation", "runQuery", "scheduler", "signal", "stream", "workflows"],
    }
    assert app.titles() == ["kept"]


def test_a_nested_call_must_name_a_function_of_its_kind(app: BunApp) -> None:
    assert app.call("nestedWrongly") == ["FN_TYPE_MISMATCH", "FN_NOT_FOUND", "FN_TYPE_MISMATCH"]
