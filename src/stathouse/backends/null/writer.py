"""Takes every batch and forgets it."""

from __future__ import annotations

from stathouse.errors import ConfigError
from stathouse.model import Batch, BatchName, Outcome

__all__ = ["NullWriter", "open"]


class NullWriter:
    """Accepts every row and keeps none; a :class:`stathouse.model.Writer`."""

    def __init__(self) -> None:
        self._last: BatchName | None = None

    def write(self, batch: Batch) -> Outcome:
        """Accept a batch."""
        self._last = batch.name
        return Outcome(accepted=batch.rows)

    def durable_through(self) -> BatchName | None:
        """Return the last batch: nothing is kept, so there is nothing to wait for."""
        return self._last

    def close(self) -> None:
        """Do nothing."""


def open(url: str, options: object = None) -> NullWriter:
    """Return the backend of the URL ``null:``.

    Raises:
        ConfigError: the URL has more than the scheme.
    """
    if url != "null:":
        raise ConfigError(f"{url!r} is no URL of this backend.", advice="Write null: and nothing more.")
    return NullWriter()
