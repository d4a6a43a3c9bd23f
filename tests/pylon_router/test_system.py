"""``/api/manifest``: the app's shape for everyone, its rules for the admin. ``/api/__test__/reset``."""

from collections.abc import Iterator

import pytest

from pylon_core import jsontext
from pylon_core.manifest import parse_manifest
from pylon_storage import EphemeralStore
from tests.support.data_api import NOTES, DataApi


@pytest.mark.parametrize(
    ("as_user", "query"),
    [("anonymous", ""), ("alice", "?full=1"), ("anonymous", "?full=true"), ("admin", ""), ("admin", "?full=0")],
)
def test_the_public_manifest_names_policies_without_their_rules(api: DataApi, as_user: str, query: str) -> None:
    policies = api.send("GET", f"/api/manifest{query}", as_user).json["policies"]

    assert [policy.keys() for policy in policies] == [{"name", "entity"}] * len(NOTES["policies"])


@pytest.mark.parametrize("query", ["?full=1", "?full=true", "?a=b&full=1"])
def test_the_admin_can_have_the_whole_manifest(api: DataApi, query: str) -> None:
    whole = api.send("GET", f"/api/manifest{query}", "admin").json

    assert parse_manifest(jsontext.encode(whole)) == api.manifest


class TestReset:
    @pytest.fixture
    def memory(self) -> Iterator[DataApi]:
        opened = DataApi(dev_mode=True, engine="sqlite")
        assert isinstance(opened.store, EphemeralStore)
        opened.reconfigure(reset=opened.store.reset)
        yield opened
        opened.store.close()

    def test_it_empties_the_database(self, memory: DataApi) -> None:
        memory.add("Todo", title="old")
        memory.add("Note", slug="taken", title="old")

        answer = memory.send("POST", "/api/__test__/reset", "anonymous", address="127.0.0.1")

        assert (answer.status, answer.json) == (200, {"reset": True})
        assert memory.send("GET", "/api/entities/Todo").json == []
        assert memory.add("Note", slug="taken", title="new")

    def test_nobody_is_told_and_old_cursors_are_refused(self, memory: DataApi) -> None:
        memory.add("Todo", title="old")
        old = memory.send("GET", "/api/sync/pull?since=0").json["cursor"]["last_seq"]
        heard: list[object] = []
        memory.store.subscribe(heard.append)

        memory.send("POST", "/api/__test__/reset", "anonymous", address="::1")

        assert heard == []
        assert memory.send("GET", f"/api/sync/pull?since={old}").code == "RESYNC_REQUIRED"
        fresh = memory.send("GET", "/api/sync/pull?since=0").json
        assert fresh["changes"] == []
        new = memory.add("Todo", title="new")
        page = memory.send("GET", f"/api/sync/pull?since={fresh['cursor']['last_seq']}").json
        assert [change["row_id"] for change in page["changes"]] == [new["id"]]

    @pytest.mark.parametrize("address", ["10.0.0.1", "::ffff:10.0.0.1", "", None, "localhost"])
    def test_it_is_refused_from_elsewhere(self, memory: DataApi, address: str | None) -> None:
        memory.add("Todo", title="kept")

        with memory.unchanged():
            answer = memory.send("POST", "/api/__test__/reset", "admin", address=address)

        assert (answer.status, answer.code) == (403, "RESET_REFUSED")

    def test_it_is_refused_outside_development(self, memory: DataApi) -> None:
        memory.reconfigure(dev_mode=False)

        assert memory.send("POST", "/api/__test__/reset", "admin", address="127.0.0.1").code == "RESET_REFUSED"

    def test_it_is_refused_where_data_lasts(self, memory: DataApi) -> None:
        memory.reconfigure(reset=None)

        assert memory.send("POST", "/api/__test__/reset", "admin", address="127.0.0.1").code == "RESET_REFUSED"
