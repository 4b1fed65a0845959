"""The sdist builds without Node, and what it builds installs without any other package."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.project.tree import ROOT

pytestmark = [pytest.mark.requires("cargo", "maturin", "npm"), pytest.mark.timeout(600)]

BUILD = "import sys; sys.path.insert(0, 'build_backend'); import stathouse_build as b; print(b.{hook}(sys.argv[1]))"
TOUCHED = "node-was-used"


def _run(*command: str, folder: Path, more: Mapping[str, str] | None = None) -> str:
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    environment = {**os.environ, "PATH": path, "CARGO_TARGET_DIR": str(ROOT / "target"), **(more or {})}
    environment.pop("PYTHONPATH", None)
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sdist")
    name = _run(sys.executable, "-c", BUILD.format(hook="build_sdist"), str(folder), folder=ROOT).splitlines()[-1]
    return folder / name


@pytest.fixture(scope="module")
def unpacked(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    (tree,) = folder.iterdir()
    return tree


@pytest.fixture(scope="module")
def wheel(unpacked: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build from the sdist where Node cannot be used without being noticed."""
    folder = tmp_path_factory.mktemp("wheel")
    traps = tmp_path_factory.mktemp("traps")
    for name in ("node", "npm"):
        (traps / name).write_text(f"#!/bin/sh\ntouch '{traps}/{TOUCHED}'\nexit 1\n", encoding="utf-8")
        (traps / name).chmod(0o755)
    path = {"PATH": os.pathsep.join((str(traps), str(Path(sys.executable).parent), os.environ["PATH"]))}
    built = _run(sys.executable, "-c", BUILD.format(hook="build_wheel"), str(folder), folder=unpacked, more=path)
    assert not (traps / TOUCHED).exists()
    return folder / built.splitlines()[-1]


def test_the_sdist_has_the_built_page_and_not_its_sources(unpacked: Path) -> None:
    assert (unpacked / "src" / "stathouse" / "web" / "page" / "index.html").is_file()
    assert list((unpacked / "src" / "stathouse" / "web" / "page").rglob("*.js"))
    assert not (unpacked / "web").exists()
    assert (unpacked / "LICENSE").is_file()


def test_one_wheel_serves_every_python_from_3_11(wheel: Path) -> None:
    assert "-cp311-abi3-" in wheel.name
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert "stathouse/web/page/index.html" in names
    assert "stathouse/py.typed" in names
    assert len([name for name in names if name.endswith(".so")]) == 1
    assert [name for name in names if "__pycache__" in name or name.startswith("tests")] == []


def test_the_base_installs_without_any_other_package(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    python = str(tmp_path / "venv" / "bin" / "python")
    # --no-index: a dependency could not be found, so the install would fail.
    _run(
        python,
        "-m",
        "pip",
        "install",
        "--no-index",
        "--quiet",
        str(wheel),
        folder=tmp_path,
        more={"PIP_FIND_LINKS": ""},
    )
    code = "import stathouse, stathouse.model, stathouse._core as core; print(stathouse.__version__, core.__version__)"
    assert _run(python, "-c", code, folder=tmp_path).split() == ["0.1.0", "0.1.0"]
    listed = _run(python, "-m", "pip", "list", "--format=freeze", folder=tmp_path)
    assert {line.partition("==")[0] for line in listed.split()} <= {"pip", "setuptools", "stathouse"}


def test_the_command_without_its_extra_names_the_install(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    scripts = tmp_path / "venv" / "bin"
    install = ("-m", "pip", "install", "--no-index", "--quiet", str(wheel))
    _run(str(scripts / "python"), *install, folder=tmp_path, more={"PIP_FIND_LINKS": ""})
    done = subprocess.run([str(scripts / "stathouse"), "status"], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "pip install 'stathouse[" in done.stderr
    assert "Traceback" not in done.stderr
