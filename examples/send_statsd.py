"""Sends statistics to a house with nothing but the standard library.

Start a house with ``stathouse serve``, run this, and look: ``stathouse top``, or http://127.0.0.1:8127.
"""

from __future__ import annotations

import argparse
import random
import socket
import time


def main() -> None:
    """Send what a small web shop would send."""
    parser = argparse.ArgumentParser(description="Sends what a small web shop would send.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8125)
    parser.add_argument("--seconds", type=float, default=30.0, help="how long")
    options = parser.parse_args()

    end = time.monotonic() + options.seconds
    sent = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        while True:
            # Several lines fit into one datagram; a line is name:value|type, tags stand behind |#.
            sender.sendto("\n".join(lines()).encode(), (options.host, options.port))
            sent += 1
            if time.monotonic() >= end:
                break
            time.sleep(0.1)
    print(f"sent {sent} datagrams to {options.host}:{options.port}")


def lines() -> list[str]:
    """Return one line of each type."""
    shop = random.choice(("eu", "us"))
    return [
        f"shop.orders:1|c|#shop:{shop}",  # counter: adds up
        f"shop.cart_value:{random.lognormvariate(3.5, 0.6):.2f}|g|#shop:{shop}",  # gauge: the last one counts
        f"shop.checkout:{random.lognormvariate(4.5, 0.4):.1f}|ms|#shop:{shop}",  # timer: percentiles
        f"shop.visitors:visitor-{random.randrange(500)}|s",  # set: how many different ones
    ]


if __name__ == "__main__":
    main()
