"""Events: for each key the row of the highest state stands, whatever the order in which they came."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stathouse.errors import InputError
from stathouse.model import Event, EventQuery, state_rank
from tests.backends.local.support import HOUR, START, FaultyFiles, HandClock, events_batch, open_archive


def event(key: tuple[str | int, ...], state: str, at: int, identifier: str = "", **payload: object) -> Event:
    return Event(
        key=key,
        id=identifier or f"{key}{state}{at}",
        time_ns=START + at,
        state=state,
        rank=state_rank(state),
        payload=payload,
    )


def test_any_order_of_arrival_ends_in_the_same_row(tmp_path: Path) -> None:
    story = [
        event(("b", 1), "queued", 0),
        event(("b", 1), "started", 5),
        event(("b", 1), "finished", 9, "end", results=0),
        event(("b", 1), "started", 20, "late"),
    ]
    for number, order in enumerate(itertools.permutations(story)):
        with open_archive(tmp_path / str(number), HandClock(), files=FaultyFiles()) as archive:
            for sequence, one in enumerate(order, start=1):
                archive.write(events_batch(sequence, [one]))
                if sequence == 2:
                    archive.seal()
            [kept] = archive.events(EventQuery())
            assert kept == story[2]


def test_the_same_id_twice_is_one_event(tmp_path: Path) -> None:
    with open_archive(tmp_path, HandClock()) as archive:
        archive.write(events_batch(1, [event(("b", 1), "finished", 5, "x", first=True)]))
        archive.seal()
        archive.write(events_batch(2, [event(("b", 1), "finished", 5, "x", first=False)]))
        assert [one.payload for one in archive.events(EventQuery())] == [{"first": True}]
        archive.seal()
        assert [one.payload for one in archive.events(EventQuery())] == [{"first": True}]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ((), 4),
        (("builders",), 3),
        (("builders", 23), 2),
        (("builders", "23"), 0),
        (("builders", None, "builds", 1), 2),
        ((None, 23, None, 2), 1),
        (("builders", 2), 1),
        (("workers", 'a"b\\🙂'), 1),
        (("builders", 23, "builds", 1, "steps"), 0),
    ],
)
@pytest.mark.parametrize("is_sealed", [False, True])
def test_key_patterns(tmp_path: Path, pattern: tuple[str | int | None, ...], found: int, is_sealed: bool) -> None:
    keys: list[tuple[str | int, ...]] = [
        ("builders", 23, "builds", 1),
        ("builders", 23, "builds", 2),
        ("builders", 2, "builds", 1),
        ("workers", 'a"b\\🙂'),
    ]
    with open_archive(tmp_path, HandClock()) as archive:
        archive.write(events_batch(1, [event(key, "finished", at) for at, key in enumerate(keys)]))
        if is_sealed:
            archive.seal()
        assert len(archive.events(EventQuery(key=pattern))) == found


keys = st.tuples(st.sampled_from(["a", "b"]), st.integers(1, 4))
histories = st.lists(
    st.builds(event, keys, st.sampled_from(["queued", "started", "finished", "odd"]), st.integers(0, 30)), max_size=30
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(history=histories, state=st.sampled_from(["", "finished", "queued"]), first=st.integers(0, 20))
def test_answers_are_those_of_a_dictionary(history: list[Event], state: str, first: int) -> None:
    kept: dict[object, Event] = {}
    for one in history:
        known = kept.get(one.key)
        if known is None or (one.rank, one.time_ns, one.id) > (known.rank, known.time_ns, known.id):
            kept[one.key] = one
    end = first + 15
    wanted = [one for one in kept.values() if START + first <= one.time_ns < START + end and state in ("", one.state)]
    query = EventQuery(start_ns=START + first, end_ns=START + end, state=state)
    clock = HandClock()
    with (
        tempfile.TemporaryDirectory() as folder,
        open_archive(Path(folder), clock, files=FaultyFiles()) as archive,
    ):
        for sequence, one in enumerate(history, start=1):
            archive.write(events_batch(sequence, [one]))
            if sequence % 7 == 0:
                archive.seal()
        for _ in range(2):
            got = archive.events(query)
            assert sorted(got, key=repr) == sorted(wanted, key=repr)
            assert [one.time_ns for one in got] == sorted((one.time_ns for one in wanted), reverse=True)
            clock.go(3 * HOUR)
            while archive.merge_once():
                pass


def test_the_limit_keeps_the_newest(tmp_path: Path) -> None:
    with open_archive(tmp_path, HandClock()) as archive:
        archive.write(events_batch(1, [event(("b", n), "finished", n) for n in range(1_500)]))
        archive.seal()
        archive.write(events_batch(2, [event(("b", n), "finished", n) for n in range(1_500, 1_510)]))
        newest = archive.events(EventQuery(limit=12))
        assert [one.key[1] for one in newest] == list(range(1_509, 1_497, -1))
        assert len(archive.events(EventQuery(limit=5_000))) == 1_510
        with pytest.raises(InputError):
            archive.events(EventQuery(limit=0))
