"""Asks a running house over HTTP."""

from __future__ import annotations

import ipaddress
import json
import os
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any, Final, Self
from urllib.parse import urlsplit

import httpx2
from cyclopts import Parameter

from stathouse.errors import ConfigError, HouseUnreachable, InputError, Overloaded, StathouseError, UnknownSeries

__all__ = ["DEFAULT_CONNECTION", "DEFAULT_URL", "Connection", "HouseClient", "is_loopback"]

DEFAULT_URL: Final = "http://127.0.0.1:8127"

_ERROR_BYTES: Final = 65_536
_ERROR_PARTS: Final = ("reason", "problem", "advice", "where")
_PARAMETERS = Sequence[tuple[str, str]]


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """How to reach the house; these are flags of every command that asks one."""

    url: Annotated[str, Parameter(env_var="STATHOUSE_URL", help="Where the house answers.")] = DEFAULT_URL
    token_file: Annotated[
        str,
        Parameter(
            env_var="STATHOUSE_TOKEN_FILE",
            help="File with the token; only you may be able to read it.",
            show_default=False,
        ),
    ] = ""
    ca_file: Annotated[
        str,
        Parameter(help="File with the certificates (PEM) to trust, for a house with its own.", show_default=False),
    ] = ""
    timeout_seconds: Annotated[float, Parameter(help="How long to wait for an answer.")] = 30.0


DEFAULT_CONNECTION: Final = Connection()


class HouseClient:
    """A connection to a house, open as long as the ``with`` block.

    Args:
        connection: where and how.

    Raises:
        ConfigError: the URL or the token file is wrong.
    """

    def __init__(self, connection: Connection) -> None:
        self.url = _checked(connection.url)
        headers = {"Accept": "application/json"}
        if connection.token_file:
            headers["Authorization"] = f"Bearer {_token(connection.token_file)}"
        self._http = httpx2.Client(
            base_url=self.url,
            headers=headers,
            timeout=httpx2.Timeout(connection.timeout_seconds, connect=min(connection.timeout_seconds, 5.0)),
            verify=_trust(connection.ca_file),
            # A proxy cannot reach our own loopback address; elsewhere the user's settings hold.
            trust_env=not is_loopback(self.url),
            follow_redirects=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._http.close()

    def get(self, path: str, parameters: _PARAMETERS = ()) -> dict[str, Any]:
        """Return the JSON object at a path.

        Args:
            path: as ``/api/status``.
            parameters: name and value, a name may come more than once.

        Raises:
            HouseUnreachable: nothing answers, or what answers is no house.
            StathouseError: the house says no; the class says why.
        """
        with self._answer(path, parameters) as response:
            try:
                document = json.loads(response.read())
            except ValueError as error:
                raise HouseUnreachable(self.url, "what answers is no house: it sent no JSON") from error
        if not isinstance(document, dict):
            raise HouseUnreachable(self.url, "what answers is no house: it sent no JSON object")
        return document

    def stream(self, path: str, parameters: _PARAMETERS = ()) -> Iterator[bytes]:
        """Yield the bytes at a path as they come."""
        with self._answer(path, parameters) as response:
            yield from response.iter_bytes()

    @contextmanager
    def _answer(self, path: str, parameters: _PARAMETERS) -> Iterator[httpx2.Response]:
        try:
            with self._http.stream("GET", path, params=list(parameters)) as response:
                if response.status_code != httpx2.codes.OK:
                    raise _refusal(self.url, response)
                yield response
        except httpx2.TimeoutException as error:
            raise HouseUnreachable(self.url, "no answer in time") from error
        except httpx2.TransportError as error:
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                raise ConfigError(
                    f"the certificate of {self.url} is not trusted: {error}.",
                    advice="Name its file with --ca-file, and with --url a host that it is for.",
                ) from error
            raise HouseUnreachable(self.url, str(error) or type(error).__name__) from error


def is_loopback(url: str) -> bool:
    """Tell whether a URL leads to this machine.

    >>> is_loopback("http://127.0.0.1:8127"), is_loopback("https://stats.example.org")
    (True, False)
    """
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        wrong = parts.scheme not in ("http", "https") or not parts.hostname or (parts.port or 1) < 1
    except ValueError:
        wrong = True
    if wrong:
        raise ConfigError(f"{url!r} is no address of a house.", source="--url", advice=f"Write it as {DEFAULT_URL}.")
    return url.rstrip("/")


def _token(path: str) -> str:
    from stathouse.config.secrets import read_secret_file

    return read_secret_file(path, where="", source="--token-file")


def _trust(ca_file: str) -> ssl.SSLContext | bool:
    if not ca_file:
        return True
    try:
        return ssl.create_default_context(cafile=os.path.expanduser(ca_file))
    except OSError as error:  # ssl.SSLError is one too
        raise ConfigError(f"{ca_file} holds no certificates: {error.strerror}.", source="--ca-file") from error


def _refusal(url: str, response: httpx2.Response) -> StathouseError:
    """Return the error that a refusing answer stands for."""
    reason, problem, advice, where = _said(response)
    text = f"{problem} {advice}".rstrip()
    status = response.status_code
    if status == 401:
        return ConfigError(f"the house at {url} says: {problem}", advice="Name the file of a token with --token-file.")
    if status == 403:
        return ConfigError(f"the house at {url} says: {text}")
    if status == 404 and where:
        return UnknownSeries(response.url.params.get("series", where))
    if status == 404:
        return HouseUnreachable(url, f"what answers knows no {response.url.path}")
    if status == 429 or reason == "overloaded":
        return Overloaded("The house", _seconds(response.headers.get("Retry-After", "")))
    if 400 <= status < 500:
        return InputError(text, where=where)
    return StathouseError(f"the house at {url} answers {status}: {text}")


def _said(response: httpx2.Response) -> tuple[str, str, str, str]:
    """Return reason, problem as a sentence, advice and place from the house's error document."""
    body = b""
    for part in response.iter_bytes():
        body += part
        if len(body) > _ERROR_BYTES:
            break
    try:
        error = json.loads(body)["error"]
        reason, problem, advice, where = (str(error.get(name) or "") for name in _ERROR_PARTS)
        return reason, problem if problem.endswith(".") else f"{problem}.", advice, where
    except (ValueError, KeyError, TypeError, AttributeError):
        return "", response.reason_phrase or f"status {response.status_code}", "", ""


def _seconds(text: str) -> float:
    return min(float(text), 300.0) if text.isascii() and text.isdigit() else 1.0
