"""The page is built when its sources changed, and what cannot be built is said clearly."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.project.tree import ROOT

# Writes the page as the real build does, and one more line into a log for every npm call.
NPM = """#!/bin/sh
echo "$1" >> "{log}"
case "$1" in
  ci) mkdir -p node_modules ;;
  run)
    [ -e fail ] && exit 3
    mkdir -p ../src/stathouse/web/page
    cat page.ts > ../src/stathouse/web/page/index.html
    ;;
esac
"""


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"build_backend_{name}", ROOT / "build_backend" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


page = _load("page")
requirements = _load("requirements")


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a project with a page of one file, and an npm on PATH that builds it."""
    (tmp_path / "web").mkdir()
    for name in ("package.json", "package-lock.json"):
        (tmp_path / "web" / name).write_text("{}", encoding="utf-8")
    (tmp_path / "web" / "page.ts").write_text("first", encoding="utf-8")
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "npm").write_text(NPM.format(log=tmp_path / "npm.log"), encoding="utf-8")
    (tools / "npm").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
    return tmp_path


def _calls(tree: Path) -> list[str]:
    log = tree / "npm.log"
    return log.read_text(encoding="utf-8").split() if log.exists() else []


def _built(tree: Path) -> str:
    return (tree / "src" / "stathouse" / "web" / "page" / "index.html").read_text(encoding="utf-8")


def test_builds_once(tree: Path) -> None:
    assert page.build_page(tree) is True
    assert page.build_page(tree) is False
    assert _calls(tree) == ["ci", "run"]
    assert _built(tree) == "first"


def test_a_touched_file_with_the_same_content_builds_nothing(tree: Path) -> None:
    page.build_page(tree)
    (tree / "web" / "page.ts").touch()
    (tree / "web" / "node_modules" / "anything.js").write_text("not a source", encoding="utf-8")
    assert page.build_page(tree) is False


def test_a_changed_source_builds_again_but_installs_nothing(tree: Path) -> None:
    page.build_page(tree)
    (tree / "web" / "page.ts").write_text("second", encoding="utf-8")
    assert page.build_page(tree) is True
    assert _calls(tree) == ["ci", "run", "run"]
    assert _built(tree) == "second"


def test_a_changed_lock_installs_again(tree: Path) -> None:
    page.build_page(tree)
    (tree / "web" / "package-lock.json").write_text('{"a": 1}', encoding="utf-8")
    assert page.build_page(tree) is True
    assert _calls(tree) == ["ci", "run", "ci", "run"]


def test_a_removed_page_is_built_again(tree: Path) -> None:
    page.build_page(tree)
    (tree / "src" / "stathouse" / "web" / "page" / "index.html").unlink()
    assert page.build_page(tree) is True


def test_a_failed_build_is_tried_again_the_next_time(tree: Path) -> None:
    (tree / "web" / "fail").touch()
    with pytest.raises(page.PageError, match=r"npm run build.*exit code 3"):
        page.build_page(tree)
    (tree / "web" / "fail").unlink()
    assert page.build_page(tree) is True


def test_an_sdist_uses_the_page_that_is_in_it(tree: Path) -> None:
    page.build_page(tree)
    (tree / "web" / "package.json").unlink()
    assert page.build_page(tree) is False
    assert _calls(tree) == ["ci", "run"]


def test_without_npm_the_page_that_is_there_is_used(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page.build_page(tree)
    (tree / "web" / "page.ts").write_text("second", encoding="utf-8")
    monkeypatch.setenv("PATH", str(tree))
    assert page.build_page(tree) is False
    assert _built(tree) == "first"


def test_without_npm_and_page_it_says_what_to_do(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tree))
    with pytest.raises(page.PageError, match=r"install Node\.js"):
        page.build_page(tree)


def test_a_tree_without_page_and_sources_is_not_complete(tmp_path: Path) -> None:
    with pytest.raises(page.PageError, match="not complete"):
        page.build_page(tmp_path)


def test_requirements_follow_extras_and_groups() -> None:
    project = {
        "project": {"optional-dependencies": {"cli": ["rich>=15"], "serve": ["stathouse[cli]", "duckdb>=2"]}},
        "dependency-groups": {"test": ["pytest>=9"], "dev": [{"include-group": "test"}, "ruff"]},
    }
    assert list(requirements.requirements(project, ["serve", "dev"])) == ["rich>=15", "duckdb>=2", "pytest>=9", "ruff"]
    with pytest.raises(KeyError):
        list(requirements.requirements(project, ["absent"]))


def test_pins_leave_out_the_project_and_what_has_no_version() -> None:
    text = requirements.pins(["b==2\n", "stathouse==0.1.0\n", "stathouse @ file:///x\n", "A==1\n"])
    assert text.splitlines()[1:] == ["A==1", "b==2"]
