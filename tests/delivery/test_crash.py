"""Kill -9 at any moment: what was acknowledged is stored, and stored once. And a disk that is really full."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest

from stathouse.backends.jsonl import JsonlWriter
from stathouse.delivery import Delivery, DeliveryOptions
from stathouse.errors import StoreFull
from stathouse.model import SystemClock
from tests.delivery.helpers import Shop, payload

ROOT = Path(__file__).parents[2]
ROUNDS = 20
WAIT = 20.0


def test_kill_9_loses_nothing_acknowledged_and_stores_nothing_twice(tmp_path: Path) -> None:
    random = Random(5)
    acknowledged: set[str] = set()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
    for number in range(ROUNDS):
        command = [sys.executable, "-m", "tests.delivery.putter", str(tmp_path), str(number)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT) as process:
            assert process.stdout is not None
            for _ in range(random.randrange(1, 60)):
                acknowledged.add(process.stdout.readline().strip())
            process.kill()
            # A line that the kill cut off is no acknowledgement.
            acknowledged.update(line.strip() for line in process.stdout if line.endswith("\n"))
    acknowledged.discard("")
    shop = JsonlWriter(tmp_path / "out")
    with Delivery(tmp_path / "spool", {"jsonl": shop}, clock=SystemClock(), options=DeliveryOptions()) as house:
        house.put(payload(0))
    assert house.counts().residual == 0
    assert house.counts().lanes[0].lag_rows == 0
    stored = Counter(
        json.loads(line)["name"]
        for file in (tmp_path / "out").glob("*.points.jsonl")
        for line in file.open(encoding="utf-8")
    )
    assert len(acknowledged) > ROUNDS
    assert acknowledged - stored.keys() == set()
    assert {name: count for name, count in stored.items() if count > 1} == {}
    assert not list((tmp_path / "out").glob("*.part"))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a file system of 16 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(place)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (subprocess.CalledProcessError, FileNotFoundError):
        pytest.skip("a file system can be mounted here only by root")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True, capture_output=True)


@pytest.mark.parametrize("reserve", [0, 2 << 20])
def test_a_full_disk_sheds_and_resumes_when_there_is_room_again(small_disk: Path, reserve: int) -> None:
    options = DeliveryOptions(min_free_bytes=reserve, min_free_percent=50.0, poll_seconds=0.02)
    shop = Shop()
    taken = refused = 0
    with Delivery(small_disk / "spool", {"shop": shop}, clock=SystemClock(), options=options) as house:
        house.put(payload(1)).result(WAIT)
        for _ in range(3):
            ballast = small_disk / "ballast"
            with suppress(OSError), ballast.open("wb", buffering=0) as file:
                while file.write(bytes(4096)):
                    pass
            for _ in range(4):
                try:
                    house.put(payload(10, size=1 << 20)).result(WAIT)
                    taken += 10
                except StoreFull:
                    refused += 10
            assert house.counts().shedding
            ballast.unlink()
            house.put(payload(100, size=1 << 10)).result(WAIT)
            taken += 100
            assert not house.counts().shedding
    counts = house.counts()
    assert refused > 0
    assert counts.lanes[0].lag_rows == 0, counts
    assert shop.rows == taken + 1
    assert (counts.entry.dropped, counts.residual) == ({"disk_full": refused}, 0)
    assert counts.losses[("spool", "disk_full")] == refused
