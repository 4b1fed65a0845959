"""``stathouse status``: what came in, what is stored, what was lost and why."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any

from cyclopts import Parameter

from stathouse.cli.client import DEFAULT_CONNECTION, Connection, HouseClient
from stathouse.cli.exits import Exit
from stathouse.cli.output import Column, duration, number, printable, size, write_json, write_table
from stathouse.cli.parameters import JsonFlag

__all__ = ["status"]

_Document = Mapping[str, Any]


def status(
    *,
    rejects: Annotated[
        bool, Parameter(help="Show the last line that was rejected for each reason.", negative=(), show_default=False)
    ] = False,
    as_json: JsonFlag = False,
    connection: Connection = DEFAULT_CONNECTION,
) -> int:
    """Say what came in, what is stored, and what was lost and why.

    Args:
        rejects: show the last line that was rejected for each reason.
        as_json: print JSON.
        connection: how to reach the house.
    """
    with HouseClient(connection) as house:
        document = house.get("/api/status")
    if as_json:
        write_json(document)
        return Exit.OK
    for name, text in _summary(document):
        print(f"{name:<9} {text}".rstrip())
    _write_doors(document.get("doors", ()))
    _write_backends(document.get("backends", ()))
    if rejects:
        _write_rejects(document.get("rejects", {}))
    for problem in document.get("problems", ()):
        print(f"problem   {printable(str(problem))}")
    return Exit.OK


def _summary(document: _Document) -> Iterator[tuple[str, str]]:
    """Yield the lines about the whole house: what it is about, and the text."""
    part = _parts(document)
    ledger, spool, archive, flush = part("ledger"), part("spool"), part("archive"), part("flush")
    rejected, dropped = ledger.get("rejected") or {}, ledger.get("dropped") or {}
    drops = document.get("kernel_drops", 0)
    yield (
        "house",
        f"{document.get('url')}, version {document.get('version')}, up {duration(document.get('uptime_seconds'))}, "
        f"{'ready' if document.get('ready') else 'not ready'}",
    )
    yield "data", printable(str(document.get("data", "")))
    yield (
        "came in",
        f"{_count(ledger.get('received'))} samples, {_count(ledger.get('accepted'))} accepted, "
        f"{_rounded(document.get('samples_per_second'))} a second now",
    )
    yield (
        "series",
        f"{_count(document.get('series_live'))} live of {_count(document.get('series_limit'))}, "
        f"{_count(document.get('series_kept'))} in sealed files, "
        f"{_count(document.get('refused_series'))} over the limits" + _prefixes(document.get("refused_prefixes", ())),
    )
    yield (
        "stored",
        f"{_count(ledger.get('stored'))} rows, {_count(ledger.get('merged'))} samples merged into them, "
        f"{_count(ledger.get('direct'))} rows came ready-made, {_count(ledger.get('in_flight'))} on the way",
    )
    lost = [f"{_count(drops)} dropped by the kernel"] if drops else []
    lost += [f"{_count(count)} rejected: {printable(reason)}" for reason, count in rejected.items() if count]
    lost += [f"{_count(count)} dropped: {printable(reason)}" for reason, count in dropped.items() if count]
    yield "lost", f"{_count(document.get('lost', 0))}" + (f" ({'; '.join(lost)})" if lost else "")
    residual = ledger.get("residual", 0)
    yield "accounts", "add up (residual 0)" if residual == 0 else f"do NOT add up: residual {_count(residual)}"
    yield (
        "flush",
        f"every {duration(flush.get('every_seconds'))}; the last took {duration(flush.get('last_seconds'))} "
        f"for {_count(flush.get('last_rows'))} rows",
    )
    yield (
        "spool",
        f"{_count(spool.get('batches'))} batches, {_count(spool.get('rows'))} rows, {size(spool.get('bytes'))}, "
        f"oldest {duration(spool.get('oldest_seconds'))}, {size(spool.get('free_bytes'))} free on the disk"
        + (", SHEDDING" if spool.get("shedding") else ""),
    )
    yield (
        "archive",
        f"{_count(archive.get('files'))} files, {size(archive.get('bytes'))}, "
        f"{_count(archive.get('rows_sealed'))} rows sealed, {_count(archive.get('rows_recent'))} recent, "
        f"{_count(archive.get('quarantined'))} files quarantined",
    )
    yield (
        "process",
        f"{size(document.get('memory_bytes'))} memory, {_rounded(document.get('cpu_percent'))} % of a processor",
    )


def _parts(document: _Document) -> Callable[[str], _Document]:
    def part(name: str) -> _Document:
        value = document.get(name)
        return value if isinstance(value, dict) else {}

    return part


def _prefixes(prefixes: Sequence[Sequence[Any]]) -> str:
    shown = [f"{printable(str(prefix))} {_count(count)}" for prefix, count in prefixes[:3]]
    return f" (most: {', '.join(shown)})" if shown else ""


def _write_doors(doors: Sequence[_Document]) -> None:
    titles = ("datagrams", "connections", "bytes", "kernel drops", "truncated")
    names = ("datagrams", "connections", "bytes", "kernel_drops", "truncated")
    print()
    write_table(
        [Column(title="door"), Column(title="address"), *(Column(title=title, right=True) for title in titles)],
        [
            [
                printable(str(door.get("door", ""))),
                printable(str(door.get("address", ""))),
                *(_count(door[name]) if name in door else "" for name in names),
            ]
            for door in doors
        ],
    )


def _write_backends(backends: Sequence[_Document]) -> None:
    titles = ("stored", "rejected", "dropped", "waiting rows", "behind")
    print()
    write_table(
        [Column(title="backend"), Column(title="state"), *(Column(title=title, right=True) for title in titles)],
        [
            [
                printable(f"{backend.get('name')} ({backend.get('url')})"),
                printable(f"{backend.get('state')} {backend.get('last_error') or ''}".strip()),
                *(_count(backend.get(name)) for name in ("stored", "rejected", "dropped", "lag_rows")),
                duration(backend.get("lag_seconds")),
            ]
            for backend in backends
        ],
    )


def _write_rejects(rejects: Mapping[str, _Document]) -> None:
    print()
    seen = {reason: entry for reason, entry in rejects.items() if entry.get("count")}
    if not seen:
        print("no line was rejected")
        return
    columns = [
        Column(title="reason"),
        Column(title="count", right=True),
        Column(title="means"),
        Column(title="last line"),
    ]
    write_table(
        columns,
        [
            [
                printable(reason),
                _count(entry["count"]),
                printable(str(entry.get("meaning") or "")),
                printable(str(entry.get("last") or "")),
            ]
            for reason, entry in seen.items()
        ],
    )


def _count(value: object) -> str:
    return number(value, grouped=True)


def _rounded(value: object) -> str:
    return number(round(value, 1) if isinstance(value, int | float) else value, grouped=True)
