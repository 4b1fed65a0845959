"""The short way into ``serve`` reads what the full command line reads, or leaves it alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from cyclopts import App
from hypothesis import given, settings
from hypothesis import strategies as st

from stathouse.cli.config_flags import Flags, with_config_flags
from stathouse.cli.start import plain_flags
from stathouse.config.fields import by_path

_SOURCE = Path(__file__).parents[2] / "src"
_FLAGS = ["--config", *(option.flag for option in by_path().values())]
_FLAGS += ["--no-" + option.flag.removeprefix("--") for option in by_path().values() if option.shape == "bool"]
_VALUES = st.sampled_from(["9000", "x", "a=b", "a,b", "null:", "a b", "=", "1=2"])
_GIVEN = st.sampled_from(_FLAGS)
_WORDS = st.lists(
    st.one_of(
        st.tuples(_GIVEN, _VALUES),
        st.tuples(_GIVEN),
        st.tuples(st.builds("{}={}".format, _GIVEN, _VALUES)),
    ),
    max_size=4,
).map(lambda groups: [word for group in groups for word in group])


def _full(words: list[str]) -> tuple[str | None, dict[str, object]]:
    got: list[tuple[str | None, dict[str, object]]] = []

    def command(*, config: str | None = None, flags: Flags) -> int:
        got.append((config, dict(flags)))
        return 0

    app = App(exit_on_error=False, print_error=False, result_action="return_value")
    app.default(with_config_flags(command))
    app(words)
    return got[0]


@given(words=_WORDS)
@settings(max_examples=60, deadline=None)
def test_what_it_reads_is_what_the_full_command_line_reads(words: list[str]) -> None:
    plain = plain_flags(words)
    if plain is not None:
        assert plain == _full(words)


def test_it_reads_every_flag() -> None:
    for option in by_path().values():
        words = [option.flag] if option.shape == "bool" else [option.flag, "1"]
        plain = plain_flags(words)
        assert plain is not None, option.path
        assert list(plain[1]) == [option.path]
    assert plain_flags([]) == (None, {})
    assert plain_flags(["--config", "a.toml"]) == ("a.toml", {})


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["-h"],
        ["extra"],
        ["--statsd-prot", "1"],
        ["--statsd-port"],
        ["--statsd-port", "--help"],
        ["--statsd-port", "1", "--statsd-port", "2"],
        ["--no-statsd-port"],
        ["--statsd-tcp=true"],
        ["--config", "a", "--config", "b"],
        ["--config="],
    ],
)
def test_what_is_not_plain_is_left_alone(words: list[str]) -> None:
    assert plain_flags(words) is None


def test_a_plain_start_does_not_load_the_command_line_library(tmp_path: Path) -> None:
    missing = str(tmp_path / "none.toml")
    program = "import sys; from stathouse.cli import main; main(sys.argv[1:]); print(*sys.modules)"
    words = ["serve", "--statsd-port", "9000", "--config", missing]
    result = subprocess.run(
        [sys.executable, "-c", program, *words],
        env={"PYTHONPATH": str(_SOURCE)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.stderr == f"stathouse: {missing}: the file cannot be read: No such file or directory.\n"
    assert not {"cyclopts", "rich", "httpx2", "litestar", "duckdb", "pyarrow"} & set(result.stdout.split())
