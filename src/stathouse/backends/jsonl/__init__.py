"""A backend that writes one JSON object per row into files that any program can read."""

from stathouse.backends.jsonl.writer import JsonlWriter, open

__all__ = ["JsonlWriter", "open"]
