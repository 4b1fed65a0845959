"""Slow clients, many clients, ends and TLS, on real sockets."""

from __future__ import annotations

import http.client
import signal
import socket
import ssl
import subprocess
import threading
import time
from pathlib import Path

import pytest

from stathouse.config.options import HttpOptions
from stathouse.errors import ConfigError
from stathouse.web.app import create_app
from stathouse.web.serve import run_server, tls_context
from tests.web.serving import Served, serve
from tests.web.tiny_house import TinyHouse

HEAD = b"POST /api/points HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


def _ends(connection: socket.socket) -> bytes:
    """Return what still comes until the house closes."""
    parts = []
    try:
        while part := connection.recv(65_536):
            parts.append(part)
    except ConnectionError:
        pass
    return b"".join(parts)


@pytest.mark.parametrize(
    "slow",
    [b"", b"GET / HTTP/1.1\r\nHost: local", HEAD + b"Content-Length: 100\r\n\r\nhalf"],
    ids=["silent", "slow head", "slow body"],
)
def test_300_slow_connections_do_not_hold_up_a_quick_one(slow: bytes) -> None:
    with serve(max_connections=256) as served:
        connections = []
        for _ in range(300):
            connection = served.connect()
            connection.sendall(slow)
            connections.append(connection)
        for _ in range(100):
            assert served.ask("/healthz").status == 200
        counts = served.app.room.counters.counts()
        assert counts["evicted_connections"] >= 44
        assert counts["connections"] <= 256
        for connection in connections:
            connection.close()


def test_a_connection_is_refused_when_all_others_wait_for_the_house() -> None:
    house = TinyHouse()
    house.hold_questions.clear()
    with serve(house, max_connections=2) as served:
        busy = [served.connect() for _ in range(2)]
        for connection in busy:
            connection.sendall(b"GET /api/query?series=a HTTP/1.1\r\nHost: localhost\r\n\r\n")
        deadline = time.monotonic() + 10
        while len(house.asked) < 2:
            assert time.monotonic() < deadline
        refused = served.ask("/healthz")
        assert (refused.status, refused.error["reason"]) == (503, "overloaded")
        assert refused.headers["retry-after"] == "1"
        house.hold_questions.set()
        assert all(b"200 OK" in connection.recv(65_536) for connection in busy)
        for connection in busy:
            connection.close()
        assert served.app.room.counters.counts()["refused_connections"] == 1


def test_a_slow_head_is_cut_at_its_deadline_however_it_drips() -> None:
    with serve(header_seconds=0.3) as served, served.connect() as connection:
        began = time.monotonic()
        with pytest.raises(ConnectionError):
            for byte in b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 10_000:
                connection.sendall(bytes([byte]))
                connection.settimeout(0.02)
                try:
                    if connection.recv(1) == b"":
                        raise ConnectionResetError
                except TimeoutError:
                    connection.settimeout(5)
        assert 0.2 < time.monotonic() - began < 3
        assert served.app.room.counters.counts()["timed_out_connections"] == 1


def test_a_slow_body_is_cut_at_its_deadline() -> None:
    with serve(body_seconds=0.3) as served, served.connect() as connection:
        connection.sendall(HEAD + b"Content-Length: 100\r\n\r\nhalf")
        began = time.monotonic()
        assert _ends(connection) == b""
        assert 0.2 < time.monotonic() - began < 3
        assert served.house.payloads == []


def test_the_rest_of_a_refused_body_has_a_deadline_too() -> None:
    with serve(body_seconds=0.3) as served, served.connect() as connection:
        connection.sendall(HEAD.replace(b"application/json", b"text/plain") + b"Content-Length: 100\r\n\r\nhalf")
        began = time.monotonic()
        assert _ends(connection).startswith(b"HTTP/1.1 415")
        assert time.monotonic() - began < 3


def test_an_idle_connection_is_closed_and_a_slow_second_head_is_cut() -> None:
    with serve(header_seconds=0.3, idle_seconds=1) as served:
        for second in (b"", b"GET / HT"):
            with served.connect() as connection:
                connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n" + second)
                began = time.monotonic()
                assert b"200 OK" in _ends(connection)
                assert time.monotonic() - began < 4


def test_a_reader_that_stops_reading_is_cut() -> None:
    class Big(TinyHouse):
        def status(self) -> dict[str, object]:
            return {"text": "x" * 30_000_000}

    with serve(Big(), idle_seconds=0.3) as served, served.connect() as connection:
        connection.sendall(b"GET /api/status HTTP/1.1\r\nHost: localhost\r\n\r\n")
        deadline = time.monotonic() + 10
        while not served.app.room.counters.counts().get("timed_out_connections"):
            assert time.monotonic() < deadline


def test_pipelined_requests_are_answered_in_order(shared: Served) -> None:
    first = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    last = b"GET /version HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    answer = shared.raw(first * 3 + last)
    assert answer.count(b"HTTP/1.1 200 OK") == 4
    assert answer.index(b'{"status":"ok"}') < answer.index(b'"name":"stathouse"')


@pytest.mark.parametrize(
    "garbage", [b"\x16\x03\x01\x02\x00\x01", b"GET\r\n\r\n", b"\0" * 100, b"GET / HTTP/1.1\r\nHost : localhost"]
)
def test_what_is_no_http_is_refused(shared: Served, garbage: bytes) -> None:
    answer = shared.raw(garbage + b"\r\n\r\n")
    assert answer == b"" or answer.startswith(b"HTTP/1.1 400")
    assert shared.ask("/healthz").status == 200


def test_a_stop_waits_for_a_running_request_and_cuts_what_hangs() -> None:
    house = TinyHouse()
    house.hold_questions.clear()
    with serve(house) as served, served.connect() as hanging:
        hanging.sendall(HEAD + b"Content-Length: 100\r\n\r\nhalf")
        replies: list[int] = []
        asking = threading.Thread(target=lambda: replies.append(served.ask("/api/query?series=a").status))
        asking.start()
        deadline = time.monotonic() + 10
        while not house.asked:
            assert time.monotonic() < deadline
        began = time.monotonic()
        served.stop.set()
        house.hold_questions.set()
        asking.join(10)
        served.thread.join(10)
        assert not served.thread.is_alive()
        assert replies == [200]
        assert time.monotonic() - began < 5


def test_a_stop_does_not_wait_for_a_question_that_hangs() -> None:
    house = TinyHouse()
    house.hold_questions.clear()
    with serve(house) as served:
        connection = served.connect()
        connection.sendall(b"GET /api/query?series=a HTTP/1.1\r\nHost: localhost\r\n\r\n")
        deadline = time.monotonic() + 10
        while not house.asked:
            assert time.monotonic() < deadline
        began = time.monotonic()
        served.stop.set()
        served.thread.join(8)
        assert not served.thread.is_alive()
        assert time.monotonic() - began < 5
        connection.close()


def test_signals_stay_with_the_caller() -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with serve() as served:
        assert served.ask("/healthz").status == 200
        assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before
    listener = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()
    seen: list[object] = []

    def ready() -> None:
        seen.append(signal.getsignal(signal.SIGTERM))
        stop.set()

    run_server(create_app(TinyHouse(), HttpOptions()), [listener], HttpOptions(), stop=stop, on_ready=ready)
    assert seen == [before[0]]


def test_a_door_open_to_others_is_not_served() -> None:
    options = HttpOptions(host="0.0.0.0")
    with socket.create_server(("127.0.0.1", 0)) as listener, pytest.raises(ConfigError, match="no token"):
        run_server(create_app(TinyHouse(), options), [listener], options, stop=threading.Event())


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
    ]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    subprocess.run([*command, *names, "-keyout", str(key), "-out", str(cert)], check=True, capture_output=True)
    return str(cert), str(key)


@pytest.mark.requires("openssl")
def test_tls_is_served_and_a_slow_handshake_is_cut(certificate: tuple[str, str]) -> None:
    cert, key = certificate
    with serve(tls_cert=cert, tls_key=key, header_seconds=0.5) as served:
        silent = served.connect()
        context = ssl.create_default_context(cafile=cert)
        connection = http.client.HTTPSConnection("127.0.0.1", served.port, timeout=10, context=context)
        connection.request("GET", "/healthz")
        assert connection.getresponse().status == 200
        connection.close()
        assert _ends(silent) == b""
        silent.close()


@pytest.mark.requires("openssl")
def test_old_tls_is_refused(certificate: tuple[str, str]) -> None:
    context = tls_context(HttpOptions(tls_cert=certificate[0], tls_key=certificate[1]))
    assert context is not None
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


def test_a_certificate_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "cert.pem").write_text("nothing")
    path = str(tmp_path / "cert.pem")
    with pytest.raises(ConfigError, match=r"http\.tls_cert"):
        tls_context(HttpOptions(tls_cert=path, tls_key=path))
    assert tls_context(HttpOptions()) is None
