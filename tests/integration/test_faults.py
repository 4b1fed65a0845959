"""Faults of the machine under a real house: a full disk, a flood, hostile names, connections that never end."""

from __future__ import annotations

import os
import socket
import subprocess
import urllib.error
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.houses import RealHouse, running_house, wait_until

FAST = ("--statsd-flush-every-seconds", "1")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 48 MiB that the test can fill."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip("not permitted: mounting a tmpfs")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_is_shed_counted_and_left_by_itself(small_disk: Path) -> None:
    with running_house(small_disk, *FAST) as house:
        house.send("disk:1|c")
        wait_until(lambda: house.total("disk", unflushed=False) == 1, what="the flush")
        ballast = small_disk / "ballast"
        with ballast.open("wb") as other:
            free = os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_frsize
            other.write(bytes(free - 65_536))
        point = {"points": [{"name": "refused", "fields": {"n": 1}}]}

        def refused() -> bool:
            try:
                house.post("/api/points", point)
            except urllib.error.HTTPError as error:
                return error.code == 503 and "Retry-After" in error.headers
            return False

        wait_until(refused, what="durable rows refused while the disk is full")
        house.send("disk:1|c")
        wait_until(lambda: "disk_full" in house.status()["ledger"]["dropped"], what="the loss counted")
        assert house.get("/healthz") == {"status": "ok"}
        assert house.status()["spool"]["shedding"]
        ballast.unlink()
        before = house.total("disk", unflushed=False)

        def taken_again() -> bool:
            house.send("disk:1|c")
            return house.total("disk", unflushed=False) > before

        wait_until(taken_again, what="taking rows again without a restart")
        assert house.status()["ledger"]["residual"] == 0
        kept = house.total("disk", unflushed=False)
        house.kill()
        house.start()
        assert house.total("disk", unflushed=False) >= kept


def test_a_flood_into_a_small_buffer_is_accounted_to_the_last_datagram(tmp_path: Path) -> None:
    small = ("--statsd-receive-buffer-bytes", "4096", "--statsd-wait-micros", "100000")
    with running_house(tmp_path, *FAST, *small) as house:
        packet = b"\n".join(b"flood.%d:1|c" % number for number in range(20))
        sent = 20_000
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.connect(("127.0.0.1", house.statsd_port))
            for _ in range(sent):
                sender.send(packet)

        def seen() -> int:
            udp = house.status()["doors"][0]
            return int(udp["datagrams"] + udp["kernel_drops"])

        wait_until(lambda: seen() == sent, what="every datagram received or counted as dropped")
        status = house.status()
        assert status["kernel_drops"] > 0
        assert status["ledger"]["received"] == 20 * status["doors"][0]["datagrams"]
        wait_until(
            lambda: house.total("flood.*", unflushed=False) == status["ledger"]["received"],
            what="all received lines stored",
        )
        assert house.status()["ledger"]["residual"] == 0


def test_a_million_names_leave_the_house_small_and_the_totals_exact(tmp_path: Path) -> None:
    with running_house(tmp_path, *FAST, "--statsd-max-series", "5000") as house:
        names, sent = 1_000_000, 0
        with socket.create_connection(("127.0.0.1", house.statsd_port)) as stream:
            for start in range(0, names, 1_000):
                stream.sendall(b"".join(b"n%d:1|c\n" % number for number in range(start, start + 1_000)))
                sent += 1_000
        wait_until(lambda: house.status()["ledger"]["received"] == sent, what="all lines", seconds=60)
        wait_until(
            lambda: house.total("n*", unflushed=False) + house.total("stathouse.overflow", unflushed=False) == sent,
            what="all of the sum",
            seconds=60,
        )
        status = house.status()
        assert status["refused_series"] == pytest.approx(names - 5_000, rel=0.05)
        assert status["series_live"] <= 5_010


def test_hostile_tcp_peers_are_bounded_and_the_others_served(tmp_path: Path) -> None:
    with running_house(tmp_path, *FAST, "--statsd-max-connections", "8") as house:
        address = ("127.0.0.1", house.statsd_port)
        endless = socket.create_connection(address)
        with pytest.raises(OSError):
            for _ in range(1_000):
                endless.sendall(b"x" * 65_536)
        idle = [socket.create_connection(address) for _ in range(20)]
        for connection in idle:
            connection.close()

        def served() -> bool:
            with socket.create_connection(address) as stream:
                stream.sendall(b"tcp.fine:1|c\n")
            return house.total("tcp.fine") > 0

        wait_until(served, what="a line of a well-behaved peer")
        assert house.status()["rejects"]["too_long"]["count"] >= 1


def test_names_from_outside_never_become_paths(tmp_path: Path) -> None:
    with running_house(tmp_path, *FAST, "--archive-seal-seconds", "1") as house:
        hostile = ["../../../x", "/etc/passwd", "CON", "a' OR 1=1 --", "<script>", "__proto__", "n" * 300, "%2e%2e"]
        for name in hostile:
            house.send(f"{name}:1|c")
        wait_until(lambda: house.status()["archive"]["files"] > 0, what="a sealed file")
        for name in hostile:
            found = house.get("/api/series", search=name)["series"]
            assert name in [series["name"] for series in found]
        names = [path.name for path in (house.folder / "data").rglob("*")]
        assert not [name for name in names if "passwd" in name or "script" in name or "proto" in name]


def test_what_is_sealed_and_what_is_not_are_answered_together_over_restarts(tmp_path: Path) -> None:
    house = RealHouse(tmp_path, *FAST, "--archive-seal-seconds", "2")
    try:
        house.start()
        for sent in range(1, 7):
            house.send("sealed:1|c")
            wait_until(lambda sent=sent: house.total("sealed", unflushed=False) == sent, what="the flush")
            if sent % 2 == 0:
                wait_until(lambda: house.status()["archive"]["rows_sealed"] > 0, what="sealing")
                house.kill()
                house.start()
                assert house.total("sealed", unflushed=False) == sent
    finally:
        house.kill()
