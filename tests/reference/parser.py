"""The line parser, written for reading: the oracle for ``stathouse._core.parse``.

The rules are those of ``rust/src/parser.rs`` and ``rust/src/tags.rs``; nothing here is shared with them.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TypeAlias

__all__ = ["Limits", "Parsed", "Refused", "identify", "parse"]

Parsed: TypeAlias = tuple[str, str, str, float | str, float, int | None]
"""(name, canonical tags, op, value, rate, time_ns)"""

_NUMBER = re.compile(rb"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_SECOND = 10**9


class Refused(Exception):
    """Carries the reason."""

    @property
    def reason(self) -> str:
        """The word that counts it."""
        return str(self.args[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a line may be at most, and how it is read."""

    dialect: str = "statsd"
    max_line_bytes: int = 8_192
    max_name_bytes: int = 512
    max_tags: int = 32
    now_ns: int = 0


def parse(data: bytes, limits: Limits) -> list[Parsed | str]:
    """Return a tuple for each sample, or the reason why there is none."""
    results: list[Parsed | str] = []
    for piece in data.split(b"\n"):
        line = piece[:-1] if piece.endswith(b"\r") else piece
        if not line:
            continue
        try:
            results += _line(line, limits)
        except Refused as refused:
            results.append(refused.reason)
    return results


def _line(line: bytes, limits: Limits) -> list[Parsed | str]:
    if len(line) > limits.max_line_bytes:
        raise Refused("too_long")
    if line.startswith((b"_e{", b"_sc|")):
        raise Refused("unsupported")
    sent_name, colon, rest = line.partition(b":")
    if not colon or b"|" in sent_name or b"|" not in rest:
        raise Refused("bad_line")
    fields = rest.split(b"|")
    tag_fields = [field[1:] for field in fields[2:] if field.startswith(b"#")]
    name, tags = identify(sent_name, tag_fields[-1] if tag_fields else b"", limits)
    results: list[Parsed | str] = []
    while fields:
        values, fields = fields[0], fields[1:]
        if not fields:
            results.append("bad_line")
            break
        kind, rate, time, fields = _run(fields)
        results += [
            (name, tags, *sample) if isinstance(sample, tuple) else sample
            for sample in _samples(values, kind, rate, time, limits)
        ]
    return results


def _run(fields: list[bytes]) -> tuple[bytes, bytes | None, bytes | None, list[bytes]]:
    """Take the fields of a run; a colon in the type, rate or time begins the next run's values."""
    kind, colon, following = fields[0].partition(b":")
    if colon:
        return kind, None, None, [following, *fields[1:]]
    rate = time = None
    for at, field in enumerate(fields[1:], start=1):
        if field[:1] not in (b"@", b"T"):
            continue
        text, colon, following = field.partition(b":")
        if text.startswith(b"@"):
            rate = text[1:]
        else:
            time = text[1:]
        if colon:
            return kind, rate, time, [following, *fields[at + 1 :]]
    return kind, rate, time, []


def _samples(
    values: bytes, kind: bytes, rate_text: bytes | None, time_text: bytes | None, limits: Limits
) -> list[tuple[str, float | str, float, int | None] | str]:
    if not kind:
        return ["bad_line"]
    if kind not in (b"c", b"g", b"ms", b"h", b"d", b"s"):
        return ["bad_type"]
    items = [values] if kind == b"s" else values.split(b":")
    items = [item for item in items if item]
    if not items:
        return ["bad_value"]
    rate = 1.0 if rate_text is None else _number(rate_text)
    if rate is None or not 1e-6 <= rate <= 1:
        return ["bad_rate"] * len(items)
    time_ns = None
    if time_text is not None and kind in (b"c", b"g"):
        time_ns = _time(time_text, limits.now_ns)
        if time_ns is None:
            return ["bad_time"] * len(items)
    results: list[tuple[str, float | str, float, int | None] | str] = []
    for item in items:
        try:
            op, value = _value(item, kind, rate, limits.dialect)
            results.append((op, value, rate, time_ns))
        except Refused as refused:
            results.append(refused.reason)
    return results


def _value(item: bytes, kind: bytes, rate: float, dialect: str) -> tuple[str, float | str]:
    if kind == b"s":
        return "set", _text(item)
    value = _number(item)
    if value is None:
        raise Refused("bad_value")
    if kind == b"g":
        signed = dialect == "statsd" and item[:1] in (b"+", b"-")
        return "gauge_delta" if signed else "gauge", value
    if kind == b"ms" and dialect == "statsd" and value < 0:
        raise Refused("bad_value")
    if not math.isfinite(value / rate):
        raise Refused("bad_value")
    return "counter" if kind == b"c" else "timer", value


def _number(text: bytes) -> float | None:
    if not _NUMBER.fullmatch(text):
        return None
    value = float(text)
    return value if math.isfinite(value) else None


def _time(text: bytes, now_ns: int) -> int | None:
    if not re.fullmatch(rb"[0-9]+", text):
        return None
    time_ns = int(text) * _SECOND
    return time_ns if now_ns - 7 * 86_400 * _SECOND <= time_ns <= now_ns + 600 * _SECOND else None


def identify(sent_name: bytes, tag_field: bytes, limits: Limits) -> tuple[str, str]:
    """Return the name and the canonical text of the tags."""
    name, _, graphite = sent_name.partition(b";")
    if not name:
        raise Refused("bad_name")
    if len(name) > limits.max_name_bytes:
        raise Refused("too_long")
    text = _text(name)
    if _CONTROLS.search(text):
        raise Refused("bad_name")
    in_name = graphite.strip(b";") != b""
    if in_name and tag_field.strip(b",") != b"":
        raise Refused("bad_tags")
    return text, _tags(graphite, ";", "=", limits) if in_name else _tags(tag_field, ",", ":", limits)


def _tags(sent: bytes, between: str, inside: str, limits: Limits) -> str:
    text = _text(sent)
    if _CONTROLS.search(text):
        raise Refused("bad_tags")
    items = [item for item in text.split(between) if item]
    if len(items) > limits.max_tags:
        raise Refused("too_many_tags")
    tags: dict[str, str] = {}
    for item in items:
        key, _, value = item.partition(inside)
        if not key:
            raise Refused("bad_tags")
        tags[key] = value
    pairs = sorted(tags.items(), key=lambda pair: pair[0].encode())
    return ",".join(f"{_escape(key)}={_escape(value)}" for key, value in pairs)


def _escape(part: str) -> str:
    return part.replace("\\", "\\\\").replace(",", "\\,").replace("=", "\\=")


def _text(sent: bytes) -> str:
    try:
        return sent.decode()
    except UnicodeDecodeError:
        raise Refused("bad_utf8") from None
