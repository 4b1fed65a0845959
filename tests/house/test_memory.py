"""What is freed goes back to the system."""

from __future__ import annotations

import subprocess
import sys

import pytest

CODE = """
from stathouse.house.memory import return_freed_memory

def resident():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * 4096

print(return_freed_memory())
bytearray(24 << 20)  # the first large block freed makes glibc raise its threshold, unless it was told not to
before = resident()
blocks = [bytearray(b"x" * (4 << 20)) for _ in range(16)]
last = bytearray(100_000)  # stays above the blocks in an arena that only shrinks at its end
full = resident()
del blocks
print(full - before >> 20, resident() - before >> 20)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc is Linux's")
def test_large_blocks_are_given_back() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    told, full_mib, left_mib = done.stdout.split()
    assert told == "True"
    assert int(full_mib) >= 60
    assert int(left_mib) <= 8
