"""Points and events as JSON, from the bodies of ``POST /api/points`` and ``POST /api/events``.

The structs are what the OpenAPI document shows. A body is taken whole or not at all, and every error names the place,
as ``points[3].fields.usage``. Needs msgspec (the ``serve`` extra).
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterator
from typing import Any, Final, Literal, TypeVar

import msgspec

from stathouse.errors import InputError
from stathouse.model import Event, FieldValue, Kind, Point, state_rank
from stathouse.wire.durations import moment_ns
from stathouse.wire.names import DEFAULT_LIMITS, Limits, check_integer, check_name, check_tags, check_time

__all__ = ["EventIn", "EventsBody", "PointIn", "PointsBody", "check_depth", "decode_events", "decode_points"]

_MAX_DEPTH: Final = 32
_MAX_KEY_PARTS: Final = 16
_RANKS: Final = range(-(2**31), 2**31)
_PLACE: Final = re.compile(r"^(.*?)(?: - at `(?:key in )?\$\.?(.*)`)?$", re.DOTALL)


class PointIn(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """One point: either ``fields``, or ``kind`` and ``value``."""

    name: str
    tags: dict[str, str] = {}
    time: int | float | str | None = None
    """Unix seconds or RFC 3339; now when it is left out."""
    fields: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    """Field name → a finite number (integers fit 64 bits) or a text."""
    kind: Literal["counter", "gauge"] | msgspec.UnsetType = msgspec.UNSET
    value: int | float | bool | msgspec.UnsetType = msgspec.UNSET


class PointsBody(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Points to keep, all or none."""

    points: list[PointIn]


class EventIn(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """One event."""

    key: list[str | int]
    """The routing key without the state, 1 to 16 parts."""
    state: str = ""
    id: str | None = None
    """Names the event for ever; derived from key, state and time when it is left out."""
    time: int | float | str | None = None
    rank: int | None = None
    """How final the state is; by the state's word when it is left out."""
    payload: dict[str, Any] = {}


class EventsBody(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Events to keep, all or none."""

    events: list[EventIn]


_Body = TypeVar("_Body", PointsBody, EventsBody)


def decode_points(body: bytes, *, now_ns: int, limits: Limits = DEFAULT_LIMITS) -> list[Point]:
    """Return the points of a body.

    Raises:
        InputError: something in it is wrong; nothing of it should be stored.

    >>> [point.fields for point in decode_points(b'{"points":[{"name":"a","kind":"counter","value":2}]}', now_ns=0)]
    [{'sum': 2.0}]
    """
    given = _decode(body, PointsBody).points
    return [_point(point, where=f"points[{index}]", now_ns=now_ns, limits=limits) for index, point in enumerate(given)]


def decode_events(body: bytes, *, now_ns: int, limits: Limits = DEFAULT_LIMITS) -> list[Event]:
    """Return the events of a body.

    Raises:
        InputError: something in it is wrong; nothing of it should be stored.
    """
    given = _decode(body, EventsBody).events
    return [_event(event, where=f"events[{index}]", now_ns=now_ns, limits=limits) for index, event in enumerate(given)]


def check_depth(value: object, *, where: str, most: int = _MAX_DEPTH) -> None:
    """Refuse JSON values nested deeper than ``most``, without recursion.

    Raises:
        InputError: they are.
    """
    level: list[object] = [value]
    for _ in range(most):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return
    raise InputError(f"nested deeper than {most} levels", where=where, reason="bad_value")


def _inside(value: object) -> Iterator[object]:
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list):
        yield from value


def _decode(body: bytes, shape: type[_Body]) -> _Body:
    try:
        return msgspec.json.decode(body, type=shape)
    except msgspec.ValidationError as error:
        found = _PLACE.match(str(error))
        problem, where = found.groups() if found else (str(error), "")
        raise InputError(_lower(problem), where=where or "body", reason="bad_value") from None
    except msgspec.DecodeError as error:
        raise InputError(_lower(str(error)), where="body", reason="bad_line") from None
    except UnicodeDecodeError:
        raise InputError("bytes that are not UTF-8", where="body", reason="bad_utf8") from None
    except RecursionError:
        raise InputError("nested too deeply", where="body", reason="bad_value") from None


def _lower(sentence: str) -> str:
    return sentence if sentence.startswith("JSON") else sentence[:1].lower() + sentence[1:]


def _point(given: PointIn, *, where: str, now_ns: int, limits: Limits) -> Point:
    check_name(given.name, where=f"{where}.name", limits=limits)
    tags = check_tags(given.tags, where=f"{where}.tags", limits=limits)
    time_ns = _time(given.time, where=f"{where}.time", now_ns=now_ns)
    kind, fields = _fields(given, where, limits)
    return Point(name=given.name, tags=tags, time_ns=time_ns, fields=fields, kind=kind)


def _fields(given: PointIn, where: str, limits: Limits) -> tuple[Kind | None, dict[str, FieldValue]]:
    if given.fields is msgspec.UNSET:
        if given.kind is msgspec.UNSET or given.value is msgspec.UNSET:
            raise InputError("neither fields, nor kind and value", where=where, reason="bad_value")
        value = _value(given.value, where=f"{where}.value", limits=limits)
        kind = Kind(given.kind)
        return kind, {"sum" if kind is Kind.COUNTER else "last": float(value)}
    if given.kind is not msgspec.UNSET or given.value is not msgspec.UNSET:
        raise InputError("both fields and kind or value; give one of them", where=where, reason="bad_value")
    if not given.fields:
        raise InputError("no field", where=f"{where}.fields", reason="bad_value")
    fields: dict[str, FieldValue] = {}
    for name, value in given.fields.items():
        check_name(name, where=f"{where}.fields", what="field name", limits=limits)
        fields[name] = _value(value, where=f"{where}.fields.{name}", limits=limits)
    return None, fields


def _value(value: object, *, where: str, limits: Limits) -> float | int | str:
    match value:
        case bool():
            raise InputError("true and false are no values; send 1 or 0", where=where, reason="bad_value")
        case int():
            return check_integer(value, where=where)
        case float() if math.isfinite(value):
            return value
        case str():
            if len(value) * 4 > limits.text_bytes and len(value.encode()) > limits.text_bytes:
                raise InputError(f"the text is longer than {limits.text_bytes} bytes", where=where, reason="too_long")
            return value
        case _:
            raise InputError("neither a finite number nor a text", where=where, reason="bad_value")


def _event(given: EventIn, *, where: str, now_ns: int, limits: Limits) -> Event:
    if not 1 <= len(given.key) <= _MAX_KEY_PARTS:
        problem = f"the key has {len(given.key)} parts; 1 to {_MAX_KEY_PARTS} are kept"
        raise InputError(problem, where=f"{where}.key", reason="bad_name")
    for index, part in enumerate(given.key):
        place = f"{where}.key[{index}]"
        if isinstance(part, str):
            check_name(part, where=place, what="part of the key", limits=limits)
        else:
            check_integer(part, where=place)
    if given.state:
        check_name(given.state, where=f"{where}.state", what="state", limits=limits)
    if given.id is not None:
        check_name(given.id, where=f"{where}.id", what="id", limits=limits)
    if given.rank is not None and given.rank not in _RANKS:
        raise InputError("the rank does not fit 32 bits", where=f"{where}.rank", reason="bad_value")
    check_depth(given.payload, where=f"{where}.payload")
    time_ns = _time(given.time, where=f"{where}.time", now_ns=now_ns)
    return Event(
        key=tuple(given.key),
        id=given.id if given.id is not None else _derived_id(given, time_ns),
        time_ns=time_ns,
        state=given.state,
        rank=state_rank(given.state) if given.rank is None else given.rank,
        payload=given.payload,
    )


def _time(given: float | str | None, *, where: str, now_ns: int) -> int:
    return now_ns if given is None else check_time(moment_ns(given, where=where), where=where, now_ns=now_ns)


def _derived_id(event: EventIn, time_ns: int) -> str:
    text = json.dumps([event.key, event.state, time_ns], ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]
