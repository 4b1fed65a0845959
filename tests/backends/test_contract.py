"""The contract, on every backend."""

from tests.backends.contract import ReaderContract, WriterContract


class TestWriter(WriterContract):
    """Batches in."""


class TestReader(ReaderContract):
    """Questions out, where a backend answers them."""
