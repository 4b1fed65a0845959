"""How the HTTP door says no: one JSON shape for every error, whatever raised it."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
from litestar import MediaType, Request, Response
from litestar.exceptions import (
    ClientException,
    HTTPException,
    MethodNotAllowedException,
    NotFoundException,
    ValidationException,
)

from stathouse.errors import (
    ConfigError,
    InputError,
    Overloaded,
    StathouseError,
    StoreError,
    StoreFull,
    TooLarge,
    UnknownSeries,
)
from stathouse.wire.answers import safe_json

__all__ = ["EXCEPTION_HANDLERS", "ErrorBody", "Problem", "error_response", "refuse", "retry_after"]

_MISSING: Final = re.compile(r"Missing required \w+ parameter '([\w-]+)'")

_log = logging.getLogger(__name__)


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong, where, and what to do.

    ``reason`` is a word of the closed list of reasons, or one of ``not_found``, ``method_not_allowed``,
    ``bad_parameter``, ``bad_host``, ``cross_site``, ``unauthorized``, ``forbidden``, ``too_many_failures``,
    ``unsupported_media``, ``deadline``, ``overloaded``, ``store_full``, ``store_failed``, ``internal``.
    """

    reason: str
    problem: str
    where: str = ""
    advice: str = ""


class ErrorBody(msgspec.Struct, frozen=True):
    """The body of every error."""

    error: Problem

    def encode(self) -> bytes:
        """Return it as JSON."""
        return safe_json(self)


def refuse(
    status: int,
    reason: str,
    problem: str,
    *,
    where: str = "",
    advice: str = "",
    headers: Mapping[str, str] | None = None,
) -> HTTPException:
    """Return the exception that answers a request with an error."""
    extra = {"problem": Problem(reason=reason, problem=problem, where=where, advice=advice)}
    return HTTPException(problem, status_code=status, headers=dict(headers or {}), extra=extra)


def retry_after(seconds: float) -> dict[str, str]:
    """Return the header that says when to come back, in whole seconds from 1 to 300."""
    return {"Retry-After": str(min(300, max(1, math.ceil(seconds))))}


def error_response(status: int, problem: Problem, headers: Mapping[str, str] | None = None) -> Response[bytes]:
    """Return an error as a response."""
    return Response(
        ErrorBody(problem).encode(), status_code=status, media_type=MediaType.JSON, headers=dict(headers or {})
    )


def _http_error(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    given = error.extra.get("problem") if isinstance(error.extra, dict) else None
    if isinstance(given, Problem):
        return error_response(error.status_code, given, error.headers)
    match error:
        case NotFoundException():
            advice = "See /schema/openapi.json for what there is."
            problem = Problem(reason="not_found", problem="there is nothing at this address", advice=advice)
        case MethodNotAllowedException():
            problem = Problem(reason="method_not_allowed", problem=f"{request.method} is not allowed at this address")
        case ValidationException() | ClientException():
            problem = _bad_parameter(error)
        case _:
            _log.error("unexpected HTTP error %s: %s", error.status_code, error.detail)
            problem = Problem(reason="internal", problem="the house failed to answer")
    return error_response(error.status_code, problem, error.headers)


def _bad_parameter(error: HTTPException) -> Problem:
    found = error.extra[0] if isinstance(error.extra, list) and error.extra else {}
    if isinstance(found, dict) and "message" in found:
        message, key = str(found["message"]), str(found.get("key", ""))
        return Problem(reason="bad_parameter", problem=message[:1].lower() + message[1:], where=key)
    if missing := _MISSING.search(str(error.detail)):
        return Problem(reason="bad_parameter", problem="this parameter is needed", where=missing[1])
    return Problem(reason="bad_parameter", problem="the request cannot be read")


def _own_error(request: Request[Any, Any, Any], error: StathouseError) -> Response[bytes]:
    match error:
        case TooLarge():
            return error_response(413, Problem(reason=error.reason, problem=error.problem, where=error.where))
        case UnknownSeries():
            return error_response(404, Problem(reason="not_found", problem=error.problem, where=error.where))
        case InputError():
            return _input_error(request, error)
        case Overloaded():
            problem = Problem(reason="overloaded", problem=str(error), advice="Send it again later.")
            return error_response(429, problem, retry_after(error.retry_after_seconds))
        case StoreError():
            return _store_error(error)
        case ConfigError():
            return error_response(503, Problem(reason="internal", problem=error.problem, advice=error.advice))
        case _:
            return _unexpected(request, error)


def _input_error(request: Request[Any, Any, Any], error: InputError) -> Response[bytes]:
    asked = request.method == "GET"
    # A question has no line that could be bad; what is wrong with it is a parameter.
    reason = "bad_parameter" if asked and error.reason == "bad_line" else error.reason
    advice = "" if asked else "Nothing of this request was stored."
    return error_response(400, Problem(reason=reason, problem=error.problem, where=error.where, advice=advice))


def _store_error(error: StoreError) -> Response[bytes]:
    if isinstance(error, StoreFull):
        problem = Problem(reason="store_full", problem="there is no room to keep more", advice="Send it again later.")
        return error_response(503, problem, retry_after(5))
    _log.error("the store failed: %s", error)
    problem = Problem(reason="store_failed", problem="the store could not do its work", advice="Try again.")
    return error_response(503, problem, retry_after(5))


def _unexpected(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    # The cause goes to the log only: an error page is no place for paths, names or secrets.
    _log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return error_response(500, Problem(reason="internal", problem="the house failed to answer; its log says why"))


EXCEPTION_HANDLERS: Final[dict[int | type[Exception], Callable[[Request[Any, Any, Any], Any], Response[Any]]]] = {
    HTTPException: _http_error,
    StathouseError: _own_error,
    Exception: _unexpected,
}
