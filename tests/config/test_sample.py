"""The sample config sets nothing, and every line of it can be used."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import msgspec

from stathouse.config.fields import sections
from stathouse.config.load import load
from stathouse.config.options import HouseConfig
from stathouse.config.sample import sample

_COMMENTED = re.compile(r"^#(?=\S)", re.MULTILINE)
_EXAMPLE = Path(__file__).parents[2] / "examples" / "stathouse.toml"


def test_the_sample_as_it_is_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "stathouse.toml"
    path.write_text(sample())
    assert load(str(path), {}) == HouseConfig()


def test_the_example_is_the_sample() -> None:
    assert _EXAMPLE.read_text() == sample(), "run: stathouse sample-config > examples/stathouse.toml"


def test_every_line_of_the_sample_can_be_used(tmp_path: Path) -> None:
    token = tmp_path / "read.token"
    token.write_text("t" * 43 + "\n")
    token.chmod(0o600)
    text = _COMMENTED.sub("", sample()).replace("/etc/stathouse/read.token", str(token))
    path = tmp_path / "stathouse.toml"
    path.write_text(text)
    config = load(str(path), {})
    shown = msgspec.to_builtins(config)
    defaults = msgspec.to_builtins(HouseConfig())
    for section in ("host", "archive", "spool", "log"):
        assert shown[section] == defaults[section]
    assert config.statsd.allow == ["10.0.0.0/8", "2001:db8::/32"]
    assert config.tags == {"host": "web-1", "environment": "production"}
    assert config.backends[0].url == "jsonl:/var/log/stathouse"
    assert config.series["shop.orders"].unit == "ms"
    assert config.http.tokens[0].file == str(token)


def test_every_option_is_in_the_sample_with_its_description() -> None:
    tree = tomllib.loads(_COMMENTED.sub("", sample()))
    words = " ".join(sample().replace("\n# ", " ").split())
    for section in sections():
        for option in section.options:
            if section.form == "map" or option.shape == "tables":
                continue
            assert option.description in words, option.path
            assert _has(tree, option.path.split(".")), option.path


def _has(tree: object, parts: list[str]) -> bool:
    if isinstance(tree, list):
        return _has(tree[0], parts)
    assert isinstance(tree, dict)
    if "shop.orders" in tree:
        return _has(tree["shop.orders"], parts)
    head, *rest = parts
    return head in tree and (not rest or _has(tree[head], rest))
