"""InfluxDB line protocol: its grammar, its escapes, and that points come back as they went."""

from __future__ import annotations

import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stathouse.errors import InputError
from stathouse.model import Point
from stathouse.wire.line_protocol import encode, encode_point, parse
from stathouse.wire.tags import canonical

NOW = 1_700_000_000 * 10**9


def _one(line: str) -> Point:
    (point,) = parse(line.encode(), now_ns=NOW)
    return point


@pytest.mark.parametrize(
    ("line", "name", "tags", "fields"),
    [
        ("cpu usage=1", "cpu", (), {"usage": 1.0}),
        ("cpu,b=2,a=1 x=1i,y=-2.5e3,z=5u", "cpu", (("a", "1"), ("b", "2")), {"x": 1, "y": -2500.0, "z": 5}),
        ("c x=t,y=F,z=true,w=FALSE", "c", (), {"x": 1, "y": 0, "z": 1, "w": 0}),
        (r"my\ cpu\,1,k\ 1=v\=2\, x\ y=1", "my cpu,1", (("k 1", "v=2,"),), {"x y": 1.0}),
        (r'c t="say \"hi\" \\ \n, a=b"', "c", (), {"t": r'say "hi" \ \n, a=b'}),
        ('c t="two\nlines",n=1i', "c", (), {"t": "two\nlines", "n": 1}),
        (r"C:\dir\sub x=1", "C:\\dir\\sub", (), {"x": 1.0}),
        ("a=b x=.5", "a=b", (), {"x": 0.5}),
        (r"c,k=a\\,b x=1", "c", (("k", "a\\,b"),), {"x": 1.0}),
        ("  c x=+1.  ", "c", (), {"x": 1.0}),
    ],
)
def test_lines_are_read(line: str, name: str, tags: object, fields: object) -> None:
    assert _one(line) == Point(name=name, tags=tags, fields=fields, time_ns=NOW)  # type: ignore[arg-type]


def test_types_are_kept() -> None:
    assert [type(value) for value in _one('c a=1,b=1i,c=t,d="1"').fields.values()] == [float, int, int, str]


def test_times_have_a_unit() -> None:
    for precision, scale in (("s", 10**9), ("ms", 10**6), ("us", 10**3), ("ns", 1)):
        (point,) = parse(f"c x=1 {NOW // scale}\r\n".encode(), now_ns=NOW, precision=precision)  # type: ignore[arg-type]
        assert point.time_ns == NOW


def test_comments_and_empty_lines_are_nothing() -> None:
    assert [point.name for point in parse(b"\n#c\n \n\r\na x=1\n# b x=1\nc x=2", now_ns=NOW)] == ["a", "c"]
    assert parse(b"", now_ns=NOW) == parse(b"# only", now_ns=NOW) == []


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        *(
            (line, "bad_line")
            for line in (
                "cpu",
                "cpu ",
                ",a=1 x=1",
                "cpu,a x=1",
                "cpu,a= x=1",
                "cpu,=b x=1",
                "cpu =1",
                "cpu x",
                "cpu x=",
            )
        ),
        *(
            (line, "bad_line")
            for line in ('cpu x="open', "cpu x=1 12 13", "cpu x=1 1.5", "cpu x=1,", "cpu x=1, y=2", "cpu,a=1", "\\")
        ),
        *(
            (f"cpu x={value}", "bad_value")
            for value in ("nan", "NaN", "inf", "-Infinity", "1e999", "0x10", "1_0", "1ii", "--1", "1e", "-1u")
        ),
        *(
            (f"cpu x={value}", "bad_value")
            for value in (f"{2**63}i", "9" * 500, "\uff11", "yes", "tRUE", ".", "1" * 40 + "i")
        ),
        ("cpu x=1 99999999999999999999", "bad_time"),
        ("cpu x=1 -1", "bad_time"),
        ("c\u202e x=1", "bad_name"),
        ("c,a=\x07 x=1", "bad_tags"),
        ("c" * 513 + " x=1", "bad_name"),
        ("c," + ",".join(f"t{i}=1" for i in range(33)) + " x=1", "too_many_tags"),
        ('c x="' + "y" * 70_000 + '"', "too_long"),
    ],
)
def test_a_wrong_line_is_named(line: str, reason: str) -> None:
    with pytest.raises(InputError) as refused:
        parse(f'ok t="a\nb" {NOW}\n\n{line}\nok x=1'.encode(), now_ns=NOW)
    assert refused.value.reason == reason
    assert refused.value.where.startswith("line 4")


def test_bytes_that_are_no_text_are_named() -> None:
    with pytest.raises(InputError) as refused:
        parse(b"a x=1\nb\xff x=1", now_ns=NOW)
    assert (refused.value.reason, refused.value.where) == ("bad_utf8", "line 2")


_NAMES = st.text(
    st.characters(categories=["L", "N", "P", "S", "Zs"], include_characters='\\,= "#'), min_size=1, max_size=20
).filter(lambda name: not name.endswith("\\"))
_VALUES = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(2**63), 2**63 - 1),
    st.text(st.characters(exclude_categories=["Cs"])),
)
_POINTS = st.builds(
    lambda name, tags, fields, time_ns: Point(name=name, tags=canonical(tags.items()), fields=fields, time_ns=time_ns),
    _NAMES.filter(lambda name: not name.startswith("#") and name.strip() == name),
    st.dictionaries(_NAMES, _NAMES, max_size=4),
    st.dictionaries(_NAMES, _VALUES, min_size=1, max_size=4),
    st.integers(0, NOW),
)


@given(st.lists(_POINTS, max_size=4))
def test_points_come_back_as_they_went(points: list[Point]) -> None:
    assert parse(encode(points), now_ns=NOW) == points


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    try:
        points = parse(body, now_ns=NOW)
    except InputError as error:
        assert error.where.startswith("line ")
    else:
        assert all(point.name and point.fields for point in points)


@pytest.mark.parametrize(
    "point",
    [
        Point(name="#a", fields={"x": 1}, time_ns=0),
        Point(name="a\\", fields={"x": 1}, time_ns=0),
        Point(name="a\nb", fields={"x": 1}, time_ns=0),
        Point(name="a", fields={}, time_ns=0),
        Point(name="a", fields={"x": b"sketch"}, time_ns=0),
        Point(name="a", fields={"x": float("nan")}, time_ns=0),
        Point(name="a", tags=(("k\n", "v"),), fields={"x": 1}, time_ns=0),
    ],
)
def test_what_the_protocol_cannot_carry_is_refused(point: Point) -> None:
    with pytest.raises(InputError):
        encode_point(point)


def test_tags_without_a_value_are_left_out() -> None:
    assert (
        encode_point(Point(name="a", tags=(("k", ""), ("l", "1")), fields={"x": 1.5}, time_ns=1_000), precision="us")
        == "a,l=1 x=1.5 1"
    )


@pytest.mark.parametrize(
    "body",
    [
        b"\\" * 300_000,
        b'a x="' + b"\\" * 300_000,
        b"a," * 150_000,
        b"#" * 300_000,
        b" " * 300_000,
        b"a x=" + b"1" * 300_000,
    ],
)
def test_reading_takes_linear_time(body: bytes) -> None:
    began = time.process_time()
    try:
        parse(body, now_ns=NOW)
    except InputError as error:
        assert len(str(error)) < 300
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    "body",
    [
        b"x" * 1_000_000,
        b"x," + b"\\" * 1_000_000,
        b'x t="' + b"y" * 1_000_000,
        b'x t="' + b"\\" * 1_000_000 + b'"',
        b"\n" * 1_000_000 + b"x",
        b"#\n" * 500_000 + b"x",
    ],
    ids=["measurement", "key", "open text", "escapes", "blank lines", "comments"],
)
def test_a_body_is_read_in_memory_of_its_own_size(body: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(InputError):
            parse(body, now_ns=NOW)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 10 * len(body)
