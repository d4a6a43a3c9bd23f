"""Every bound of the hub, with the reason for its default."""

import msgspec


class HubLimits(msgspec.Struct, frozen=True, kw_only=True):
    message_bytes_max: int = 16 << 20
    """Longest message a client may send (PYLON_WS_MAX_FRAME, contract 05 §6.2); a longer one ends its socket."""

    connections_per_peer_max: int = 64
    """Contract 05 §6.1, on each listener. Behind a proxy the peer is the client's own address, so this is per
    household."""

    connections_per_user_max: int = 100
    """As much, whatever addresses they come from: all the tabs and devices of a person, not a stolen token's
    army."""

    log_events_max: int = 10_000
    log_bytes_max: int = 64 << 20
    """A connection that lags beyond what the log keeps is closed, so these two bound memory and lag alike."""

    replay_s: float = 60.0
    """A new socket is sent the visible events of so long: the window between its last pull and its opening."""

    stall_s: float = 10.0
    """A connection that takes no byte for so long, while some wait for it, is closed."""

    bytes_per_s_min: float = 4 << 10
    """So is one that takes them more slowly than this, after as long: half of what mobile networks leave those who
    have used up their allowance, and far more than who reads a byte now and then."""

    unsent_bytes_max: int = 64 << 20
    """What may wait for all slow readers together, equal bytes counted once: a thousand who lag by a chunk. Beyond
    it those who hold most are closed; what they hold is let go when they have gone, and at twice this at once."""

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

    text_chars_max: int = 64 << 10
    """Longest text message read: presence and topics to be passed on, and requests. Of a longer one only the
    beginning is kept, so that a request can be refused."""

    relay_backlog_bytes_max: int = 1 << 20
    """Relays that may wait for the dispatcher; more are dropped, so that a flood cannot hold up change events."""

    relay_messages_per_s: float = 60.0
    relay_bytes_per_s: float = 128 << 10
    """What one connection may have passed on: a pointer moving at screen rate, and short documents."""

    requests_per_s: float = 60.0
    requests_burst: int = 600
    """Subscribing and the like, of one connection. One that comes back asks at once for all it had; whoever goes
    on like that is served no faster, and nothing is passed over."""

    documents_per_connection_max: int = 256
    """Documents that one connection hears of: what an editor shows, with a lot to spare."""

    document_subscriptions_max: int = 100_000
    """Of all connections together; each takes less than a kilobyte."""

    documents_read_at_once_max: int = 4
    """Documents on their way from the store to the dispatcher, twice each and of 2 MiB or more, so that the memory
    of many that are opened at once is that of few. Each is there for milliseconds."""

    live_queries_per_connection_max: int = 64
    """Live queries that one connection subscribes to: what a screen shows, with a lot to spare."""

    live_queries_per_holder_max: int = 1_000
    """Live queries that all connections of a user subscribe to, or all guests at one address: many windows full of
    them, and a tenth of what the server has, so that it takes ten to leave nothing to others."""

    live_queries_max: int = 10_000
    """Different ones of all connections together, equal ones of equal readers counted once."""

    live_query_spare_min: int = 16
    live_query_spare_max: int = 256
    """Rows kept behind a live query's limit, in between as many as within it: so many may leave before the store
    is asked again."""

    live_query_bytes_max: int = 16 << 20
    live_queries_bytes_max: int = 256 << 20
    """What the rows kept of one live query, and of all, take in memory, about; more are refused."""
