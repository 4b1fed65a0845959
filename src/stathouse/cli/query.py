"""``stathouse query``: the values of series, as a table, JSON or CSV."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Annotated, Any, Final

from cyclopts import Parameter

from stathouse.cli.client import DEFAULT_CONNECTION, Connection, HouseClient
from stathouse.cli.exits import Exit
from stathouse.cli.output import (
    Column,
    is_terminal,
    moment,
    number,
    printable,
    series_label,
    sparkline,
    write_json,
    write_table,
)
from stathouse.cli.parameters import JsonFlag, Limit, TimeRange
from stathouse.errors import ConfigError

__all__ = ["query"]

_DEFAULT_LAST: Final = "10m"
_ANY_TIME: Final = TimeRange()


def query(
    series: Annotated[str, Parameter(help="Name of the series; *, ? and [a-z] stand for others, as 'shop.*'.")],
    /,
    *,
    between: TimeRange = _ANY_TIME,
    step: Annotated[str | None, Parameter(help="Width of the buckets: 1m, 1h. Without it: the rows as kept.")] = None,
    aggregate: Annotated[
        str | None,
        Parameter(help="What to compute, with commas: sum, mean, min, max, last, first, count, rate, distinct, p99.9."),
    ] = None,
    by: Annotated[
        str | None, Parameter(help="Tag keys to group by, with commas; '' merges all series into one.")
    ] = None,
    tag: Annotated[
        tuple[str, ...],
        Parameter(
            help="Only series with this tag, as shop=eu*; may come more than once.", negative=(), show_default=False
        ),
    ] = (),
    limit: Limit = 100,
    as_json: JsonFlag = False,
    as_csv: Annotated[bool, Parameter(name="--csv", help="Print CSV.", negative=(), show_default=False)] = False,
    summary: Annotated[
        bool,
        Parameter(
            help="Print one line for each series: least, greatest, last, course.", negative=(), show_default=False
        ),
    ] = False,
    connection: Connection = DEFAULT_CONNECTION,
) -> int:
    """Ask for the values of series.

    Args:
        series: a glob over names.
        between: which time.
        step: width of the buckets.
        aggregate: what to compute.
        by: tag keys to group by.
        tag: ``key=glob`` filters.
        limit: at most this many series.
        as_json: print JSON.
        as_csv: print CSV.
        summary: print one line for each series.
        connection: how to reach the house.
    """
    if sum((as_json, as_csv, summary)) > 1:
        raise ConfigError("--json, --csv and --summary exclude each other.")
    parameters = _parameters(series, between.parameters(_DEFAULT_LAST), step, aggregate, by, tag, limit)
    with HouseClient(connection) as house:
        if as_csv:
            return _pass_on(house.stream("/api/query", [*parameters, ("format", "csv")]))
        answer = house.get("/api/query", parameters)
    found: list[dict[str, Any]] = [entry for entry in answer.get("series", ()) if entry.get("rows")]
    if as_json:
        write_json(answer)
    elif summary:
        _write_summary(found)
    else:
        _write_tables(found)
    if answer.get("truncated"):
        print(f"stathouse: there are more series than {limit}; --limit moves the limit.", file=sys.stderr)
    if not found:
        print(f"stathouse: nothing is kept for {printable(series)!r} in this time.", file=sys.stderr)
        return Exit.NOTHING
    return Exit.OK


def _parameters(
    series: str,
    between: list[tuple[str, str]],
    step: str | None,
    aggregate: str | None,
    by: str | None,
    tags: Sequence[str],
    limit: int,
) -> list[tuple[str, str]]:
    parameters = [("series", series), *between, ("limit", str(limit))]
    for tag in tags:
        key, equals, glob = tag.partition("=")
        if not equals or not key:
            raise ConfigError(f"{tag!r} is no tag.", source="--tag", advice="Write it as key=value or key=glob*.")
        parameters.append(("tag", f"{key}:{glob}"))
    if step:
        parameters.append(("step", step))
    if aggregate:
        parameters.append(("aggregate", aggregate))
    if by is not None:
        parameters.append(("by", by))
    return parameters


def _pass_on(parts: Iterable[bytes]) -> int:
    """Copy the house's CSV; nothing is found when there is no line below the heading."""
    lines, last = 0, b""
    for part in parts:
        sys.stdout.buffer.write(part)
        lines += part.count(b"\n")
        last = part or last
    if last and not last.endswith(b"\n"):
        lines += 1
    sys.stdout.buffer.flush()
    return Exit.OK if lines > 1 else Exit.NOTHING


def _write_summary(found: Sequence[dict[str, Any]]) -> None:
    columns = [Column(title="series"), Column(title="field"), Column(title="rows", right=True)]
    columns += [Column(title=title, right=True) for title in ("least", "greatest", "last")]
    rows = []
    for entry in found:
        values = [row["value"] for row in entry["rows"]]
        numbers = [value for value in values if isinstance(value, int | float)]
        rows.append(
            (
                series_label(entry.get("name"), entry.get("tags")),
                _with_unit(entry),
                str(len(values)),
                number(min(numbers, default=None)),
                number(max(numbers, default=None)),
                number(values[-1]),
                sparkline(numbers),
            )
        )
    write_table([*columns, Column(title="course")], rows)


def _write_tables(found: Sequence[dict[str, Any]]) -> None:
    """Write one table for each series, with its fields as columns."""
    for index, (label, group) in enumerate(groupby(found, key=_identity)):
        fields = list(group)
        if index:
            print()
        print(f"{label}  {' '.join(_course(fields))}".rstrip())
        times: dict[float, dict[int, Any]] = {}
        for position, entry in enumerate(fields):
            for row in entry["rows"]:
                times.setdefault(row["time"], {})[position] = row["value"]
        columns = [Column(title="time"), *(Column(title=_with_unit(entry), right=True) for entry in fields)]
        write_table(
            columns,
            [
                [moment(time), *(number(values[place]) if place in values else "" for place in range(len(fields)))]
                for time, values in sorted(times.items())
            ],
        )


def _course(fields: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield a small curve of the first field that has one, when a person looks."""
    if not is_terminal():
        return
    width = max(10, shutil.get_terminal_size().columns // 3)
    for entry in fields[:1]:
        numbers = [row["value"] for row in entry["rows"] if isinstance(row["value"], int | float)]
        if len(numbers) > 1:
            yield sparkline(numbers, width)


def _identity(entry: dict[str, Any]) -> str:
    return series_label(entry.get("name"), entry.get("tags"))


def _with_unit(entry: dict[str, Any]) -> str:
    unit = entry.get("unit")
    return printable(f"{entry.get('field', 'value')} [{unit}]" if unit else str(entry.get("field", "value")))
