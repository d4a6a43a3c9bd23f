"""A server that was restarted replays what was committed just before it went: a client may have missed it."""

from pathlib import Path

from tests.server.rig import Server, write_app


def test_a_socket_that_opens_after_a_restart_gets_the_changes_of_just_before(tmp_path: Path) -> None:
    server = Server(write_app(tmp_path))
    try:
        server.start()
        token, _ = server.guest()
        posts = [server.request("POST", "/api/entities/Post", {"title": "x"}, token=token)[1] for _ in range(3)]
        server.kill()
        server.start()
        client = server.socket(token)

        assert [client.next()["row_id"] for _ in posts] == [post["id"] for post in posts]
    finally:
        server.drop_sockets()
        server.stop()
