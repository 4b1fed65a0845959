"""Tells systemd what the house is doing: ready, reloading, stopping, alive (the ``sd_notify`` protocol).

Without systemd every call does nothing. See https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Mapping
from typing import Self

__all__ = ["Notifier"]


class Notifier:
    """Sends the service manager short messages over its datagram socket.

    Within a ``with`` block it also says that the house is alive, as often as the manager asks.

    Args:
        environ: the environment; ``NOTIFY_SOCKET`` names the socket, ``WATCHDOG_USEC`` and ``WATCHDOG_PID`` say
            whether and how often the manager wants to hear that the house is alive.
        pid: the process that the watchdog has to be meant for; None for this one.
        alive: says whether the house works; while it does not, the manager hears nothing and restarts it.
    """

    def __init__(
        self, environ: Mapping[str, str], *, pid: int | None = None, alive: Callable[[], bool] = lambda: True
    ) -> None:
        self._address = _address(environ.get("NOTIFY_SOCKET", ""))
        self._watchdog_seconds = _watchdog_seconds(environ, os.getpid() if pid is None else pid)

        self._alive = alive
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        if self.watchdog_every_seconds is not None:
            self._thread = threading.Thread(target=self._watch, name="stathouse-watchdog", daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    @property
    def watchdog_every_seconds(self) -> float | None:
        """How often to call :meth:`watchdog`: half of what the manager allows; None when it does not ask."""
        return self._watchdog_seconds / 2 if self._watchdog_seconds and self._address else None

    def ready(self, status: str = "") -> bool:
        """Say that all doors are open, after the start or a reload."""
        return self._send("READY=1", *_status(status))

    def reloading(self) -> bool:
        """Say that the config is being read again; :meth:`ready` ends it."""
        return self._send("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self, status: str = "") -> bool:
        """Say that the house flushes and ends."""
        return self._send("STOPPING=1", *_status(status))

    def watchdog(self) -> bool:
        """Say that the house is alive."""
        return self._send("WATCHDOG=1")

    def status(self, text: str) -> bool:
        """Say in one line what the house does, for ``systemctl status``."""
        return self._send(*_status(text))

    def _watch(self) -> None:
        while not self._ended.wait(self.watchdog_every_seconds):
            if self._alive():
                self.watchdog()

    def _send(self, *lines: str) -> bool:
        """Send a message; False when nobody listens or the manager does not take it now."""
        if self._address is None or not lines:
            return False
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.setblocking(False)  # a stuck manager must not stop the house
                sender.connect(self._address)
                sender.send("\n".join(lines).encode())
        except OSError:
            return False  # the caller is told; the house goes on without its manager
        return True


def _address(path: str) -> str | None:
    if path.startswith("@"):
        return "\0" + path[1:]  # the abstract name space has no file
    return path if path.startswith("/") else None


def _watchdog_seconds(environ: Mapping[str, str], pid: int) -> float | None:
    micros, owner = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
    if not (micros.isascii() and micros.isdigit()) or int(micros) == 0:
        return None
    if owner and owner != str(pid):
        return None
    return int(micros) / 1_000_000


def _status(text: str) -> tuple[str, ...]:
    line = " ".join(text.split())  # a line break would start another field
    return (f"STATUS={line}",) if line else ()
