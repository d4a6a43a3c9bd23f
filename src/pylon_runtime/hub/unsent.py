"""What waits to be sent, by content: kept once however many connections wait for it, and counted.

Those who open one document, or catch up over one stretch of the log, each come with bytes of their own, which are
equal; kept as they come, a few dozen clients that do not read would hold hundreds of megabytes. The dispatcher's
thread alone uses this.
"""

_PIECE_BYTES = 300
"""About what a piece takes besides its bytes."""


class _Piece:
    __slots__ = ("data", "holders")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.holders = 0


class UnsentBytes:
    def __init__(self) -> None:
        self._pieces: dict[bytes, _Piece] = {}
        self.total = 0
        """In memory, however many hold them."""

    def hold(self, data: bytes) -> bytes:
        """The equal bytes to hold instead, which others may hold too; until they are given back."""
        piece = self._pieces.get(data)
        if piece is None:
            piece = self._pieces[data] = _Piece(data)
            self.total += len(data) + _PIECE_BYTES
        piece.holders += 1
        return piece.data

    def give_back(self, data: bytes) -> None:
        piece = self._pieces[data]
        piece.holders -= 1
        if not piece.holders:
            del self._pieces[data]
            self.total -= len(data) + _PIECE_BYTES

    def share(self, data: bytes) -> float:
        """What one of its holders answers for."""
        return (len(data) + _PIECE_BYTES) / self._pieces[data].holders
