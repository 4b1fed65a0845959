"""The stand-in's HTTP: the built page, the documented JSON and the live stream, under the house's own headers."""

from __future__ import annotations

import json
import mimetypes
import sys
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from tests.browser.fixture_house import FixtureHouse

__all__ = ["PAGE", "POLICY", "serve"]

PAGE = Path(__file__).resolve().parents[2] / "src" / "stathouse" / "web" / "page"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'self'; require-trusted-types-for 'script'"
)


def serve(house: FixtureHouse, port: int) -> ThreadingHTTPServer:
    """Return a server for a house, bound but not yet running; port 0 takes a free one."""
    server = _Server(("127.0.0.1", port), type("Handler", (_Handler,), {"house": house}))
    server.daemon_threads = True
    return server


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a browser that has gone; anything else is shown."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    house: FixtureHouse
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer with the page, with JSON or with the stream."""
        parts = urlsplit(self.path)
        query = parse_qs(parts.query, keep_blank_values=True)
        house = self.house
        if not parts.path.startswith("/api/"):
            self._file("index.html" if parts.path == "/" else parts.path.lstrip("/"))
        elif house.token and self.headers.get("Authorization") != f"Bearer {house.token}":
            self._refuse("A token is needed.", HTTPStatus.UNAUTHORIZED)
        elif parts.path == "/api/live":
            self._live(query.get("series", []))
        elif parts.path == "/api/query" and house.failing:
            self._refuse(house.failing, HTTPStatus.SERVICE_UNAVAILABLE)
        else:
            self._answer(parts.path, query)

    def do_POST(self) -> None:
        """Take points."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.house.post(body["points"])
        self._json({"accepted": len(body["points"]), "batch": "fixture-1-1"})

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the tests' output is theirs."""

    def _answer(self, path: str, query: dict[str, list[str]]) -> None:
        house = self.house

        def one(name: str, usual: str) -> str:
            return query.get(name, [usual])[0]

        answers: dict[str, Callable[[], object]] = {
            "/api/status": house.status,
            "/api/top": house.top,
            "/api/processes": house.processes,
            "/api/query": lambda: house.query(query),
            "/api/series": lambda: house.series(one("search", ""), int(one("limit", "100")), int(one("offset", "0"))),
        }
        if path in answers:
            self._json(answers[path]())
        else:
            self._refuse("There is no such thing.", HTTPStatus.NOT_FOUND)

    def _live(self, globs: list[str]) -> None:
        house = self.house
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.close_connection = True
        since = time.time()
        try:
            while not house.stopped:
                now = time.time()
                self._event("status", house.tiles())
                self._event("points", {"points": house.live(globs, since)})
                since = now
                with house.changed:
                    house.changed.wait(timeout=1.0)
        except OSError:
            return  # the reader has gone

    def _event(self, name: str, data: object) -> None:
        self.wfile.write(f"event: {name}\ndata: {json.dumps(data)}\n\n".encode())
        self.wfile.flush()

    def _file(self, name: str) -> None:
        path = (PAGE / name).resolve()
        if path.is_relative_to(PAGE) and path.is_file():
            self._send(path.read_bytes(), mimetypes.guess_type(path.name)[0] or "application/octet-stream")
        else:
            self._refuse("There is no such file.", HTTPStatus.NOT_FOUND)

    def _refuse(self, problem: str, status: HTTPStatus) -> None:
        self._json({"error": {"reason": status.name.lower(), "problem": problem}}, status)

    def _json(self, value: object, status: HTTPStatus = HTTPStatus.OK) -> None:
        self._send(json.dumps(value).encode(), "application/json", status)

    def _send(self, body: bytes, kind: str, status: HTTPStatus = HTTPStatus.OK) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        self.wfile.write(body)
