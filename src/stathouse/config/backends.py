"""The one table of backends: the scheme of a URL to the room that writes there."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping, Sequence
from typing import Final, Protocol, cast

from stathouse.errors import ConfigError, MissingExtra
from stathouse.model import Writer

__all__ = ["BACKENDS", "backend_names", "open_backend", "scheme_of"]

BACKENDS: Final[Mapping[str, tuple[str, str]]] = {
    "local": ("stathouse.backends.local", "serve"),
    "memory": ("stathouse.backends.memory", "serve"),
    "null": ("stathouse.backends.null", "serve"),
    "jsonl": ("stathouse.backends.jsonl", "serve"),
}
"""Scheme → (the module with ``open(url, options)``, the extra that brings what it needs)."""


class _Named(Protocol):
    @property
    def url(self) -> str: ...
    @property
    def name(self) -> str: ...


class _BackendModule(Protocol):
    def open(self, url: str, options: object) -> Writer: ...


def scheme_of(url: str) -> str:
    """Return the scheme of a backend URL.

    >>> scheme_of("jsonl:/var/log/stathouse")
    'jsonl'

    Raises:
        ConfigError: there is none, or no backend knows it.
    """
    scheme, colon, _ = url.partition(":")
    if colon and scheme in BACKENDS:
        return scheme
    near = difflib.get_close_matches(scheme, BACKENDS, n=1)
    known = ", ".join(f"{name}:" for name in BACKENDS)
    advice = f"Did you mean {near[0]}:?" if near else f"Use one of {known}."
    problem = f"{scheme + colon!r} is no backend; the known ones are {known}."
    raise ConfigError(problem, where="backends.url", advice=advice if near else "")


def open_backend(url: str, *, options: object) -> Writer:
    """Open the backend that a URL names.

    Args:
        url: as ``local:``, ``jsonl:/var/log/stathouse``.
        options: what its room asks for (for ``local`` the fields of ``ArchiveOptions``).

    Raises:
        ConfigError: the scheme is unknown.
        MissingExtra: what the backend needs is not installed.
    """
    scheme = scheme_of(url)
    module, extra = BACKENDS[scheme]
    try:
        room = cast(_BackendModule, importlib.import_module(module))
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] == "stathouse":  # our own fault, not a missing extra
            raise
        raise MissingExtra(f"The backend {scheme}: needs {error.name}, which", extra) from error
    return room.open(url, options)


def backend_names(backends: Sequence[_Named]) -> tuple[str, ...]:
    """Return the name of each backend: its own, else the scheme of its URL.

    Raises:
        ConfigError: two backends would have one name.
    """
    names = tuple(backend.name or scheme_of(backend.url) for backend in backends)
    for index, name in enumerate(names):
        if name in names[:index]:
            raise ConfigError(
                f"two backends are named {name!r}.",
                where=f"backends[{index}].name",
                advice="Give each a name of its own: its place in the spool is kept under it.",
            )
    return names
