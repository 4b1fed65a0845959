"""What every request passes before a route sees it: its head, where it comes from, how large its body may grow.

The gate wraps the application, so that it also holds for addresses that do not exist. It decides from the head alone;
the body is limited and unpacked while it is read, after the route's guard has let the caller in.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Any, Final, cast
from urllib.parse import urlsplit

from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from stathouse.config.options import HttpOptions
from stathouse.errors import InputError, TooLarge
from stathouse.web.counters import WebCounters
from stathouse.web.guard import is_loopback
from stathouse.web.refusals import ErrorBody, Problem

__all__ = ["PAGE_POLICY", "Gate", "HostList", "unpacked_limit"]

PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'self'; require-trusted-types-for 'script'"
)
_HEADERS: Final = (
    (b"content-security-policy", PAGE_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_MOST_UNPACKED: Final = 10 * 1024 * 1024
_LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class HostList:
    """The names under which the house may be asked.

    Loopback names are allowed with any port, so that a tunnel works; another site's name that was made to point here
    (DNS rebinding) is not among them. The address that the house listens on is allowed as well, unless it stands for
    all addresses.
    """

    def __init__(self, listen: str, allowed: Iterable[str]) -> None:
        self._hosts = set(_LOOPBACK_NAMES)
        self._pairs: set[str] = set()
        if listen not in ("", "0.0.0.0", "::"):
            self._hosts.add(listen.lower().strip("[]"))
        for name in allowed:
            host, port = _split(name.lower())
            (self._pairs if port else self._hosts).add(f"{host}:{port}" if port else host)

    def allows(self, host: str) -> bool:
        """Return whether a Host header's value is one of the names."""
        name, port = _split(host.lower())
        name = name.removesuffix(".")
        return name in self._hosts or f"{name}:{port}" in self._pairs or is_loopback(name)


class Gate:
    """The application behind its gate.

    Args:
        app: the application.
        options: the HTTP options.
        counters: where responses are counted.
    """

    def __init__(self, app: ASGIApp, options: HttpOptions, counters: WebCounters) -> None:
        self.app = app
        self._options = options
        self._counters = counters
        self._hosts = HostList(options.host, options.allowed_hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or hand the life of the server on."""
        kind: str = scope["type"]
        if kind != "http":
            if kind == "lifespan":
                await self.app(scope, receive, send)
            return
        request = cast("HTTPScope", scope)
        sender = _Sender(send, request["path"], self._counters)
        if refusal := self._refusal(request):
            status, problem = refusal
            await sender.refuse(status, problem)
            return
        body = _Body(receive, request, self._options.max_body_bytes, self._counters)
        await self.app(scope, body.receive, sender.send)

    def _refusal(self, scope: HTTPScope) -> tuple[int, Problem] | None:
        heads = _Heads(scope["headers"])
        # The address belongs to the head: a server that got it whole in one read has not looked at its length.
        address_bytes = len(scope["raw_path"]) + len(scope["query_string"])
        if heads.size + address_bytes > self._options.max_header_bytes:
            limit = f"the head of the request is larger than {self._options.max_header_bytes} bytes"
            return 431, Problem(reason="too_long", problem=limit, advice="http.max_header_bytes moves the limit.")
        return (
            self._host_refusal(heads)
            or _site_refusal(scope, heads)
            or _framing_refusal(scope, heads, self._options.max_body_bytes)
        )

    def _host_refusal(self, heads: _Heads) -> tuple[int, Problem] | None:
        hosts = heads.all(b"host")
        if len(hosts) == 1 and self._hosts.allows(hosts[0]):
            return None
        advice = "Ask under localhost, or add the name to http.allowed_hosts."
        problem = "the Host header is no name of this house"
        return 403, Problem(reason="bad_host", problem=problem, where="Host", advice=advice)


def _site_refusal(scope: HTTPScope, heads: _Heads) -> tuple[int, Problem] | None:
    site, origin = heads.get(b"sec-fetch-site"), heads.get(b"origin")
    foreign = site not in ("", "same-origin", "none")
    if origin and _authority(origin) != heads.get(b"host").lower():
        foreign = True
    # Following a link to the page from elsewhere is what links are for; only the page itself can be had that way.
    if scope["path"] == "/" and scope["method"] == "GET" and heads.get(b"sec-fetch-mode") == "navigate":
        foreign = False
    if not foreign:
        return None
    return 403, Problem(reason="cross_site", problem="another site's page asks for this", where="Origin")


def _framing_refusal(scope: HTTPScope, heads: _Heads, limit: int) -> tuple[int, Problem] | None:
    length, coding = heads.get(b"content-length"), heads.get(b"transfer-encoding")
    if length and coding:
        # Two servers in a row could disagree about where such a request ends.
        return 400, Problem(reason="bad_line", problem="both Content-Length and Transfer-Encoding", where="head")
    if length and int(length) > limit:
        problem = f"the body is larger than {limit} bytes"
        return 413, Problem(reason="too_long", problem=problem, where="body", advice="Send less at once.")
    return None


class _Heads:
    """The headers of a request; their names are lower case already."""

    def __init__(self, pairs: Iterable[tuple[bytes, bytes]]) -> None:
        self._pairs = list(pairs)
        self.size = sum(len(name) + len(value) + 4 for name, value in self._pairs)

    def all(self, name: bytes) -> list[str]:
        return [value.decode("latin-1").strip() for key, value in self._pairs if key == name]

    def get(self, name: bytes) -> str:
        found = self.all(name)
        return found[0] if found else ""


class _Sender:
    """Adds the headers of every response on its way out."""

    def __init__(self, send: Send, path: str, counters: WebCounters) -> None:
        self._send = send
        self._data = not path.startswith("/assets/")
        self._counters = counters

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._counters.answered(message["status"])
            headers = list(message.get("headers", ()))
            headers += _HEADERS
            if (self._data or message["status"] != 200) and not any(name == b"cache-control" for name, _ in headers):
                headers.append((b"cache-control", b"no-store"))
            message["headers"] = headers
        await self._send(message)

    async def refuse(self, status: int, problem: Problem) -> None:
        body = ErrorBody(problem).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        start: Any = {"type": "http.response.start", "status": status, "headers": headers}
        await self.send(start)
        end: Any = {"type": "http.response.body", "body": body, "more_body": False}
        await self.send(end)


def unpacked_limit(max_body_bytes: int) -> int:
    """Return how large a body may be unpacked: ten times its limit, at most 10 MiB or the limit itself."""
    return max(max_body_bytes, min(10 * max_body_bytes, _MOST_UNPACKED))


class _Body:
    """Counts a body while it is read, and unpacks gzip; an error is raised into the route that reads it."""

    def __init__(self, receive: Receive, scope: HTTPScope, limit: int, counters: WebCounters) -> None:
        self._receive = receive
        self._limit = limit
        self._counters = counters
        self._reads = scope["method"] == "POST"
        self._seen = 0
        self._unpacked = 0
        self._coding = _Heads(scope["headers"]).get(b"content-encoding").lower()
        self._gzip = zlib.decompressobj(wbits=31) if self._coding == "gzip" else None

    async def receive(self) -> Any:
        if not self._reads:
            return await self._skip()
        message = await self._receive()
        if message["type"] != "http.request":
            return message
        body = message.get("body", b"")
        self._seen += len(body)
        self._counters.add("bytes", len(body))
        if self._seen > self._limit:
            raise TooLarge("the body", limit=self._limit, option="http.max_body_bytes")
        if self._gzip is None:
            return message
        last = not message.get("more_body", False)
        return {"type": "http.request", "body": self._unpack(self._gzip, body, last), "more_body": not last}

    async def _skip(self) -> Any:
        """Swallow a body that no route reads, so that who waits for the end of a connection is not woken by it."""
        while (message := await self._receive())["type"] == "http.request":
            self._seen += len(message.get("body", b""))
            if self._seen > self._limit:
                return {"type": "http.disconnect"}
            if not message.get("more_body", False):
                return {"type": "http.request", "body": b"", "more_body": False}
        return message

    def _unpack(self, gzip: zlib._Decompress, body: bytes, last: bool) -> bytes:
        limit = unpacked_limit(self._limit)
        try:
            # One byte more than is allowed: enough to see that it is too much, and never more memory than that.
            plain = gzip.decompress(body, limit - self._unpacked + 1)
        except zlib.error:
            raise InputError("the body is not gzip", where="body", reason="bad_value") from None
        self._unpacked += len(plain)
        if self._unpacked > limit:
            raise TooLarge("the unpacked body", limit=limit)
        if gzip.unused_data or (last and self._seen and not gzip.eof):
            raise InputError("the gzip stream is cut off, or something follows it", where="body", reason="bad_value")
        return plain


def _split(authority: str) -> tuple[str, str]:
    """Return host and port of ``host``, ``host:port``, ``[v6]`` or ``[v6]:port``; empty when it is none of these."""
    if authority.startswith("["):
        host, bracket, rest = authority[1:].partition("]")
        return (host, rest.removeprefix(":")) if bracket and rest[:1] in ("", ":") else ("", "")
    if authority.count(":") > 1:
        return authority, ""
    host, _, port = authority.partition(":")
    return host, port


def _authority(origin: str) -> str:
    try:
        return urlsplit(origin.lower()).netloc
    except ValueError:
        return ""
