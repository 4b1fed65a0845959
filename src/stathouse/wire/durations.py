"""Lengths of time (``90s``, ``1h30m``) and moments (Unix seconds, RFC 3339) as text, to and from nanoseconds."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import Final

from stathouse.errors import InputError

__all__ = ["duration_ns", "duration_text", "moment_ns", "rfc3339"]

_SECOND: Final = 10**9
_UNITS: Final = {
    "ms": 10**6,
    "s": _SECOND,
    "m": 60 * _SECOND,
    "h": 3_600 * _SECOND,
    "d": 86_400 * _SECOND,
    "w": 604_800 * _SECOND,
}
_PART: Final = re.compile(r"([0-9]{1,12})(?:\.([0-9]{1,9}))?(ms|s|m|h|d|w)")
_RFC3339: Final = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,20}(?:\.[0-9]{1,20})?")
_FAR_NS: Final = 2**63


def duration_ns(text: str, *, where: str = "") -> int:
    """Return a length of time in nanoseconds.

    Raises:
        InputError: the text is none, or zero.

    >>> duration_ns("90s") == duration_ns("1m30s") == 90 * 10**9
    True
    >>> duration_ns("1.5h") // 10**9
    5400
    """
    total, position = 0, 0
    while found := _PART.match(text, position):
        whole, fraction, unit = found.groups()
        total += int(whole) * _UNITS[unit]
        if fraction:
            total += int(fraction) * _UNITS[unit] // 10 ** len(fraction)
        position = found.end()
    if position != len(text) or not text:
        raise InputError("no length of time; write 90s, 10m, 6h or 7d", where=where)
    if not 0 < total < _FAR_NS:
        raise InputError("the length of time is zero or longer than 292 years", where=where)
    return total


def duration_text(nanoseconds: int) -> str:
    """Return the shortest text that :func:`duration_ns` reads back.

    >>> duration_text(90 * 10**9), duration_text(86_400 * 10**9)
    ('90s', '1d')
    """
    for unit in ("d", "h", "m", "s", "ms"):
        if nanoseconds % _UNITS[unit] == 0:
            return f"{nanoseconds // _UNITS[unit]}{unit}"
    return f"{nanoseconds / _SECOND:.9f}".rstrip("0") + "s"


def moment_ns(value: float | str, *, where: str = "") -> int:
    """Return a moment as Unix nanoseconds.

    Args:
        value: Unix seconds, as a number or its text, or RFC 3339 text. A float is taken to the microsecond, a text
            to the nanosecond.
        where: the place in the input, for the error.

    Raises:
        InputError: it is neither, or too far away for 64 bits.

    >>> moment_ns("1970-01-01T00:00:01.5Z")
    1500000000
    """
    if isinstance(value, str):
        nanoseconds = _from_text(value, where)
    elif isinstance(value, int):
        nanoseconds = value * _SECOND
    elif math.isfinite(value):
        # Seconds of today have about 100 ns of room in a double: what is finer than a microsecond is noise.
        nanoseconds = round(value * 1e6) * 1_000
    else:
        raise InputError("the time is no finite number", where=where, reason="bad_time")
    if not -_FAR_NS <= nanoseconds < _FAR_NS:
        raise InputError("the time is too far away; give Unix seconds", where=where, reason="bad_time")
    return nanoseconds


def rfc3339(nanoseconds: int) -> str:
    """Return Unix nanoseconds as RFC 3339 text in UTC, with as many decimals as it needs.

    >>> rfc3339(1_500_000_000)
    '1970-01-01T00:00:01.5Z'
    """
    seconds, rest = divmod(nanoseconds, _SECOND)
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{rest:09d}".rstrip("0") + "Z" if rest else f"{text}Z"


def _from_text(text: str, where: str) -> int:
    if _NUMBER.fullmatch(text):
        whole, _, fraction = text.partition(".")
        sign = -1 if whole.startswith("-") else 1
        return int(whole) * _SECOND + sign * int(fraction[:9].ljust(9, "0") or 0)
    found = _RFC3339.fullmatch(text)
    if found is None:
        raise InputError("no time; give Unix seconds or 2026-01-31T12:00:00Z", where=where, reason="bad_time")
    day, clock, fraction, zone = found.groups()
    try:
        moment = datetime.fromisoformat(f"{day}T{clock}{'+00:00' if zone in 'Zz' else zone}")
        seconds = round((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds())
    except (ValueError, OverflowError):
        raise InputError("no such day or hour", where=where, reason="bad_time") from None
    return seconds * _SECOND + int((fraction or "").ljust(9, "0"))
