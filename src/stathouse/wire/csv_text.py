"""CSV as RFC 4180 has it, safe to open in a spreadsheet.

A text cell that a spreadsheet would run as a formula gets a leading ``'`` (OWASP ASVS 1.2.10). Numbers stay numbers,
also negative ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

__all__ = ["cell", "line"]

_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\0", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_NEEDS_QUOTES: Final = re.compile('[",\r\n\0]|^[ \t]|[ \t]$')


def cell(value: float | str | None) -> str:
    """Return one cell.

    >>> cell("=1+1"), cell(-5), cell('a "b" c'), cell(None)
    ("'=1+1", '-5', '"a ""b"" c"', '')
    """
    if value is None:
        return ""
    if not isinstance(value, str):
        return repr(value)
    text = f"'{value}" if value.startswith(_FORMULA_STARTS) else value
    return '"' + text.replace('"', '""') + '"' if _NEEDS_QUOTES.search(text) else text


def line(values: Iterable[float | str | None]) -> str:
    r"""Return one line with its end.

    >>> line(["a", 1, 2.5])
    'a,1,2.5\r\n'
    """
    return ",".join(map(cell, values)) + "\r\n"
