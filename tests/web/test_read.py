"""Questions over HTTP: their parameters, their limits and the three formats of an answer."""

from __future__ import annotations

import csv
import io
import threading
from collections.abc import Iterator
from urllib.parse import quote

import pyarrow as pa
import pytest

from stathouse.errors import InputError, UnknownSeries
from stathouse.model import Answer, Point, Query
from stathouse.wire.tables import points_payload
from tests.web.serving import Served, serve
from tests.web.tiny_house import TinyHouse

NS = 10**9


@pytest.fixture
def filled(full_house: TinyHouse) -> Iterator[Served]:
    with serve(full_house) as served:
        yield served


def test_a_query_answers_in_the_documented_shape(filled: Served) -> None:
    answer = filled.ask("/api/query?series=shop.*&last=10m").json()
    assert answer["truncated"] is False
    assert [(series["name"], series["tags"], series["kind"], series["field"]) for series in answer["series"]] == [
        ("shop.orders", {"shop": "eu"}, "counter", "sum"),
        ("shop.orders", {"shop": "us"}, "counter", "sum"),
    ]
    row = answer["series"][0]["rows"][0]
    assert row["value"] == 3.0
    assert abs(row["time"] - filled.house.clock.now_ns() / NS) < 60


def test_the_parameters_become_the_question(filled: Served) -> None:
    path = "/api/query?series=a*&tag=host:web%2A&tag=shop:eu&start=1000&end=2026-01-01T00:00:00Z&step=1h&limit=7"
    assert filled.ask(f"{path}&aggregate=p50,p99.9&by=host,shop").status == 200
    assert filled.house.asked[-1] == Query(
        series="a*",
        start_ns=1_000 * NS,
        end_ns=1_767_225_600 * NS,
        tags={"host": "web*", "shop": "eu"},
        step_ns=3_600 * NS,
        aggregates=("p50", "p99.9"),
        by=("host", "shop"),
        limit=7,
    )
    filled.ask("/api/query?series=a&by=")
    assert filled.house.asked[-1].by == ()
    filled.ask("/api/query?series=a")
    question = filled.house.asked[-1]
    assert question.by is None
    assert question.end_ns - question.start_ns == 3_600 * NS


@pytest.mark.parametrize(
    ("parameters", "where"),
    [
        ("", "series"),
        ("series=", "series"),
        ("series=a&step=0s", "step"),
        ("series=a&step=-1s", "step"),
        ("series=a&start=0&step=1ms", "step"),
        ("series=a&last=soon", "last"),
        ("series=a&last=10m&start=5", "last"),
        ("series=a&start=9&end=5", "start"),
        ("series=a&start=1e12", "start"),
        ("series=a&start=99999999999999999999", "start"),
        ("series=a&tag=host", "tag"),
        ("series=a&tag=h:1&tag=h:2", "tag"),
        ("series=a&aggregate=sum;drop", "aggregate"),
        ("series=a&aggregate=" + "sum," * 40, "aggregate"),
        ("series=a&limit=0", "limit"),
        ("series=a&limit=1000000", "limit"),
        ("series=a&format=xml", "form"),
        ("series=" + "a" * 600, "series"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused_with_its_place(shared: Served, parameters: str, where: str) -> None:
    reply = shared.ask(f"/api/query?{parameters}")
    assert reply.status == 400, reply.body
    assert reply.error["where"] in (where, "format" if where == "form" else where)
    assert reply.error["reason"] in ("bad_parameter", "bad_time")


def test_csv_is_safe_in_a_spreadsheet(filled: Served) -> None:
    reply = filled.ask("/api/query?series=build&format=csv")
    assert reply.headers["content-type"].startswith("text/csv")
    rows = list(csv.reader(io.StringIO(reply.body.decode())))
    assert rows[0] == ["time", "name", "tags", "field", "value"]
    assert [row[1:] for row in rows[1:]] == [
        ["build", "", "seconds", "12"],
        ["build", "", "verdict", "'=cmd|' /C calc'!A0"],
    ]


def test_arrow_keeps_types(filled: Served) -> None:
    reply = filled.ask("/api/query?series=*&format=arrow")
    assert reply.headers["content-type"] == "application/vnd.apache.arrow.stream"
    table = pa.ipc.open_stream(reply.body).read_all()
    assert table["double"].to_pylist() == [None, None, 3.0, 4.5]
    assert table["int64"].to_pylist() == [12, None, None, None]
    assert table["tags"].to_pylist() == ["", "", "shop=eu", "shop=us"]


def test_a_large_answer_is_streamed_whole() -> None:
    house = TinyHouse()
    start = house.clock.now_ns() - 1_000 * NS
    house.put(points_payload(Point(name="a", time_ns=start + i, fields={"x": float(i)}) for i in range(30_000)))
    with serve(house) as served:
        reply = served.ask("/api/query?series=a")
        assert reply.headers.get("transfer-encoding") == "chunked"
        assert [row["value"] for row in reply.json()["series"][0]["rows"]] == [float(i) for i in range(30_000)]
    with serve(house, max_points_per_answer=29_999) as served:
        reply = served.ask("/api/query?series=a")
        assert (reply.status, reply.error["reason"]) == (413, "too_long")


def test_a_name_cannot_break_out_of_json(served: Served) -> None:
    name = "</script><img src=x onerror=alert(1)>\u00a0\u3000__proto__"
    assert served.post("/api/points", {"points": [{"name": name, "fields": {"x": 1}}]}).status == 200
    reply = served.ask("/api/query?series=*")
    assert b"<" not in reply.body
    assert reply.json()["series"][0]["name"] == name
    assert served.ask("/api/series").json()["series"][0]["name"] == name


def test_series_are_listed_in_pages(filled: Served) -> None:
    listed = filled.ask("/api/series?search=o&limit=1&offset=1").json()
    assert listed["total"] == 2
    assert listed["series"] == [
        {
            "name": "shop.orders",
            "tags": {"shop": "us"},
            "kind": "counter",
            "fields": ["sum"],
            "unit": "",
            "description": "",
            "first_time": 0.0,
            "last_time": 1.0,
        }
    ]


def test_events_are_found_by_key(filled: Served) -> None:
    events = filled.ask("/api/events?last=1h&key=" + quote('["builders"]')).json()["events"]
    assert [(event["key"], event["state"], event["payload"]) for event in events] == [
        (["builders", 23], "finished", {"a": 1})
    ]
    assert filled.ask("/api/events?key=" + quote('["workers"]')).json()["events"] == []


@pytest.mark.parametrize(
    "key", ["builders", "{}", "[1.5]", "[true]", "[[1]]", "[" * 3000, f"[{2**63}]", '["a"' + ',"a"' * 16 + "]"]
)
def test_a_strange_event_key_is_refused(shared: Served, key: str) -> None:
    reply = shared.ask(f"/api/events?key={quote(key)}")
    assert (reply.status, reply.error["where"]) == (400, "key")


def test_a_slow_question_ends_at_its_deadline_and_others_wait_bounded() -> None:
    house = TinyHouse()
    house.hold_questions.clear()
    with serve(house, query_seconds=0.3) as served:
        replies: list[tuple[int, str]] = []

        def ask() -> None:
            reply = served.ask("/api/query?series=a")
            replies.append((reply.status, reply.error["reason"]))
            assert int(reply.headers["retry-after"]) >= 1

        asking = [threading.Thread(target=ask) for _ in range(48)]
        for thread in asking:
            thread.start()
        # While questions are stuck, what is quick is answered.
        assert served.ask("/api/status").status == 200
        for thread in asking:
            thread.join(20)
        assert len(replies) == 48
        assert {status for status, _ in replies} <= {503, 429}
        # Four are asked at once; the others are never begun.
        assert len(house.asked) == 4
        house.hold_questions.set()
        assert (503, "deadline") in replies


def test_the_readers_own_refusals_are_answers() -> None:
    class Picky(TinyHouse):
        def answer(self, query: Query, *, unflushed: bool = True) -> Answer:
            if query.series == "none":
                raise UnknownSeries("none")
            if query.series == "broken":
                raise RuntimeError("secret: /etc/shadow")
            raise InputError("'median' is no aggregate", where="aggregate")

    with serve(Picky()) as served:
        assert served.ask("/api/query?series=none").status == 404
        reply = served.ask("/api/query?series=a&aggregate=median")
        assert (reply.status, reply.error["where"]) == (400, "aggregate")
        broken = served.ask("/api/query?series=broken")
        assert (broken.status, broken.error["reason"]) == (500, "internal")
        assert b"shadow" not in broken.body
