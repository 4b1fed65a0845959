"""The page: its files are read once at the start, so no address is ever turned into a path."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from litestar import Request, Response, get
from litestar.params import FromPath

from stathouse.web.refusals import refuse

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Page", "PageFile", "asset", "load_page", "page"]

_TYPES: Final = {
    ".css": "text/css",
    ".html": "text/html",
    ".ico": "image/x-icon",
    ".js": "text/javascript",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}
_MOST_BYTES: Final = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class PageFile:
    """One file of the page."""

    body: bytes
    media_type: str
    tag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The built page: ``index`` is None when it was not built; ``assets`` are by their name below ``/assets/``."""

    index: PageFile | None
    assets: Mapping[str, PageFile]


def load_page(folder: Path) -> Page:
    """Read the built page; links and files of unknown types are left out."""
    assets: dict[str, PageFile] = {}
    room = _MOST_BYTES
    for path in sorted((folder / "assets").rglob("*")):
        if path.is_file() and not path.is_symlink() and path.suffix in _TYPES and path.stat().st_size <= room:
            room -= path.stat().st_size
            assets[path.relative_to(folder / "assets").as_posix()] = _read(path)
    index = folder / "index.html"
    return Page(index=_read(index) if index.is_file() else None, assets=assets)


@get("/", opt={"scope": "public"}, media_type="text/html", summary="The page")
async def page(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Serve the page. It holds no data; what it shows it asks for itself."""
    index = _page_of(request).index
    if index is None:
        advice = "Build it with 'make page', or install the wheel, which has it inside. The API is there all the same."
        raise refuse(404, "not_found", "the page is not built", advice=advice)
    return _response(request, index, "no-cache")


@get("/assets/{name:path}", opt={"scope": "public"}, media_type="application/octet-stream", summary="Files of the page")
async def asset(request: Request[Any, Any, Any], name: FromPath[str]) -> Response[bytes]:
    """Serve a script, a style or an image of the page; the name holds a hash of its content."""
    found = _page_of(request).assets.get(name.lstrip("/"))
    if found is None:
        raise refuse(404, "not_found", "the page has no such file")
    return _response(request, found, "public, max-age=31536000, immutable")


def _page_of(request: Request[Any, Any, Any]) -> Page:
    files: Page = request.app.state["room"].page
    return files


def _response(request: Request[Any, Any, Any], file: PageFile, caching: str) -> Response[bytes]:
    headers = {"ETag": file.tag, "Cache-Control": caching}
    if request.headers.get("if-none-match") == file.tag:
        return Response(b"", status_code=304, headers=headers, media_type=file.media_type)
    return Response(file.body, headers=headers, media_type=file.media_type)


def _read(path: Path) -> PageFile:
    body = path.read_bytes()
    tag = f'"{hashlib.sha256(body).hexdigest()[:24]}"'
    return PageFile(body=body, media_type=_TYPES[path.suffix], tag=tag)
