"""The protocol on the thread that reads: no thread, no queue, little memory."""

import socket
import threading

from wsproto.frame_protocol import FrameProtocol

from pylon_runtime.hub.protocol import ReaderSocket, ServerProtocol


def test_a_message_that_nobody_wants_is_counted_but_not_kept() -> None:
    server, client = socket.socketpair()
    with server, client:
        protocol = ServerProtocol(
            ReaderSocket(server, b""), "key", "13", None, message_bytes_max=1 << 20, kept_bytes_max=10_000
        )
        client.recv(4096)
        frames = FrameProtocol(client=True, extensions=[])
        sent: list[int] = []

        def send() -> None:
            for _ in range(100):
                client.sendall(frames.send_data(b"x" * 5_000, fin=False))
                sent.append(len(protocol.incoming_message or b""))
            client.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send)
        sender.start()
        protocol.serve(lambda text: None)
        sender.join()

        assert protocol.incoming_message_len == 500_000
        assert max(sent) < 20_000


def test_serving_starts_no_thread_and_keeps_nothing_of_the_request() -> None:
    server, client = socket.socketpair()
    with server, client:
        before = threading.active_count()

        protocol = ServerProtocol(ReaderSocket(server, b""), "key", "13", "bearer.x", 1000, 1000)

        assert threading.active_count() == before
        assert protocol.environ == {}
        assert b"Sec-WebSocket-Protocol: bearer.x" in client.recv(4096)
