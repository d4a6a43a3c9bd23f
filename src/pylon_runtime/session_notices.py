"""Sessions that end or change, here or on other servers of the same database: their sockets are closed.

Of what other servers did, ``_heard`` is told on the store's own thread; it never waits. When notices may have
been missed (the database was away, or the way to it), no cached session is believed, and the housekeeper compares
the open sockets' identities with the database.
"""

from functools import partial

from pylon_auth import SessionFate, SessionStore
from pylon_runtime.housekeeping import Housekeeper
from pylon_runtime.hub import Hub
from pylon_runtime.hub.close_codes import POLICY_VIOLATION, SERVICE_RESTART
from pylon_storage.sessions import NOTICE_TOPIC, read_notice
from pylon_storage.statements import Tables

_HUB_PATIENCE_S = 5.0

_CLOSING = {
    SessionFate.ENDED: (POLICY_VIOLATION, "The session ended."),
    SessionFate.CHANGED: (SERVICE_RESTART, "The session changed; pull, then reconnect."),
}


def close_sockets(sessions: SessionStore, hub: Hub) -> None:
    """From now on, close those of every session that ends or changes."""
    sessions.subscribe(lambda session_id, fate: hub.close_session(session_id, *_CLOSING[fate]))


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
