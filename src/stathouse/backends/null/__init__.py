"""A backend that keeps nothing: to measure the way to it, and to try a configuration."""

from stathouse.backends.null.writer import NullWriter, open

__all__ = ["NullWriter", "open"]
