"""A small real HTTP server that speaks the house's documented JSON, and the command line as a program."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

RunCommand = Callable[..., "subprocess.CompletedProcess[str]"]

_SOURCE = Path(__file__).parents[2] / "src"


@dataclass
class Request:
    """What a command asked."""

    path: str
    parameters: list[tuple[str, str]]
    headers: Mapping[str, str]


@dataclass
class TinyHouse:
    """Answers with what a test puts in."""

    url: str = ""
    answers: dict[str, tuple[int, Mapping[str, str], bytes]] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)

    def answer(self, path: str, body: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        """Say what is answered at a path: bytes as they are, anything else as JSON."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.answers[path] = (status, headers or {}, data)


@pytest.fixture
def house() -> Iterator[TinyHouse]:
    """A server on a free port of 127.0.0.1."""
    tiny = TinyHouse()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            parameters = parse_qsl(parts.query, keep_blank_values=True)
            tiny.requests.append(Request(parts.path, parameters, dict(self.headers.items())))
            nothing = json.dumps({"error": {"reason": "not_found", "problem": "there is nothing at this address"}})
            status, headers, data = tiny.answers.get(parts.path, (404, {}, nothing.encode()))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *arguments: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        tiny.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield tiny
        server.shutdown()
        thread.join()


@pytest.fixture
def command(tmp_path: Path) -> RunCommand:
    """Run the command line as a program, with a home of its own, and return what it wrote."""

    def run(*arguments: str, url: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
        variables = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "PYTHONPATH": str(_SOURCE), "TZ": "UTC"}
        variables |= {"PYTHONUTF8": "1", **({"STATHOUSE_URL": url} if url else {}), **environ}
        return subprocess.run(
            [sys.executable, "-m", "stathouse.cli", *arguments],
            env=variables,
            capture_output=True,
            text=True,
            encoding="utf-8",
            stdin=subprocess.DEVNULL,
            timeout=60,
        )

    return run


@pytest.fixture
def status_document() -> dict[str, Any]:
    """A house that lost something and says so."""
    return {
        "version": "0.1.0",
        "started": 1_763_600_000.0,
        "uptime_seconds": 4000.0,
        "now": 1_763_604_000.0,
        "url": "http://127.0.0.1:8127",
        "data": "/srv/stats",
        "ready": True,
        "problems": [],
        "doors": [
            {"door": "udp", "address": "127.0.0.1:8125", "datagrams": 12345, "bytes": 999, "kernel_drops": 7},
            {"door": "http", "address": "http://127.0.0.1:8127"},
        ],
        "ledger": {
            "received": 1_234_567,
            "accepted": 1_234_555,
            "rejected": {"bad_value": 12, "bad_type": 0},
            "carried": 3,
            "merged": 1_200_000,
            "direct": 40,
            "stored": 34_000,
            "dropped": {"queue_full": 5},
            "in_flight": 555,
            "residual": 0,
        },
        "kernel_drops": 7,
        "lost": 24,
        "samples_per_second": 310.5,
        "series_live": 312,
        "series_limit": 100_000,
        "series_kept": 400,
        "refused_series": 9,
        "refused_prefixes": [["user.", 8]],
        "rejects": {
            "bad_value": {"count": 12, "last": "a:\x1b[31mx|c", "meaning": "a value that is no finite decimal number"},
            "bad_type": {"count": 0, "last": None, "meaning": "a type that is none of c, g, ms, h, d, s"},
        },
        "flush": {"every_seconds": 10.0, "last_seconds": 0.0123, "last_rows": 312, "last_time": 1_763_603_990.0},
        "spool": {
            "batches": 2,
            "rows": 624,
            "bytes": 65536,
            "oldest_seconds": 9.0,
            "free_bytes": 2**33,
            "shedding": False,
        },
        "backends": [
            {
                "name": "local",
                "url": "local:",
                "stored": 33_376,
                "rejected": 0,
                "dropped": 0,
                "lag_batches": 2,
                "lag_rows": 624,
                "lag_seconds": 9.0,
                "state": "ok",
                "last_error": "",
            }
        ],
        "archive": {"files": 3, "bytes": 5_000_000, "rows_sealed": 30_000, "rows_recent": 4_000, "quarantined": 0},
        "memory_bytes": 150 * 2**20,
        "cpu_percent": 0.9,
    }
