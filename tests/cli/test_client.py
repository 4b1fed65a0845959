"""What the house's answers mean to a command."""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from stathouse.cli.client import Connection, HouseClient, is_loopback
from stathouse.errors import ConfigError, HouseUnreachable, InputError, Overloaded, StathouseError, UnknownSeries
from tests.cli.conftest import TinyHouse

_BAD_STEP = {"reason": "bad_parameter", "problem": "a step of 0.", "where": "step", "advice": "Write 1m."}


def test_get_returns_the_document_and_sends_the_token(house: TinyHouse, tmp_path: Path) -> None:
    house.answer("/api/status", {"ready": True})
    token = tmp_path / "token"
    token.write_text("s3cr3t\n")
    token.chmod(0o600)
    with HouseClient(Connection(url=house.url + "/", token_file=str(token))) as client:
        assert client.get("/api/status", [("tag", "a:1"), ("tag", "b:2")]) == {"ready": True}
    asked = house.requests[0]
    assert asked.parameters == [("tag", "a:1"), ("tag", "b:2")]
    assert asked.headers["authorization" if "authorization" in asked.headers else "Authorization"] == "Bearer s3cr3t"


@pytest.mark.parametrize(
    ("status", "body", "kind", "said"),
    [
        (400, {"error": _BAD_STEP}, InputError, "step: a step of 0. Write 1m."),
        (
            401,
            {"error": {"problem": "this needs a token", "advice": "Send the header: Authorization: Bearer TOKEN"}},
            ConfigError,
            "says: this needs a token. Name the file of a token with --token-file.",
        ),
        (
            403,
            {"error": {"reason": "bad_host", "problem": "a foreign Host", "advice": "Add it."}},
            ConfigError,
            "says: a foreign Host. Add it.",
        ),
        (403, b"<html>", ConfigError, "Forbidden"),
        (
            404,
            {"error": {"reason": "not_found", "problem": "x", "where": "series"}},
            UnknownSeries,
            "no series matches",
        ),
        (404, b"not here", HouseUnreachable, "knows no /api/query"),
        (429, {"error": {"reason": "overloaded", "problem": "x"}}, Overloaded, "try again in 7 s"),
        (
            503,
            {"error": {"reason": "store_failed", "problem": "the store failed."}},
            StathouseError,
            "the store failed.",
        ),
        (500, b"\x00" * 200_000, StathouseError, "answers 500: Internal Server Error"),
        (302, b"", StathouseError, "answers 302"),
    ],
)
def test_a_refusal_is_the_error_that_it_means(
    house: TinyHouse, status: int, body: object, kind: type[Exception], said: str
) -> None:
    house.answer("/api/query", body, status=status, headers={"Retry-After": "7", "Location": "http://127.0.0.1:1/"})
    with HouseClient(Connection(url=house.url)) as client, pytest.raises(StathouseError) as caught:
        client.get("/api/query", [("series", "shop.*")])
    assert type(caught.value) is kind
    assert said in str(caught.value)


@pytest.mark.parametrize("body", [b"<html>hello</html>", b"[1, 2]", b""])
def test_what_sends_no_json_object_is_no_house(house: TinyHouse, body: bytes) -> None:
    house.answer("/api/status", body)
    with HouseClient(Connection(url=house.url)) as client, pytest.raises(HouseUnreachable, match="is no house"):
        client.get("/api/status")


def test_a_server_that_never_answers_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        connection = Connection(url=url, timeout_seconds=0.2)
        with HouseClient(connection) as client, pytest.raises(HouseUnreachable, match="no answer in time"):
            client.get("/api/status")


@pytest.mark.requires("openssl")
def test_a_certificate_that_is_not_trusted_is_said(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    make = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=house"
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(["openssl", *make.split(), *names], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def shake_hands() -> None:
            connection, _ = server.accept()
            with contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True):
                pass

        thread = threading.Thread(target=shake_hands)
        thread.start()
        connection = Connection(url=f"https://127.0.0.1:{server.getsockname()[1]}")
        with HouseClient(connection) as client, pytest.raises(ConfigError, match=r"is not trusted.*--ca-file"):
            client.get("/api/status")
        thread.join()


def test_a_server_that_breaks_off_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def cut() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")

        thread = threading.Thread(target=cut)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        with HouseClient(Connection(url=url)) as client, pytest.raises(HouseUnreachable):
            client.get("/api/status")
        thread.join()


def test_a_proxy_of_the_environment_is_not_asked_for_loopback(
    house: TinyHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    house.answer("/api/status", {"ready": True})
    with HouseClient(Connection(url=house.url)) as client:
        assert client.get("/api/status") == {"ready": True}


@pytest.mark.parametrize("url", ["", "127.0.0.1:8127", "ftp://a", "http://", "http://a:port", "http://a:99999"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="is no address of a house"):
        HouseClient(Connection(url=url))


def test_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    connection = Connection(url="http://127.0.0.1:1")
    with pytest.raises(ConfigError, match=r"--token-file: .* cannot be read"):
        HouseClient(replace(connection, token_file=str(tmp_path / "none")))
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing")
    with pytest.raises(ConfigError, match="--ca-file"):
        HouseClient(replace(connection, ca_file=str(empty)))


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://localhost:8127", True),
        ("http://127.9.9.9", True),
        ("http://[::1]:8127", True),
        ("http://10.0.0.1", False),
        ("http://localhost.example.org", False),
    ],
)
def test_loopback(url: str, expected: bool) -> None:
    assert is_loopback(url) is expected
