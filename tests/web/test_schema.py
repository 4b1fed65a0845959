"""The OpenAPI document and the reference page: each route is in both, and answers as the document says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from schemathesis.checks import CHECKS
from schemathesis.config import SchemathesisConfig

from stathouse.config.options import HttpOptions
from stathouse.web.app import create_app
from stathouse.web.schema import complete
from tests.web.serving import Served, serve
from tests.web.tiny_house import TinyHouse

PAGE = Path(__file__).parents[2] / "docs" / "http-api.md"


@pytest.fixture(scope="module")
def filled() -> Iterator[Served]:
    with serve(TinyHouse()) as served:
        yield served


@pytest.fixture(scope="module")
def document(filled: Served) -> dict[str, Any]:
    found: dict[str, Any] = filled.ask("/schema/openapi.json").json()
    return found


def test_the_document_knows_bodies_formats_and_tokens(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    body = document["paths"]["/api/points"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body == {"$ref": "#/components/schemas/PointsBody"}
    assert document["components"]["schemas"]["PointIn"]["required"] == ["name"]
    formats = document["paths"]["/api/query"]["get"]["responses"]["200"]["content"]
    assert set(formats) == {"application/json", "text/csv", "application/vnd.apache.arrow.stream"}
    names = {parameter["name"] for parameter in document["paths"]["/api/query"]["get"]["parameters"]}
    expected = {"series", "tag", "start", "end", "last", "step", "aggregate", "by", "limit", "format", "unflushed"}
    assert names == expected
    assert document["paths"]["/api/status"]["get"]["security"] == [{}, {"token": []}]


def test_asking_twice_gives_the_same_document(filled: Served, document: dict[str, Any]) -> None:
    assert filled.ask("/schema/openapi.json").json() == document


def test_every_reference_in_the_document_leads_somewhere(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    references = set(re.findall(r"'#/components/schemas/([^']+)'", str(document)))
    assert references
    assert references <= set(schemas)


def test_every_route_is_on_the_reference_page(document: dict[str, Any]) -> None:
    text = PAGE.read_text(encoding="utf-8")
    routes = {(method.upper(), path) for path, operations in document["paths"].items() for method in operations}
    missing = [f"{method} {path}" for method, path in sorted(routes) if f"## `{method} {path}`" not in text]
    assert missing == []
    headings = set(re.findall(r"^## `(GET|POST) (\S+)`$", text, re.MULTILINE))
    assert headings - routes <= {("GET", "/schema/openapi.json")}
    for section in re.split(r"^## `", text, flags=re.MULTILINE)[1:]:
        assert "curl" in section, f"no example: {section.splitlines()[0]}"


def test_every_parameter_is_on_the_reference_page(document: dict[str, Any]) -> None:
    text = PAGE.read_text(encoding="utf-8")
    for path, operations in document["paths"].items():
        for operation in operations.values():
            for parameter in operation.get("parameters", []):
                assert f"`{parameter['name']}`" in text, f"{path}: {parameter['name']} is not described"


def _schema() -> Any:
    """Return what is tried out: every route but the stream, which has no end to wait for."""
    document = complete(create_app(TinyHouse(), HttpOptions()).inner.openapi_schema.to_schema())
    config = SchemathesisConfig.from_dict({"generation": {"max-examples": 15, "deterministic": True}})
    return schemathesis.openapi.from_dict(document, config=config).exclude(path="/api/live")


SCHEMA = _schema()


@SCHEMA.parametrize()
def test_every_route_answers_as_the_document_says(filled: Served, case: Any) -> None:
    # Schemas cannot say all rules (start or last, no control characters), so data that fits them may be refused.
    excluded = [CHECKS.get_one("positive_data_acceptance")]
    case.call_and_validate(base_url=f"http://127.0.0.1:{filled.port}", timeout=20, excluded_checks=excluded)
