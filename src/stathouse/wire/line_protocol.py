r"""InfluxDB line protocol, both ways: ``measurement,tag=value field=1i,other="text" 1700000000000000000``.

Escapes are InfluxDB's own (https://docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol/): a backslash
before comma or space in a measurement, before comma, space or ``=`` in keys and tag values, before ``"`` or ``\`` in
a text field. Any other backslash is a backslash. A line that begins with ``#`` is a comment.

Booleans are kept as 1 and 0. A body is taken whole or not at all: every error names its line.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from typing import Final, Literal, TypeAlias

from stathouse.errors import InputError
from stathouse.model import FieldValue, Point
from stathouse.wire.names import DEFAULT_LIMITS, Limits, check_integer, check_name, check_tags, check_time

__all__ = ["Precision", "encode", "encode_point", "parse"]

Precision: TypeAlias = Literal["ns", "us", "ms", "s"]

_SCALES: Final[dict[str, int]] = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9}

# Taken as a run: one match after the other, each of at most 1,000 steps. A match remembers every step that it makes,
# about 150 bytes each, so one without a bound would take a hundred times the memory of the body.
_MEASUREMENT: Final = re.compile(r"(?:[^\\, \n\r]+|\\[, ]?){1,1000}")
_KEY: Final = re.compile(r"(?:[^\\, =\n\r]+|\\[, =]?){1,1000}")
_TEXT: Final = re.compile(r'(?:[^"\\]+|\\["\\]?){1,1000}')
_BLANK: Final = re.compile(r"(?:[ \t\r\n]+|#[^\n]*(?:\n|\Z)){1,1000}")

_BARE: Final = re.compile(r"[^, \n\r]+")
_INTEGER: Final = re.compile(r"([+-]?[0-9]{1,30})([iu])")
_FLOAT: Final = re.compile(r"[+-]?(?:[0-9]{1,400}(?:\.[0-9]{0,400})?|\.[0-9]{1,400})(?:[eE][+-]?[0-9]{1,10})?")
_TIME: Final = re.compile(r"-?[0-9]{1,30}(?=[ \r\n]|\Z)")
_SPACES: Final = re.compile(r" +")
_LINE_END: Final = re.compile(r" *\r?(?:\n|\Z)")

_IN_MEASUREMENT: Final = str.maketrans({mark: f"\\{mark}" for mark in ", "})
_IN_KEY: Final = str.maketrans({mark: f"\\{mark}" for mark in ", ="})
_MEASUREMENT_ESCAPED: Final = re.compile(r"\\([, ])")
_KEY_ESCAPED: Final = re.compile(r"\\([, =])")
_TEXT_ESCAPED: Final = re.compile(r'\\(["\\])')
_TRUE: Final = frozenset({"t", "T", "true", "True", "TRUE"})
_FALSE: Final = frozenset({"f", "F", "false", "False", "FALSE"})


def parse(body: bytes, *, now_ns: int, precision: Precision = "ns", limits: Limits = DEFAULT_LIMITS) -> list[Point]:
    """Return the points of a body, in its order.

    Args:
        body: UTF-8 text, a point a line.
        now_ns: the time of lines without one, and what times are checked against; Unix ns.
        precision: the unit of the times.
        limits: how long names may be.

    Raises:
        InputError: a line is wrong; ``where`` is ``line 7``.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        number = body.count(b"\n", 0, error.start) + 1
        raise InputError("bytes that are not UTF-8", where=f"line {number}", reason="bad_utf8") from None
    return list(_Scanner(text, now_ns=now_ns, scale=_SCALES[precision], limits=limits).points())


class _Scanner:
    """Walks once through the text; ``_at`` is where it stands."""

    def __init__(self, text: str, *, now_ns: int, scale: int, limits: Limits) -> None:
        self._text = text
        self._at = 0
        self._line = 1
        self._counted = 0
        self._now_ns = now_ns
        self._scale = scale
        self._limits = limits

    def points(self) -> Iterator[Point]:
        self._run(_BLANK)
        while self._at < len(self._text):
            # A text field may hold line ends, so lines are counted on the way and not split beforehand.
            self._line += self._text.count("\n", self._counted, self._at)
            self._counted = self._at
            yield self._point(f"line {self._line}")
            self._run(_BLANK)

    def _point(self, where: str) -> Point:
        name = _MEASUREMENT_ESCAPED.sub(r"\1", self._need_run(_MEASUREMENT, "a measurement", where))
        check_name(name, where=where, what="measurement", limits=self._limits)
        tags: dict[str, str] = {}
        while self._skip(","):
            key = self._key("a tag key", where)
            self._must("=", f"'=' after the tag key {key!r}", where)
            tags[key] = self._key(f"a value of the tag {key!r}", where)
        self._need(_SPACES, "a space before the fields", where)
        fields = self._fields(where)
        time_ns = self._now_ns
        if self._take(_SPACES) and (digits := self._take(_TIME)):
            time_ns = check_time(int(digits) * self._scale, where=where, now_ns=self._now_ns)
        if self._take(_LINE_END) is None:
            raise self._wrong("the end of the line", where)
        return Point(name=name, time_ns=time_ns, fields=fields, tags=check_tags(tags, where=where, limits=self._limits))

    def _fields(self, where: str) -> dict[str, FieldValue]:
        fields: dict[str, FieldValue] = {}
        while True:
            key = self._key("a field", where)
            check_name(key, where=where, what="field name", limits=self._limits)
            self._must("=", f"'=' after the field {key!r}", where)
            fields[key] = self._value(f"{where}, field {key!r}")
            if not self._skip(","):
                return fields

    def _value(self, where: str) -> FieldValue:
        if self._skip('"'):
            value = _TEXT_ESCAPED.sub(r"\1", self._run(_TEXT))
            if not self._skip('"'):
                raise InputError("a text without its closing quote", where=where)
            if len(value.encode()) > self._limits.text_bytes:
                problem = f"the text is longer than {self._limits.text_bytes} bytes"
                raise InputError(problem, where=where, reason="too_long")
            return value
        return _number(self._need(_BARE, "a value", where), where)

    def _key(self, what: str, where: str) -> str:
        return _KEY_ESCAPED.sub(r"\1", self._need_run(_KEY, what, where))

    def _take(self, pattern: re.Pattern[str]) -> str | None:
        found = pattern.match(self._text, self._at)
        if found is None:
            return None
        self._at = found.end()
        return found[0]

    def _run(self, pattern: re.Pattern[str]) -> str:
        """Take what the pattern matches, again and again."""
        start = self._at
        while found := pattern.match(self._text, self._at):
            self._at = found.end()
        return self._text[start : self._at]

    def _need_run(self, pattern: re.Pattern[str], what: str, where: str) -> str:
        taken = self._run(pattern)
        if not taken:
            raise self._wrong(what, where)
        return taken

    def _need(self, pattern: re.Pattern[str], what: str, where: str) -> str:
        taken = self._take(pattern)
        if taken is None:
            raise self._wrong(what, where)
        return taken

    def _skip(self, mark: str) -> bool:
        if self._text.startswith(mark, self._at):
            self._at += 1
            return True
        return False

    def _must(self, mark: str, what: str, where: str) -> None:
        if not self._skip(mark):
            raise self._wrong(what, where)

    def _wrong(self, what: str, where: str) -> InputError:
        rest = self._text[self._at : self._at + 20]
        return InputError(f"expected {what}, found {rest!r}" if rest else f"expected {what}", where=where)


def _number(text: str, where: str) -> float | int:
    if found := _INTEGER.fullmatch(text):
        if found[2] == "u" and found[1].startswith("-"):
            raise InputError("an unsigned integer below zero", where=where, reason="bad_value")
        return check_integer(int(found[1]), where=where)
    if text in _TRUE:
        return 1
    if text in _FALSE:
        return 0
    value = float(text) if _FLOAT.fullmatch(text) else math.nan
    if not math.isfinite(value):
        problem = f'{text[:40]!r} is no finite number, 1i, 1u, t, f or "text"'
        raise InputError(problem, where=where, reason="bad_value")
    return value


def encode(points: Iterable[Point], *, precision: Precision = "ns") -> bytes:
    """Return points as a body of lines.

    Raises:
        InputError: a point cannot be written without changing it, see :func:`encode_point`.
    """
    return "".join(f"{encode_point(point, precision=precision)}\n" for point in points).encode()


def encode_point(point: Point, *, precision: Precision = "ns") -> str:
    r"""Return one point as a line without its end.

    Tags without a value are left out: the protocol has no words for them.

    Raises:
        InputError: the protocol cannot carry it: no fields, bytes, a number that is not finite, a name that begins
            with ``#``, or a name, key or tag value with a line end or with a backslash as its last character.

    >>> encode_point(Point(name="a b", tags=(("k", "x=y"),), fields={"n": 1, "t": 'say "hi"'}, time_ns=7))
    'a\\ b,k=x\\=y n=1i,t="say \\"hi\\"" 7'
    """
    if point.name.startswith("#"):
        raise InputError("a name that begins with '#' reads as a comment", where=point.name, reason="bad_name")
    where = point.name
    head = [_escape(point.name, _IN_MEASUREMENT, where)]
    head += [f"{_escape(key, _IN_KEY, where)}={_escape(value, _IN_KEY, where)}" for key, value in point.tags if value]
    fields = [f"{_escape(key, _IN_KEY, where)}={_encode_value(value, where)}" for key, value in point.fields.items()]
    if not fields:
        raise InputError("a point without fields", where=where)
    return f"{','.join(head)} {','.join(fields)} {point.time_ns // _SCALES[precision]}"


def _escape(text: str, escapes: dict[int, str], where: str) -> str:
    if not text or "\n" in text or "\r" in text or text.endswith("\\"):
        raise InputError("empty, with a line end, or ending in a backslash", where=where, reason="bad_name")
    return text.translate(escapes)


def _encode_value(value: FieldValue, where: str) -> str:
    match value:
        case str():
            return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        case int():
            return f"{int(value)}i"
        case float() if math.isfinite(value):
            return repr(value)
        case _:
            raise InputError("bytes or a number that is not finite", where=where, reason="bad_value")
