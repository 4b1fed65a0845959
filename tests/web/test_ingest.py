"""The durable door: what is kept, what is refused, and that a refusal keeps nothing."""

from __future__ import annotations

import json
import threading
from concurrent.futures import Future

import pytest

from stathouse.errors import Overloaded, StoreDamaged, StoreFull
from stathouse.model import BatchName, Payload
from tests.web.serving import Served, serve
from tests.web.tiny_house import TinyHouse

POINT = {"name": "a", "fields": {"x": 1}}


def test_points_are_kept_with_the_houses_tags() -> None:
    house = TinyHouse()
    house.tags = (("host", "web1"), ("shop", "none"))
    with serve(house) as served:
        points = [
            {"name": "orders", "tags": {"shop": "eu"}, "kind": "counter", "value": 3, "time": 1_700_000_000},
            {"name": "t", "fields": {"x": 1.5, "n": 2, "note": "hi"}, "time": "2026-01-01T00:00:00Z"},
        ]
        reply = served.post("/api/points", {"points": points})
    assert reply.status == 200, reply.body
    assert reply.json() == {"accepted": 2, "batch": f"{'0' * 32}-1-1"}
    rows = house.rows()
    assert [(row["name"], row["tags"], row["kind"], row["field"]) for row in rows] == [
        ("orders", "host=web1,shop=eu", "counter", "sum"),
        ("t", "host=web1,shop=none", "", "x"),
        ("t", "host=web1,shop=none", "", "n"),
        ("t", "host=web1,shop=none", "", "note"),
    ]
    assert [row["double"] for row in rows] == [3.0, 1.5, None, None]
    assert (rows[2]["int64"], rows[3]["text"]) == (2, "hi")


def test_lines_are_kept(served: Served) -> None:
    lines = "# a comment\ncpu,host=a usage=1.5,n=2i 1700000000\nmem used=1i 1700000001\n"
    reply = served.post("/api/write?precision=s", lines, headers={"Content-Type": "text/plain; charset=utf-8"})
    assert (reply.status, reply.body) == (204, b"")
    assert reply.headers["stathouse-batch"].endswith("-1-1")
    assert [(row["name"], row["field"]) for row in served.house.rows()] == [
        ("cpu", "usage"),
        ("cpu", "n"),
        ("mem", "used"),
    ]


def test_events_are_kept_and_get_an_id(served: Served) -> None:
    event = {
        "key": ["builders", 23, "builds", 118],
        "state": "finished",
        "time": 1_700_000_000,
        "payload": {"ok": True},
    }
    assert served.post("/api/events", {"events": [event, event | {"id": "mine", "rank": 7}]}).json()["accepted"] == 2
    assert served.post("/api/events", {"events": [event]}).status == 200
    rows = served.house.rows("events")
    assert [row["rank"] for row in rows] == [40, 7, 40]
    assert rows[0]["id"] == rows[2]["id"] != rows[1]["id"] == "mine"
    assert json.loads(str(rows[0]["payload"])) == {"ok": True}


def test_the_same_key_stores_once_and_is_another_key_on_another_route(served: Served) -> None:
    headers = {"Idempotency-Key": "order 7"}
    first = served.post("/api/points", {"points": [POINT]}, headers=headers)
    again = served.post("/api/points", {"points": [POINT]}, headers=headers)
    assert first.json() == again.json()
    assert len(served.house.payloads) == 1
    lines = served.post("/api/write", "a x=1", headers=headers | {"Content-Type": "text/plain"})
    assert lines.status == 204
    assert len(served.house.payloads) == 2


@pytest.mark.parametrize("key", ["", "x" * 201, "caf\xe9"])
def test_a_strange_key_is_refused(shared: Served, key: str) -> None:
    reply = shared.post("/api/points", {"points": [POINT]}, headers={"Idempotency-Key": key})
    assert reply.status == 400
    assert reply.error["where"] == "Idempotency-Key"


@pytest.mark.parametrize(
    ("body", "where", "reason"),
    [
        ({"points": [POINT, {"name": "b", "fields": {"x": True}}]}, "points[1].fields.x", "bad_value"),
        ({"points": [POINT, {"name": ""}]}, "points[1].name", "bad_name"),
        ({"points": [{"name": "a\u202e", "fields": {"x": 1}}]}, "points[0].name", "bad_name"),
        ({"points": [{"name": "a", "fields": {"x": 2**63}}]}, "points[0].fields.x", "bad_value"),
        ({"points": [{"name": "a", "fields": {"x": 1}, "time": 1e12}]}, "points[0].time", "bad_time"),
        ({"points": [{"name": "a", "tags": {"k": 1}, "fields": {"x": 1}}]}, "points[0].tags[...]", "bad_value"),
        ({"points": [POINT | {"unknown": 1}]}, "points[0]", "bad_value"),
        ({"points": "all"}, "points", "bad_value"),
        ([], "body", "bad_value"),
    ],
)
def test_one_bad_point_refuses_all(shared: Served, body: object, where: str, reason: str) -> None:
    before = len(shared.house.payloads)
    reply = shared.post("/api/points", body)
    assert reply.status == 400, reply.body
    assert (reply.error["where"], reply.error["reason"]) == (where, reason)
    assert reply.error["problem"]
    assert len(shared.house.payloads) == before
    assert shared.app.room.counters.rejects()[reason] >= 1


def test_one_bad_line_refuses_all_and_is_named(shared: Served) -> None:
    before = len(shared.house.payloads)
    reply = shared.post("/api/write", "a x=1\n\n# note\nb x=nan\n", headers={"Content-Type": "text/plain"})
    assert (reply.status, reply.error["where"]) == (400, "line 4, field 'x'")
    assert len(shared.house.payloads) == before


def test_nothing_to_keep_is_fine(served: Served) -> None:
    assert served.post("/api/points", {"points": []}).json() == {"accepted": 0, "batch": ""}
    assert served.post("/api/write", "\n# only a comment\n", headers={"Content-Type": "text/plain"}).status == 204
    assert served.house.payloads == []


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Overloaded("the spool's queue", 2.5), 429),
        (StoreFull("full"), 503),
        (StoreDamaged("/secret/path", "torn"), 503),
    ],
)
@pytest.mark.parametrize("place", ["refuse_with", "fail_commit_with"])
def test_a_full_house_says_when_to_come_back(error: Exception, status: int, place: str) -> None:
    house = TinyHouse()
    setattr(house, place, error)
    with serve(house) as served:
        reply = served.post("/api/points", {"points": [POINT]})
    assert reply.status == status
    assert 1 <= int(reply.headers["retry-after"]) <= 300
    assert b"/secret" not in reply.body


def test_the_answer_comes_after_the_commit() -> None:
    class SlowHouse(TinyHouse):
        def __init__(self) -> None:
            super().__init__()
            self.arrived = threading.Event()
            self.pending: Future[BatchName] = Future()

        def put(self, payload: Payload, *, key: str = "") -> Future[BatchName]:
            self.arrived.set()
            return self.pending

    house = SlowHouse()
    replies: list[int] = []
    with serve(house) as served:
        asking = threading.Thread(target=lambda: replies.append(served.post("/api/points", {"points": [POINT]}).status))
        asking.start()
        assert house.arrived.wait(10)
        # Another question is answered meanwhile, so the loop is free; the first one still has no answer.
        assert served.ask("/healthz").status == 200
        assert replies == []
        house.pending.set_result(BatchName(writer="0" * 32, epoch=1, sequence=1))
        asking.join(10)
    assert replies == [200]


def test_a_commit_that_never_comes_is_not_called_kept() -> None:
    class DeadHouse(TinyHouse):
        def put(self, payload: Payload, *, key: str = "") -> Future[BatchName]:
            return Future()

    with serve(DeadHouse(), query_seconds=0.2) as served:
        reply = served.post("/api/points", {"points": [POINT]})
    assert (reply.status, reply.error["reason"]) == (503, "deadline")
    assert "Idempotency-Key" in reply.error["advice"]


def test_a_house_that_is_busy_may_still_keep_what_it_was_sent() -> None:
    free = threading.Event()

    class BusyHouse(TinyHouse):
        def put(self, payload: Payload, *, key: str = "") -> Future[BatchName]:
            assert free.wait(10)
            return super().put(payload, key=key)

    with serve(BusyHouse(), query_seconds=0.2) as served:
        reply = served.post("/api/points", {"points": [POINT]})
        free.set()
    assert (reply.status, reply.error["reason"]) == (503, "deadline")
    assert "Idempotency-Key" in reply.error["advice"]


@pytest.mark.parametrize(
    ("path", "media_type", "status"),
    [
        ("/api/points", "text/plain", 415),
        ("/api/points", "application/x-www-form-urlencoded", 415),
        ("/api/points", "application/json; charset=utf-16", 415),
        ("/api/points", "application/json; charset=UTF-8", 200),
        ("/api/points", "", 415),
        ("/api/write", "application/json", 415),
        ("/api/write", "application/x-www-form-urlencoded", 415),
    ],
)
def test_the_media_type_is_checked(shared: Served, path: str, media_type: str, status: int) -> None:
    reply = shared.post(path, json.dumps({"points": [POINT]}), headers={"Content-Type": media_type})
    assert reply.status == status, reply.body


def test_a_packed_body_is_unpacked(served: Served) -> None:
    body = json.dumps({"points": [POINT] * 1000})
    reply = served.post("/api/points", body, headers={"Content-Type": "application/json"}, packed=True)
    assert reply.json()["accepted"] == 1000
    strange = served.post("/api/points", body, headers={"Content-Type": "application/json", "Content-Encoding": "br"})
    assert strange.status == 415
