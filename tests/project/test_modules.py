"""Every module says what it is for, hands on what it names, and does no work when it is imported."""

from __future__ import annotations

import ast
import doctest
import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.project.tree import ROOT, module_names

MODULES = module_names()
LIGHT = ["stathouse", "stathouse.errors", "stathouse.model", "stathouse.model.values"]
HEAVY = {"apsw", "duckdb", "httpx2", "litestar", "psutil", "pyarrow", "uvicorn"}


def _path(name: str) -> Path:
    base = ROOT.joinpath("src", *name.split("."))
    module = base.with_suffix(".py")  # first: the built page is a folder beside the module of its name
    return module if module.is_file() else base / "__init__.py"


def _loaded_by(module: str) -> set[str]:
    """Return the top-level modules that an import brings in, in an interpreter of its own."""
    code = (
        "import json, sys; before = set(sys.modules); "
        f"sys.path.insert(0, {str(ROOT / 'src')!r}); import {module}; "
        "print(json.dumps(sorted({name.partition('.')[0] for name in set(sys.modules) - before})))"
    )
    # -S: no site-packages, and so no third-party package, can be found at all.
    flags = ["-I", "-S"] if module in LIGHT else ["-I"]
    done = subprocess.run([sys.executable, *flags, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    loaded: set[str] = set(json.loads(done.stdout))
    return loaded


@pytest.mark.parametrize("name", MODULES)
def test_begins_with_a_docstring(name: str) -> None:
    docstring = ast.get_docstring(ast.parse(_path(name).read_text(encoding="utf-8")))
    assert docstring, f"{name} has no docstring"
    first = docstring.split("\n\n")[0].strip()
    assert len(first) > 15 and first[-1] in ".:`)", f"{name} does not open with a sentence: {first!r}"


@pytest.mark.parametrize("name", MODULES)
def test_hands_on_what_it_names(name: str) -> None:
    body = ast.parse(_path(name).read_text(encoding="utf-8")).body
    if len(body) == 1 or name.endswith("__main__"):
        return
    module = importlib.import_module(name)
    assert hasattr(module, "__all__"), f"{name} has no __all__"
    missing = [word for word in module.__all__ if not hasattr(module, word)]
    assert not missing, f"{name}.__all__ names what is not there: {missing}"
    assert len(set(module.__all__)) == len(module.__all__), f"{name}.__all__ names something twice"


@pytest.mark.parametrize("name", MODULES)
def test_is_not_too_long(name: str) -> None:
    assert len(_path(name).read_text(encoding="utf-8").splitlines()) <= 500, f"{name} wants a split"


@pytest.mark.parametrize("name", [name for name in MODULES if not name.endswith("__main__")])
def test_examples_in_docstrings_run(name: str) -> None:
    failed, _ = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert failed == 0, f"{failed} examples in {name} fail"


@pytest.mark.parametrize("module", LIGHT)
def test_the_base_loads_only_the_standard_library(module: str) -> None:
    foreign = _loaded_by(module) - set(sys.stdlib_module_names) - {"stathouse"}
    assert not foreign, f"import {module} loads {foreign}"


def test_import_stathouse_loads_nothing_slow() -> None:
    slow = {"asyncio", "dataclasses", "http", "inspect", "logging", "socket", "sqlite3", "ssl", "subprocess", "typing"}
    assert not _loaded_by("stathouse") & slow


@pytest.mark.parametrize("module", ["stathouse.cli", "stathouse.config"])
def test_the_command_line_starts_without_the_heavy_libraries(module: str) -> None:
    assert not _loaded_by(module) & HEAVY
