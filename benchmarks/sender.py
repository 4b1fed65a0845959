"""Sends statsd packets at a steady pace; its own process, so that its processor time is nobody else's."""

from __future__ import annotations

import argparse
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import lines


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--names", type=int, default=1000)
    parser.add_argument("--timers", action="store_true", help="only timers, each name in turn")
    parser.add_argument("--tags", type=int, default=0)
    parser.add_argument("--per-packet", type=int, default=25)
    parser.add_argument("--rate", type=float, required=True, help="lines a second; 0 for as fast as it goes")
    parser.add_argument("--lines", type=int, required=True)
    options = parser.parse_args()
    load = lines.timers(options.names) if options.timers else lines.mixed(options.names, 50_000, tags=options.tags)
    prepared = list(lines.packets(load, options.per_packet))
    target = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    target.connect(("127.0.0.1", options.port))
    print("ready", flush=True)
    sys.stdin.readline()
    print(_send(target, prepared, options), flush=True)


def _send(target: socket.socket, prepared: list[bytes], options: argparse.Namespace) -> int:
    """Send and return how many lines were sent; in bursts of a millisecond."""
    total = options.lines // options.per_packet
    per_second = options.rate / options.per_packet
    began = time.monotonic()
    sent = 0
    send = target.send
    while sent < total:
        due = total if not per_second else min(total, int((time.monotonic() - began) * per_second) + 1)
        for index in range(sent, due):
            with suppress(ConnectionRefusedError):  # a server that is not there receives nothing: its figures show it
                send(prepared[index % len(prepared)])
        sent = max(sent, due)
        if per_second:
            time.sleep(0.001)
    return sent * options.per_packet


if __name__ == "__main__":
    main()
