"""The cache never exceeds its bound, never invents, and never keeps what was removed."""

from hypothesis import given
from hypothesis import strategies as st

from pylon_auth import AuthContext
from pylon_auth.session_cache import Entry, SessionCache

CAPACITY = 6
KEYS = st.integers(0, 11)
STEPS = st.lists(
    st.tuples(st.sampled_from(["put", "stale put", "get", "remove", "remove user"]), KEYS), max_size=60
)


def entry(key: int) -> Entry:
    return (key, AuthContext(user_id=f"u{key % 3}"))


@given(STEPS)
def test_it_returns_only_what_was_put_and_not_removed_within_its_bound(steps: list[tuple[str, int]]) -> None:
    cache, stored = SessionCache(CAPACITY), set[int]()

    for action, key in steps:
        name = str(key).encode()
        match action:
            case "put":
                cache.put(name, entry(key), cache.epoch())
                stored.add(key)
            case "stale put":
                epoch = cache.epoch()
                cache.remove(b"another")
                cache.put(name, entry(key), epoch)
            case "get":
                found = cache.get(name)
                assert found is None or (found == entry(key) and key in stored)
            case "remove":
                cache.remove(name)
                stored.discard(key)
            case "remove user":
                cache.remove_user(f"u{key % 3}")
                stored = {other for other in stored if other % 3 != key % 3}
        assert len(cache) <= CAPACITY


def test_a_users_sessions_leave_both_generations() -> None:
    cache = SessionCache(CAPACITY)
    for number in range(CAPACITY):
        cache.put(str(number).encode(), (number, AuthContext(user_id="u1")), cache.epoch())
    assert len(cache) > CAPACITY // 2

    cache.remove_user("u1")

    assert len(cache) == 0


def test_what_is_used_outlives_what_is_not() -> None:
    cache = SessionCache(CAPACITY)
    cache.put(b"used", entry(1), cache.epoch())

    for number in range(100):
        cache.put(str(number).encode(), entry(number), cache.epoch())
        assert cache.get(b"used") == entry(1)

    assert cache.get(b"0") is None
