"""A program for the crash tests: puts points with ids on several threads and prints every id that was acknowledged."""

from __future__ import annotations

import sys
import threading
from concurrent.futures import Future
from pathlib import Path

from stathouse.backends.jsonl import JsonlWriter
from stathouse.delivery import Delivery, DeliveryOptions
from stathouse.model import BatchName, Kind, Point, SystemClock
from stathouse.wire.tables import points_payload

THREADS = 4


def main(folder: Path, round_number: int) -> None:
    """Put until somebody ends this process."""
    printing = threading.Lock()

    def acknowledged(name: str) -> None:
        with printing:
            sys.stdout.write(name + "\n")
            sys.stdout.flush()

    options = DeliveryOptions(poll_seconds=0.01, min_free_bytes=0)
    delivery = Delivery(folder / "spool", {"jsonl": JsonlWriter(folder / "out")}, clock=SystemClock(), options=options)
    delivery.start()

    def work(number: int) -> None:
        for turn in range(1_000_000):
            name = f"r{round_number}.t{number}.n{turn}"
            point = Point(name=name, time_ns=turn, fields={"sum": 1.0}, kind=Kind.COUNTER)
            future: Future[BatchName] = delivery.put(points_payload([point]), key=name)
            future.result()
            acknowledged(name)

    for number in range(THREADS):
        threading.Thread(target=work, args=(number,), daemon=True).start()
    threading.Event().wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
