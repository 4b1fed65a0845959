"""Measures what receiving and folding statsd lines over UDP costs, beside the least that any receiver could cost."""

from __future__ import annotations

import argparse
import json
import os
import resource
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from benchmarks import lines

__all__ = ["main"]

ROOT: Final = Path(__file__).resolve().parents[2]
LOADS: Final = ((25, 100_000), (1, 20_000))
"""(lines a packet, lines a second)."""


def main() -> None:
    """Run the rounds and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="how long each load lasts")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--wait-micros", type=int, default=1_000)
    parser.add_argument("--floor", default=str(_target() / "release" / "examples" / "udp_floor"))
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--receiver", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.receiver:
        _receive(options.wait_micros)
        return
    wait = ("--wait-micros", str(options.wait_micros))
    receivers = {
        "discard": [options.floor, "--until-eof", "--mode", "discard", *wait],
        "add": [options.floor, "--until-eof", "--mode", "add", *wait],
        "listener": [sys.executable, "-m", "benchmarks.floor.udp_ingest", "--receiver", *wait],
    }
    load = lines.mixed(1_000, 25_000)
    for lines_a_packet, rate in LOADS:
        packets = list(lines.packets(load, lines_a_packet))
        costs: dict[str, list[float]] = {name: [] for name in receivers}
        lost: dict[str, int] = dict.fromkeys(receivers, 0)
        for _ in range(options.rounds):
            for name, command in receivers.items():
                seconds, drops = _measure(command, packets, rate / lines_a_packet, options.seconds, lines_a_packet)
                costs[name].append(seconds)
                lost[name] += drops
        medians = {name: statistics.median(values) for name, values in costs.items()}
        _report(medians, lost, lines_a_packet, rate, as_json=options.json)


def _report(medians: dict[str, float], lost: dict[str, int], packed: int, rate: int, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"lines_a_packet": packed, "rate": rate, "cpu_seconds_per_million": medians, "lost": lost}))
        return
    print(f"{packed} lines a packet, {rate:,} lines/s: CPU seconds per million lines")
    for name, cost in medians.items():
        print(f"  {name:10} {cost:6.3f}   × add {cost / medians['add']:5.2f}   datagrams lost {lost[name]}")


def _target() -> Path:
    return Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))


def _measure(
    command: Sequence[str], packets: Sequence[bytes], packets_a_second: float, seconds: float, lines_a_packet: int
) -> tuple[float, int]:
    """Return CPU seconds per million lines, net of the start of the process, and datagrams lost."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        port = int(process.stdout.readline())
        sent = _send(port, packets, packets_a_second, seconds)
        process.stdin.close()
        result = json.loads(process.stdout.readline())
    lost = sent - result["datagrams"]
    assert lost == result["kernel_drops"], (sent, result)
    return result["cpu_seconds"] / (sent * lines_a_packet) * 1e6, lost


def _send(port: int, packets: Sequence[bytes], packets_a_second: float, seconds: float) -> int:
    sent = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(("127.0.0.1", port))
        begin = time.monotonic()
        for packet in _endless(packets):
            # Every packet has its own moment, as with many senders that know nothing of each other.
            ahead = sent / packets_a_second - (time.monotonic() - begin)
            if ahead > 0.0002:
                time.sleep(ahead)
            client.send(packet)
            sent += 1
            if sent >= packets_a_second * seconds:
                return sent
    return sent


def _endless(packets: Sequence[bytes]) -> Iterator[bytes]:
    while True:
        yield from packets


def _receive(wait_micros: int) -> None:
    from stathouse._core import Aggregator, DatagramListener

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
        door.setsockopt(socket.SOL_SOCKET, 33, 8 << 20)  # SO_RCVBUFFORCE
        door.bind(("127.0.0.1", 0))
        aggregator = Aggregator()
        listener = DatagramListener(aggregator, door.fileno(), wait_micros=wait_micros)
        started = resource.getrusage(resource.RUSAGE_SELF)
        print(door.getsockname()[1], flush=True)
        sys.stdin.read()
        listener.stop()
        ended = resource.getrusage(resource.RUSAGE_SELF)
    counters = aggregator.counters()
    assert counters["accepted"] == counters["received"], aggregator.rejections()
    used = ended.ru_utime + ended.ru_stime - started.ru_utime - started.ru_stime
    print(json.dumps({**listener.stats(), "lines": counters["received"], "cpu_seconds": used}))


if __name__ == "__main__":
    main()
