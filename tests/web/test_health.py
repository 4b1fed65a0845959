"""Health, versions and the house's own numbers."""

from __future__ import annotations

import platform

from tests.web.serving import Served, serve
from tests.web.tiny_house import TinyHouse
from tests.wire.prometheus_parser import parse


def test_health_and_version(shared: Served) -> None:
    assert shared.ask("/healthz").json() == {"status": "ok"}
    version = shared.ask("/version").json()
    assert version["name"] == "stathouse"
    assert version["format"] == 1
    assert version["python"] == platform.python_version()
    assert all(version[part].count(".") == 2 for part in ("version", "sqlite", "duckdb", "pyarrow"))


def test_readiness_tells_the_truth() -> None:
    house = TinyHouse()
    with serve(house) as served:
        assert (served.ask("/readyz").status, served.ask("/readyz").json()) == (
            200,
            {"status": "ready", "problems": []},
        )
        house.is_ready = False
        reply = served.ask("/readyz")
        assert (reply.status, reply.json()) == (503, {"status": "not ready", "problems": ["the spool is full"]})


def test_status_is_handed_on(shared: Served) -> None:
    assert shared.ask("/api/status").json()["ledger"] == {"residual": 0}
    assert shared.ask("/api/top?limit=5&search=a").json()["series"] == []
    assert shared.ask("/api/processes").json()["by_cpu"] == []


def test_metrics_are_prometheus_text(served: Served) -> None:
    served.post("/api/points", {"points": [{"name": "a", "fields": {"x": 1}}]})
    served.post("/api/points", {"points": [{"name": "", "fields": {"x": 1}}]})
    reply = served.ask("/metrics")
    assert reply.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = parse(reply.body.decode())
    assert families["stathouse_residual"].samples == {(): 0.0}
    assert families["stathouse_http_points_total"].samples == {(): 1.0}
    assert families["stathouse_http_rejects_total"].samples == {(("reason", "bad_name"),): 1.0}
    assert families["stathouse_http_responses_total"].samples[(("status", "400"),)] == 1.0
    assert families["stathouse_http_connections"].samples[()] >= 1
