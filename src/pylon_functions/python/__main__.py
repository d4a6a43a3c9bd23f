"""``python -m pylon_functions.python <folder>``: loads the functions, says ``ready``, serves calls until stdin
ends.

The pipes are moved to private descriptors first: what handlers print goes to stderr, and what they read is empty.
"""

import io
import os
import sys
from pathlib import Path

from pylon_functions.python import wire
from pylon_functions.python.channel import Channel
from pylon_functions.python.invoker import Invoker
from pylon_functions.python.loading import load_functions


def main(folder: Path) -> None:
    channel = _take_pipes()
    try:
        registry, problems = load_functions(folder.resolve())
    except OSError:
        channel.send(wire.not_ready(f"Cannot read functions directory: {folder}"))
        return
    invoker = Invoker(registry, channel)
    channel.send(wire.ready([function.entry() for function in registry.values()], problems))
    for line in channel.lines():
        match wire.decode(line):
            case wire.CallFrame() as frame:
                invoker.begin(frame)
            case wire.ResultFrame() as frame:
                channel.settle(frame)
            case wire.AbandonFrame(call_id):
                invoker.abandon(call_id)


def _take_pipes() -> Channel:
    read_fd, write_fd = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    if isinstance(sys.stdout, io.TextIOWrapper):  # what is printed is seen at once, and never fails a handler
        sys.stdout.reconfigure(errors="backslashreplace", line_buffering=True)
    channel = Channel(read_fd, write_fd)
    os.register_at_fork(after_in_child=channel.disown)
    return channel


if __name__ == "__main__":
    sys.path.append(os.getcwd())  # behind everything: the app's modules are found, and stand in for nobody's
    main(Path(sys.argv[1]))
    # Handlers that still run serve nobody any more.
    sys.stderr.flush()
    os._exit(0)
