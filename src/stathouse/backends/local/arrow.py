"""PyArrow as the type checker is to see it: its stubs lag behind it and know neither all kernels nor all types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import pyarrow as pa
import pyarrow.compute

__all__ = ["Array", "Column", "DictionaryArray", "integer", "kernels", "run_ends", "word"]

if TYPE_CHECKING:
    Array: TypeAlias = Any
    Column: TypeAlias = Any
    DictionaryArray: TypeAlias = Any
else:
    Array, Column, DictionaryArray = pa.Array, pa.ChunkedArray, pa.DictionaryArray

kernels: Any = pyarrow.compute
"""The compute functions."""


def run_ends(ends: Array, values: Array) -> Array:
    """Return ``values``, each repeated up to its end."""
    runs: Any = pa.RunEndEncodedArray
    decoded: Array = kernels.run_end_decode(runs.from_arrays(ends, values))
    return decoded


def integer(value: int) -> Any:
    """Return a number as an Arrow value; a plain ``int`` makes PyArrow look for other packages at every call."""
    return pa.scalar(value, pa.int64())


def word(value: str) -> Any:
    """Return a text as an Arrow value."""
    return pa.scalar(value, pa.string())
