"""With TLS asked for, nothing is said to a server that cannot prove its name. The server is behind a wire that
speaks TLS for it, since the one of the tests cannot."""

import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from psycopg.conninfo import conninfo_to_dict

from pylon_http import DataError
from tests.pylon_storage.postgres.rig import OpenStore, note, titles

_SSL_REQUEST_BYTES = 8


def certificate(directory: Path, address: str) -> Path:
    """A self-signed certificate for an address, with its key, as one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "postgres")])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    file = directory / f"{address}.pem"
    file.write_bytes(
        signed.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return file


class TlsWire:
    """Answers libpq's request for TLS, and passes what comes through it on to the server."""

    def __init__(self, url: str, certificate: Path) -> None:
        parts = conninfo_to_dict(url)
        self._target = ("127.0.0.1", int(str(parts["port"])))
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate)
        self._context.set_alpn_protocols(["postgresql"])
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.encrypted = 0
        self.url = f"postgresql://postgres@127.0.0.1:{self._listener.getsockname()[1]}/{parts['dbname']}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError), client:
            client.recv(_SSL_REQUEST_BYTES)
            client.sendall(b"S")
            with self._context.wrap_socket(client, server_side=True) as safe:
                self.encrypted += 1
                with socket.create_connection(self._target) as server:
                    back = threading.Thread(target=_pass_on, args=(server, safe), daemon=True)
                    back.start()
                    _pass_on(safe, server)
                    back.join(5)


def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    return certificate(tmp_path, "127.0.0.1")


@pytest.fixture
def wire(url: str, own: Path) -> Iterator[TlsWire]:
    wire = TlsWire(url, own)
    yield wire
    wire.close()


def test_a_server_whose_authority_is_known_is_spoken_to(wire: TlsWire, own: Path, open_store: OpenStore) -> None:
    store = open_store(through=f"{wire.url}?sslmode=require&sslrootcert={own}")

    store.transact(note("a"))

    assert titles(store) == ["a"]
    assert wire.encrypted >= 2
    store.close()


@pytest.mark.parametrize("query", ["?sslmode=require", "?sslmode=verify-full", "?sslrootcert=system"])
def test_a_server_nobody_vouches_for_is_not(wire: TlsWire, open_store: OpenStore, query: str) -> None:
    with pytest.raises(DataError) as refused:
        open_store(through=f"{wire.url}{query}")

    assert refused.value.code == "NOT_AVAILABLE"
    assert wire.encrypted == 0


def test_nor_is_one_with_a_certificate_for_another_name(url: str, tmp_path: Path, open_store: OpenStore) -> None:
    other = certificate(tmp_path, "127.0.0.2")
    wire = TlsWire(url, other)

    with pytest.raises(DataError) as refused:
        open_store(through=f"{wire.url}?sslmode=require&sslrootcert={other}")

    wire.close()
    assert refused.value.code == "NOT_AVAILABLE"


def test_nor_is_one_that_offers_no_tls(url: str, own: Path, open_store: OpenStore) -> None:
    with pytest.raises(DataError) as refused:
        open_store(through=f"{url}?sslmode=require&sslrootcert={own}")

    assert refused.value.code == "NOT_AVAILABLE"
