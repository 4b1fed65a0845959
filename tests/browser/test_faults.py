"""The page when things go wrong: the house falls silent, loses samples, wants a token, has nothing yet."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenPage
from tests.browser.fixture_house import FixtureHouse
from tests.browser.test_page import chart, is_live, row

pytestmark = pytest.mark.requires("chromium")


def test_it_says_that_the_house_is_gone_and_comes_back(fixture_house: FixtureHouse, open_page: OpenPage) -> None:
    watched = open_page(fixture_house.url)
    watched.silence_expected = True
    page = watched.page
    is_live(page)
    fixture_house.stop()
    connection = page.locator("#connection")
    expect(connection).to_have_attribute("data-state", "reconnecting")
    expect(connection).to_have_attribute("data-state", "gone", timeout=10_000)
    expect(connection).to_contain_text("last update")
    fixture_house.start()
    connection.get_by_role("button", name="Try now").click()
    expect(connection).to_have_attribute("data-state", "live")
    expect(page.locator("body")).not_to_have_class(re.compile("stale"))


def test_it_comes_back_by_itself(fixture_house: FixtureHouse, open_page: OpenPage) -> None:
    watched = open_page(fixture_house.url)
    watched.silence_expected = True
    is_live(watched.page)
    fixture_house.stop()
    connection = watched.page.locator("#connection")
    expect(connection).to_have_attribute("data-state", "reconnecting")
    fixture_house.start()
    expect(connection).to_have_attribute("data-state", "live", timeout=10_000)


def test_what_was_lost_is_red_and_explained(fixture_house: FixtureHouse, open_page: OpenPage) -> None:
    page = open_page(fixture_house.url).page
    is_live(page)
    tile = page.get_by_role("button", name=re.compile("^Lost"))
    expect(tile).not_to_have_class(re.compile("bad"))
    bad_type = {"count": 7, "last": "a:1|<b>", "meaning": "The type is none of c, g, ms, h, d, s."}
    fixture_house.rejects = {"bad_type": bad_type}
    fixture_house.kernel_drops = 5
    expect(tile).to_have_class(re.compile("bad"))
    expect(tile.locator(".tile-value")).to_have_text("12")
    tile.click()
    expect(tile).to_have_attribute("aria-expanded", "true")
    rows = page.locator("#lost tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("bad_type")
    expect(rows.first).to_contain_text("a:1|<b>")
    expect(rows.last).to_contain_text("kernel_drops")


def test_an_empty_house_says_how_to_send(open_page: OpenPage) -> None:
    with FixtureHouse(shop=False) as house:
        page = open_page(house.url).page
        hint = page.locator(".hint")
        expect(hint).to_contain_text('echo "shop.orders:3|c" | nc -u -w1 127.0.0.1 8125')
        house.post([{"name": "shop.orders", "kind": "counter", "value": 3}])
        expect(row(page, "shop.orders")).to_be_visible()
        expect(hint).to_be_hidden()


def test_a_house_with_tokens_asks_for_one(open_page: OpenPage) -> None:
    with FixtureHouse(token="open sesame") as house:
        watched = open_page(house.url)
        watched.silence_expected = True  # the browser itself reports each 401
        page = watched.page
        expect(page.locator("#token")).to_be_visible()
        for token in ("open barley", "open sesame"):
            page.get_by_label("This house wants a token").fill(token)
            with page.expect_response(re.compile("/api/live")):
                page.get_by_role("button", name="Open").click()
            expect(page.locator("#token")).to_be_visible(visible=token != house.token)
        is_live(page)
        expect(page.locator("#token")).to_be_hidden()


def test_a_failing_question_is_said_and_asked_again(fixture_house: FixtureHouse, open_page: OpenPage) -> None:
    fixture_house.failing = "Too many questions wait."
    watched = open_page(fixture_house.url)
    watched.silence_expected = True  # the browser itself reports each 503
    problem = watched.page.locator("#problem")
    expect(problem).to_have_text("Too many questions wait.")
    fixture_house.failing = ""
    expect(problem).to_be_hidden(timeout=10_000)
    is_live(watched.page)


def test_the_running_interval_moves(fixture_house: FixtureHouse, open_page: OpenPage) -> None:
    page = open_page(f"{fixture_house.url}/#pin=shop.orders").page
    value = page.locator(".pinned .legend .value")
    expect(value).not_to_be_empty()
    before = value.inner_text()
    expect(value).not_to_have_text(before)
    expect(page.locator(".pinned .facts")).to_contain_text("counter · sum of each")


def test_each_kind_is_drawn_in_its_way(fixture_house: FixtureHouse, open_page: OpenPage) -> None:
    pins = "pin=shop.checkout.time;shop=berlin&pin=shop.visitors&pin=shop.basket.items"
    page = open_page(f"{fixture_house.url}/#{pins}").page
    facts = page.locator(".pinned .facts")
    expect(facts).to_have_count(3)
    expect(facts.nth(0)).to_contain_text(re.compile("timer · count .* · mean .*ms · max"))
    expect(facts.nth(1)).to_contain_text("set · distinct members")
    expect(facts.nth(2)).to_contain_text("gauge · now")
    lines = page.locator(".pinned").nth(0).locator(".legend .label")
    expect(lines).to_have_text(["p50", "p95", "p99"])


def test_a_name_that_turns_the_text_around_keeps_to_itself(fixture_house: FixtureHouse, open_page: OpenPage) -> None:
    name = "\u202egnp.exe"
    fixture_house.post([{"name": name, "kind": "gauge", "value": 1}])
    page = open_page(f"{fixture_house.url}/#pin=%E2%80%AEgnp.exe").page
    shown = page.locator(".pinned h3 bdi")
    expect(shown).to_have_text(name)
    expect(page.locator(".pinned .facts")).to_have_text("gauge · now 1")
    assert shown.evaluate("(it) => getComputedStyle(it).unicodeBidi") == "isolate"


def test_charts_without_series_are_not_shown(fixture_house: FixtureHouse, open_page: OpenPage) -> None:
    fixture_house.lines = [line for line in fixture_house.lines if not line.name.startswith(("host.swap", "host.temp"))]
    page = open_page(fixture_house.url).page
    is_live(page)
    expect(chart(page, "Network")).to_be_visible()
    shown = page.locator("#host article:visible h3")
    expect(shown.filter(has_text=re.compile("Swap|Temperature|Control"))).to_have_count(0)


def test_a_hidden_page_draws_nothing_and_catches_up(fixture_house: FixtureHouse, open_page: OpenPage) -> None:
    page = open_page(fixture_house.url).page
    is_live(page)
    visibility = """(state) => {
      Object.defineProperty(document, "visibilityState", { configurable: true, get: () => state });
      document.dispatchEvent(new Event("visibilitychange"));
    }"""
    page.evaluate(visibility, "hidden")
    stored = page.locator(".tile-value").last
    with page.expect_console_message(lambda message: message.text == "heard") as heard:
        page.evaluate(
            """() => {
              const before = document.querySelectorAll(".tile-value")[3].textContent;
              let frames = 0;
              const look = () => (++frames < 100 ? requestAnimationFrame(look) : done());
              const done = () => {
                window.moved = document.querySelectorAll(".tile-value")[3].textContent !== before;
                console.log("heard");
              };
              look();
            }"""
        )
    assert heard.value.text == "heard"
    assert page.evaluate("window.moved") is False
    before = stored.inner_text()
    page.evaluate(visibility, "visible")
    expect(stored).not_to_have_text(before)
