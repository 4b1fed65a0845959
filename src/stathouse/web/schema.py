"""The OpenAPI document: routes from their types, request bodies and errors from the structs that decode them."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from litestar import Request, Router
from litestar.enums import OpenAPIMediaType
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin

from stathouse import __version__
from stathouse.web.refusals import ErrorBody
from stathouse.wire.answers import safe_json
from stathouse.wire.json_points import EventsBody, PointsBody

__all__ = ["complete", "openapi_config"]

_REFERENCE: Final = "#/components/schemas/{name}"
_BODIES: Final[dict[str, dict[str, Any]]] = {
    "/api/points": {"application/json": {"schema": {"$ref": _REFERENCE.format(name="PointsBody")}}},
    "/api/events": {"application/json": {"schema": {"$ref": _REFERENCE.format(name="EventsBody")}}},
    "/api/write": {"text/plain": {"schema": {"type": "string"}}},
}
_ERRORS: Final = {
    "400": "The request is wrong; nothing was stored.",
    "401": "A token is needed, or this one is not known.",
    "403": "The token may not do that, the Host is not known here, or another site asks.",
    "404": "There is nothing at this address.",
    "413": "The body or the answer is larger than the limit.",
    "415": "The media type is not taken here.",
    "429": "A queue is full, or too many wrong tokens; see Retry-After.",
    "431": "The head of the request is larger than the limit.",
    "503": "The house cannot do it now; see Retry-After.",
}


def openapi_config() -> OpenAPIConfig:
    """Return how the document is made and served, as ``/schema/openapi.json``."""
    return OpenAPIConfig(
        title="Stathouse",
        version=__version__,
        description="Keeps the statistics of programs and of the builds that make them.",
        render_plugins=[_CompletePlugin(path="/openapi.json", media_type=OpenAPIMediaType.OPENAPI_JSON)],
        openapi_router=Router("/schema", route_handlers=[], opt={"scope": "public"}, include_in_schema=False),
        use_handler_docstrings=True,
    )


def complete(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document with what the handlers' signatures do not say: bodies, formats, errors and tokens."""
    _, components = msgspec.json.schema_components([PointsBody, EventsBody, ErrorBody], ref_template=_REFERENCE)
    known = document.setdefault("components", {})
    known["schemas"] = known.get("schemas", {}) | components
    known["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if isinstance(operation, dict) and method in ("get", "post"):
                _complete_operation(path, method, operation)
    formats = document["paths"]["/api/query"]["get"]["responses"]["200"]["content"]
    formats["text/csv"] = {"schema": {"type": "string"}}
    formats["application/vnd.apache.arrow.stream"] = {"schema": {"type": "string", "format": "binary"}}
    ready = document["paths"]["/readyz"]["get"]["responses"]
    ready["503"] = ready["200"] | {"description": "The house is starting, or does not keep its promises now."}
    return document


def _complete_operation(path: str, method: str, operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    error = {"application/json": {"schema": {"$ref": _REFERENCE.format(name="ErrorBody")}}}
    for status, meaning in _ERRORS.items():
        responses[status] = {"description": meaning, "content": error}
    if method == "post":
        # A text without a line is a text as well: nothing to keep.
        operation["requestBody"] = {"required": path != "/api/write", "content": _BODIES[path]}
    if "204" in responses:
        responses["204"].pop("content", None)
    if path.startswith("/api/") or path == "/metrics":
        operation["security"] = [{}, {"token": []}]


class _CompletePlugin(JsonRenderPlugin):
    """Serves the completed document."""

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """Return the document as JSON."""
        # The framework keeps its document; completing it twice must not change it.
        return safe_json(complete(msgspec.json.decode(msgspec.json.encode(openapi_schema))))
