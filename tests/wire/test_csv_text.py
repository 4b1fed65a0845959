"""CSV that a spreadsheet reads and does not run."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stathouse.wire.csv_text import cell, line

FORMULAS = [
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-1+1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\0=1",
    "\uff1d1+1",
    '=HYPERLINK("http://x","y")',
]


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_runs(text: str) -> None:
    written = cell(text)
    assert written.strip('"').startswith("'")


def test_numbers_stay_numbers() -> None:
    assert line([-5, -1.5, 2**62, 1e-300, None]) == f"-5,-1.5,{2**62},1e-300,\r\n"


@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), min_size=2))
def test_texts_come_back_but_for_the_mark(texts: list[str]) -> None:
    (row,) = csv.reader(io.StringIO(line(texts), newline=""), strict=True)
    assert [found.removeprefix("'") for found in row] == [text.removeprefix("'") for text in texts]
