"""Points and events as JSON."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stathouse.errors import InputError
from stathouse.model import REASONS, Kind
from stathouse.wire.json_points import check_depth, decode_events, decode_points

NOW = 1_700_000_000 * 10**9


def test_points_are_read() -> None:
    body = {
        "points": [
            {
                "name": "a",
                "tags": {"b": "2", "a": "1"},
                "time": 1_600_000_000.5,
                "fields": {"x": 1, "y": 1.5, "z": "text"},
            },
            {"name": "c", "kind": "counter", "value": 3},
            {"name": "g", "kind": "gauge", "value": -1.5, "time": "2020-01-01T00:00:00.000000001Z"},
        ]
    }
    first, counter, gauge = decode_points(json.dumps(body).encode(), now_ns=NOW)
    assert first.fields == {"x": 1, "y": 1.5, "z": "text"}
    assert [type(value) for value in first.fields.values()] == [int, float, str]
    assert (first.tags, first.time_ns, first.kind) == ((("a", "1"), ("b", "2")), 1_600_000_000_500_000_000, None)
    assert (counter.kind, counter.fields, counter.time_ns) == (Kind.COUNTER, {"sum": 3.0}, NOW)
    assert (gauge.kind, gauge.fields, gauge.time_ns) == (Kind.GAUGE, {"last": -1.5}, 1_577_836_800_000_000_001)


@pytest.mark.parametrize(
    ("point", "where", "problem"),
    [
        ({}, "points[0]", "`name`"),
        ({"name": "a"}, "points[0]", "neither fields"),
        ({"name": "a", "fields": {}}, "points[0].fields", "no field"),
        ({"name": "a", "fields": {"": 1}}, "points[0].fields", "empty"),
        ({"name": "a", "fields": {"x": None}}, "points[0].fields.x", "neither a finite number"),
        ({"name": "a", "fields": {"x": [1]}}, "points[0].fields.x", "neither a finite number"),
        ({"name": "a", "fields": {"x": False}}, "points[0].fields.x", "send 1 or 0"),
        ({"name": "a", "fields": {"x": "y" * 70_000}}, "points[0].fields.x", "longer"),
        ({"name": "a", "fields": {"x": 1}, "kind": "gauge"}, "points[0]", "both"),
        ({"name": "a", "kind": "timer", "value": 1}, "points[0].kind", "timer"),
        ({"name": "a", "kind": "counter"}, "points[0]", "neither fields"),
        ({"name": "a", "kind": "counter", "value": True}, "points[0].value", "send 1 or 0"),
        ({"name": "a", "kind": "counter", "value": 2**64}, "points[0].value", "64 bits"),
        ({"name": "a", "fields": {"x": 1}, "time": True}, "points[0].time", "bool"),
        ({"name": "a", "fields": {"x": 1}, "time": "yesterday"}, "points[0].time", "no time"),
        ({"name": "a", "fields": {"x": 1}, "time": -1}, "points[0].time", "1970"),
        ({"name": "a", "fields": {"x": 1}, "tags": {"": "v"}}, "points[0].tags", "without a key"),
        ({"name": "a", "fields": {"x": 1}, "tag": {}}, "points[0]", "`tag`"),
    ],
)
def test_a_wrong_point_is_named(point: object, where: str, problem: str) -> None:
    with pytest.raises(InputError, match=problem) as refused:
        decode_points(json.dumps({"points": [point]}).encode(), now_ns=NOW)
    assert refused.value.where == where
    assert refused.value.reason in REASONS


def test_events_get_what_they_lack() -> None:
    events = [
        {"key": ["b", 7], "state": "finished"},
        {"key": ["b", 7], "state": "finished", "id": "x", "rank": -1, "time": 5},
    ]
    first, second = decode_events(json.dumps({"events": events}).encode(), now_ns=NOW)
    assert (first.key, first.rank, first.time_ns, first.payload) == (("b", 7), 40, NOW, {})
    assert len(first.id) == 32
    assert (second.id, second.rank, second.time_ns) == ("x", -1, 5 * 10**9)
    (again,) = decode_events(json.dumps({"events": events[:1]}).encode(), now_ns=NOW)
    (other,) = decode_events(json.dumps({"events": events[:1]}).encode(), now_ns=NOW + 1)
    assert again.id == first.id != other.id


@pytest.mark.parametrize(
    ("event", "where"),
    [
        ({"key": []}, "events[0].key"),
        ({"key": ["a"] * 17}, "events[0].key"),
        ({"key": ["a", ""]}, "events[0].key[1]"),
        ({"key": ["a", 2**63]}, "events[0].key[1]"),
        ({"key": ["a", 1.5]}, "events[0].key[1]"),
        ({"key": ["a"], "state": "a\nb"}, "events[0].state"),
        ({"key": ["a"], "id": ""}, "events[0].id"),
        ({"key": ["a"], "rank": 2**31}, "events[0].rank"),
        ({"key": ["a"], "payload": []}, "events[0].payload"),
    ],
)
def test_a_wrong_event_is_named(event: object, where: str) -> None:
    with pytest.raises(InputError) as refused:
        decode_events(json.dumps({"events": [event]}).encode(), now_ns=NOW)
    assert refused.value.where == where


def test_depth_is_bounded_without_recursion() -> None:
    value: object = 1
    for _ in range(100_000):
        value = [value]
    with pytest.raises(InputError):
        check_depth(value, where="payload")
    check_depth({"a": [{"b": 1}]}, where="payload")
    while isinstance(value, list):  # taken apart here: freeing it in one go would recurse
        value = value.pop()


_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(_JSON, st.booleans())
def test_any_json_is_read_or_refused(value: object, wrapped: bool) -> None:
    body = json.dumps({"points": [value]} if wrapped else value).encode()
    for decode in (decode_points, decode_events):
        try:
            decode(body, now_ns=NOW)
        except InputError as error:
            assert error.where
            assert error.reason in REASONS
