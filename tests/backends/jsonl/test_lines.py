"""Rows as JSON lines."""

import base64
import json
import math

import pytest

from stathouse._core import Aggregator, Sketch
from stathouse.backends.jsonl.lines import rows_as_lines
from stathouse.model import Event, FieldValue, Kind, Point
from stathouse.wire.tables import events_payload, points_payload, read_stream

TIME = 1_700_000_000_123_456_789


def line_of(kind: Kind | None = None, **fields: FieldValue) -> dict[str, object]:
    payload = points_payload([Point(name="shop", tags=(("a=b", "c,d"),), time_ns=TIME, fields=fields, kind=kind)])
    (line,) = rows_as_lines("points", read_stream(payload.body))
    assert line.endswith("\n")
    assert line.count("\n") == 1
    parsed: dict[str, object] = json.loads(line)
    return parsed


def test_a_counter() -> None:
    assert line_of(Kind.COUNTER, sum=3) == {
        "name": "shop",
        "tags": {"a=b": "c,d"},
        "kind": "counter",
        "field": "sum",
        "time_ns": TIME,
        "double": 3.0,
    }


@pytest.mark.parametrize(
    ("value", "column", "text"),
    [
        (7, "int64", 7),
        (-(2**63), "int64", -(2**63)),
        ("two\nlines\u2028", "text", "two\nlines\u2028"),
        (b"\x00\xff", "bytes", "AP8="),
        (math.nan, "double", "NaN"),
        (math.inf, "double", "Infinity"),
        (-math.inf, "double", "-Infinity"),
    ],
)
def test_a_posted_value_stands_under_its_type(value: FieldValue, column: str, text: object) -> None:
    line = line_of(None, field=value)
    assert line[column] == text
    assert set(line) == {"name", "tags", "kind", "field", "time_ns", column}


def test_a_timer_has_percentiles_beside_its_sketch() -> None:
    aggregator = Aggregator()
    aggregator.feed(b"\n".join(b"work:%d|ms" % number for number in range(1, 101)))
    flush = aggregator.flush(start_ns=TIME, now_ns=TIME)
    (text,) = rows_as_lines("points", read_stream(flush.body))
    line = json.loads(text)
    assert (line["kind"], line["count"], line["min"], line["max"], line["double"]) == ("timer", 100, 1, 100, 5050)
    assert [line[name] for name in ("p50", "p95", "p99")] == pytest.approx([50, 95, 99], rel=0.01)
    assert Sketch.from_bytes(base64.b64decode(line["bytes"])).count == 100


def test_bytes_that_are_no_sketch_are_kept_without_percentiles() -> None:
    line = line_of(Kind.TIMER, sketch=b"no sketch")
    assert base64.b64decode(str(line["bytes"])) == b"no sketch"
    assert "p50" not in line


def test_an_event() -> None:
    event = Event(
        key=("builders", 23), id="e", time_ns=TIME, state="finished", rank=40, payload={"text": "é", "n": None}
    )
    (line,) = rows_as_lines("events", read_stream(events_payload([event]).body))
    assert json.loads(line) == {
        "key": ["builders", 23],
        "state": "finished",
        "rank": 40,
        "id": "e",
        "time_ns": TIME,
        "payload": {"text": "é", "n": None},
    }


def test_many_rows_stay_in_order() -> None:
    points = [
        Point(name=f"n{number}", time_ns=number, fields={"sum": 1.0}, kind=Kind.COUNTER) for number in range(10_000)
    ]
    lines = rows_as_lines("points", read_stream(points_payload(points).body))
    assert [json.loads(line)["time_ns"] for line in lines] == list(range(10_000))
