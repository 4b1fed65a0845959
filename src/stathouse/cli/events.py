"""``stathouse events``: what happened, newest first."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any, Final

from cyclopts import Parameter

from stathouse.cli.client import DEFAULT_CONNECTION, Connection, HouseClient
from stathouse.cli.exits import Exit
from stathouse.cli.output import Column, moment, printable, write_json, write_table
from stathouse.cli.parameters import JsonFlag, Limit, TimeRange
from stathouse.errors import ConfigError

__all__ = ["events", "key_pattern"]

_PAYLOAD_WIDTH: Final = 60
_ANY_TIME: Final = TimeRange()


def events(
    key: Annotated[
        str | None, Parameter(help="Only under this key, as builders/23 or builders/*/builds; * stands for any part.")
    ] = None,
    /,
    *,
    state: Annotated[str | None, Parameter(help="Only in this state, as finished.")] = None,
    between: TimeRange = _ANY_TIME,
    limit: Limit = 100,
    as_json: JsonFlag = False,
    connection: Connection = DEFAULT_CONNECTION,
) -> int:
    """List events, newest first.

    Args:
        key: a pattern over keys; a JSON array (``["builders", 23, null]``) says texts from numbers.
        state: only in this state.
        between: which time.
        limit: at most this many.
        as_json: print JSON.
        connection: how to reach the house.
    """
    parameters = [("limit", str(limit)), *between.parameters()]
    if key:
        parameters.append(("key", json.dumps(key_pattern(key))))
    if state:
        parameters.append(("state", state))
    with HouseClient(connection) as house:
        answer = house.get("/api/events", parameters)
    found: list[dict[str, Any]] = list(answer.get("events", ()))
    if as_json:
        write_json(answer)
    elif found:
        columns = [Column(title=title) for title in ("time", "key", "state", "payload")]
        write_table(columns, [_row(event) for event in found])
    if not found:
        print("stathouse: no event matches.", file=sys.stderr)
        return Exit.NOTHING
    return Exit.OK


def key_pattern(text: str) -> list[str | int | None]:
    """Return the pattern that a text stands for.

    >>> key_pattern("builders/23/*")
    ['builders', 23, None]
    >>> key_pattern('["builders", "23"]')
    ['builders', '23']

    Raises:
        ConfigError: it looks like JSON and is no array of texts, whole numbers and nulls.
    """
    if text.startswith("["):
        try:
            parts = json.loads(text)
        except ValueError as error:
            raise ConfigError(f"{text!r} is no JSON array: {error}.", source="KEY") from error
        if not all(part is None or (isinstance(part, str | int) and not isinstance(part, bool)) for part in parts):
            raise ConfigError(f"{text!r} has parts that no key has.", source="KEY", advice="Use texts, numbers, null.")
        return list(parts)
    return [
        None if part == "*" else int(part) if part.isascii() and part.isdigit() else part for part in text.split("/")
    ]


def _row(event: dict[str, Any]) -> tuple[str, str, str, str]:
    payload = json.dumps(event.get("payload", {}), ensure_ascii=False, separators=(",", ":"))
    if len(payload) > _PAYLOAD_WIDTH:
        payload = payload[: _PAYLOAD_WIDTH - 1] + "…"
    return (
        moment(event.get("time")),
        printable("/".join(str(part) for part in event.get("key", ()))),
        printable(str(event.get("state", ""))),
        printable(payload),
    )
