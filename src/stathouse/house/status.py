"""What the house says of itself: the status document, the tiles, its problems, its own numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

import msgspec

import stathouse
from stathouse.config.options import HouseConfig
from stathouse.house.accounts import Ledger
from stathouse.house.numbers import Number
from stathouse.model import REASONS
from stathouse.sources.host import ProcessTable

if TYPE_CHECKING:
    from stathouse.house.house import House

__all__ = [
    "RELOADABLE",
    "changed_options",
    "document",
    "lost",
    "own_numbers",
    "problems",
    "processes",
    "reloaded",
    "remarks",
    "tiles",
]

RELOADABLE: Final = ("host.", "series", "statsd.flush_every_seconds")
"""What a reload takes over (see :func:`reloaded`); anything else needs a restart."""

_NS: Final = 1_000_000_000
_OLD_COMMIT_INTERVALS: Final = 3
_FULL_SPOOL: Final = 0.8
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def document(house: House) -> dict[str, object]:
    """Return the document of ``GET /api/status``."""
    ready, what_is_wrong = house.ready()
    ledger, counts, pace = house.accounts.read(), house.delivery.counts(), house.pace
    aggregator = house.entrance.aggregator
    core = aggregator.counters()
    kernel_drops = house.entrance.doors.kernel_drops()
    archive = house.archive_stats()
    return {
        "version": stathouse.__version__,
        "started": house.started_ns / _NS,
        "uptime_seconds": house.uptime_seconds(),
        "now": house.clock.now_ns() / _NS,
        "url": house.entrance.url,
        "data": str(house.data),
        "ready": ready,
        "problems": what_is_wrong,
        "doors": [*house.entrance.doors.stats(), _http_door(house)],
        "ledger": asdict(ledger),
        "kernel_drops": kernel_drops,
        "lost": lost(house),
        "samples_per_second": pace.samples_per_second,
        "series_live": core["series_live"],
        "series_limit": house.config.statsd.max_series,
        "series_kept": archive.get("series", 0),
        "refused_series": core["refused_series"],
        "refused_prefixes": aggregator.refused_prefixes(),
        "rejects": _rejects(house),
        "flush": {
            "every_seconds": house.intervals.every_seconds,
            "last_seconds": pace.last_flush_seconds,
            "last_rows": pace.last_flush_rows,
            "last_time": pace.last_flush_time,
        },
        "spool": {**asdict(counts.depth), "shedding": counts.shedding, "problem": counts.problem},
        "losses": [
            {"stage": stage, "reason": reason, "rows": rows} for (stage, reason), rows in sorted(counts.losses.items())
        ],
        "backends": [
            {
                "name": lane.name,
                "url": url,
                "stored": lane.stored,
                "rejected": sum(lane.rejected.values()),
                "dropped": lane.dropped,
                "lag_batches": lane.lag_batches,
                "lag_rows": lane.lag_rows,
                "lag_seconds": lane.lag_seconds,
                "state": lane.state,
                "last_error": lane.last_error,
            }
            for lane, url in zip(counts.lanes, (backend.url for backend in house.config.backends), strict=True)
        ],
        "archive": archive,
        "memory_bytes": pace.memory_bytes,
        "cpu_percent": pace.cpu_percent,
    }


def tiles(house: House) -> dict[str, object]:
    """Return what the page's tiles show; cheap enough for once a second."""
    ledger = house.accounts.read()
    return {
        "time": house.clock.now_ns() / _NS,
        "series_live": house.entrance.aggregator.counters()["series_live"],
        "samples_per_second": house.pace.samples_per_second,
        "lost": lost(house),
        "stored": ledger.stored,
        "kernel_drops": house.entrance.doors.kernel_drops(),
        "uptime_seconds": house.uptime_seconds(),
        "memory_bytes": house.pace.memory_bytes,
        "residual": ledger.residual,
    }


def lost(house: House) -> int:
    """Return how many samples and rows came to the house and are not kept, whatever the reason."""
    ledger = house.accounts.read()
    return sum(ledger.rejected.values()) + sum(ledger.dropped.values()) + house.entrance.doors.kernel_drops()


def problems(house: House) -> list[str]:
    """Return what keeps the house from doing what it promises."""
    found: list[str] = []
    counts = house.delivery.counts()
    if counts.problem:
        found.append(counts.problem)
    if counts.depth.bytes > _FULL_SPOOL * house.config.spool.max_bytes:
        found.append(f"the spool is more than {_FULL_SPOOL:.0%} full: a backend does not keep up")
    late = house.intervals.every_seconds * _OLD_COMMIT_INTERVALS
    if counts.entry.queued and house.clock.now_ns() / _NS - counts.last_commit_ns / _NS > late:
        found.append(f"nothing was committed to the spool for more than {late:g} s")
    residual = house.accounts.read().residual
    if residual:
        found.append(f"the accounts do not add up: {residual} samples or rows are unaccounted for")
    found += [
        f"backend {lane.name} does not take rows: {lane.last_error}" for lane in counts.lanes if lane.state != "ok"
    ]
    return found


def remarks(house: House) -> list[str]:
    """Return what happened to the archive and was dealt with: the house keeps its promises again."""
    found = house.archive_stats().get("problems")
    return [str(problem) for problem in found] if isinstance(found, list | tuple) else []


def processes(table: ProcessTable) -> dict[str, object]:
    """Return the document of ``GET /api/processes``."""
    return {
        "time": table.time_ns / _NS,
        "by_cpu": [asdict(process) for process in table.by_cpu],
        "by_memory": [asdict(process) for process in table.by_memory],
    }


def own_numbers(house: House) -> list[Number]:
    """Return the house's own numbers of now."""
    ledger = house.accounts.read()
    return [*_sample_numbers(house, ledger), *_row_numbers(house, ledger), *_process_numbers(house)]


def changed_options(old: HouseConfig, new: HouseConfig) -> list[str]:
    """Return the paths of the options that differ, as ``statsd.port``."""
    before, after = msgspec.to_builtins(old), msgspec.to_builtins(new)
    paths: list[str] = []
    for section, value in after.items():
        if before.get(section) == value:
            continue
        if isinstance(value, dict) and section not in ("tags", "series"):
            paths += [f"{section}.{key}" for key in value if value[key] != before[section].get(key)]
        else:
            paths.append(section)
    return paths


def reloaded(old: HouseConfig, new: HouseConfig) -> HouseConfig:
    """Return the options that hold after a reload: the old ones, with what a running house can take over."""
    return msgspec.structs.replace(
        old,
        host=new.host,
        series=new.series,
        statsd=msgspec.structs.replace(old.statsd, flush_every_seconds=new.statsd.flush_every_seconds),
    )


def _sample_numbers(house: House, ledger: Ledger) -> Iterator[Number]:
    core = house.entrance.aggregator.counters()
    for name in ("received", "accepted", "merged"):
        yield Number(name=f"samples.{name}", value=getattr(ledger, name))
    yield Number(name="samples.overflowed", value=core["overflowed"])
    for reason, count in sorted(ledger.rejected.items()):
        yield Number(name="samples.rejected", value=count, tags=(("reason", reason),))
    yield Number(name="series.live", value=core["series_live"])
    yield Number(name="series.refused", value=core["refused_series"])
    for door in house.entrance.doors.stats():
        tags = (("door", str(door["door"])),)
        for name, key in (
            ("door", "datagrams"),
            ("door", "bytes"),
            ("door", "connections"),
            ("kernel", "kernel_drops"),
        ):
            if isinstance(value := door.get(key), int):
                yield Number(name=f"{name}.{key.removeprefix('kernel_')}", value=value, tags=tags)


def _row_numbers(house: House, ledger: Ledger) -> Iterator[Number]:
    counts = house.delivery.counts()
    yield Number(name="rows.carried", value=ledger.carried)
    yield Number(name="rows.direct", value=ledger.direct)
    yield Number(name="rows.in_flight", value=ledger.in_flight)
    for reason, count in sorted(ledger.dropped.items()):
        yield Number(name="rows.dropped", value=count, tags=(("reason", reason),))
    yield Number(name="accounting.residual", value=ledger.residual)
    for key in ("batches", "rows", "bytes"):
        yield Number(name=f"spool.{key}", value=getattr(counts.depth, key))
    for lane in counts.lanes:
        tags = (("backend", lane.name),)
        yield Number(name="rows.stored", value=lane.stored, tags=tags)
        yield Number(name="backend.lag_rows", value=lane.lag_rows, tags=tags)
        yield Number(name="backend.lag_seconds", value=lane.lag_seconds, tags=tags)
        for reason, count in sorted(lane.rejected.items()):
            yield Number(name="rows.rejected", value=count, tags=(("backend", lane.name), ("reason", reason)))
    archive = house.archive_stats()
    for key in ("files", "bytes", "rows_sealed", "rows_recent", "quarantined"):
        if isinstance(held := archive.get(key), int):
            yield Number(name=f"archive.{key}", value=held)
    if isinstance(kept := archive.get("series"), int):
        yield Number(name="series.kept", value=kept)


def _process_numbers(house: House) -> Iterator[Number]:
    pace = house.pace
    yield Number(name="flush.seconds", value=pace.last_flush_seconds)
    yield Number(name="flush.rows", value=pace.last_flush_rows)
    yield Number(name="tasks.failed", value=house.clockwork.failures)
    yield Number(name="memory.bytes", value=pace.memory_bytes)
    yield Number(name="cpu.percent", value=pace.cpu_percent)


def _http_door(house: House) -> dict[str, object]:
    counts = house.http_counts()
    return {
        "door": "http",
        "address": house.entrance.url,
        "datagrams": 0,
        "bytes": counts.get("bytes", 0),
        "kernel_drops": 0,
        "truncated": 0,
        "connections": counts.get("connections", 0),
    }


def _rejects(house: House) -> dict[str, object]:
    lines = house.entrance.aggregator.rejected_lines()
    return {
        reason: {
            "count": count,
            "last": _shown(lines[reason]) if reason in lines else None,
            "meaning": REASONS.get(reason, ""),
        }
        for reason, count in sorted(house.entrance.aggregator.rejections().items())
        if count
    }


def _shown(line: bytes) -> str:
    """Return bytes from outside as one line of harmless text."""
    return _CONTROL.sub(
        lambda found: found[0].encode("unicode_escape").decode(), line.decode("utf-8", "backslashreplace")
    )
