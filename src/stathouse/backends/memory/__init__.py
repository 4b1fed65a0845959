"""A backend that keeps batches in memory: for tests and for short trials."""

from stathouse.backends.memory.writer import MemoryWriter, open

__all__ = ["MemoryWriter", "open"]
