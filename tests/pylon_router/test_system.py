"""``/api/manifest``: the app's shape for everyone, its rules for the admin."""

import pytest

from pylon_core import jsontext
from pylon_core.manifest import parse_manifest
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
