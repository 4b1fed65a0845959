"""What is measured. Each scenario returns rows for the report; figures of one scenario come from one run."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import lines, servers
from benchmarks.measure import cpu_seconds, median, rss_mib, udp_drops, wait_until

__all__ = ["SCENARIOS", "Plan", "Row"]

Row = dict[str, object]
_ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Plan:
    """How to measure.

    Args:
        repeats: medians are of so many runs.
        servers: which servers to compare.
    """

    repeats: int
    servers: Sequence[str]


def fold(plan: Plan) -> list[Row]:
    """Parse and fold in memory: ns a line, one thread."""
    from stathouse._core import Aggregator

    rows: list[Row] = []
    for names, tags, target in ((1_000, 0, 100), (100_000, 0, 300), (1_000, 4, "–")):
        load = lines.mixed(names, 400_000, tags=tags)
        size = 20_000
        buffers = [b"\n".join(load[start : start + size]) for start in range(0, len(load), size)]
        aggregator = Aggregator(max_series=2 * names)
        costs = []
        for repeat in range(plan.repeats + 1):
            began = time.thread_time()
            for buffer in buffers:
                aggregator.feed(buffer)
            if repeat:  # the first round meets every name for the first time
                costs.append((time.thread_time() - began) / len(load) * 1e9)
            aggregator.flush(start_ns=repeat * 10**10, now_ns=repeat * 10**10)
        rows.append({"names": names, "tags": tags, "ns a line": round(median(costs), 1), "target": target})
    return rows


def ingest(plan: Plan) -> list[Row]:
    """UDP ingest: processor seconds of the server per million lines, net of the idle server."""
    rows: list[Row] = []
    for per_packet, rate, seconds in ((25, 100_000, 8), (1, 20_000, 8)):
        for name in plan.servers:
            costs, drops = [], 0
            for _ in range(plan.repeats):
                cost, lost = _ingest_once(name, per_packet, rate, seconds)
                costs.append(cost)
                drops += lost
            rows.append(
                {
                    "server": name,
                    "lines a packet": per_packet,
                    "lines/s": rate,
                    "CPU s a million lines": round(median(costs), 3),
                    "datagrams lost": drops,
                    "target": (0.55 if per_packet == 25 else 1.4) if name == "stathouse" else "",
                }
            )
    return rows


def _ingest_once(name: str, per_packet: int, rate: int, seconds: int) -> tuple[float, int]:
    total = rate * seconds
    with servers.start(name) as server:
        time.sleep(2)  # let it settle; what it costs idle is measured next
        before = cpu_seconds(server.pid)
        time.sleep(seconds)
        idle = cpu_seconds(server.pid) - before
        before = cpu_seconds(server.pid)
        _send(server.port, "--per-packet", per_packet, "--rate", rate, "--lines", total)
        time.sleep(0.5)
        busy = cpu_seconds(server.pid) - before
        return (busy - idle) / (total / 1e6), udp_drops(server.port)


def memory(plan: Plan) -> list[Row]:
    """100,000 timer names: resident memory before and after a flush, and datagrams lost while it flushes."""
    rows: list[Row] = []
    for name in plan.servers:
        if name.startswith("floor"):
            continue
        with servers.start(name) as server:
            time.sleep(3)
            idle = rss_mib(server.pid)
            _send(server.port, "--timers", "--names", 100_000, "--rate", 100_000, "--lines", 2_500_000)
            time.sleep(11)
            after = rss_mib(server.pid)
            rows.append(
                {
                    "server": name,
                    "idle MiB": round(idle),
                    "after the flush MiB": round(after),
                    "growth MiB": round(after - idle),
                    "datagrams lost of 100,000": udp_drops(server.port),
                }
            )
    return rows


def idle(plan: Plan) -> list[Row]:
    """A fresh house with the host source on: memory and share of one processor over 30 s."""
    with servers.start("stathouse") as server:
        time.sleep(5)
        before = cpu_seconds(server.pid)
        time.sleep(30)
        return [
            {
                "resident MiB": round(rss_mib(server.pid)),
                "% of a core": round((cpu_seconds(server.pid) - before) / 30 * 100, 2),
                "target": "200 MiB, 1.5 %",
            }
        ]


def startup(plan: Plan) -> list[Row]:
    """From the start of ``stathouse serve`` to open sockets and to ready; ``import stathouse`` net of bare Python."""
    started = [_start_once() for _ in range(plan.repeats + 1)][1:]  # the first one warms the disk's cache
    bare = median([_python("pass") for _ in range(plan.repeats + 2)])
    imported = median([_python("import stathouse") for _ in range(plan.repeats + 2)])
    return [
        {"what": "sockets open, s", "figure": round(median([opened for opened, _ in started]), 3), "target": 0.3},
        {"what": "ready, s", "figure": round(median([ready for _, ready in started]), 3), "target": 1.5},
        {"what": "import stathouse, ms", "figure": round((imported - bare) * 1000, 1), "target": 15},
    ]


def _start_once() -> tuple[float, float]:
    """Return the seconds to open sockets and to ready."""
    port, http_port = servers.free_port(), servers.free_port()
    with TemporaryDirectory(prefix="bench-") as folder:
        command = [sys.executable, "-m", "stathouse", "serve", "--data", f"{folder}/data", "--runtime", f"{folder}/run"]
        command += ["--statsd-port", str(port), "--http-port", str(http_port)]
        began = time.monotonic()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            wait_until(lambda: udp_drops(port) >= 0, 30, "open sockets")
            opened = time.monotonic() - began
            wait_until(lambda: servers.is_ready(http_port), 30, "ready")
            return opened, time.monotonic() - began
        finally:
            process.terminate()
            process.wait(15)


def freshness(plan: Plan) -> list[Row]:
    """From a line sent to its value in the live stream that the page draws, in seconds."""
    delays = []
    with servers.start("stathouse") as server:
        url = f"http://127.0.0.1:{server.http_port}/api/live?series=bench.fresh"
        with urllib.request.urlopen(url, timeout=30) as stream:
            sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            for trial in range(1, 11):
                time.sleep(0.137)
                sender.sendto(b"bench.fresh:%d|g" % trial, ("127.0.0.1", server.port))
                began = time.monotonic()
                while not _shows(stream.readline(), trial):
                    if time.monotonic() - began > 20:
                        raise TimeoutError("the value did not show")
                delays.append(time.monotonic() - began)
    return [{"median s": round(median(delays), 2), "longest s": round(max(delays), 2), "target": 2}]


def _shows(line: bytes, value: int) -> bool:
    if not line.startswith(b"data:") or b"points" not in line:
        return False
    return any(point["value"] == value for point in json.loads(line[5:])["points"])


def accounting(plan: Plan) -> list[Row]:
    """10 million lines as fast as they go into a small buffer: sent, received, dropped by the kernel; the residual."""
    with servers.start("stathouse", "--statsd-receive-buffer-bytes", "65536") as server:
        total = 10_000_000
        _send(server.port, "--per-packet", 25, "--rate", 0, "--lines", total)
        wait_until(lambda: _settled(server), 60, "everything stored")
        status = server.status()
        ledger, doors = status["ledger"], status["doors"]
        assert isinstance(ledger, dict) and isinstance(doors, list)
        udp = next(door for door in doors if door["door"] == "udp")
        return [
            {
                "datagrams sent": total // 25,
                "received": udp["datagrams"],
                "kernel drops": udp["kernel_drops"],
                "unexplained": total // 25 - udp["datagrams"] - udp["kernel_drops"],
                "samples received": ledger["received"],
                "residual": ledger["residual"],
            }
        ]


def _settled(server: servers.Running) -> bool:
    ledger = server.status()["ledger"]
    assert isinstance(ledger, dict)
    time.sleep(0.5)
    again = server.status()["ledger"]
    assert isinstance(again, dict)
    return bool(ledger["received"] == again["received"])


def _python(code: str) -> float:
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.monotonic() - began


def _send(port: int, *arguments: object) -> None:
    command = [sys.executable, str(_ROOT / "benchmarks" / "sender.py"), "--port", str(port), *map(str, arguments)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ)
    assert process.stdin is not None and process.stdout is not None
    process.stdout.readline()  # it has made its packets
    process.stdin.write(b"go\n")
    process.stdin.flush()
    process.stdout.readline()
    process.wait(30)


SCENARIOS: dict[str, Callable[[Plan], list[Row]]] = {
    "fold": fold,
    "ingest": ingest,
    "memory": memory,
    "idle": idle,
    "startup": startup,
    "freshness": freshness,
    "accounting": accounting,
}
