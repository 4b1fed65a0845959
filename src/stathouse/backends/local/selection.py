"""Which series a question is about: those of the catalogue and those that are only recent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import pyarrow as pa

from stathouse.backends.local.arrow import Column, integer, word
from stathouse.backends.local.arrow import kernels as pc
from stathouse.backends.local.catalogue import Catalogue, Found
from stathouse.backends.local.recent import Chunk
from stathouse.model import Query, SeriesInfo
from stathouse.wire.globs import TagMatcher, is_glob, to_regex
from stathouse.wire.tags import from_text

__all__ = ["search", "select"]


def select(catalogue: Catalogue, chunks: Iterable[Chunk], query: Query) -> list[Found]:
    """Return the series that match and may have rows in the range, by name and tags."""
    matches = TagMatcher(query.tags)
    sealed = catalogue.find(query.series, matches, start_ns=query.start_ns, end_ns=query.end_ns)
    found = {(one.name, one.tags): one for one in sealed}
    for chunk in chunks:
        for name, tags, kind in _matching(chunk, query):
            known = found.get((name, tags))
            if known is None:
                if matches(tags):
                    found[name, tags] = Found(name=name, tags=tags, kinds=frozenset((kind,)))
            elif kind not in known.kinds:
                found[name, tags] = replace(known, kinds=known.kinds | {kind})
    return [found[key] for key in sorted(found)]


def search(catalogue: Catalogue, chunks: Iterable[Chunk], text: str, limit: int) -> list[SeriesInfo]:
    """Return series whose name or tags contain the text (match it when it is a glob), by name and tags."""
    from_catalogue = catalogue.search(text, limit)
    # Where the catalogue's answer was cut, recent series after the cut do not belong to the answer either.
    last = _key(from_catalogue[-1]) if len(from_catalogue) == limit else None
    found = {_key(one): one for one in from_catalogue}
    for chunk in chunks:
        for info in _infos(chunk, text):
            key = _key(info)
            if last is None or key <= last or key in found:
                found[key] = _joined(found.get(key), info)
    return [found[key] for key in sorted(found)][:limit]


def _matching(chunk: Chunk, query: Query) -> list[tuple[str, str, str]]:
    """Return (name, tags, kind) of a chunk's series whose name matches and that have rows in the range."""
    first, last = chunk.time_range
    if last < query.start_ns or first >= query.end_ns:
        return []
    series = chunk.series
    in_range = pc.and_(
        pc.greater_equal(series.column("time_max"), integer(query.start_ns)),
        pc.less(series.column("time_min"), integer(query.end_ns)),
    )
    series = series.filter(pc.and_(in_range, _names_match(series.column("name"), query.series)))
    return list(zip(*(series.column(name).to_pylist() for name in ("name", "tags", "kind")), strict=True))


def _names_match(names: Column, pattern: str) -> Column:
    if not is_glob(pattern):
        return pc.equal(names, word(pattern))
    regex = to_regex(pattern)
    matching = [name for name in pc.unique(names).to_pylist() if regex.fullmatch(name)]
    return pc.is_in(names, value_set=pa.array(matching, pa.string()))


def _infos(chunk: Chunk, text: str) -> Iterable[SeriesInfo]:
    columns = [
        chunk.series.column(name).to_pylist() for name in ("name", "tags", "kind", "field", "time_min", "time_max")
    ]
    regex = to_regex(text) if is_glob(text) else None
    for name, tags, kind, field, first, last in zip(*columns, strict=True):
        if (regex.fullmatch(name) or regex.fullmatch(tags)) if regex else (text in name or text in tags):
            yield SeriesInfo(name=name, tags=from_text(tags), kind=kind, fields=(field,), first_ns=first, last_ns=last)


def _joined(known: SeriesInfo | None, info: SeriesInfo) -> SeriesInfo:
    if known is None:
        return info
    return replace(
        known,
        kind=info.kind if info.last_ns >= known.last_ns else known.kind,
        fields=_union(known.fields, info.fields),
        first_ns=min(known.first_ns, info.first_ns),
        last_ns=max(known.last_ns, info.last_ns),
    )


def _union(first: Sequence[str], second: Sequence[str]) -> tuple[str, ...]:
    return tuple(sorted({*first, *second}))


def _key(info: SeriesInfo) -> tuple[str, object]:
    return info.name, info.tags
