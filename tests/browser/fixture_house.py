"""A stand-in for the house: serves the built page and the documented JSON, with numbers computed from the time.

It lets the page's tests do what a real house does not do on demand: fall silent, come back, lose samples, want a token.
``python -m tests.browser.fixture_house [port]`` serves it for a look with one's own eyes.
"""

from __future__ import annotations

import fnmatch
import json
import re
import sys
import threading
import time
from http.server import ThreadingHTTPServer
from types import TracebackType
from typing import Any

from tests.browser.fixture_server import serve
from tests.browser.synthetic import FLUSH_SECONDS, Line, host_lines, shop_lines

__all__ = ["FixtureHouse"]

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class FixtureHouse:
    """Serves from ``with`` on; ``stop`` and ``start`` keep the port.

    Args:
        port: where to listen; 0 takes a free one.
        shop: whether programs have sent anything.
        token: what reading needs, empty for nothing.

    ``failing`` is what it says instead of an answer to a query; ``rejects`` and ``kernel_drops`` are what it lost.
    """

    def __init__(self, *, port: int = 0, shop: bool = True, token: str = "") -> None:
        self.port = port
        self.token = token
        self.rejects: dict[str, dict[str, object]] = {}
        self.failing = ""
        self.kernel_drops = 0
        self.started = time.time() - 9000
        self.posted: list[dict[str, Any]] = []
        self.lines = host_lines() + (shop_lines() if shop else [])
        self.changed = threading.Condition()
        self._server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def stopped(self) -> bool:
        """Whether it is silent."""
        return self._server is None

    def __enter__(self) -> FixtureHouse:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Answer from now on."""
        server = serve(self, self.port)
        self._server, self.port = server, server.server_address[1]
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self) -> None:
        """Fall silent: the port closes and open streams end."""
        server, self._server = self._server, None
        if server is None:
            return
        with self.changed:
            self.changed.notify_all()
        server.shutdown()
        server.server_close()

    def post(self, points: list[dict[str, Any]]) -> None:
        """Keep points as ``POST /api/points`` brings them."""
        with self.changed:
            for point in points:
                kind = point.get("kind", "")
                fields = point.get("fields") or {"sum" if kind == "counter" else "last": point["value"]}
                row = {"name": point["name"], "tags": point.get("tags", {}), "kind": kind, "unit": ""}
                at = point.get("time", time.time())
                self.posted += [{**row, "field": field, "time": at, "value": value} for field, value in fields.items()]
            self.changed.notify_all()

    def lost(self) -> int:
        """Return what the tile shows."""
        return self.kernel_drops + sum(int(str(reason["count"])) for reason in self.rejects.values())

    def tiles(self) -> dict[str, object]:
        """Return the live stream's figures."""
        now = time.time()
        return {
            "time": now,
            "series_live": len({(line.name, line.tags) for line in self.lines}) + len(self.posted),
            "samples_per_second": Line("", (), "", "", "", 1, 1840, 0.4, 7).value(now),
            "lost": self.lost(),
            "stored": int((now - self.started) * 81),
            "kernel_drops": self.kernel_drops,
            "uptime_seconds": now - self.started,
            "memory_bytes": 96 * 2**20,
            "residual": 0,
        }

    def live(self, globs: list[str], since: float) -> list[dict[str, object]]:
        """Return the points since a time: the host's of the last second, the shop's running interval, posted ones."""
        now = time.time()
        start = now - now % FLUSH_SECONDS
        points: list[dict[str, object]] = []
        for line in self.lines:
            if not any(fnmatch.fnmatchcase(line.name, glob) for glob in globs):
                continue
            if line.every == 1:
                points += [_point(line, row["time"], row["value"], False) for row in line.rows(since, now, 0)]
                continue
            if since < start:
                points.append(_point(line, start - FLUSH_SECONDS, line.value(start - FLUSH_SECONDS), False))
            share = (now - start) / FLUSH_SECONDS if line.kind == "counter" else 1.0
            points.append(_point(line, start, line.value(start) * share, True))
        for row in list(self.posted):
            if row["time"] >= since and any(fnmatch.fnmatchcase(row["name"], glob) for glob in globs):
                points.append({**row, "partial": False})
        return points

    def status(self) -> dict[str, object]:
        """Return what the page reads of ``/api/status``."""
        now = time.time()
        backend = {"name": "local", "url": "local:", "stored": 1, "rejected": 0, "dropped": 0, "lag_batches": 0}
        spool = {"batches": 2, "rows": 812, "bytes": 90_112}
        return {
            **self.tiles(),
            "version": "0.1.0",
            "started": self.started,
            "now": now,
            "url": self.url,
            "ready": True,
            "problems": [],
            "doors": [{"door": "udp", "address": "127.0.0.1:8125", "kernel_drops": self.kernel_drops}],
            "ledger": {"dropped": {}, "residual": 0},
            "refused_series": 0,
            "rejects": self.rejects,
            "flush": {"every_seconds": FLUSH_SECONDS, "last_seconds": 0.0031, "last_rows": 58, "last_time": now},
            "spool": {**spool, "oldest_seconds": 12, "free_bytes": 9e10, "shedding": False},
            "backends": [{**backend, "lag_rows": 0, "lag_seconds": 0.0, "state": "ok", "last_error": ""}],
            "cpu_percent": 0.8,
        }

    def top(self) -> dict[str, object]:
        """Return the busiest series of now."""
        now = time.time()
        found: dict[str, dict[str, Any]] = {}
        rows = [_point(line, now, line.value(now - now % FLUSH_SECONDS), True) for line in self.lines if line.every > 1]
        for row in [*rows, *self.posted]:
            key = json.dumps([row["name"], row["tags"]], ensure_ascii=False)
            head = {part: row[part] for part in ("name", "tags", "kind", "unit", "time")}
            entry = found.setdefault(key, {**head, "fields": {}})
            entry["fields"][row["field"]] = row["value"]
        return {"time": now, "interval_start": now - now % FLUSH_SECONDS, "series": list(found.values())}

    def processes(self) -> dict[str, object]:
        """Return the busiest processes."""
        rows: list[dict[str, Any]] = []
        for at, name in enumerate(("chromium", "postgres", "stathouse", "node", "sshd", "systemd")):
            numbers = {"cpu_percent": 61.5 / (at + 1), "memory_bytes": 9e8 / (at + 1)}
            rows.append({"pid": 400 + 7 * at, "name": name, "user": "root", **numbers})
        return {"time": time.time(), "by_cpu": rows, "by_memory": rows[::-1]}

    def series(self, search: str, limit: int, offset: int) -> dict[str, object]:
        """Return a page of the series that have a text in name or tags."""
        found: dict[str, dict[str, Any]] = {}
        rows = [_point(line, self.started, 0.0, False) for line in self.lines]
        for row in [*rows, *self.posted]:
            key = json.dumps([row["name"], row["tags"]], ensure_ascii=False)
            if search in key:
                head = {part: row[part] for part in ("name", "tags", "kind", "unit")}
                entry = found.setdefault(key, {**head, "fields": []})
                entry["fields"].append(row["field"])
        listed = sorted(found.values(), key=lambda entry: (entry["name"], json.dumps(entry["tags"])))
        more = {"description": "", "first_time": self.started, "last_time": time.time()}
        return {"series": [{**entry, **more} for entry in listed[offset : offset + limit]], "total": len(listed)}

    def query(self, query: dict[str, list[str]]) -> dict[str, object]:
        """Return the rows of the lines that a query means."""
        glob, now = query["series"][0], time.time()
        step = _seconds(query["step"][0]) if "step" in query else 0.0
        start = now - _seconds(query.get("last", ["10m"])[0])
        tags = [(key, pattern) for key, _, pattern in (pair.partition(":") for pair in query.get("tag", []))]
        answer: list[dict[str, object]] = []
        for line in self.lines:
            if line.matches(glob, tags):
                head = {"name": line.name, "tags": dict(line.tags), "unit": line.unit, "kind": line.kind}
                field = "mean" if step and line.kind == "gauge" else line.field
                answer.append({**head, "field": field, "rows": line.rows(max(start, self.started), now, step)})
        for row in self.posted:
            if row["time"] >= start and fnmatch.fnmatchcase(row["name"], glob):
                answer.append({**row, "rows": [{"time": row["time"], "value": row["value"]}]})
        return {"series": answer, "truncated": False}


def _point(line: Line, at: float, value: float, partial: bool) -> dict[str, Any]:
    head = {"name": line.name, "tags": dict(line.tags), "kind": line.kind, "field": line.field, "unit": line.unit}
    return {**head, "time": at, "value": value, "partial": partial}


def _seconds(text: str) -> float:
    found = re.fullmatch(r"([\d.]+)([smhd])", text)
    if found is None:
        raise ValueError(f"{text!r} is no duration")
    return float(found[1]) * _SECONDS[found[2]]


if __name__ == "__main__":
    with FixtureHouse(port=int(sys.argv[1]) if len(sys.argv) > 1 else 8127) as served:
        print(served.url)
        threading.Event().wait()
