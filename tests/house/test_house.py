"""A house in this process, on free ports: what it answers between a flush and the archive, and what a reload takes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from stathouse.config.options import BackendOptions, HostOptions, HouseConfig, HttpOptions, StatsdOptions
from stathouse.house.entrance import Entrance
from stathouse.house.house import House
from stathouse.model import Query
from tests.house.clocks import HandClock

CONFIG = HouseConfig(
    tags={"env": "test"},
    statsd=StatsdOptions(port=0),
    http=HttpOptions(port=0),
    host=HostOptions(enabled=False),
)


@pytest.fixture
def clock() -> HandClock:
    return HandClock(1_800_000_000.0)


@pytest.fixture
def house(tmp_path: Path, clock: HandClock) -> Iterator[House]:
    with (
        Entrance(CONFIG, data=tmp_path / "data", runtime=tmp_path / "run") as entrance,
        House(entrance, CONFIG, data=tmp_path / "data", clock=clock) as made,
    ):
        yield made


def everything(series: str) -> Query:
    return Query(series=series, start_ns=0, end_ns=2**62)


def total(house: House, series: str) -> float:
    return sum(float(row.value) for one in house.answer(everything(series)).series for row in one.rows)


def test_a_row_is_answered_once_from_the_flush_to_the_archive(house: House, clock: HandClock) -> None:
    for number in range(1, 41):
        house.entrance.aggregator.feed(b"a:1|c")
        assert total(house, "a") == number
        clock.move(10)
        house.flush()
        assert total(house, "a") == number


def test_the_house_own_numbers_cost_no_row_of_others(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> dict[str, object]:
        raise OSError("the folder cannot be read")

    house.entrance.aggregator.feed(b"a:1|c")
    with monkeypatch.context() as broken:
        broken.setattr(house.reader, "stats", fail)
        house.flush()
    assert total(house, "a") == 1
    assert house.accounts.read().residual == 0


def test_the_house_own_numbers_have_the_tags_of_the_house(house: House) -> None:
    house.flush()
    (found,) = house.answer(everything("stathouse.memory.bytes")).series
    assert found.tags == (("env", "test"),)


def test_a_reload_takes_over_what_can_change_and_nothing_else(house: House) -> None:
    statsd = StatsdOptions(port=0, flush_every_seconds=3, max_series=7)
    backends = [BackendOptions(url="local:"), BackendOptions(url="null:")]
    new = msgspec.structs.replace(CONFIG, statsd=statsd, backends=backends)
    for _ in range(2):
        assert sorted(house.reload(new)) == ["backends", "statsd.max_series"]
    document = msgspec.to_builtins(house.status())
    assert document["flush"]["every_seconds"] == 3
    assert document["series_limit"] == CONFIG.statsd.max_series
    assert [backend["name"] for backend in document["backends"]] == ["local"]


def test_what_was_set_right_is_told_but_does_not_make_the_house_unready(house: House) -> None:
    assert house.reader is not None
    house.reader._shelf.note("a file was set aside")  # type: ignore[attr-defined]
    assert house.ready() == (True, ["a file was set aside"])
