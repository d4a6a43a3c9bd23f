"""Cuts a child's output into lines without ever holding more than one line of bounded size.

Pure; used by the one thread that reads a child.
"""

LINE_BYTES_MAX = 64 * 1024 * 1024
"""Far above any sensible return value, far below what would hurt the server."""
HEAD_BYTES = 1024
"""What is kept of a longer line: enough to tell which call it belongs to."""


class LineSplitter:
    def __init__(self, line_bytes_max: int = LINE_BYTES_MAX) -> None:
        self._line_bytes_max = line_bytes_max
        self._rest: list[bytes] = []
        self._rest_bytes = 0

    def push(self, chunk: bytes) -> list[bytes]:
        """The lines this chunk completes, without their newline; one that is too long is cut to its head."""
        lines = chunk.split(b"\n")
        if len(lines) == 1:
            self._keep(chunk)
            return []
        if self._rest:
            self._keep(lines[0])
            lines[0] = b"".join(self._rest)
        tail = lines.pop()
        self._rest = [tail] if tail else []
        self._rest_bytes = len(tail)
        return lines

    def _keep(self, part: bytes) -> None:
        self._rest.append(part)
        self._rest_bytes += len(part)
        if self._rest_bytes > self._line_bytes_max:
            self._rest = [b"".join(self._rest)[:HEAD_BYTES]]
