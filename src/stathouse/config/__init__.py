"""The typed options of the house, where they come from, and the one table of backends.

``HouseConfig`` is in :mod:`stathouse.config.options`, ``load`` in :mod:`stathouse.config.load`. They need msgspec
(extra ``serve``), so this face hands on only what the base install can import.
"""

from stathouse.config.backends import backend_names, open_backend
from stathouse.config.paths import data_folder, runtime_folder

__all__ = ["backend_names", "data_folder", "open_backend", "runtime_folder"]
