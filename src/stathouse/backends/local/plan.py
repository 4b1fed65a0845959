"""What a question asks for, checked: aggregates, buckets and groups."""

from __future__ import annotations

import re
from collections.abc import Set
from dataclasses import dataclass
from typing import Final

from stathouse.errors import InputError
from stathouse.model import Query

__all__ = ["MAX_ROWS", "Plan", "check_buckets", "defaults_for", "fraction_of", "make_plan"]

MAX_ROWS: Final = 1_000_000
"""The largest answer, in rows."""

_WORDS = ("sum", "mean", "min", "max", "last", "first", "count", "rate", "distinct")
_PERCENTILE = re.compile(r"p(\d{1,3}(?:\.\d{1,6})?)")

_DEFAULTS = {
    "counter": ("sum",),
    "gauge": ("last",),
    "timer": ("count", "mean", "p50", "p95", "p99", "max"),
    "set": ("distinct",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A checked question.

    Args:
        query: the question.
        fractions: of every percentile that posted numbers may be asked for.
        needs_bytes: whether sketches have to be read.
        needs_ends: whether first or last values are asked for.
    """

    query: Query
    fractions: tuple[float, ...]
    needs_bytes: bool
    needs_ends: bool

    def aggregates_for(self, kind: str) -> tuple[str, ...]:
        """Return what is to be computed for a kind; empty for posted fields as they are."""
        return self.query.aggregates or defaults_for(kind, has_step=self.query.step_ns is not None)


def defaults_for(kind: str, *, has_step: bool) -> tuple[str, ...]:
    """Return what a kind is usually asked for; empty for posted fields."""
    if kind == "gauge" and has_step:
        return ("mean",)
    return _DEFAULTS.get(kind, ())


def fraction_of(aggregate: str) -> float | None:
    """Return the fraction of a percentile, as 0.999 for ``p99.9``; None when it is none.

    >>> fraction_of("p50")
    0.5
    """
    match = _PERCENTILE.fullmatch(aggregate)
    if match is None or float(match[1]) > 100:
        return None
    return float(match[1]) / 100


def make_plan(query: Query, *, kinds: Set[str] = frozenset()) -> Plan:
    """Check a question.

    Args:
        query: the question.
        kinds: the kinds that matching series have.

    Raises:
        InputError: it makes no sense.
    """
    _check_range(query)
    fractions: list[float] = []
    for aggregate in query.aggregates:
        fraction = fraction_of(aggregate)
        if fraction is not None:
            fractions.append(fraction)
        elif aggregate not in _WORDS:
            raise InputError(
                f"{aggregate!r} is no aggregate; use {', '.join(_WORDS)}, or a percentile as p50, p99 or p99.9.",
                where="aggregate",
            )
    if "rate" in query.aggregates and query.step_ns is None:
        raise InputError(
            "a rate needs a step, as step=1m: it is the sum in each step divided by its seconds.", where="step"
        )
    words = set(query.aggregates)
    return Plan(
        query=query,
        fractions=tuple(fractions),
        needs_bytes=bool(kinds & {"timer", "set"}) and (not words or bool(fractions) or "distinct" in words),
        needs_ends=bool(words & {"first", "last"}) or (not words and bool(kinds & {"", "gauge"})),
    )


def check_buckets(query: Query, first_ns: int, last_ns: int) -> None:
    """Refuse a step that is absurdly small for the range that has rows.

    Raises:
        InputError: there would be more buckets than an answer may have rows.
    """
    if query.step_ns is None:
        return
    span = min(query.end_ns, last_ns + 1) - max(query.start_ns, first_ns)
    if span / query.step_ns > MAX_ROWS:
        least = span / MAX_ROWS / 1e9
        raise InputError(
            f"the step is too small for that range: an answer has at most {MAX_ROWS:,} rows. "
            f"Ask for a step of at least {least:.3g} s, or for a shorter range.",
            where="step",
        )


def _check_range(query: Query) -> None:
    if query.step_ns is not None and query.step_ns <= 0:
        raise InputError("the step has to be longer than nothing, as 10s or 1m.", where="step")
    if query.start_ns >= query.end_ns:
        raise InputError("the start has to be before the end.", where="start")
    if query.limit <= 0:
        raise InputError("the limit has to be 1 or more.", where="limit")
