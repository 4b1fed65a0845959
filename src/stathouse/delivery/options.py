"""The settings of delivery: how much may wait, how often is committed, how a retry backs off."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DeliveryOptions"]

_MIB = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryOptions:
    """What bounds the queue, the spool and the lanes.

    Args:
        max_bytes: bytes of batches that the spool may hold; past it the newest are shed (``queue_full``).
        max_rows: rows that the spool may hold; past it the newest are shed (``queue_full``).
        min_free_bytes: below this much free disk the newest are shed (``disk_full``) …
        min_free_percent: … or below this part of the disk, whichever is smaller.
        queue_bytes: bytes that may wait for the next commit.
        queue_items: payloads that may wait for the next commit.
        group_commit_millis: how long the first payload of a group waits for others.
        key_days: how long an idempotency key is remembered.
        keep_free_bytes: free pages that the spool file keeps for reuse; what is more is given back to the disk.
        read_bytes: bytes that a lane reads ahead.
        poll_seconds: how often an idle lane asks its backend what has become durable.
        retry_base_seconds: the longest first pause before a retry; it doubles with every failure.
        retry_cap_seconds: the longest pause before a retry.
    """

    max_bytes: int = 1024 * _MIB
    max_rows: int = 50_000_000
    min_free_bytes: int = 1024 * _MIB
    min_free_percent: float = 10.0
    queue_bytes: int = 64 * _MIB
    queue_items: int = 100_000
    group_commit_millis: float = 5.0
    key_days: float = 7.0
    keep_free_bytes: int = 64 * _MIB
    read_bytes: int = 8 * _MIB
    poll_seconds: float = 0.25
    retry_base_seconds: float = 0.5
    retry_cap_seconds: float = 60.0
