"""Globs mean the same in Python, in SQLite and in the standard library."""

from __future__ import annotations

import fnmatch
import time

import apsw
from hypothesis import example, given
from hypothesis import strategies as st

from stathouse.wire.globs import TagMatcher, to_regex, to_sqlite

texts = st.text("ab.[]!-^*?\\\n", max_size=8)


@given(pattern=texts, name=texts)
@example(pattern="[b-a]", name="a")
@example(pattern="[!b-a]", name="a")
@example(pattern="a**?b*", name="axxbz")
def test_python_and_sqlite_agree(pattern: str, name: str) -> None:
    connection = apsw.Connection(":memory:")
    by_sqlite = connection.execute("SELECT ? GLOB ?", (name, to_sqlite(pattern))).get
    assert bool(to_regex(pattern).fullmatch(name)) == bool(by_sqlite)


@given(pattern=st.text("ab.*?", max_size=8), name=st.text("ab.", max_size=8))
def test_simple_patterns_are_those_of_the_standard_library(pattern: str, name: str) -> None:
    assert bool(to_regex(pattern).fullmatch(name)) == fnmatch.fnmatchcase(name, pattern)


def test_a_hostile_pattern_takes_no_time() -> None:
    started = time.perf_counter()
    assert not to_regex("*a" * 40 + "*b").fullmatch("a" * 3_000)
    assert time.perf_counter() - started < 0.5


def test_tags_match_by_key_and_a_missing_key_does_not_match() -> None:
    matches = TagMatcher({"host": "web*", "zone": "?"})
    assert matches("host=web1,zone=a")
    assert not matches("host=web1")
    assert not matches("host=db1,zone=a")
    assert TagMatcher({})("")
