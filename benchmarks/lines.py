"""The load: statsd lines, 65 % counters, 10 % gauges, 20 % timers, 5 % sets."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

__all__ = ["mixed", "packets", "timers"]


def mixed(names: int, count: int, *, tags: int = 0, seed: int = 1) -> list[bytes]:
    """Return ``count`` lines over ``names`` names, about 29 bytes each without tags."""
    chance = random.Random(seed)
    tail = b"|#" + b",".join(b"tag%d:value%d" % (index, index) for index in range(tags)) if tags else b""
    lines: list[bytes] = []
    for _ in range(count):
        number = chance.randrange(names)
        part = number * 100 // names
        if part < 65:
            value = b"%d|c" % chance.randint(1, 9)
        elif part < 75:
            value = b"%d|g" % chance.randint(0, 9999)
        elif part < 95:
            value = b"%.3f|ms" % chance.lognormvariate(3, 1)
        else:
            value = b"u%05d|s" % chance.randrange(20_000)
        lines.append(b"bench.service.%06d:%s%s" % (number, value, tail))
    return lines


def timers(names: int) -> list[bytes]:
    """Return one timer line for each of ``names`` names, in random order."""
    chance = random.Random(2)
    order = list(range(names))
    chance.shuffle(order)
    return [b"bench.timer.%06d:%.3f|ms" % (number, chance.lognormvariate(3, 1)) for number in order]


def packets(lines: Sequence[bytes], per_packet: int) -> Iterator[bytes]:
    """Yield packets of so many lines."""
    for start in range(0, len(lines), per_packet):
        yield b"\n".join(lines[start : start + per_packet])
