"""Secrets come from files that only their owner may read."""

from __future__ import annotations

from pathlib import Path

import pytest

from stathouse.config.secrets import read_secret_file, read_secret_variable
from stathouse.errors import ConfigError


def _file(folder: Path, text: str, mode: int) -> str:
    path = folder / "token"
    path.write_text(text)
    path.chmod(mode)
    return str(path)


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_the_first_line_is_the_secret(tmp_path: Path, mode: int) -> None:
    path = _file(tmp_path, "  s3cr3t-token\nremark\n", mode)
    assert read_secret_file(path, where="http.tokens[0].file") == "s3cr3t-token"


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o620, 0o666])
def test_a_file_that_others_may_read_is_refused_with_the_command_that_helps(tmp_path: Path, mode: int) -> None:
    path = _file(tmp_path, "s3cr3t-token", mode)
    with pytest.raises(ConfigError) as caught:
        read_secret_file(path, where="http.tokens[0].file", source="stathouse.toml")
    assert caught.value.advice == f"Run: chmod 600 {path}"
    assert str(caught.value).startswith("stathouse.toml: http.tokens[0].file: others may read")
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "\n", "two words", "t\x1b[31m", "tökén"])
def test_what_is_no_token_is_refused_and_not_shown(tmp_path: Path, text: str) -> None:
    path = _file(tmp_path, text, 0o600)
    with pytest.raises(ConfigError) as caught:
        read_secret_file(path, where="x")
    assert text.strip() == "" or text not in str(caught.value)


def test_a_folder_is_no_secret_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        read_secret_file(str(tmp_path), where="x")


def test_a_variable_holds_a_secret_too() -> None:
    assert read_secret_variable("TOKEN", {"TOKEN": "abc"}, where="x") == "abc"
    with pytest.raises(ConfigError, match="environment variable TOKEN holds no token"):
        read_secret_variable("TOKEN", {}, where="x")
