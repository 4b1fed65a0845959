"""The listeners, over real sockets on loopback: what is sent is counted, whatever it is and however it comes."""

from __future__ import annotations

import os
import resource
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from stathouse._core import Aggregator, DatagramListener, StreamListener
from tests.conftest import WaitUntil

SOCK_KINDS = (socket.AF_INET, socket.AF_UNIX)


@pytest.fixture
def aggregator() -> Aggregator:
    return Aggregator()


@pytest.fixture
def udp() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        opened.bind(("127.0.0.1", 0))
        yield opened


@pytest.fixture
def tcp() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0), backlog=512) as opened:
        yield opened


@pytest.fixture
def sender(udp: socket.socket) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        opened.connect(udp.getsockname())
        yield opened


def received(aggregator: Aggregator) -> int:
    return aggregator.counters()["received"]


def is_closed_by_peer(client: socket.socket) -> bool:
    """Wait for the peer's close; one that had not read everything resets the connection."""
    client.settimeout(10)
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True


def is_settled(aggregator: Aggregator, lines: int) -> Callable[[], bool]:
    return lambda: received(aggregator) >= lines


def threads_named(name: str) -> int:
    """Count this process's threads by name; the kernel keeps 15 characters of it."""
    found = 0
    for task in Path("/proc/self/task").iterdir():
        try:
            found += (task / "comm").read_text().strip() == name[:15]
        except FileNotFoundError:
            continue
    return found


class TestDatagrams:
    def test_lines_of_every_datagram_are_counted(
        self, aggregator: Aggregator, udp: socket.socket, sender: socket.socket, wait_until: WaitUntil
    ) -> None:
        listener = DatagramListener(aggregator, udp.fileno())
        for number in range(500):
            sender.send(b"a:1|c\nb:2|ms" if number % 2 else b"a:1|c\n")
        wait_until(is_settled(aggregator, 750))
        assert listener.stop()
        assert received(aggregator) == aggregator.counters()["accepted"] == 750
        stats = listener.stats()
        assert (stats["datagrams"], stats["bytes"]) == (500, 250 * 6 + 250 * 12)
        assert (stats["kernel_drops"], stats["truncated"], stats["empty"], stats["errors"]) == (0, 0, 0, 0)

    def test_several_threads_share_a_socket(
        self, aggregator: Aggregator, udp: socket.socket, sender: socket.socket
    ) -> None:
        listener = DatagramListener(aggregator, udp.fileno(), threads=3)
        for _ in range(300):
            sender.send(b"a:1|c")
        assert listener.stop()
        assert received(aggregator) == listener.stats()["datagrams"] == 300
        assert threads_named("stathouse-datagrams") == 0

    def test_drops_of_the_kernel_are_counted_exactly(
        self, aggregator: Aggregator, udp: socket.socket, sender: socket.socket, wait_until: WaitUntil
    ) -> None:
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listener = DatagramListener(aggregator, udp.fileno(), wait_micros=300_000)
        sender.send(b"a:1|c")
        wait_until(lambda: listener.stats()["datagrams"] == 1)
        for _ in range(20_000):
            sender.send(b"a:1|c")
        # Trailing drops: no datagram comes after them that could carry the count.
        dropped = listener.stats()["kernel_drops"]
        assert dropped > 0
        assert listener.stop()
        stats = listener.stats()
        assert stats["datagrams"] + stats["kernel_drops"] == 20_001
        assert received(aggregator) == stats["datagrams"]

    def test_drops_before_the_listener_are_counted_too(
        self, aggregator: Aggregator, udp: socket.socket, sender: socket.socket
    ) -> None:
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        for _ in range(1_000):
            sender.send(b"a:1|c")
        listener = DatagramListener(aggregator, udp.fileno())
        assert listener.stop()
        stats = listener.stats()
        assert stats["kernel_drops"] > 0
        assert stats["datagrams"] + stats["kernel_drops"] == 1_000

    def test_stop_drains_what_the_kernel_holds(
        self, aggregator: Aggregator, udp: socket.socket, sender: socket.socket, wait_until: WaitUntil
    ) -> None:
        listener = DatagramListener(aggregator, udp.fileno(), wait_micros=60_000_000)
        sender.send(b"a:1|c")
        wait_until(lambda: listener.stats()["datagrams"] == 1)
        for _ in range(1_000):
            sender.send(b"a:1|c")
        assert listener.stats()["datagrams"] == 1
        assert listener.stop()
        assert received(aggregator) == listener.stats()["datagrams"] == 1_001

    def test_stop_ends_though_the_flood_goes_on(
        self, aggregator: Aggregator, udp: socket.socket, sender: socket.socket
    ) -> None:
        listener = DatagramListener(aggregator, udp.fileno())
        over = threading.Event()

        def flood() -> None:
            while not over.is_set():
                sender.send(b"a:1|c\n" * 200)

        thread = threading.Thread(target=flood)
        thread.start()
        try:
            begin = time.monotonic()
            listener.stop(1.0)
            assert time.monotonic() - begin < 3.0
        finally:
            over.set()
            thread.join()

    def test_a_second_stop_does_nothing(self, aggregator: Aggregator, udp: socket.socket) -> None:
        listener = DatagramListener(aggregator, udp.fileno())
        assert listener.stop()
        assert listener.stop()

    def test_an_object_that_is_dropped_stops_its_threads(
        self, aggregator: Aggregator, udp: socket.socket, wait_until: WaitUntil
    ) -> None:
        listener = DatagramListener(aggregator, udp.fileno(), threads=2)
        wait_until(lambda: threads_named("stathouse-datagrams") == 2)
        del listener
        wait_until(lambda: threads_named("stathouse-datagrams") == 0)

    def test_the_socket_belongs_to_the_caller(
        self, aggregator: Aggregator, udp: socket.socket, sender: socket.socket, wait_until: WaitUntil
    ) -> None:
        listener = DatagramListener(aggregator, udp.fileno())
        assert listener.stop()
        sender.send(b"a:1|c")
        assert udp.recv(100) == b"a:1|c"

    def test_an_idle_door_does_not_wake_up(
        self, aggregator: Aggregator, udp: socket.socket, sender: socket.socket, wait_until: WaitUntil
    ) -> None:
        listener = DatagramListener(aggregator, udp.fileno())
        sender.send(b"a:1|c")
        wait_until(is_settled(aggregator, 1))
        task = next(
            t for t in Path("/proc/self/task").iterdir() if (t / "comm").read_text().startswith("stathouse-data")
        )

        def switches() -> int:
            lines = (task / "status").read_text().splitlines()
            return sum(int(line.split()[1]) for line in lines if "ctxt_switches" in line)

        def is_blocked() -> bool:
            return "poll" in (task / "wchan").read_text() or (task / "syscall").read_text().startswith("7 ")

        wait_until(is_blocked)
        before = switches()
        # Ten times the pause in which it would have to wake if it polled.
        assert not threading.Event().wait(0.05)
        assert switches() == before
        assert listener.stop()

    @pytest.mark.parametrize("family", SOCK_KINDS)
    def test_an_empty_datagram_is_counted_and_harmless(
        self, aggregator: Aggregator, family: socket.AddressFamily, tmp_path: Path, wait_until: WaitUntil
    ) -> None:
        with socket.socket(family, socket.SOCK_DGRAM) as door, socket.socket(family, socket.SOCK_DGRAM) as client:
            door.bind(("127.0.0.1", 0) if family == socket.AF_INET else str(tmp_path / "door"))
            client.connect(door.getsockname())
            listener = DatagramListener(aggregator, door.fileno())
            client.send(b"")
            client.send(b"a:1|c")
            wait_until(is_settled(aggregator, 1))
            assert listener.stop()
            assert (listener.stats()["datagrams"], listener.stats()["empty"]) == (2, 1)
            assert aggregator.rejections() == {} or sum(aggregator.rejections().values()) == 0

    def test_the_largest_datagram_passes_whole(
        self, aggregator: Aggregator, udp: socket.socket, sender: socket.socket, wait_until: WaitUntil
    ) -> None:
        listener = DatagramListener(aggregator, udp.fileno())
        lines = 65_507 // 6
        sender.send((b"a:1|c\n" * lines).ljust(65_507, b"\n"))
        wait_until(is_settled(aggregator, lines))
        assert listener.stop()
        assert received(aggregator) == aggregator.counters()["accepted"] == lines
        assert listener.stats()["truncated"] == 0

    def test_a_cut_datagram_keeps_its_whole_lines_and_counts_the_cut_one(
        self, aggregator: Aggregator, udp: socket.socket, sender: socket.socket, wait_until: WaitUntil
    ) -> None:
        listener = DatagramListener(aggregator, udp.fileno(), max_datagram_bytes=16)
        sender.send(b"a:1|c\nb:2|c\nc:1000|c")
        wait_until(is_settled(aggregator, 3))
        sender.send(b"exactly.16:123|c")
        wait_until(is_settled(aggregator, 4))
        assert listener.stop()
        assert listener.stats()["truncated"] == 1
        counters = aggregator.counters()
        assert (counters["received"], counters["accepted"]) == (4, 3)
        assert aggregator.rejections()["truncated"] == 1
        assert aggregator.rejected_lines()["truncated"] == b"c:10"

    def test_a_cut_datagram_without_a_newline_is_dropped_whole(
        self, aggregator: Aggregator, tmp_path: Path, wait_until: WaitUntil
    ) -> None:
        path = str(tmp_path / "door")
        with (
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as door,
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client,
        ):
            door.bind(path)
            client.connect(path)
            listener = DatagramListener(aggregator, door.fileno())
            client.send(b"a" * 100_000)
            client.send(b"b:1|c")
            wait_until(is_settled(aggregator, 2))
            assert listener.stop()
            assert listener.stats()["truncated"] == 1
            assert listener.stats()["bytes"] == 65_535 + 5
            assert aggregator.rejections()["truncated"] == 1

    def test_garbage_is_rejected_and_counted(
        self, aggregator: Aggregator, udp: socket.socket, sender: socket.socket, wait_until: WaitUntil
    ) -> None:
        listener = DatagramListener(aggregator, udp.fileno())
        garbage = [bytes(range(256)), b"\xff\xfe\x00", b"|||:::", b"a:nan|c", b"\x00" * 1000, os.urandom(1400)]
        for datagram in garbage:
            sender.send(datagram)
        sender.send(b"good:1|c")
        wait_until(lambda: listener.stats()["datagrams"] == len(garbage) + 1)
        assert listener.stop()
        counters = aggregator.counters()
        assert counters["accepted"] >= 1
        assert counters["received"] == counters["accepted"] + sum(aggregator.rejections().values())
        assert sum(aggregator.rejections().values()) >= len(garbage)

    def test_a_million_empty_lines_are_nothing(
        self, aggregator: Aggregator, udp: socket.socket, sender: socket.socket, wait_until: WaitUntil
    ) -> None:
        listener = DatagramListener(aggregator, udp.fileno())
        for number in range(20):
            sender.send(b"\n" * 50_000)
            wait_until(lambda number=number: listener.stats()["datagrams"] > number)
        sender.send(b"a:1|c")
        wait_until(is_settled(aggregator, 1))
        assert listener.stop()
        assert listener.stats()["bytes"] == 1_000_005
        assert received(aggregator) == 1

    def test_a_source_that_may_not_send_is_refused(
        self, aggregator: Aggregator, udp: socket.socket, sender: socket.socket, wait_until: WaitUntil
    ) -> None:
        listener = DatagramListener(aggregator, udp.fileno(), allow=["127.0.0.2/32"])
        sender.send(b"foreign:1|c")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as friend:
            friend.bind(("127.0.0.2", 0))
            friend.sendto(b"friend:1|c", udp.getsockname())
        wait_until(is_settled(aggregator, 1))
        assert listener.stop()
        stats = listener.stats()
        assert (stats["datagrams"], stats["refused_source"], received(aggregator)) == (2, 1, 1)

    def test_an_ipv6_source_is_compared(self, aggregator: Aggregator, wait_until: WaitUntil) -> None:
        with (
            socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as door,
            socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as client,
        ):
            door.bind(("::1", 0))
            listener = DatagramListener(aggregator, door.fileno(), allow=["::1/128"])
            client.sendto(b"a:1|c", door.getsockname())
            wait_until(is_settled(aggregator, 1))
            assert listener.stop()
            assert listener.stats()["refused_source"] == 0

    def test_the_dialect_reaches_the_parser(
        self, aggregator: Aggregator, udp: socket.socket, sender: socket.socket, wait_until: WaitUntil
    ) -> None:
        listener = DatagramListener(aggregator, udp.fileno(), dialect="dogstatsd")
        sender.send(b"t:-5|ms")
        wait_until(is_settled(aggregator, 1))
        assert listener.stop()
        assert aggregator.counters()["accepted"] == 1

    @pytest.mark.parametrize(
        "arguments", [{"allow": ["nowhere"]}, {"threads": 0}, {"max_datagram_bytes": 0}, {"dialect": "other"}]
    )
    def test_wrong_arguments_are_value_errors(
        self, aggregator: Aggregator, udp: socket.socket, arguments: dict[str, object]
    ) -> None:
        with pytest.raises(ValueError, match=r"nowhere|threads|max_datagram_bytes|dialect|other"):
            DatagramListener(aggregator, udp.fileno(), **arguments)  # type: ignore[arg-type]

    def test_what_is_no_datagram_socket_is_an_os_error(self, aggregator: Aggregator, tcp: socket.socket) -> None:
        with pytest.raises(OSError, match="not a datagram socket"):
            DatagramListener(aggregator, tcp.fileno())
        with pytest.raises(OSError, match="Bad file descriptor"):
            DatagramListener(aggregator, -1)


class TestStreams:
    def test_lines_come_in_however_they_are_cut(
        self, aggregator: Aggregator, tcp: socket.socket, wait_until: WaitUntil
    ) -> None:
        listener = StreamListener(aggregator, [tcp.fileno()])
        with socket.create_connection(tcp.getsockname()) as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in b"a:1|c\nb:2|ms|#k:v\n\nc:3|g\n" * 5:
                client.send(bytes([byte]))
            wait_until(is_settled(aggregator, 15))
        assert listener.stop()
        assert aggregator.counters()["accepted"] == 15
        assert listener.stats()["bytes"] == len(b"a:1|c\nb:2|ms|#k:v\n\nc:3|g\n") * 5

    def test_a_unix_stream_socket_works_the_same(
        self, aggregator: Aggregator, tmp_path: Path, wait_until: WaitUntil
    ) -> None:
        path = str(tmp_path / "door")
        with (
            socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door,
            socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client,
        ):
            door.bind(path)
            door.listen()
            listener = StreamListener(aggregator, [door.fileno()], max_connections_per_peer=0)
            client.connect(path)
            client.sendall(b"a:1|c\n" * 1_000)
            wait_until(is_settled(aggregator, 1_000))
            assert listener.stop()
            assert listener.stats()["accepted"] == 1

    def test_much_data_on_many_connections_arrives_exactly(
        self, aggregator: Aggregator, tcp: socket.socket, wait_until: WaitUntil
    ) -> None:
        listener = StreamListener(aggregator, [tcp.fileno()])
        body = b"shop.orders:3|c|#shop:berlin\n" * 20_000

        def send() -> None:
            with socket.create_connection(tcp.getsockname()) as client:
                client.sendall(body)

        threads = [threading.Thread(target=send) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        wait_until(is_settled(aggregator, 160_000))
        wait_until(lambda: listener.stats()["open"] == 0)
        assert listener.stop()
        assert aggregator.counters()["accepted"] == received(aggregator) == 160_000
        assert listener.stats()["bytes"] == len(body) * 8

    def test_a_line_without_newline_counts_when_the_peer_closes_properly(
        self, aggregator: Aggregator, tcp: socket.socket, wait_until: WaitUntil
    ) -> None:
        listener = StreamListener(aggregator, [tcp.fileno()])
        with socket.create_connection(tcp.getsockname()) as client:
            client.sendall(b"a:1|c\nlast:1|c")
        wait_until(is_settled(aggregator, 2))
        assert listener.stop()
        assert aggregator.counters()["accepted"] == 2
        assert listener.stats()["unterminated"] == 0

    def test_a_half_closed_connection_is_a_proper_close(
        self, aggregator: Aggregator, tcp: socket.socket, wait_until: WaitUntil
    ) -> None:
        listener = StreamListener(aggregator, [tcp.fileno()])
        with socket.create_connection(tcp.getsockname()) as client:
            client.sendall(b"last:1|c")
            client.shutdown(socket.SHUT_WR)
            wait_until(is_settled(aggregator, 1))
            assert client.recv(1) == b""
        assert listener.stop()

    def test_a_reset_drops_the_cut_line_and_counts_it(
        self, aggregator: Aggregator, tcp: socket.socket, wait_until: WaitUntil
    ) -> None:
        listener = StreamListener(aggregator, [tcp.fileno()])
        client = socket.create_connection(tcp.getsockname())
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.sendall(b"a:1|c\ncut:1000")
        wait_until(is_settled(aggregator, 1))
        client.close()
        wait_until(lambda: listener.stats()["open"] == 0)
        assert listener.stop()
        assert listener.stats()["unterminated"] == 1
        assert listener.stats()["errors"] == 0
        assert aggregator.counters()["accepted"] == 1
        assert aggregator.rejections()["truncated"] == 1

    @pytest.mark.parametrize("end", [b"", b"\nlost:1|c\n"])
    def test_a_line_over_the_limit_closes_the_connection(
        self, aggregator: Aggregator, tcp: socket.socket, end: bytes, wait_until: WaitUntil
    ) -> None:
        listener = StreamListener(aggregator, [tcp.fileno()], max_line_bytes=100)
        with socket.create_connection(tcp.getsockname()) as client:
            client.sendall(b"good:1|c\n" + b"x" * 101 + end)
            assert is_closed_by_peer(client)
        wait_until(lambda: listener.stats()["closed_too_long"] == 1)
        assert listener.stop()
        assert aggregator.counters()["accepted"] == 1
        assert aggregator.rejections()["too_long"] == 1
        assert aggregator.rejected_lines()["too_long"] == b"x" * 101

    def test_endless_bytes_without_newline_stay_bounded(
        self, aggregator: Aggregator, tcp: socket.socket, wait_until: WaitUntil
    ) -> None:
        listener = StreamListener(aggregator, [tcp.fileno()])
        with socket.create_connection(tcp.getsockname()) as client, pytest.raises(OSError, match=r"reset|pipe"):
            for _ in range(10_000):
                client.sendall(b"x" * 100_000)
        wait_until(lambda: listener.stats()["closed_too_long"] == 1)
        assert listener.stats()["bytes"] < 1 << 20
        assert listener.stop()

    def test_a_million_empty_lines_are_nothing(
        self, aggregator: Aggregator, tcp: socket.socket, wait_until: WaitUntil
    ) -> None:
        listener = StreamListener(aggregator, [tcp.fileno()])
        with socket.create_connection(tcp.getsockname()) as client:
            client.sendall(b"\n" * 1_000_000 + b"a:1|c\n")
        wait_until(is_settled(aggregator, 1))
        assert listener.stop()
        assert received(aggregator) == 1

    def test_connections_over_the_limits_are_closed_and_counted(
        self, aggregator: Aggregator, tcp: socket.socket, wait_until: WaitUntil
    ) -> None:
        listener = StreamListener(aggregator, [tcp.fileno()], max_connections=256, max_connections_per_peer=1_000)
        with ExitStack() as stack:
            clients = [stack.enter_context(socket.create_connection(tcp.getsockname())) for _ in range(300)]
            wait_until(lambda: listener.stats()["accepted"] + listener.stats()["refused_limit"] == 300)
            assert listener.stats()["refused_limit"] == 44
            assert listener.stats()["open"] == 256
            for client in clients[:256]:
                client.sendall(b"a:1|c\n")
            wait_until(is_settled(aggregator, 256))
        wait_until(lambda: listener.stats()["open"] == 0)
        assert listener.stop()

    def test_one_peer_cannot_take_all_connections(
        self, aggregator: Aggregator, tcp: socket.socket, wait_until: WaitUntil
    ) -> None:
        listener = StreamListener(aggregator, [tcp.fileno()], max_connections_per_peer=3)
        with ExitStack() as stack:
            for _ in range(5):
                stack.enter_context(socket.create_connection(tcp.getsockname()))
            wait_until(lambda: listener.stats()["refused_peer"] == 2)
            other = socket.create_connection(tcp.getsockname(), source_address=("127.0.0.9", 0))
            stack.enter_context(other).sendall(b"a:1|c\n")
            wait_until(is_settled(aggregator, 1))
        wait_until(lambda: listener.stats()["open"] == 0)
        # The places are free again.
        with socket.create_connection(tcp.getsockname()) as client:
            client.sendall(b"a:1|c\n")
            wait_until(is_settled(aggregator, 2))
        assert listener.stop()

    def test_a_source_that_may_not_connect_is_refused(
        self, aggregator: Aggregator, tcp: socket.socket, wait_until: WaitUntil
    ) -> None:
        listener = StreamListener(aggregator, [tcp.fileno()], allow=["127.0.0.2"])
        with socket.create_connection(tcp.getsockname()) as client:
            assert client.recv(1) == b""
        with socket.create_connection(tcp.getsockname(), source_address=("127.0.0.2", 0)) as client:
            client.sendall(b"a:1|c\n")
            wait_until(is_settled(aggregator, 1))
        assert listener.stop()
        assert (listener.stats()["refused_source"], listener.stats()["accepted"]) == (1, 1)

    def test_a_connection_that_completes_no_line_is_closed(
        self, aggregator: Aggregator, tcp: socket.socket, wait_until: WaitUntil
    ) -> None:
        listener = StreamListener(aggregator, [tcp.fileno()], idle_seconds=0.1)
        with socket.create_connection(tcp.getsockname()) as client:
            client.sendall(b"never.ends")
            assert is_closed_by_peer(client)
        stats = listener.stats()
        assert (stats["closed_idle"], stats["open"]) == (1, 0)
        assert aggregator.rejections()["truncated"] == 1
        assert listener.stop()

    def test_stop_reads_what_has_arrived(self, aggregator: Aggregator, tcp: socket.socket) -> None:
        with socket.create_connection(tcp.getsockname()) as client:
            client.sendall(b"a:1|c\n" * 1_000 + b"cut")
            # The connection waits in the backlog: the listener sees it for the first time when it is to stop.
            listener = StreamListener(aggregator, [tcp.fileno()])
            assert listener.stop()
        assert aggregator.counters()["accepted"] == 1_000
        assert (listener.stats()["open"], listener.stats()["unterminated"]) == (0, 1)

    def test_an_object_that_is_dropped_stops_its_thread(
        self, aggregator: Aggregator, tcp: socket.socket, wait_until: WaitUntil
    ) -> None:
        listener = StreamListener(aggregator, [tcp.fileno()])
        wait_until(lambda: threads_named("stathouse-streams") == 1)
        del listener
        wait_until(lambda: threads_named("stathouse-streams") == 0)

    def test_without_descriptors_accepting_pauses_and_goes_on(
        self, aggregator: Aggregator, tcp: socket.socket, wait_until: WaitUntil
    ) -> None:
        listener = StreamListener(aggregator, [tcp.fileno()])
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        with socket.socket() as client:
            lowest_free = os.dup(0)
            os.close(lowest_free)
            resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, hard))
            try:
                begin, cpu = time.monotonic(), time.process_time()
                client.connect(tcp.getsockname())
                client.sendall(b"a:1|c\n")
                wait_until(lambda: listener.stats()["errors"] >= 4)
                # Four refusals, a pause of 0.1 s after each: no busy loop.
                assert time.monotonic() - begin >= 0.3
                assert time.process_time() - cpu < 0.3
                assert received(aggregator) == 0
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            wait_until(is_settled(aggregator, 1))
        assert listener.stop()

    def test_what_is_no_stream_socket_is_an_os_error(self, aggregator: Aggregator, udp: socket.socket) -> None:
        with pytest.raises(OSError, match="not a stream socket"):
            StreamListener(aggregator, [udp.fileno()])
