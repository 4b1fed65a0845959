"""The messages to systemd, received on a real socket."""

from __future__ import annotations

import socket
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from stathouse.house.notify import Notifier


@pytest.fixture(params=["file", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """A bound datagram socket as systemd has it, and its name in NOTIFY_SOCKET."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.settimeout(5)
        if request.param == "file":
            name = str(tmp_path / "notify")
            receiver.bind(name)
        else:
            name = f"@stathouse-test-{uuid.uuid4()}"
            receiver.bind("\0" + name[1:])
        yield receiver, name


def test_life_of_a_house(manager: tuple[socket.socket, str]) -> None:
    receiver, name = manager
    notifier = Notifier({"NOTIFY_SOCKET": name})
    assert notifier.ready("listening on 127.0.0.1:8127")
    assert receiver.recv(1024) == b"READY=1\nSTATUS=listening on 127.0.0.1:8127"
    assert notifier.watchdog()
    assert receiver.recv(1024) == b"WATCHDOG=1"
    assert notifier.reloading()
    first, second = receiver.recv(1024).decode().split("\n")
    assert first == "RELOADING=1"
    assert int(second.removeprefix("MONOTONIC_USEC=")) > 0
    assert notifier.status("spool: 3 batches")
    assert receiver.recv(1024) == b"STATUS=spool: 3 batches"
    assert notifier.stopping()
    assert receiver.recv(1024) == b"STOPPING=1"


def test_a_line_break_cannot_start_another_field(manager: tuple[socket.socket, str]) -> None:
    receiver, name = manager
    assert Notifier({"NOTIFY_SOCKET": name}).status("fine\nSTOPPING=1")
    assert receiver.recv(1024) == b"STATUS=fine STOPPING=1"


def test_within_a_block_the_manager_hears_while_the_house_works(manager: tuple[socket.socket, str]) -> None:
    receiver, name = manager
    asked = threading.Event()

    def alive() -> bool:
        if not asked.is_set():
            asked.set()
            return False  # the first beat is left out
        return True

    with Notifier({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "20000"}, alive=alive):
        assert receiver.recv(1024) == b"WATCHDOG=1"
        assert asked.is_set()


def test_without_a_manager_nothing_is_sent(tmp_path: Path) -> None:
    assert not Notifier({}).ready()
    assert not Notifier({"NOTIFY_SOCKET": "relative/path"}).ready()
    assert not Notifier({"NOTIFY_SOCKET": str(tmp_path / "nobody")}).ready()


def test_a_manager_that_does_not_read_does_not_block(tmp_path: Path) -> None:
    name = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(name)
        notifier = Notifier({"NOTIFY_SOCKET": name})
        sent = [notifier.watchdog() for _ in range(5_000)]
    assert sent[0]
    assert not sent[-1]


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "42"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "43"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_watchdog_interval_is_half_of_what_is_allowed(environ: dict[str, str], expected: float | None) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": "/run/notify", **environ}, pid=42)
    assert notifier.watchdog_every_seconds == expected
    assert Notifier(environ, pid=42).watchdog_every_seconds is None
