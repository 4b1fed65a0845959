"""A real house in a process of its own, on free loopback ports and in a temporary folder."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["RealHouse", "free_port", "running_house", "wait_until"]


def free_port() -> int:
    """Return a port that neither TCP nor UDP uses now."""
    while True:
        with socket.socket() as stream, socket.socket(type=socket.SOCK_DGRAM) as datagram:
            stream.bind(("127.0.0.1", 0))
            port: int = stream.getsockname()[1]
            try:
                datagram.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def wait_until(condition: Callable[[], bool], *, what: str, seconds: float = 20.0) -> None:
    """Wait until a condition holds.

    Raises:
        AssertionError: it did not within the time.
    """
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, f"{what}: not within {seconds} s"
        time.sleep(0.02)


class RealHouse:
    """A house process; it can be killed and started again over the same folder."""

    def __init__(self, folder: Path, *arguments: str, environ: Mapping[str, str] | None = None, **ports: int) -> None:
        self.folder = folder
        self.statsd_port = ports.get("statsd") or free_port()
        self.http_port = ports.get("http") or free_port()
        self.url = f"http://127.0.0.1:{self.http_port}"
        self.log = folder / "log"
        self.socket_path = folder / "run" / "statsd.sock"
        self._environ = environ
        self.command = [
            *(
                sys.executable,
                "-m",
                "stathouse",
                "serve",
                "--data",
                str(folder / "data"),
                "--runtime",
                str(folder / "run"),
            ),
            *("--statsd-port", str(self.statsd_port), "--http-port", str(self.http_port)),
            *arguments,
        ]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> RealHouse:
        """Start and wait until it is ready."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, env=self._environ)
        wait_until(lambda: self.exit_code() is not None or self._is_ready(), what="the house being ready", seconds=30)
        assert self.exit_code() is None, self.log.read_text()
        return self

    def exit_code(self) -> int | None:
        """Return the exit code, None while it runs."""
        assert self.process is not None
        return self.process.poll()

    def stop(self) -> int:
        """Ask it to stop and return its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(15)

    def kill(self) -> None:
        """End it without a chance to do anything."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(5)

    def send(self, *lines: str | bytes) -> None:
        """Send lines as one UDP datagram."""
        data = b"\n".join(line.encode() if isinstance(line, str) else line for line in lines)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(data, ("127.0.0.1", self.statsd_port))

    def get(self, path: str, **parameters: object) -> Any:
        """Return the JSON answer of a GET."""
        query = f"?{urllib.parse.urlencode(parameters, doseq=True)}" if parameters else ""
        with urllib.request.urlopen(f"{self.url}{path}{query}", timeout=30) as answer:
            return json.load(answer)

    def post(self, path: str, document: object, **headers: str) -> Any:
        """Return the JSON answer of a POST of JSON."""
        request = urllib.request.Request(
            f"{self.url}{path}",
            data=json.dumps(document).encode(),
            headers={
                "Content-Type": "application/json",
                **{name.replace("_", "-"): text for name, text in headers.items()},
            },
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def status(self) -> Any:
        """Return the status document."""
        return self.get("/api/status")

    def total(self, series: str, aggregate: str = "sum", *, unflushed: bool = True) -> float:
        """Return the sum over all series and times that match."""
        answer = self.get(
            "/api/query", series=series, last="1d", aggregate=aggregate, by="", unflushed=str(unflushed).lower()
        )
        return sum(row["value"] for found in answer["series"] for row in found["rows"])

    def _is_ready(self) -> bool:
        try:
            return bool(self.get("/readyz")["status"] == "ready")
        except (OSError, urllib.error.URLError):
            return False


@contextmanager
def running_house(folder: Path, *arguments: str, environ: Mapping[str, str] | None = None) -> Iterator[RealHouse]:
    """Run a house for a test; what is left of it is stopped by its pid."""
    house = RealHouse(folder, *arguments, environ=environ)
    try:
        yield house.start()
    finally:
        if house.process is not None and house.exit_code() is None:
            house.kill()
