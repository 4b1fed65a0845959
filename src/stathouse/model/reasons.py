"""The closed list of reasons under which anything is rejected or dropped."""

from __future__ import annotations

from typing import Final

__all__ = ["REASONS"]

REASONS: Final[dict[str, str]] = {
    "bad_line": "a line without name, value or type",
    "bad_name": "a name that is empty or has control characters",
    "bad_rate": "a sample rate outside (0, 1] or below one in a million",
    "bad_tags": "tags in two styles at once, or a tag without a key",
    "bad_time": "a time outside the accepted window",
    "bad_type": "a type that is none of c, g, ms, h, d, s",
    "bad_utf8": "bytes that are not UTF-8",
    "bad_value": "a value that is no finite decimal number",
    "cardinality": "a new series over a limit that has no overflow series",
    "corrupt_spool": "a spooled batch that cannot be read any more",
    "disk_error": "the disk failed, and a new file could not be begun",
    "disk_full": "no room on the disk",
    "duplicate": "seen before under the same name",
    "expired": "older than the retention",
    "kernel_rcvbuf": "dropped by the kernel: the socket's receive buffer was full",
    "queue_full": "a bounded queue was full",
    "rejected_by_store": "the store refuses it for good",
    "shutdown_timeout": "not written before the time for stopping ran out",
    "too_long": "a line, name, tag or text longer than the limit",
    "too_many_tags": "more tags than the limit",
    "truncated": "the datagram was cut: larger than the receive buffer of one packet",
    "type_conflict": "the name is live with another type",
    "unsupported": "a DogStatsD event or service check line",
}
"""Reason → what it means. ``/api/status``, ``/metrics`` and ``stathouse status`` use these words."""
