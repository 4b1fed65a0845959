"""The doors together: they open as the options say, count what comes in, and close without losing what has arrived."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import pytest

from stathouse._core import Aggregator
from stathouse.errors import AddressTaken, ConfigError
from stathouse.statsd import Doors, open_doors
from tests.conftest import WaitUntil

Open = Callable[..., Doors]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The fields of ``StatsdOptions`` that the doors read."""

    host: str = "127.0.0.1"
    port: int = 0
    tcp: bool = True
    unix: bool = True
    dialect: Literal["statsd", "dogstatsd"] = "statsd"
    allow: tuple[str, ...] = ()
    max_line_bytes: int = 8_192
    threads: int = 1
    receive_buffer_bytes: int = 1 << 20
    wait_micros: int = 1_000
    max_connections: int = 256
    max_connections_per_peer: int = 32
    idle_seconds: float = 300.0


@pytest.fixture
def aggregator() -> Aggregator:
    return Aggregator()


@pytest.fixture
def opened(tmp_path: Path, aggregator: Aggregator) -> Iterator[Open]:
    """Return a function that opens doors, which are stopped after the test."""
    running: list[Doors] = []

    def call(options: Options | None = None) -> Doors:
        doors = open_doors(options or Options(), tmp_path / "runtime", aggregator)
        running.append(doors)
        return doors

    yield call
    for doors in running:
        doors.stop(2.0)


def send_udp(doors: Doors, *datagrams: bytes, family: socket.AddressFamily = socket.AF_INET) -> None:
    with socket.socket(family, socket.SOCK_DGRAM) as client:
        for datagram in datagrams:
            client.sendto(datagram, ("127.0.0.1" if family == socket.AF_INET else "::1", doors.port))


def test_every_door_takes_lines_and_counts_them(
    opened: Open, aggregator: Aggregator, tmp_path: Path, wait_until: WaitUntil
) -> None:
    doors = opened()
    send_udp(doors, b"a:1|c", b"a:1|c\nb:2|ms")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
        client.sendto(b"a:1|c", str(tmp_path / "runtime" / "statsd.sock"))
    with socket.create_connection(("127.0.0.1", doors.port)) as client:
        client.sendall(b"a:1|c\n" * 4)
        wait_until(lambda: aggregator.counters()["received"] >= 8)
        rows = {row["door"]: row for row in doors.stats()}
    address = f"127.0.0.1:{doors.port}"
    none = {"kernel_drops": 0, "truncated": 0, "connections": 0}
    assert rows["udp"] == {**none, "door": "udp", "address": address, "datagrams": 2, "bytes": 17}
    path = str(tmp_path / "runtime" / "statsd.sock")
    assert rows["unix"] == {**none, "door": "unix", "address": path, "datagrams": 1, "bytes": 5}
    assert rows["tcp"] == {**none, "door": "tcp", "address": address, "datagrams": 0, "bytes": 24, "connections": 1}
    assert doors.addresses == (address, address, path)
    assert doors.kernel_drops() == 0


def test_doors_that_are_not_wanted_stay_shut(opened: Open, tmp_path: Path) -> None:
    doors = opened(Options(tcp=False, unix=False))
    assert [row["door"] for row in doors.stats()] == ["udp"]
    assert not (tmp_path / "runtime").exists()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", doors.port))


def test_a_taken_port_opens_nothing(opened: Open, tmp_path: Path) -> None:
    first = opened(Options(unix=False))
    with pytest.raises(AddressTaken, match="--statsd-port"):
        opened(Options(port=first.port))
    assert not (tmp_path / "runtime").exists()


def test_a_second_house_on_another_port_meets_the_first_ones_socket(opened: Open) -> None:
    opened()
    with pytest.raises(AddressTaken, match="--runtime"):
        opened()


def test_an_exposed_host_needs_a_list_of_who_may_send(opened: Open) -> None:
    with pytest.raises(ConfigError, match=r"statsd\.allow"):
        opened(Options(host="0.0.0.0"))


def test_on_an_exposed_host_local_programs_may_send(
    opened: Open, aggregator: Aggregator, wait_until: WaitUntil
) -> None:
    doors = opened(Options(host="0.0.0.0", allow=("192.0.2.0/24",)))
    send_udp(doors, b"a:1|c")
    with socket.create_connection(("127.0.0.1", doors.port)) as client:
        client.sendall(b"a:1|c\n")
        wait_until(lambda: aggregator.counters()["received"] == 2)


def test_ipv6_doors_open(opened: Open, aggregator: Aggregator, wait_until: WaitUntil) -> None:
    doors = opened(Options(host="::1"))
    send_udp(doors, b"a:1|c", family=socket.AF_INET6)
    wait_until(lambda: aggregator.counters()["received"] == 1)
    assert doors.addresses[0] == f"[::1]:{doors.port}"


def test_kernel_drops_are_exact_over_all_doors(opened: Open, aggregator: Aggregator, wait_until: WaitUntil) -> None:
    doors = opened(Options(receive_buffer_bytes=4096, wait_micros=200_000))
    send_udp(doors, b"a:1|c")
    wait_until(lambda: aggregator.counters()["received"] == 1)
    send_udp(doors, *[b"a:1|c"] * 10_000)
    dropped = doors.kernel_drops()
    assert dropped > 0
    doors.stop(2.0)
    (udp,) = (row for row in doors.stats() if row["door"] == "udp")
    assert int(udp["datagrams"]) + int(udp["kernel_drops"]) == 10_001
    assert aggregator.counters()["received"] == udp["datagrams"]


def test_stopping_reads_what_has_arrived_at_every_door(
    opened: Open, aggregator: Aggregator, tmp_path: Path, wait_until: WaitUntil
) -> None:
    doors = opened(Options(wait_micros=60_000_000))
    send_udp(doors, b"a:1|c")
    wait_until(lambda: aggregator.counters()["received"] == 1)
    send_udp(doors, *[b"a:1|c"] * 300)
    with socket.create_connection(("127.0.0.1", doors.port)) as client:
        client.sendall(b"a:1|c\n" * 300)
        assert doors.stop(5.0)
    assert aggregator.counters()["received"] == 601


def test_after_the_stop_everything_is_free_again(opened: Open, tmp_path: Path) -> None:
    first = opened()
    port = first.port
    assert first.stop(2.0)
    assert first.stop(2.0)
    assert not (tmp_path / "runtime" / "statsd.sock").exists()
    again = opened(replace(Options(), port=port))
    assert again.port == port


def test_the_counts_stay_after_the_stop(opened: Open, aggregator: Aggregator, wait_until: WaitUntil) -> None:
    doors = opened()
    send_udp(doors, b"a:1|c")
    wait_until(lambda: aggregator.counters()["received"] == 1)
    doors.stop(2.0)
    assert [row["datagrams"] for row in doors.stats()] == [1, 0, 0]


def test_a_flood_does_not_keep_the_doors_from_closing(opened: Open, aggregator: Aggregator) -> None:
    doors = opened(Options(unix=False))
    over = threading.Event()
    sent = refused = 0

    def flood() -> None:
        nonlocal sent, refused
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.connect(("127.0.0.1", doors.port))
            while not over.is_set() and refused < 2:
                try:
                    client.send(b"a:1|c\n" * 100)
                    sent += 1
                except ConnectionRefusedError:
                    refused += 1

    thread = threading.Thread(target=flood)
    thread.start()
    try:
        begin = time.monotonic()
        assert doors.stop(5.0)
        assert time.monotonic() - begin < 3.0
    finally:
        over.set()
        thread.join()
    # What the door refused, it said so: nothing was lost without a trace.
    assert refused > 0
    assert aggregator.counters()["received"] % 100 == 0


def test_the_granted_buffer_can_be_asked_for(opened: Open) -> None:
    assert opened(Options(receive_buffer_bytes=1 << 20)).receive_buffer_bytes == 1 << 20


def test_all_counts_of_every_listener_can_be_asked_for(opened: Open) -> None:
    kinds = {kind: set(counts) for kind, _, counts in opened().counters()}
    assert {"refused_source", "errors", "empty"} <= kinds["udp"]
    assert {"refused_peer", "closed_idle", "open"} <= kinds["tcp"]
    assert kinds["unix"] == kinds["udp"]


def test_opening_leaks_no_descriptors(opened: Open) -> None:
    opened().stop(2.0)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        opened().stop(2.0)
    with pytest.raises(ConfigError):
        opened(Options(host="0.0.0.0"))
    assert len(os.listdir("/proc/self/fd")) == before
