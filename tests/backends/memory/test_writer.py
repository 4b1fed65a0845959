"""The bound of the memory backend, its URL, and its rows as a table."""

import pytest

from stathouse.backends import memory
from stathouse.backends.memory import MemoryWriter
from stathouse.errors import ConfigError
from stathouse.model import Payload
from tests.backends.contract import made, numbered


def test_the_oldest_batches_give_way_and_are_counted() -> None:
    size = len(numbered(1).body)
    writer = MemoryWriter(max_bytes=3 * size + size // 2)
    for sequence in range(1, 6):
        assert writer.write(numbered(sequence)).accepted == 3
    assert [name.sequence for name in writer.names()] == [3, 4, 5]
    assert writer.forgotten == 6
    assert writer.table("points").num_rows == 9


def test_one_batch_is_kept_however_large() -> None:
    writer = MemoryWriter(max_bytes=1)
    writer.write(numbered(1))
    assert writer.table("points").num_rows == 3


def test_a_wrong_number_of_rows_is_refused_for_good() -> None:
    batch = made(1, Payload(table="points", rows=4, body=numbered(1).body))
    (rejection,) = MemoryWriter().write(batch).rejected
    assert (rejection.reason, rejection.rows, rejection.detail) == ("rejected_by_store", 4, "3 rows instead of 4")


def test_an_empty_table_has_the_columns_too() -> None:
    assert "name" in MemoryWriter().table("points").column_names
    assert "rank" in MemoryWriter().table("events").column_names


def test_the_url_sets_the_bound() -> None:
    writer = memory.open("memory:?max_bytes=1", None)
    writer.write(numbered(1))
    writer.write(numbered(2))
    assert len(writer.names()) == 1


@pytest.mark.parametrize("url", ["memory:x", "memory:?max_bytes=-1", "memory:?max_bytes=", "memory:?other=1", "null:"])
def test_any_other_url_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="max_bytes=1000000"):
        memory.open(url)
