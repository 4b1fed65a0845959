"""A web on a tiny house, served on a real socket."""

from __future__ import annotations

import gzip
import http.client
import json
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stathouse.config.options import HttpOptions
from stathouse.web.app import WebApp, create_app
from stathouse.web.guard import Token
from stathouse.web.serve import run_server
from tests.web.tiny_house import TinyHouse

__all__ = ["Reply", "Served", "serve"]


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, str]:
        error: dict[str, str] = self.json()["error"]
        return error


@dataclass(frozen=True, slots=True)
class Served:
    """A served house."""

    house: TinyHouse
    app: WebApp
    port: int
    stop: threading.Event
    thread: threading.Thread

    def ask(
        self,
        path: str,
        *,
        method: str = "GET",
        body: bytes | str | Any = None,
        headers: Mapping[str, str] | None = None,
        packed: bool = False,
    ) -> Reply:
        """Ask over a connection of its own; a body that is neither bytes nor text is sent as JSON."""
        given = dict(headers or {})
        if body is not None and not isinstance(body, bytes | str):
            body = json.dumps(body)
            given.setdefault("Content-Type", "application/json")
        if packed and isinstance(body, str | bytes):
            body = gzip.compress(body.encode() if isinstance(body, str) else body)
            given["Content-Encoding"] = "gzip"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body=body, headers=given)
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Reply(response.status, found, response.read())
        finally:
            connection.close()

    def post(self, path: str, body: Any, **given: Any) -> Reply:
        return self.ask(path, method="POST", body=body, **given)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def raw(self, data: bytes) -> bytes:
        """Send bytes and return all that comes back until the house closes, as ``Connection: close`` asks it to."""
        with self.connect() as connection:
            connection.sendall(data)
            parts = []
            while part := connection.recv(65_536):
                parts.append(part)
            return b"".join(parts)


@contextmanager
def serve(
    house: TinyHouse | None = None,
    *,
    tokens: tuple[Token, ...] = (),
    page_folder: Path | None = None,
    tick_seconds: float = 0.05,
    **options: Any,
) -> Iterator[Served]:
    """Serve a house until the block ends."""
    house = house or TinyHouse()
    settings = HttpOptions(**options)
    app = create_app(house, settings, tokens=tokens, page_folder=page_folder, live_tick_seconds=tick_seconds)
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    stop, ready = threading.Event(), threading.Event()
    thread = threading.Thread(
        target=run_server, args=(app, [listener], settings), kwargs={"stop": stop, "on_ready": ready.set}, daemon=True
    )
    thread.start()
    assert ready.wait(20), "the web did not start"
    try:
        yield Served(house, app, port, stop, thread)
    finally:
        house.hold_questions.set()
        stop.set()
        thread.join(20)
        assert not thread.is_alive(), "the web did not stop"
