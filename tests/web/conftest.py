"""Fixtures: a web on a tiny house on a real socket."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from stathouse.model import Event, Kind, Point
from stathouse.wire.tables import events_payload, points_payload
from tests.web.serving import Served, serve
from tests.web.tiny_house import TinyHouse


@pytest.fixture(scope="module")
def shared() -> Iterator[Served]:
    """One served house for all tests of a module; they must not lean on what others left in it."""
    with serve() as served:
        yield served


@pytest.fixture
def served() -> Iterator[Served]:
    """A served house of the test's own."""
    with serve() as served:
        yield served


@pytest.fixture
def full_house() -> TinyHouse:
    """A house with a few points and an event of the last minute."""
    house = TinyHouse()
    now = house.clock.now_ns()
    points = [
        Point(name="shop.orders", tags=(("shop", "eu"),), time_ns=now - 10**9, fields={"sum": 3.0}, kind=Kind.COUNTER),
        Point(name="shop.orders", tags=(("shop", "us"),), time_ns=now - 10**9, fields={"sum": 4.5}, kind=Kind.COUNTER),
        Point(name="build", time_ns=now - 2 * 10**9, fields={"seconds": 12, "verdict": "=cmd|' /C calc'!A0"}),
    ]
    house.put(points_payload(points))
    house.put(
        events_payload([Event(key=("builders", 23), id="x", time_ns=now, state="finished", rank=40, payload={"a": 1})])
    )
    return house
