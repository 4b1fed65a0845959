"""The project's own PEP 517 and PEP 660 build backend: first the web page, then maturin.

Each hook does what the hook of the same name in maturin does; those that make something to install see to it
that the page is built before. The page is in the wheel and in the sdist, so installing from either needs no Node.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import maturin
from page import PageError, build_page

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]

Settings = Mapping[str, Any] | None

get_requires_for_build_editable = maturin.get_requires_for_build_editable
get_requires_for_build_sdist = maturin.get_requires_for_build_sdist
get_requires_for_build_wheel = maturin.get_requires_for_build_wheel
prepare_metadata_for_build_editable = maturin.prepare_metadata_for_build_editable
prepare_metadata_for_build_wheel = maturin.prepare_metadata_for_build_wheel


def build_wheel(wheel_directory: str, config_settings: Settings = None, metadata_directory: str | None = None) -> str:
    """Build a wheel with the page and the Rust core; return its file name."""
    _page()
    return maturin.build_wheel(wheel_directory, config_settings, metadata_directory)


def build_editable(
    wheel_directory: str, config_settings: Settings = None, metadata_directory: str | None = None
) -> str:
    """Build the page and the Rust core in place, and a wheel that points here; return its file name."""
    _page()
    return maturin.build_editable(wheel_directory, config_settings, metadata_directory)


def build_sdist(sdist_directory: str, config_settings: Settings = None) -> str:
    """Build an sdist that holds the built page; return its file name."""
    _page()
    return maturin.build_sdist(sdist_directory, config_settings)


def _page() -> None:
    try:
        build_page(Path.cwd())  # PEP 517: hooks run in the root of the source tree
    except PageError as error:
        sys.exit(f"stathouse: {error}")
