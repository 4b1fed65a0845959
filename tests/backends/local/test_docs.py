"""The examples of docs/archive.md run as they stand there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.backends.local.support import HandClock, counter, open_archive, points_batch

PAGE = Path(__file__).parents[3] / "docs" / "archive.md"


@pytest.mark.parametrize(
    ("example", "printed"),
    [
        ("duckdb", "[('shop=eu', 3.0), ('shop=us', 4.0)]"),
        ("pyarrow", "[{'tags': 'shop=eu', 'double_sum': 3.0}, {'tags': 'shop=us', 'double_sum': 4.0}]"),
    ],
)
def test_examples(tmp_path: Path, example: str, printed: str) -> None:
    with open_archive(tmp_path / "archive", HandClock()) as archive:
        orders = [counter(n, name="shop.orders", shop=shop) for n, shop in ((1, "eu"), (2, "eu"), (4, "us"))]
        archive.write(points_batch(1, [*orders[:2], counter(9, name="other")]))
        archive.seal()
        archive.write(points_batch(2, orders[2:]))
    [code] = re.findall(rf"<!-- example: {example} -->\n```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout.strip() == printed
