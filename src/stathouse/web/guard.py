"""Who may come in: tokens with scopes, a route without a scope is closed, and wrong tokens wait longer and longer."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import math
import os
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from stathouse.config.options import HttpOptions
from stathouse.config.secrets import read_secret_file, read_secret_variable
from stathouse.errors import ConfigError
from stathouse.model import Clock
from stathouse.web.refusals import refuse, retry_after

__all__ = ["Access", "RouteScope", "Token", "allows", "check_exposure", "is_loopback", "load_tokens", "require_scope"]

RouteScope: TypeAlias = Literal["public", "read", "ingest", "admin"]
"""What a route asks for, in its ``opt["scope"]``; a token with ``admin`` may do everything."""

_SHORTEST: Final = 32
_FREE_FAILURES: Final = 5
_LONGEST_WAIT: Final = 60.0
_REMEMBERED: Final = 1_024


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token as it is kept: only its hash.

    Args:
        digest: SHA-256 of the token.
        scopes: what it may do.
    """

    digest: bytes
    scopes: frozenset[str]


def load_tokens(options: HttpOptions, environ: Mapping[str, str] = os.environ) -> tuple[Token, ...]:
    """Read the tokens that the options name.

    Raises:
        ConfigError: one cannot be read, others may read it, or it is too short to be random.
    """
    tokens = []
    for index, option in enumerate(options.tokens):
        where = f"http.tokens[{index}]"
        if bool(option.file) == bool(option.environment):
            raise ConfigError("give file or environment, one of them.", where=where)
        if option.file:
            secret = read_secret_file(option.file, where=f"{where}.file")
        else:
            secret = read_secret_variable(option.environment, environ, where=f"{where}.environment")
        if len(secret) < _SHORTEST:
            advice = "Make one with: python3 -c 'import secrets; print(secrets.token_urlsafe(32))'"
            problem = f"a token of fewer than {_SHORTEST} characters can be guessed."
            raise ConfigError(problem, where=where, advice=advice)
        tokens.append(Token(digest=_digest(secret), scopes=frozenset(option.scopes)))
    return tuple(tokens)


def check_exposure(options: HttpOptions) -> None:
    """Refuse a door that is open to others without a token, or with half of a TLS setting.

    Raises:
        ConfigError: it is.
    """
    if not is_loopback(options.host) and not options.tokens:
        raise ConfigError(
            f"{options.host} can be reached from other machines, and there is no token.",
            where="http.tokens",
            advice="Name a token under [[http.tokens]], or listen on 127.0.0.1.",
        )
    if bool(options.tls_cert) != bool(options.tls_key):
        missing = "http.tls_key" if options.tls_cert else "http.tls_cert"
        raise ConfigError("a certificate and its key come together.", where=missing, advice="Give both or neither.")


def is_loopback(host: str) -> bool:
    """Return whether an address is reached from this machine only."""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class Access:
    """Checks tokens and remembers who failed.

    A right token is always let in, so that a program with an old token cannot shut out its neighbours behind the same
    address; only failures wait.

    Args:
        tokens: none: everything is allowed (:func:`check_exposure` has seen to it that only loopback is served).
        clock: for the waiting times.
    """

    def __init__(self, tokens: Sequence[Token], clock: Clock) -> None:
        self._tokens = tuple(tokens)
        self._clock = clock
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def require(self, scope: RouteScope, *, authorization: str | None, peer: str) -> None:
        """Let in who may do ``scope``.

        Args:
            scope: what the route asks for.
            authorization: the header, None when there is none.
            peer: the address it comes from.

        Raises:
            litestar.exceptions.HTTPException: 401 without a right token, 403 when it may not do that, 429 after many
                wrong ones.
        """
        if scope == "public" or not self._tokens:
            return
        challenge = {"WWW-Authenticate": 'Bearer realm="stathouse"'}
        advice = "Send the header: Authorization: Bearer TOKEN"
        if authorization is None:
            raise refuse(401, "unauthorized", "this needs a token", advice=advice, headers=challenge)
        scopes = self._scopes(authorization)
        if scopes is None:
            self._failed(peer)
            raise refuse(401, "unauthorized", "this token is not known here", advice=advice, headers=challenge)
        if not allows(scopes, scope):
            advice = f"Use a token whose scopes have {scope!r}."
            raise refuse(403, "forbidden", "this token may not do that", advice=advice)

    def _scopes(self, authorization: str) -> frozenset[str] | None:
        scheme, _, secret = authorization.partition(" ")
        digest = _digest(secret.strip())
        found: frozenset[str] | None = None
        # All are compared, in constant time each: how long it takes says nothing about which is close.
        for token in self._tokens:
            if hmac.compare_digest(token.digest, digest) and scheme.lower() == "bearer":
                found = token.scopes if found is None else found | token.scopes
        return found

    def _failed(self, peer: str) -> None:
        now = self._clock.monotonic()
        failures, until = self._failures.pop(peer, (0, 0.0))
        if now > until + _LONGEST_WAIT * 5:
            failures = 0
        if now < until:
            self._failures[peer] = (failures, until)
            problem = "too many wrong tokens from this address"
            raise refuse(429, "too_many_failures", problem, headers=retry_after(until - now))
        failures += 1
        wait = 0.0
        if failures >= _FREE_FAILURES:
            wait = min(_LONGEST_WAIT, math.ldexp(1.0, min(failures, 30) - _FREE_FAILURES))
        self._failures[peer] = (failures, now + wait)
        while len(self._failures) > _REMEMBERED:
            self._failures.popitem(last=False)


def allows(scopes: frozenset[str], scope: str) -> bool:
    """Return whether a token with ``scopes`` may do ``scope``."""
    return scope == "public" or scope in scopes or "admin" in scopes


def require_scope(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Guard every route: one that names no scope is closed."""
    scope = handler.opt.get("scope")
    if scope not in ("public", "read", "ingest", "admin"):
        raise refuse(403, "forbidden", "this address is closed")
    access: Access = connection.app.state["room"].access
    peer = connection.client.host if connection.client else ""
    access.require(scope, authorization=connection.headers.get("authorization"), peer=peer)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()
