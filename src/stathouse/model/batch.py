"""Batches: rows under a name, and what a backend says about them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = ["Batch", "BatchName", "Outcome", "Payload", "Rejection", "Table"]

Table: TypeAlias = Literal["points", "events"]
"""The two tables that the house keeps."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class BatchName:
    """Names a batch for ever; fixed before it is first sent.

    Args:
        writer: 32 hex digits, one per spool.
        epoch: grows by one with every start of that writer.
        sequence: grows by one with every batch of that epoch, from 1.
    """

    writer: str
    epoch: int
    sequence: int

    def __str__(self) -> str:
        return f"{self.writer}-{self.epoch}-{self.sequence}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """Rows that have no name yet, as a door hands them in.

    Args:
        table: where they belong.
        rows: how many there are.
        body: an Arrow IPC stream in the table's schema (see :mod:`stathouse.wire.tables`).
    """

    table: Table
    rows: int
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Rows under a name. A retry sends the same bytes under the same name."""

    name: BatchName
    table: Table
    rows: int
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """Rows that a store refuses for good.

    Args:
        reason: one of :data:`stathouse.model.REASONS`.
        rows: how many.
        detail: what the store said, one line.
    """

    reason: str
    rows: int
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a batch: ``accepted + sum(rejected) + keep == batch.rows``.

    Args:
        accepted: rows that the store has taken (also when it had them already).
        rejected: rows refused for good, by reason.
        keep: rows to be sent again, under the same batch name.
        retry_after_seconds: the store's own wish for when, None when it has none.
        detail: why rows are to be kept, one line.
    """

    accepted: int = 0
    rejected: tuple[Rejection, ...] = ()
    keep: int = 0
    retry_after_seconds: float | None = None
    detail: str = ""
