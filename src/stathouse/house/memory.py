"""Gives memory back: glibc keeps what a flush or a seal frees unless it is told otherwise."""

from __future__ import annotations

import ctypes
import os
import sys
from typing import Final

__all__ = ["return_freed_memory"]

# mallopt(3): its numbers in malloc.h.
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8

_LARGE_BYTES: Final = 256 * 1024
_ARENAS: Final = 2


def return_freed_memory() -> bool:
    """Make large blocks go back to the system as soon as they are freed; to be called before threads start.

    Arrow, imported later, allocates from glibc too: its own pool keeps the peak of a seal resident.
    A flush of many series passes blocks of tens of MiB through several hands. By default glibc raises its own threshold
    when the first one is freed, and keeps the later ones in an arena of each thread.

    Returns:
        False where there is no glibc; nothing is changed there.
    """
    if not sys.platform.startswith("linux"):
        return False
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return False
    settings = ((_M_MMAP_THRESHOLD, _LARGE_BYTES), (_M_TRIM_THRESHOLD, _LARGE_BYTES), (_M_ARENA_MAX, _ARENAS))
    return all(mallopt(setting, value) == 1 for setting, value in settings)
