"""The local archive: recent rows in memory, sealed history as sorted Parquet files, a catalogue to find things fast.

Importing this room brings in nothing heavy, so that a house can take the folder's lock before it loads the rest.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from stathouse.errors import ConfigError

if TYPE_CHECKING:
    from stathouse.backends.local.archive import LocalArchive
    from stathouse.backends.local.options import ArchiveOptions
    from stathouse.model import Clock

__all__ = ["open"]


def open(
    url: str,
    options: ArchiveOptions | None = None,
    *,
    data: str | Path = "",
    clock: Clock | None = None,
    in_background: bool = True,
) -> LocalArchive:
    """Open the archive that a URL names.

    Args:
        url: ``local:`` followed by a folder, or by nothing for the folder ``archive`` in ``data``.
        options: when to seal, how long to keep.
        data: the house's data folder.
        clock: the time; the machine's when it is None.
        in_background: let it seal by time and merge on a thread of its own.

    Raises:
        ConfigError: the URL names no folder and there is no data folder.
        StoreError: a newer version wrote the folder.
    """
    from stathouse.backends.local.archive import LocalArchive

    folder = url.removeprefix("local:").removeprefix("//")
    if not folder and not data:
        raise ConfigError("local: names no folder.", where="backends.url", advice="Write local:/var/lib/stathouse.")
    place = Path(folder) if folder else Path(data) / "archive"
    return LocalArchive(place, options=options, clock=clock, in_background=in_background)
