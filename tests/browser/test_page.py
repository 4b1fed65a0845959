"""The page of a real house, looked at in a real browser."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage
from tests.browser.fixture_server import PAGE
from tests.integration.houses import RealHouse

Post = Callable[[list[dict[str, Any]]], None]

pytestmark = pytest.mark.requires("chromium")

SHOTS = Path(__file__).resolve().parents[2] / "test-results"
NASTY = [
    "<img src=x onerror=alert(1)>",
    "<script>alert(2)</script>",
    "__proto__",
    "constructor",
    "../../etc/passwd",
    "שלום.עולם",
    "javascript:alert(3)",
    "a;b=c&d#e%zz",
    "*",
]


def is_live(page: Page) -> None:
    """Wait until the stream speaks and the host's charts are drawn."""
    expect(page.locator("#connection")).to_have_attribute("data-state", "live")
    expect(page.locator(".tile-value").first).not_to_have_text("–")
    expect(chart(page, "CPU").locator("canvas")).to_be_visible()


def chart(page: Page, title: str) -> Any:
    """Return the host's chart of a title."""
    return page.locator("#host article.chart").filter(has=page.get_by_role("heading", name=title, exact=True))


def row(page: Page, name: str) -> Any:
    """Return the browser's row of a series without tags."""
    return page.locator("#series .groups button").filter(has=page.get_by_text(name, exact=True)).first


def test_first_sight(house_url: str, open_page: OpenPage) -> None:
    page = open_page(house_url).page
    is_live(page)
    for value in page.locator(".tile-value").all():
        expect(value).not_to_have_text("–")
    for title in ("CPU", "Load", "Memory"):
        expect(chart(page, title).locator(".headline")).not_to_be_empty()
    expect(page.locator(".health")).to_contain_text("residual 0")
    expect(page.locator(".tables tbody tr").first).to_be_visible()
    expect(page.locator("#problem")).to_be_hidden()
    SHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SHOTS / "page.png")


def test_a_statsd_line_shows_and_moves(real_house: RealHouse, open_page: OpenPage) -> None:
    page = open_page(real_house.url).page
    is_live(page)
    for value in (41, 43):
        real_house.send(f"bench.depth:{value}|g")
        expect(page.get_by_role("button", name=re.compile("bench.depth"))).to_contain_text(str(value))
    page.get_by_role("button", name=re.compile("bench.depth")).click()
    real_house.send("bench.depth:47|g")
    expect(page.locator(".pinned .facts")).to_contain_text("47")


def test_nothing_comes_from_elsewhere(house_url: str, open_page: OpenPage) -> None:
    watched = open_page(house_url)
    is_live(watched.page)
    assert {urlsplit(url).netloc for url in watched.requests} == {urlsplit(house_url).netloc}


def test_a_series_that_is_sent_can_be_chosen_and_shared(house_url: str, open_page: OpenPage, post: Post) -> None:
    page = open_page(house_url).page
    is_live(page)
    post([{"name": "page.test.depth", "kind": "gauge", "value": 41, "tags": {"queue": "mail"}}])
    page.locator("#search").fill("page.test.depth")
    found = page.locator("#series .groups button").filter(has_text="queue=mail")
    expect(found).to_be_visible()
    found.click()
    expect(found).to_have_attribute("aria-pressed", "true")
    pinned = page.locator(".pinned")
    expect(pinned.get_by_role("heading")).to_have_text("page.test.depth")
    expect(pinned.locator(".facts")).to_contain_text("41")
    assert "pin=page.test.depth;" in page.url
    page.reload()
    expect(page.locator(".pinned .facts")).to_contain_text("41")
    page.get_by_role("button", name="Unpin page.test.depth").click()
    expect(page.locator(".pinned")).to_have_count(0)
    assert "pin=" not in page.url


@pytest.mark.parametrize("name", NASTY)
def test_names_are_text(house_url: str, open_page: OpenPage, post: Post, name: str) -> None:
    post([{"name": name, "tags": {"shop": name}, "kind": "gauge", "value": 5}])
    page = open_page(house_url).page
    is_live(page)
    page.locator("#search").fill(name)
    found = page.locator("#series .groups button").filter(has=page.get_by_text(name, exact=True)).first
    expect(found).to_be_visible()
    found.click()
    expect(page.locator(".pinned h3")).to_have_text(name)
    expect(page.locator(".pinned .canvas").first).to_be_visible()
    assert page.locator("img[src=x], #series script, main script").count() == 0
    page.reload()
    expect(page.locator(".pinned h3")).to_have_text(name)


def test_a_longer_range_is_kept_in_the_address(house_url: str, open_page: OpenPage) -> None:
    watched = open_page(house_url)
    page = watched.page
    is_live(page)
    page.get_by_role("radio", name="1 h", exact=True).check()
    expect(page).to_have_url(re.compile("#range=1h$"))
    page.reload()
    expect(page.get_by_role("radio", name="1 h", exact=True)).to_be_checked()
    is_live(page)
    assert any("last=3600s" in url and "step=15s" in url for url in watched.requests)


def test_dark_is_remembered(house_url: str, open_page: OpenPage) -> None:
    page = open_page(house_url).page
    background = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(background)
    page.locator("#theme").click()
    dark = page.evaluate(background)
    assert light != dark
    page.reload()
    assert page.evaluate(background) == dark
    is_live(page)
    page.screenshot(path=SHOTS / "page-dark.png")


def test_dark_is_the_browsers_wish(house_url: str, open_page: OpenPage) -> None:
    page = open_page(house_url, scheme="dark").page
    assert page.evaluate("getComputedStyle(document.body).colorScheme") == "light dark"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(15, 18, 22)"


def test_a_narrow_screen_needs_no_sideways_scrolling(house_url: str, open_page: OpenPage) -> None:
    page = open_page(house_url, width=380, height=800).page
    is_live(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 380
    page.screenshot(path=SHOTS / "page-narrow.png")


def test_keys_are_enough_to_choose_a_series(house_url: str, open_page: OpenPage, post: Post) -> None:
    post([{"name": "page.keys", "kind": "gauge", "value": 1}])
    page = open_page(house_url).page
    is_live(page)
    page.keyboard.press("/")
    expect(page.locator("#search")).to_be_focused()
    with page.expect_response(re.compile("search=page.keys&")):
        page.keyboard.type("page.keys")
    expect(row(page, "page.keys")).to_be_visible()
    expect(page.locator("#series .groups button")).to_have_count(1)
    page.keyboard.press("ArrowDown")
    expect(row(page, "page.keys")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".pinned h3")).to_have_text("page.keys")


def test_a_click_in_the_legend_hides_a_line(house_url: str, open_page: OpenPage) -> None:
    page = open_page(house_url).page
    is_live(page)
    entry = chart(page, "Load").locator(".legend button").first
    expect(entry).to_have_attribute("aria-pressed", "true")
    entry.click()
    expect(entry).to_have_attribute("aria-pressed", "false")
    entry.click()
    expect(entry).to_have_attribute("aria-pressed", "true")


def test_the_crosshair_is_on_all_charts(house_url: str, open_page: OpenPage) -> None:
    page = open_page(house_url).page
    is_live(page)
    memory = chart(page, "Memory")
    memory.scroll_into_view_if_needed()
    area = memory.locator(".u-over")
    expect(area).to_be_visible()
    box = area.bounding_box()
    assert box is not None
    # Near the right edge: a house that has just started has rows there only.
    area.hover(position={"x": box["width"] - 4, "y": 40})
    note = memory.locator(".note")
    expect(note).to_be_visible()
    expect(note).to_contain_text(re.compile(r"\d\d:\d\d:\d\d"))
    expect(note).to_contain_text(re.compile("[KMGT]iB"))
    shift = re.search(r"\d+", chart(page, "CPU").locator(".u-cursor-x").get_attribute("style") or "")
    assert shift is not None
    assert int(shift[0]) > 0


def test_every_control_has_a_name(house_url: str, open_page: OpenPage) -> None:
    page = open_page(house_url).page
    is_live(page)
    nameless = """
    [...document.querySelectorAll("button, input, [role=img], meter")]
      .filter((it) => it.getClientRects().length > 0)
      .filter((it) => !it.getAttribute("aria-label") && !it.textContent.trim() && !it.labels?.length)
      .map((it) => it.outerHTML)
    """
    assert page.evaluate(nameless) == []


def test_the_page_is_small_and_has_nothing_inline() -> None:
    index = (PAGE / "index.html").read_text(encoding="utf-8")
    assert re.findall(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=", index) == []
    files = [path for path in (PAGE / "assets").iterdir() if path.suffix in (".js", ".css")]
    assert len(files) >= 2
    assert sum(len(gzip.compress(path.read_bytes())) for path in files) <= 60_000
