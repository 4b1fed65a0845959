"""The gate: hosts, other sites, heads and bodies that are too large, bombs, and the headers of every answer."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from stathouse.web.gate import HostList, unpacked_limit
from tests.web.serving import Served, serve

POINTS = json.dumps({"points": [{"name": "a", "fields": {"x": 1}}]})
JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:9999", "127.0.0.1", "127.0.0.1:8127", "[::1]:80", "LocalHost:1", "127.0.0.2"]
)
def test_loopback_names_are_let_in(shared: Served, host: str) -> None:
    assert shared.ask("/api/status", headers={"Host": host}).status == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.nip.io:8127",
        "",
        "0.0.0.0",
        "localhost@evil.example",
        "[::1",
    ],
)
@pytest.mark.parametrize("path", ["/", "/healthz", "/api/status", "/nothing/here"])
def test_other_names_are_refused(shared: Served, host: str, path: str) -> None:
    reply = shared.ask(path, headers={"Host": host})
    assert (reply.status, reply.error["reason"]) == (403, "bad_host")


def test_one_host_header_and_no_more(shared: Served) -> None:
    answer = shared.raw(b"GET /healthz HTTP/1.0\r\n\r\n")
    assert b" 403 " in answer.split(b"\r\n")[0]
    answer = shared.raw(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: a.example\r\nConnection: close\r\n\r\n")
    assert answer.split(b"\r\n")[0].split()[1] in (b"400", b"403")


def test_configured_names_are_let_in() -> None:
    hosts = HostList("192.168.1.5", ["Stats.Example.org", "other.example:8443"])
    assert all(
        map(hosts.allows, ["stats.example.org", "stats.example.org:1", "other.example:8443", "192.168.1.5:8127"])
    )
    assert not any(map(hosts.allows, ["other.example", "other.example:80", "192.168.1.6", "example.org"]))
    assert not HostList("0.0.0.0", []).allows("0.0.0.0")


FOREIGN = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://localhost:1"},
    {"Sec-Fetch-Site": "same-origin", "Origin": "https://evil.example"},
]


@pytest.mark.parametrize("headers", FOREIGN)
def test_other_sites_may_not_write(shared: Served, headers: dict[str, str]) -> None:
    before = len(shared.house.payloads)
    for path, media_type in (
        ("/api/points", "application/json"),
        ("/api/points", "text/plain"),
        ("/api/write", "text/plain"),
    ):
        body = POINTS if path == "/api/points" else "a x=1"
        reply = shared.post(path, body, headers={**headers, "Content-Type": media_type})
        assert (reply.status, reply.error["reason"]) == (403, "cross_site")
    assert len(shared.house.payloads) == before


@pytest.mark.parametrize("headers", FOREIGN)
@pytest.mark.parametrize("path", ["/api/status", "/api/live", "/api/query?series=a", "/metrics", "/readyz"])
def test_other_sites_may_not_read(shared: Served, headers: dict[str, str], path: str) -> None:
    assert shared.ask(path, headers=headers).status == 403


def test_a_link_from_another_site_leads_to_the_page_and_nowhere_else(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<!doctype html><title>Stathouse</title>")
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    with serve(page_folder=tmp_path) as served:
        assert served.ask("/", headers=headers).status == 200
        assert served.ask("/api/status", headers=headers).status == 403


def test_the_page_itself_may_ask(shared: Served) -> None:
    origin = f"http://127.0.0.1:{shared.port}"
    headers = {"Sec-Fetch-Site": "same-origin", "Origin": origin} | JSON
    assert shared.post("/api/points", POINTS, headers=headers).status == 200


def test_no_answer_opens_the_door_to_other_sites(shared: Served) -> None:
    for path in ("/api/status", "/api/nothing", "/healthz"):
        headers = shared.ask(path, headers={"Origin": f"http://127.0.0.1:{shared.port}"}).headers
        assert not [name for name in headers if name.startswith("access-control")]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-opener-policy"] == headers["cross-origin-resource-policy"] == "same-origin"
        assert headers["cache-control"] == "no-store"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "require-trusted-types-for 'script'" in headers["content-security-policy"]
        assert "server" not in headers


@pytest.mark.parametrize("size", [17_000, 60_000, 1_000_000])
def test_a_head_that_is_too_large_is_refused(shared: Served, size: int) -> None:
    answer = b""
    try:
        answer = shared.raw(
            b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX: " + b"x" * size + b"\r\n\r\n"
        )
    except ConnectionError:
        return  # cut while it was still sending: refused as well
    assert answer == b"" or answer.split()[1] in (b"400", b"431")


def test_an_address_counts_as_part_of_the_head(shared: Served) -> None:
    assert shared.ask("/healthz?" + "x" * 20_000).status in (400, 431)


def test_two_lengths_are_refused(served: Served) -> None:
    smuggled = b"0\r\n\r\nGET /api/status HTTP/1.1\r\nHost: localhost\r\n\r\n"
    head = b"POST /api/points HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n"
    answer = served.raw(head + b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n" % len(smuggled) + smuggled)
    assert answer.split()[1] == b"400"
    for lengths in (
        b"Content-Length: 5\r\nContent-Length: 6\r\n",
        b"Content-Length: -1\r\n",
        b"Transfer-Encoding: gzip\r\n",
    ):
        assert served.raw(head + lengths + b"\r\nhello").split()[1] == b"400"
    assert served.house.payloads == []


def test_a_body_where_none_is_read_is_swallowed(served: Served) -> None:
    assert served.ask("/api/status", body=b"x" * 100_000).status == 200
    pieces = b"1\r\nx\r\n" * 5_000 + b"0\r\n\r\n"
    with served.connect() as connection:
        connection.sendall(b"GET /api/live HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" + pieces)
        answer = b""
        while answer.count(b"event: status") < 3:
            answer += connection.recv(65_536)
    assert answer.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit_is_refused_while_it_comes(chunked: bool) -> None:
    with serve(max_body_bytes=10_000) as served, served.connect() as connection:
        head = b"POST /api/points HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        if chunked:
            connection.sendall(
                head + b"Transfer-Encoding: chunked\r\n\r\n" + b"2710\r\n" + b" " * 10_000 + b"\r\n1\r\n \r\n"
            )
        else:
            connection.sendall(head + b"Content-Length: 99999999999\r\n\r\n")
        answer = b""
        while b"}}" not in answer:
            answer += connection.recv(65_536)
        assert b" 413 " in answer.split(b"\r\n")[0]
        assert b"10000 bytes" in answer
        # Who goes on sending is cut off soon after.
        with pytest.raises(ConnectionError):
            for _ in range(100_000):
                connection.sendall(b"400\r\n" + b" " * 0x400 + b"\r\n")
    assert served.house.payloads == []


@pytest.mark.parametrize(
    "bomb",
    [
        gzip.compress(b" " * 200_000_000, 9),
        gzip.compress(gzip.compress(b" " * 50_000_000)),
        gzip.compress(b" " * 12_000_000, 9),
    ],
    ids=["200 MB", "nested", "just over"],
)
def test_a_gzip_bomb_is_refused(shared: Served, bomb: bytes) -> None:
    before = len(shared.house.payloads)
    reply = shared.post("/api/points", bomb, headers=JSON | {"Content-Encoding": "gzip"})
    assert reply.status in (400, 413)
    assert len(shared.house.payloads) == before


@pytest.mark.parametrize(
    "body", [b"not gzip", gzip.compress(POINTS.encode())[:-3], gzip.compress(POINTS.encode()) + b"more"]
)
def test_a_broken_gzip_body_is_refused(shared: Served, body: bytes) -> None:
    reply = shared.post("/api/points", body, headers=JSON | {"Content-Encoding": "gzip"})
    assert (reply.status, reply.error["where"]) == (400, "body")


def test_the_limit_of_unpacked_bodies() -> None:
    assert unpacked_limit(1_000) == 10_000
    assert unpacked_limit(1024 * 1024) == 10 * 1024 * 1024
    assert unpacked_limit(2**30) == 2**30


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"points":' + b"[" * 100_000,
        b'{"events":[{"key":["a"],"payload":' + b'{"a":' * 500 + b"1" + b"}" * 500 + b"}]}",
        b'{"points":[{"name":"a","fields":{"x":' + b"9" * 100_000 + b"}}]}",
        b'{"points":[{"name":"a","fields":{"x":1e' + b"9" * 1_000 + b"}}]}",
        b'{"points":[{"name":"a","fields":{"x":NaN}}]}',
        b'{"points":[{"name":"a","fields":{"x":Infinity}}]}',
        b'{"points":[{"name":"\xff\xfe","fields":{"x":1}}]}',
        b'{"points":[{"name":"\\ud800","fields":{"x":1}}]}',
        b'{"points":[{"name":"a","fields":{' + b",".join(b'"%d":{}' % i for i in range(50_000)) + b"}}]}",
        b"",
        b"\0",
    ],
    ids=range(12),
)
def test_json_bombs_are_refused(shared: Served, body: bytes) -> None:
    before = len(shared.house.payloads)
    path = "/api/events" if b"events" in body[:20] else "/api/points"
    reply = shared.post(path, body, headers=JSON)
    assert reply.status == 400, reply.body
    assert len(shared.house.payloads) == before
