"""The ledger is a set of names, whatever the order they came in."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stathouse.backends.local.ledger import Ledger
from stathouse.model import BatchName

names = st.builds(
    BatchName, writer=st.sampled_from(["a" * 32, "b" * 32]), epoch=st.integers(1, 3), sequence=st.integers(1, 30)
)


@given(points=st.sets(names), probes=st.lists(names))
def test_it_holds_what_was_added_and_nothing_else(points: set[BatchName], probes: list[BatchName]) -> None:
    ledger = Ledger()
    for name in points:
        ledger.add([name])
    again = Ledger(ledger.to_ranges())
    for name in [*points, *probes]:
        assert (name in ledger) == (name in points) == (name in again)


@given(mine=st.sets(names), others=st.sets(names))
def test_gaps_filled_by_the_other_table_are_closed_over(mine: set[BatchName], others: set[BatchName]) -> None:
    others -= mine
    ledger = Ledger()
    ledger.add(mine, others=others)
    for name in mine:
        assert name in ledger
    for writer in ("a" * 32, "b" * 32):
        for epoch in (1, 2, 3):
            for sequence in range(1, 31):
                name = BatchName(writer=writer, epoch=epoch, sequence=sequence)
                assert name not in ledger or name in mine or name in others


def test_an_hour_of_mixed_batches_is_one_range() -> None:
    every = [BatchName(writer="a" * 32, epoch=1, sequence=number) for number in range(1, 361)]
    ledger = Ledger()
    ledger.add(every[::2], others=every[1::2])
    assert ledger.to_ranges() == {"a" * 32: {"1": [[1, 359]]}}


@given(first=st.sets(names), second=st.sets(names))
def test_overlap_cover_merge_and_subtract(first: set[BatchName], second: set[BatchName]) -> None:
    one, two = Ledger(), Ledger()
    one.add(first)
    two.add(second)
    assert one.overlaps(two.to_ranges()) == bool(first & second)
    assert one.covers(two.to_ranges()) == (second <= first)
    both = Ledger(one.to_ranges())
    both.merge(two.to_ranges())
    assert all(name in both for name in first | second)
    both.subtract(two.to_ranges())
    assert all((name in both) == (name not in second) for name in first | second)


def test_of_very_many_epochs_the_oldest_are_taken_as_had() -> None:
    ledger = Ledger()
    ledger.add(BatchName(writer="a" * 32, epoch=epoch, sequence=1) for epoch in range(1, 1_500))
    assert len(ledger.to_ranges()["a" * 32]) == 1_000
    assert BatchName(writer="a" * 32, epoch=3, sequence=1) in ledger
    assert BatchName(writer="a" * 32, epoch=1_499, sequence=2) not in ledger
    assert BatchName(writer="a" * 32, epoch=1_500, sequence=1) not in ledger


def test_a_file_of_forgotten_epochs_is_covered() -> None:
    ledger = Ledger()
    ledger.add(BatchName(writer="a" * 32, epoch=epoch, sequence=1) for epoch in range(1, 1_500))
    assert ledger.covers({"a" * 32: {"3": [[1, 5]], "1499": [[1, 1]]}})
    assert not ledger.covers({"a" * 32: {"3": [[1, 5]], "1500": [[1, 1]]}})
    assert not ledger.covers({"b" * 32: {"3": [[1, 5]]}})
