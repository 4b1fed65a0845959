"""Who may come in: every route with every token, wrong tokens, and doors that must not be open."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from litestar.exceptions import HTTPException

from stathouse.config.options import HttpOptions, TokenOptions
from stathouse.errors import ConfigError
from stathouse.web.app import create_app
from stathouse.web.guard import Access, Token, check_exposure, is_loopback, load_tokens
from tests.house.clocks import HandClock
from tests.web.serving import Served, serve
from tests.web.tiny_house import TinyHouse

SECRETS = {scope: f"{scope}-{'s' * 40}" for scope in ("read", "ingest", "admin")}
TOKENS = tuple(
    Token(digest=hashlib.sha256(secret.encode()).digest(), scopes=frozenset({scope}))
    for scope, secret in SECRETS.items()
)
POINTS = '{"points":[{"name":"a","fields":{"x":1}}]}'
EVENTS = '{"events":[{"key":["a"]}]}'

# (method, route) → (address, body, its media type, the status without a token and with read, ingest, admin)
OPEN = (200, 200, 200, 200)
READ = (401, 200, 403, 200)
MATRIX: dict[tuple[str, str], tuple[str, str | None, str, tuple[int, int, int, int]]] = {
    ("GET", "/"): ("/", None, "", OPEN),
    ("GET", "/assets/{name:path}"): ("/assets/a.js", None, "", OPEN),
    ("GET", "/healthz"): ("/healthz", None, "", OPEN),
    ("GET", "/readyz"): ("/readyz", None, "", OPEN),
    ("GET", "/version"): ("/version", None, "", OPEN),
    ("GET", "/schema"): ("/schema", None, "", OPEN),
    ("GET", "/schema/openapi.json"): ("/schema/openapi.json", None, "", OPEN),
    ("GET", "/schema/{path:str}"): ("/schema/x", None, "", (404, 404, 404, 404)),
    ("GET", "/metrics"): ("/metrics", None, "", READ),
    ("GET", "/api/status"): ("/api/status", None, "", READ),
    ("GET", "/api/series"): ("/api/series", None, "", READ),
    ("GET", "/api/query"): ("/api/query?series=a", None, "", READ),
    ("GET", "/api/events"): ("/api/events", None, "", READ),
    ("GET", "/api/top"): ("/api/top", None, "", READ),
    ("GET", "/api/processes"): ("/api/processes", None, "", READ),
    ("GET", "/api/live"): ("/api/live?series=", None, "", (401, 400, 403, 400)),
    ("POST", "/api/points"): ("/api/points", POINTS, "application/json", (401, 403, 200, 200)),
    ("POST", "/api/write"): ("/api/write", "a x=1", "text/plain", (401, 403, 204, 204)),
    ("POST", "/api/events"): ("/api/events", EVENTS, "application/json", (401, 403, 200, 200)),
}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("page")
    (folder / "assets").mkdir()
    (folder / "index.html").write_text("<!doctype html>")
    (folder / "assets" / "a.js").write_text("1")
    with serve(tokens=TOKENS, page_folder=folder) as served:
        yield served


def _headers(secret: str | None) -> dict[str, str]:
    return {} if secret is None else {"Authorization": f"Bearer {secret}"}


def test_every_route_has_a_row() -> None:
    app = create_app(TinyHouse(), HttpOptions())
    routes = {
        (method, route.path)
        for route in app.inner.routes
        for method in getattr(route, "route_handler_map", {})
        if method != "OPTIONS"
    }
    assert routes == set(MATRIX)


@pytest.mark.parametrize("route", list(MATRIX), ids=lambda route: f"{route[0]} {route[1]}")
def test_every_route_with_every_token(guarded: Served, route: tuple[str, str]) -> None:
    path, body, media_type, expected = MATRIX[route]
    secrets = (None, SECRETS["read"], SECRETS["ingest"], SECRETS["admin"])
    found = []
    for secret in secrets:
        headers = _headers(secret) | ({"Content-Type": media_type} if media_type else {})
        found.append(guarded.ask(path, method=route[0], body=body, headers=headers).status)
    assert tuple(found) == expected


def test_options_of_a_route_are_closed(guarded: Served) -> None:
    assert guarded.ask("/api/points", method="OPTIONS", headers=_headers(SECRETS["admin"])).status == 403


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer ",
        f"Basic {SECRETS['read']}",
        SECRETS["read"],
        f"Bearer {SECRETS['read']}x",
        "Bearer caf\xe9",
    ],
)
def test_a_header_that_is_no_known_token_is_refused(authorization: str) -> None:
    with serve(tokens=TOKENS) as served:
        reply = served.ask("/api/status", headers={"Authorization": authorization})
    assert reply.status == 401
    assert reply.headers["www-authenticate"].startswith("Bearer")
    assert SECRETS["read"].encode() not in reply.body


def test_a_body_is_not_read_before_the_token() -> None:
    with serve(tokens=TOKENS) as served, served.connect() as connection:
        head = b"POST /api/points HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        connection.sendall(head + b"Content-Length: 1000\r\n\r\n")
        assert connection.recv(65_536).startswith(b"HTTP/1.1 401")


def test_wrong_tokens_wait_longer_and_right_ones_never() -> None:
    clock = HandClock()
    access = Access(TOKENS, clock)

    def status(secret: str, peer: str = "10.0.0.1") -> int:
        try:
            access.require("read", authorization=f"Bearer {secret}", peer=peer)
        except HTTPException as error:
            return error.status_code
        return 200

    assert [status("wrong") for _ in range(5)] == [401] * 5
    assert status("wrong") == 429
    assert status("wrong", peer="10.0.0.2") == 401
    # A neighbour behind the same address is not shut out.
    assert status(SECRETS["read"]) == 200
    clock.move(1.5)
    assert [status("wrong"), status("wrong")] == [401, 429]
    clock.move(1.5)
    assert status("wrong") == 429, "the second wait is longer"
    clock.move(3_600)
    assert [status("wrong") for _ in range(5)] == [401] * 5


def test_who_failed_is_remembered_within_bounds() -> None:
    access = Access(TOKENS, HandClock())
    for number in range(5_000):
        with pytest.raises(HTTPException):
            access.require("read", authorization="Bearer wrong", peer=f"10.0.{number // 256}.{number % 256}")
    assert len(access._failures) <= 1_024


def test_tokens_are_read_and_kept_as_hashes(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(SECRETS["read"] + "\n")
    file.chmod(0o600)
    options = HttpOptions(
        tokens=[TokenOptions(file=str(file)), TokenOptions(environment="TOKEN", scopes=["ingest", "admin"])]
    )
    tokens = load_tokens(options, {"TOKEN": SECRETS["ingest"]})
    assert [token.scopes for token in tokens] == [{"read"}, {"ingest", "admin"}]
    assert tokens[0] == TOKENS[0]
    assert SECRETS["read"] not in repr(tokens)


@pytest.mark.parametrize(
    ("token", "problem"),
    [
        (TokenOptions(environment="SHORT"), "can be guessed"),
        (TokenOptions(environment="ABSENT"), "holds no token"),
        (TokenOptions(), "one of them"),
        (TokenOptions(file="/a", environment="SHORT"), "one of them"),
    ],
)
def test_a_token_that_cannot_be_used_stops_the_start(token: TokenOptions, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        load_tokens(HttpOptions(tokens=[token]), {"SHORT": "hunter2"})


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "stats.example.org", ""])
def test_a_door_open_to_others_needs_a_token(host: str) -> None:
    options = HttpOptions(host=host or "example.org")
    with pytest.raises(ConfigError, match="no token"):
        check_exposure(options)
    check_exposure(HttpOptions(host=options.host, tokens=[TokenOptions(environment="TOKEN")]))


def test_half_of_a_tls_setting_is_refused() -> None:
    with pytest.raises(ConfigError, match="come together"):
        check_exposure(HttpOptions(tls_cert="cert.pem"))


def test_loopback_is_known() -> None:
    assert all(map(is_loopback, ["127.0.0.1", "127.8.9.1", "::1", "[::1]", "localhost", "LOCALHOST."]))
    assert not any(map(is_loopback, ["0.0.0.0", "10.0.0.1", "localhost.evil.example", "127.0.0.1.nip.io", ""]))
