"""The one validator for names, tags and times that come in over HTTP.

The rules are those of the Rust core's lines, but that a tag there is bounded by its line and not by itself, and that a
time may lie as far back as 1970 here.

Names are data: they are never changed here, only taken or refused. A refusal is an
:class:`~stathouse.errors.InputError` that says where, what and under which reason it is counted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from stathouse.errors import InputError
from stathouse.model import Tags
from stathouse.wire.tags import canonical

__all__ = ["DEFAULT_LIMITS", "FUTURE_NS", "Limits", "check_integer", "check_name", "check_tags", "check_time"]

FUTURE_NS: Final = 600 * 10**9
"""How far ahead of the house's clock a time may lie: ten minutes, for clocks that disagree."""

_INT64: Final = 2**63

# Control characters, line and paragraph separators, and the marks that turn the direction of text around: a name
# with one of these shows as something else than it is, in a terminal, a log or a page.
_FORBIDDEN: Final = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long names may be and how many tags a series may have.

    Args:
        name_bytes: longest name, tag key, tag value or field name, in UTF-8 bytes.
        tags: most tags of one series, the house's own tags not counted.
        text_bytes: longest text value of a field, in UTF-8 bytes.
    """

    name_bytes: int = 512
    tags: int = 32
    text_bytes: int = 65_536


DEFAULT_LIMITS: Final = Limits()


def check_name(name: str, *, where: str, what: str = "name", limits: Limits = DEFAULT_LIMITS) -> str:
    """Return ``name`` when it may name something.

    Raises:
        InputError: it is empty, longer than the limit or has a control character.
    """
    if not name:
        raise InputError(f"the {what} is empty", where=where, reason="bad_name")
    _check_text(name, where=where, what=what, reason="bad_name", limit=limits.name_bytes)
    return name


def check_tags(tags: Mapping[str, str], *, where: str, limits: Limits = DEFAULT_LIMITS) -> Tags:
    """Return canonical tags.

    Raises:
        InputError: there are too many, a key is empty, or a key or value is too long or has a control character.
    """
    pairs = canonical(tags.items())
    if len(pairs) > limits.tags:
        raise InputError(f"{len(pairs)} tags; at most {limits.tags} are kept", where=where, reason="too_many_tags")
    for key, value in pairs:
        if not key:
            raise InputError("a tag without a key", where=where, reason="bad_tags")
        _check_text(key, where=where, what="tag key", reason="bad_tags", limit=limits.name_bytes)
        _check_text(value, where=f"{where}.{key}", what="tag value", reason="bad_tags", limit=limits.name_bytes)
    return pairs


def check_time(time_ns: int, *, where: str, now_ns: int) -> int:
    """Return ``time_ns`` when it lies between 1970 and ten minutes from now.

    Raises:
        InputError: it does not; the message guesses at a wrong unit.
    """
    if time_ns < 0:
        raise InputError("the time is before 1970", where=where, reason="bad_time")
    if time_ns > now_ns + FUTURE_NS:
        wrong_unit = " (is it in another unit than you meant?)" if time_ns > now_ns * 500 else ""
        raise InputError(f"the time is more than ten minutes ahead{wrong_unit}", where=where, reason="bad_time")
    return time_ns


def check_integer(value: int, *, where: str) -> int:
    """Return ``value`` when it fits 64 bits with a sign.

    Raises:
        InputError: it does not.
    """
    if not -_INT64 <= value < _INT64:
        raise InputError("the integer does not fit 64 bits; send it as a float", where=where, reason="bad_value")
    return value


def _check_text(text: str, *, where: str, what: str, reason: str, limit: int) -> None:
    if found := _FORBIDDEN.search(text):
        raise InputError(f"the {what} has the control character U+{ord(found[0]):04X}", where=where, reason=reason)
    # A character is at most four bytes, so that most names need no encoding to be counted.
    if len(text) * 4 > limit and len(text.encode()) > limit:
        raise InputError(f"the {what} is longer than {limit} bytes", where=where, reason=reason)
