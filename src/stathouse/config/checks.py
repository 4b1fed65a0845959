"""Checks that need more than one option, or the world outside: networks, tags, tokens, certificates, backends."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from stathouse.config.backends import backend_names, scheme_of
from stathouse.config.options import HouseConfig, HttpOptions, TokenOptions
from stathouse.config.secrets import read_secret_file, read_secret_variable
from stathouse.errors import ConfigError

__all__ = ["checked"]

_LONGEST_TAG: Final = 200


def checked(config: HouseConfig, environ: Mapping[str, str], source: Callable[[str], str]) -> HouseConfig:
    """Return the config with ``~`` in paths replaced by the user's home.

    Args:
        config: values that are right by themselves.
        environ: the environment, for tokens that stand there.
        source: option path → where it was set.

    Raises:
        ConfigError: options do not fit each other, or a file that they name is not as it should be.
    """
    _networks(config.statsd.allow, source("statsd.allow"))
    _tags(config.tags, source("tags"))
    _tls(config.http, source)
    for index, token in enumerate(config.http.tokens):
        _token(token, environ, f"http.tokens[{index}]", source("http.tokens"))
    _backends(config, source("backends"))
    http = msgspec.structs.replace(
        config.http,
        tls_cert=os.path.expanduser(config.http.tls_cert),
        tls_key=os.path.expanduser(config.http.tls_key),
        tokens=[msgspec.structs.replace(token, file=os.path.expanduser(token.file)) for token in config.http.tokens],
    )
    return msgspec.structs.replace(
        config, data=os.path.expanduser(config.data), runtime=os.path.expanduser(config.runtime), http=http
    )


def _networks(networks: list[str], source: str) -> None:
    for index, text in enumerate(networks):
        try:
            ipaddress.ip_network(text, strict=False)
        except ValueError as error:
            raise ConfigError(
                f"{text!r} is no network ({error}).",
                where=f"statsd.allow[{index}]",
                source=source,
                advice="Write it as 10.0.0.0/8 or 2001:db8::/32.",
            ) from error


def _tags(tags: Mapping[str, str], source: str) -> None:
    for key, value in tags.items():
        where = f"tags.{key}"
        if not key:
            raise ConfigError("a tag has no name.", where="tags", source=source)
        for text in (key, value):
            if not text.isprintable():
                raise ConfigError(f"{text!r} has control characters.", where=where, source=source)
            if len(text.encode()) > _LONGEST_TAG:
                raise ConfigError(f"longer than {_LONGEST_TAG} bytes.", where=where, source=source)


def _tls(http: HttpOptions, source: Callable[[str], str]) -> None:
    if bool(http.tls_cert) != bool(http.tls_key):
        have, lack = ("tls_cert", "tls_key") if http.tls_cert else ("tls_key", "tls_cert")
        raise ConfigError(
            f"`http.{have}` needs `http.{lack}` too.", where=f"http.{lack}", source=source(f"http.{have}")
        )
    for name, path in (("http.tls_cert", http.tls_cert), ("http.tls_key", http.tls_key)):
        if not path:
            continue
        try:
            with open(os.path.expanduser(path), "rb"):
                pass
        except OSError as error:
            raise ConfigError(f"{path} cannot be read: {error.strerror}.", where=name, source=source(name)) from error


def _token(token: TokenOptions, environ: Mapping[str, str], where: str, source: str) -> None:
    if bool(token.file) == bool(token.environment):
        problem = "`file` and `environment` are both set." if token.file else "neither `file` nor `environment` is set."
        raise ConfigError(problem, where=where, source=source, advice="Set one of them.")
    if token.file:
        read_secret_file(token.file, where=f"{where}.file", source=source)
    else:
        read_secret_variable(token.environment, environ, where=f"{where}.environment", source=source)


def _backends(config: HouseConfig, source: str) -> None:
    for index, backend in enumerate(config.backends):
        try:
            scheme_of(backend.url)
        except ConfigError as error:
            raise ConfigError(
                error.problem, where=f"backends[{index}].url", source=source, advice=error.advice
            ) from error
    try:
        backend_names(config.backends)
    except ConfigError as error:
        raise ConfigError(error.problem, where=error.where, source=source, advice=error.advice) from error
