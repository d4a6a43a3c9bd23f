"""The server's own tables as the administrator sees them."""

import pytest

from pylon_router.admin import AUTH_TABLES, OPS_TABLES, SESSIONS_MAX
from tests.strategies.documents import app, entity, field
from tests.support.data_api import DataApi

TABLES = [*(f"auth/{name}" for name in AUTH_TABLES), *(f"ops/{name}" for name in OPS_TABLES)]


@pytest.mark.parametrize("table", TABLES)
def test_every_table_is_an_array_for_the_administrator_alone(api: DataApi, table: str) -> None:
    assert api.send("GET", f"/api/admin/{table}?limit=5", "admin").json == []
    for who in ("anonymous", "guest", "alice"):
        assert api.send("GET", f"/api/admin/{table}", who).code == "FORBIDDEN"


@pytest.mark.parametrize("who", ["anonymous", "admin"])
@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE", "PUT"])
def test_tables_are_only_read(api: DataApi, method: str, who: str) -> None:
    answers = [api.send(method, f"/api/admin/{table}", who) for table in (*TABLES, "auth/none", "ops/none")]

    assert {(answer.status, answer.code) for answer in answers} == {(405, "METHOD_NOT_ALLOWED")}


@pytest.mark.parametrize(("kind", "code"), [("auth", "UNKNOWN_AUTH_TABLE"), ("ops", "UNKNOWN_OPS_TABLE")])
def test_an_unknown_table_is_told(api: DataApi, kind: str, code: str) -> None:
    answer = api.send("GET", f"/api/admin/{kind}/users", "admin")

    assert (answer.status, answer.code) == (404, code)
    assert api.send("GET", f"/api/admin/{kind}/users", "alice").code == "FORBIDDEN"


def test_sessions_are_shown_without_anything_usable(api: DataApi) -> None:
    issued = [api.ctx.sessions.create("alice", device="phone", tenant_id="acme"), api.ctx.sessions.create_guest()]

    rows = api.send("GET", "/api/admin/auth/sessions", "admin").json

    members = {"id", "token_preview", "user_id", "expires_at", "created_at", "device", "tenant_id"}
    assert all(row.keys() == members for row in rows)
    assert {row["id"] for row in rows} == {each.session.id for each in issued}
    assert {row["user_id"]: (row["device"], row["tenant_id"]) for row in rows}["alice"] == ("phone", "acme")
    text = str(rows)
    for each in issued:
        secret = each.token.removeprefix("pylon_")
        assert secret[:12] not in text
        assert each.session.token_hash.hex()[:12] not in text
    assert all(row["id"].startswith(row["token_preview"].removesuffix("…")) for row in rows)


def test_the_newest_sessions_are_shown_and_no_ended_ones(api: DataApi) -> None:
    for number in range(SESSIONS_MAX + 5):
        api.ctx.sessions.create(f"u{number}")
    token = api.ctx.sessions.create("gone").token
    api.ctx.sessions.revoke(token)

    rows = api.send("GET", "/api/admin/auth/sessions", "admin").json

    assert len(rows) == SESSIONS_MAX
    assert "gone" not in {row["user_id"] for row in rows}


def test_search_indexes_are_those_of_the_manifest() -> None:
    search = {"text": ["title"], "facets": ["brand"], "sortable": ["price"]}
    fields = [field("title"), field("brand"), field("price", "float")]
    api = DataApi(app(entities=[entity("Product", fields=fields, search=search), entity("Plain")]))

    rows = api.send("GET", "/api/admin/ops/search_indexes", "admin").json
    api.store.close()

    assert rows == [
        {
            "id": "Product",
            "entity": "Product",
            "text_fields": ["title"],
            "facet_fields": ["brand"],
            "sortable_fields": ["price"],
            "fts_table": "Product_fts",
        }
    ]
