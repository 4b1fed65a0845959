"""The page's files: served as they were built, and nothing else of the disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stathouse.web.page import load_page
from tests.web.serving import Served, serve


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("page")
    (folder / "assets" / "deep").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><title>Stathouse</title>")
    (folder / "assets" / "main-abc.js").write_text("export {}")
    (folder / "assets" / "deep" / "style.css").write_text("body{}")
    (folder / "assets" / "notes.secret").write_text("no")
    (folder / "assets" / "link.js").symlink_to("/etc/passwd")
    (folder / "outside.js").write_text("no")
    with serve(page_folder=folder) as served:
        yield served


def test_the_page_is_served_fresh(page: Served) -> None:
    reply = page.ask("/")
    assert (reply.status, reply.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert reply.headers["cache-control"] == "no-cache"
    assert "script-src 'self'" in reply.headers["content-security-policy"]
    again = page.ask("/", headers={"If-None-Match": reply.headers["etag"]})
    assert (again.status, again.body) == (304, b"")


def test_assets_are_kept_by_the_browser(page: Served) -> None:
    reply = page.ask("/assets/main-abc.js")
    assert (reply.status, reply.body, reply.headers["content-type"]) == (
        200,
        b"export {}",
        "text/javascript; charset=utf-8",
    )
    assert "immutable" in reply.headers["cache-control"]
    assert page.ask("/assets/deep/style.css").headers["content-type"] == "text/css; charset=utf-8"


@pytest.mark.parametrize(
    "path",
    [
        "/assets/../outside.js",
        "/assets/%2e%2e/outside.js",
        "/assets/..%2foutside.js",
        "/assets//etc/passwd",
        "/assets/link.js",
        "/assets/notes.secret",
        "/assets/deep",
        "/assets/",
        "/index.html",
        "/assets/main-abc.js%00",
    ],
)
def test_nothing_else_of_the_disk_is_served(page: Served, path: str) -> None:
    reply = page.ask(path)
    assert reply.status == 404
    assert reply.headers["cache-control"] == "no-store"


def test_a_page_that_was_not_built_is_said_plainly(tmp_path: Path) -> None:
    assert load_page(tmp_path).index is None
    with serve(page_folder=tmp_path) as served:
        reply = served.ask("/")
        assert (reply.status, reply.error["reason"]) == (404, "not_found")
        assert "make page" in reply.error["advice"]
        assert served.ask("/healthz").status == 200
