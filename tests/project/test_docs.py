"""What the documents say is there: links, paths, make targets, commands and options."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from stathouse.config.options import HouseConfig
from tests.project.tree import ROOT, text_files

PAGES = [path for path in text_files() if path.suffix == ".md" and "changelog.d" not in path.parts]
NAMES = [str(path.relative_to(ROOT)) for path in PAGES]
LINK = re.compile(r"\[[^\]]+\]\(([^)#\s]+)(?:#[^)]*)?\)")
OURS = re.compile(r"`((?:src|rust|web|tests|docs|build_backend|benchmarks|examples|changelog\.d)/[\w./{},-]*)`")
MAKE = re.compile(r"(?:^|`)make ((?:[a-z-]+ ?)+)", re.MULTILINE)
COMMAND = re.compile(r"^stathouse ([a-z][a-z-]+)", re.MULTILINE)


def _text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_somewhere(name: str) -> None:
    folder = (ROOT / name).parent
    links = [link for link in LINK.findall(_text(name)) if "://" not in link and not link.startswith("mailto:")]
    assert [link for link in links if not (folder / link).exists() and not (folder / f"{link}.md").exists()] == []


@pytest.mark.parametrize("name", NAMES)
def test_paths_of_this_project_exist(name: str) -> None:
    found = [path for path in OURS.findall(_text(name)) if "{" not in path and "/a/" not in path]
    built = "src/stathouse/web/page"  # git ignores it
    assert [path for path in found if not (ROOT / path).exists() and not path.startswith(built)] == []


def test_every_make_target_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", _text("Makefile"), re.MULTILINE))
    named = {word for name in NAMES for words in MAKE.findall(_text(name)) for word in words.split()}
    assert {"run", "test", "lint", "docs"} <= named
    assert named - targets == set()


def test_every_command_in_the_readme_has_its_place_in_the_reference() -> None:
    commands = set(COMMAND.findall(_text("README.md")))
    assert commands >= {"serve", "top", "query", "status", "doctor", "sample-config"}
    reference = _text("docs/cli.md")
    assert [command for command in sorted(commands) if f"stathouse {command}" not in reference] == []


def _options(struct: type = HouseConfig, section: str = "") -> Iterator[tuple[str, str]]:
    """Yield (section, field) of every option; a list or table of structs is a section of its own."""
    for field in msgspec.structs.fields(struct):
        inner = list(_structs(field.type))
        if inner:
            yield from _options(inner[0], f"{section}.{field.name}".strip("."))
        else:
            yield section, field.name


def _structs(kind: object) -> Iterator[type]:
    """Yield the structs in a type, as deep as its brackets go."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        yield kind
    for part in get_args(kind):
        yield from _structs(part)


@pytest.mark.parametrize(("section", "field"), list(_options()))
def test_every_option_is_documented(section: str, field: str) -> None:
    name = f"{section}.{field}".strip(".")
    assert re.search(rf"^##+ `\[*{re.escape(name)}\]*`", _text("docs/config.md"), re.MULTILINE), name


def test_every_decision_is_listed_and_numbered_without_a_gap() -> None:
    folder = ROOT / "docs" / "decisions"
    pages = sorted(path.stem for path in folder.glob("0*.md"))
    assert [int(page[:4]) for page in pages] == list(range(1, len(pages) + 1))
    index = _text("docs/decisions/index.md")
    assert [page for page in pages if page not in index] == []


@pytest.mark.parametrize("name", [str(Path("docs") / path.name) for path in (ROOT / "docs").glob("*.md")])
def test_every_page_begins_with_a_title(name: str) -> None:
    assert re.match(r"(?:<!--.*?-->\s*)?# \w", _text(name), re.DOTALL)
