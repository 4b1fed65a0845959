"""Memory and swap of the host."""

from __future__ import annotations

from typing import Final

import psutil

from stathouse.sources.reading import Description, Reading

__all__ = ["DESCRIPTIONS", "memory"]

_WORDS: Final = {
    "total": "Memory the host has",
    "available": "Memory that programs can still have without swapping",
    "used": "Memory in use by programs and the kernel",
    "free": "Memory that nothing uses",
    "cached": "Memory that holds file contents",
    "buffers": "Memory that holds disk metadata",
    "shared": "Memory shared between programs (tmpfs mostly)",
}

DESCRIPTIONS: Final = {
    **{f"host.memory.{word}_bytes": Description("By", text) for word, text in _WORDS.items()},
    "host.swap.total_bytes": Description("By", "Swap space the host has"),
    "host.swap.used_bytes": Description("By", "Swap space in use"),
}


def memory() -> list[Reading]:
    """Return memory and swap in bytes."""
    virtual = psutil.virtual_memory()
    readings = [
        Reading(f"host.memory.{word}_bytes", (), float(getattr(virtual, word)))
        for word in _WORDS
        if hasattr(virtual, word)
    ]
    swap = psutil.swap_memory()
    if swap.total:
        readings += [
            Reading("host.swap.total_bytes", (), float(swap.total)),
            Reading("host.swap.used_bytes", (), float(swap.used)),
        ]
    return readings
