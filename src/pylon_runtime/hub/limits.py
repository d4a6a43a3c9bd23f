"""Every bound of the hub, with the reason for its default."""

import msgspec


class HubLimits(msgspec.Struct, frozen=True, kw_only=True):
    message_bytes_max: int = 16 << 20
    """Longest message a client may send (PYLON_WS_MAX_FRAME, contract 05 §6.2); a longer one ends its socket."""

    connections_per_peer_max: int = 64
    """Contract 05 §6.2. Behind a proxy the peer is the client's own address, so this is per household."""

    log_events_max: int = 10_000
    log_bytes_max: int = 64 << 20
    """A connection that lags beyond what the log keeps is closed, so these two bound memory and lag alike."""

    replay_s: float = 60.0
    """A new socket is sent the visible events of so long: the window between its last pull and its opening."""

    stall_s: float = 10.0
    """A connection that takes no byte for so long, while some wait for it, is closed."""

    close_grace_s: float = 2.0
    """How long a peer may take to answer a close frame before the connection is cut."""

    ping_interval_s: float = 25.0
    """Below the 30 and 60 seconds after which common proxies cut a quiet connection."""

    chunk_bytes_max: int = 64 << 10
    """Frames for one send: enough to make lagging cheap, little enough that the kernel takes it whole."""

    slice_events_max: int = 1_000
    """Log entries judged for one connection that lags before the others have their turn: about a millisecond."""

    catch_up_s: float = 0.005
    """Time given to lagging connections between two looks at what is new."""

    outbox_replies_max: int = 64
    """Replies (pongs, at most one read's worth each) that may wait for a client that does not read them."""

    tick_s: float = 0.5
    """How often silence, stalls and overdue closes are looked for."""

    backlog_bytes_max: int = 1 << 20
    """What feeds may push to a connection that is not taking bytes, before it is closed."""

    relay_bytes_max: int = 64 << 10
    """Longest presence or topic message passed on."""

    relay_backlog_bytes_max: int = 1 << 20
    """Relays that may wait for the dispatcher; more are dropped, so that a flood cannot hold up change events."""

    relay_messages_per_s: float = 60.0
    relay_bytes_per_s: float = 128 << 10
    """What one connection may have passed on: a pointer moving at screen rate, and short documents."""
