"""Answers as JSON, CSV and Arrow."""

from __future__ import annotations

import json

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from stathouse.model import Answer, Row, SeriesRows
from stathouse.wire.answers import answer_arrow, answer_csv, answer_json, safe_json

VALUES = st.one_of(st.floats(), st.integers(-(2**63), 2**63 - 1), st.text(st.characters(exclude_categories=["Cs"])))
ROWS = st.lists(st.builds(lambda time_ns, value: Row(time_ns=time_ns, value=value), st.integers(0, 2**61), VALUES))
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
SERIES = st.builds(
    lambda name, key, value, rows: SeriesRows(name=name, tags=((key, value),), field="x", kind="", rows=tuple(rows)),
    *(TEXT, TEXT, TEXT, ROWS),
)


def _unit(name: str) -> tuple[str, str]:
    return "ms", name


def _refuse_constant(name: str) -> object:
    raise AssertionError(f"{name} is no JSON")


@given(st.lists(SERIES, max_size=3), st.booleans())
def test_json_is_strict_and_complete(series: list[SeriesRows], truncated: bool) -> None:
    body = b"".join(answer_json(Answer(series=tuple(series), truncated=truncated), _unit))
    assert b"<" not in body
    assert "\u2028".encode() not in body
    found = json.loads(body, parse_constant=_refuse_constant)
    assert found["truncated"] is truncated
    assert [(one["name"], one["tags"], one["unit"]) for one in found["series"]] == [
        (one.name, dict(one.tags), "ms") for one in series
    ]
    for one, expected in zip(found["series"], series, strict=True):
        values = [
            None if row.value in (float("inf"), float("-inf")) or row.value != row.value else row.value
            for row in expected.rows
        ]
        assert [row["value"] for row in one["rows"]] == values


@given(st.lists(SERIES, max_size=3))
def test_arrow_keeps_every_value_and_time(series: list[SeriesRows]) -> None:
    table = pa.ipc.open_stream(b"".join(answer_arrow(Answer(series=tuple(series)), _unit))).read_all()
    rows = [row for one in series for row in one.rows]
    assert table["time"].cast(pa.int64()).to_pylist() == [row.time_ns for row in rows]
    for column, kind in (("double", float), ("int64", int), ("text", str)):
        expected = [repr(row.value) if isinstance(row.value, kind) else "None" for row in rows]
        assert [repr(value) for value in table[column].to_pylist()] == expected


def test_long_answers_come_in_pieces() -> None:
    rows = tuple(Row(time_ns=i * 10**9, value=i) for i in range(12_000))
    answer = Answer(series=(SeriesRows(name="a", tags=(), field="x", kind="", rows=rows),))
    for chunks in (list(answer_json(answer, _unit)), list(answer_csv(answer)), list(answer_arrow(answer, _unit))):
        assert len(chunks) >= 4
    assert [row["value"] for row in json.loads(b"".join(answer_json(answer, _unit)))["series"][0]["rows"]] == list(
        range(12_000)
    )
    assert b"".join(answer_csv(answer)).count(b"\r\n") == 12_001


def test_a_number_that_is_none_is_an_empty_cell() -> None:
    rows = (Row(time_ns=0, value=float("nan")), Row(time_ns=1, value=-0.5))
    text = b"".join(
        answer_csv(Answer(series=(SeriesRows(name="=a", tags=(("k", "v,w"),), field="x", kind="", rows=rows),)))
    ).decode()
    assert text.split("\r\n")[1:3] == [
        '1970-01-01T00:00:00Z,\'=a,"k=v\\,w",x,',
        '1970-01-01T00:00:00.000000001Z,\'=a,"k=v\\,w",x,-0.5',
    ]


def test_safe_json_has_no_way_out_of_a_page() -> None:
    assert (
        safe_json({"a": "</script>\u2028\u2029", "b": float("nan")})
        == b'{"a":"\\u003c/script>\\u2028\\u2029","b":null}'
    )
