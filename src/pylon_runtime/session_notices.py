"""Sessions that other servers on the same database ended or changed: not believed any more, their sockets closed.

``heard`` is called on the store's own thread and never waits. When notices may have been missed (the database was
away, or the way to it), no cached session is believed, and the housekeeper compares the open sockets' identities
with the database.
"""

from functools import partial

from pylon_auth import SessionStore
from pylon_runtime.housekeeping import Housekeeper
from pylon_runtime.hub import Hub
from pylon_storage.sessions import NOTICE_TOPIC, read_notice
from pylon_storage.statements import Tables

_HUB_PATIENCE_S = 5.0


def review(sessions: SessionStore, hub: Hub) -> None:
    """Close the sockets whose sessions have ended or changed unheard."""
    sessions.review(hub.identities(_HUB_PATIENCE_S))


def follow(tables: Tables, sessions: SessionStore, housekeeper: Housekeeper) -> None:
    tables.on_notice(NOTICE_TOPIC, partial(_heard, sessions, housekeeper))


def _heard(sessions: SessionStore, housekeeper: Housekeeper, text: str | None) -> None:
    if text is None:
        sessions.forget()
        housekeeper.ask_for_review()
    else:
        sessions.changed_elsewhere(*read_notice(text))
