"""The live stream: ticks, shared answers, slow readers, and clean ends."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import threading
from collections.abc import Callable, Sequence

import pytest

from stathouse.web.counters import WebCounters
from stathouse.web.live_hub import LiveHub, Stream
from tests.web.serving import Served, serve
from tests.web.tiny_house import TinyHouse


class Reader:
    """Reads server-sent events from a real connection."""

    def __init__(self, served: Served, path: str) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=20)
        self.connection.request("GET", path)
        self.response = self.connection.getresponse()

    def event(self) -> tuple[str, object]:
        """Return the next event's name and data."""
        name, data = "", ""
        while True:
            line = self.response.readline().decode()
            assert line, "the stream ended"
            if line == "\n" and name:
                return name, json.loads(data)
            if line.startswith("event: "):
                name = line[7:-1]
            if line.startswith("data: "):
                data = line[6:-1]

    def close(self) -> None:
        self.response.close()
        self.connection.close()


def test_ticks_come_with_points_of_the_series_asked_for(served: Served) -> None:
    reader = Reader(served, "/api/live?series=b*&series=a")
    assert reader.response.getheader("content-type", "").startswith("text/event-stream")
    assert reader.event() == ("status", {"time": 1})
    points = [{"name": "a", "value": 1, "partial": True}, {"name": "b*", "value": 1, "partial": True}]
    assert reader.event() == ("points", {"points": points})
    assert reader.event() == ("status", {"time": 2})
    reader.close()


def test_streams_that_ask_the_same_share_an_answer() -> None:
    house = TinyHouse()
    with serve(house) as served:
        readers = [Reader(served, f"/api/live?series={glob}") for glob in ("a", "a", "a")]
        times = []
        for _ in range(5):
            times += [event[1]["time"] for reader in readers if (event := reader.event())[0] == "status"]  # type: ignore[index]
            for reader in readers:
                assert reader.event()[0] == "points"
        # Three readers and five ticks: asked for each reader it would be fifteen calls and more.
        assert house.live_calls <= 5 + 3
        assert len(times) == 15
        for reader in readers:
            reader.close()


def test_a_reader_that_leaves_frees_its_place(served: Served, wait_until: Callable[..., None]) -> None:
    reader = Reader(served, "/api/live")
    reader.event()
    assert served.app.room.counters.counts()["live_streams"] == 1
    reader.close()
    wait_until(lambda: served.app.room.counters.counts()["live_streams"] == 0)
    calls = served.house.live_calls
    again = Reader(served, "/api/live")
    assert again.event() == ("status", {"time": calls + 1})
    again.close()


def test_streams_end_when_the_house_stops() -> None:
    with serve() as served:
        reader = Reader(served, "/api/live?series=a")
        reader.event()
        served.stop.set()
        rest = reader.response.read()
        served.thread.join(5)
        assert not served.thread.is_alive()
        assert rest == b"" or rest.endswith(b"\n\n")


def test_there_are_only_so_many_streams() -> None:
    with serve() as served:
        served.app.room.hub._most = 2
        readers = [Reader(served, "/api/live") for _ in range(2)]
        reply = served.ask("/api/live")
        assert (reply.status, reply.error["reason"]) == (503, "overloaded")
        for reader in readers:
            reader.close()


def test_a_failure_of_the_house_does_not_end_the_stream() -> None:
    class Moody(TinyHouse):
        def live(self, globs: Sequence[str]) -> tuple[dict[str, object], list[dict[str, object]]]:
            answer = super().live(globs)
            if self.live_calls == 2:
                raise RuntimeError("once")
            return answer

    with serve(Moody()) as served:
        reader = Reader(served, "/api/live")
        assert [reader.event(), reader.event()] == [("status", {"time": 1}), ("status", {"time": 3})]
        reader.close()


def test_a_slow_reader_loses_its_oldest_ticks_counted() -> None:
    async def read() -> tuple[list[bytes], int]:
        counters = WebCounters()
        stream = Stream((), counters)
        for number in range(20):
            stream.push(b"%d" % number)
        stream.end()
        return [tick async for tick in stream.ticks()], counters.counts()["live_ticks_dropped"]

    ticks, dropped = asyncio.run(read())
    assert ticks[1:] == [b"%d" % number for number in range(12, 20)]
    assert dropped == 12


def test_a_reader_that_stalls_does_not_hold_up_others() -> None:
    class Loud(TinyHouse):
        def live(self, globs: Sequence[str]) -> tuple[dict[str, object], list[dict[str, object]]]:
            tiles, points = super().live(globs)
            return tiles, [{"name": "x" * 200_000}] if "loud" in globs else points

    with serve(Loud()) as served:
        stalled = socket.create_connection(("127.0.0.1", served.port))
        stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stalled.sendall(b"GET /api/live?series=loud HTTP/1.1\r\nHost: localhost\r\n\r\n")
        reader = Reader(served, "/api/live")
        dropped = 0
        for _ in range(200):
            assert reader.event()[0] == "status"
            dropped = served.app.room.counters.counts().get("live_ticks_dropped", 0)
            if dropped:
                break
        assert dropped > 0
        stalled.close()
        reader.close()


@pytest.mark.parametrize("parameters", ["series=", "series=a%0Ab", "&".join(["series=a"] * 65)])
def test_strange_globs_are_refused(shared: Served, parameters: str) -> None:
    assert shared.ask(f"/api/live?{parameters}").status == 400


def test_the_pace_is_kept_by_the_clock() -> None:
    asked = threading.Event()

    class Once(TinyHouse):
        def live(self, globs: Sequence[str]) -> tuple[dict[str, object], list[dict[str, object]]]:
            asked.set()
            return super().live(globs)

    async def run() -> int:
        house = Once()
        hub = LiveHub(house, clock=house.clock, counters=WebCounters(), tick_seconds=3_600)
        stream = await hub.open(["a"])
        ticks = stream.ticks()
        assert (await anext(ticks)).startswith(b":")
        assert b"event: status" in await anext(ticks)
        hub.close()
        assert [tick async for tick in ticks] == []
        return house.live_calls

    assert asyncio.run(run()) == 1
    assert asked.is_set()
