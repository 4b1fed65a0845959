"""A browser, a house to look at, and a page that notes everything that goes wrong in it."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page, sync_playwright

from tests.browser.fixture_house import FixtureHouse
from tests.browser.fixture_server import PAGE
from tests.integration.houses import RealHouse, running_house, wait_until

__all__ = ["OpenPage", "Watched"]

CHROMIUM = "/usr/bin/chromium"
_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# Noted in the page itself, before its own script runs: a violation of the policy is an event there.
_NOTE_VIOLATIONS = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => {
  window.violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
});
"""


@dataclass(slots=True)
class Watched:
    """A page, and what went wrong or went out in it."""

    page: Page
    errors: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    silence_expected: bool = False

    def check(self) -> None:
        """Fail when anything went wrong; lost connections are no error where the house falls silent on purpose."""
        violations = self.page.evaluate("window.violations")
        assert violations == []
        assert self.dialogs == []
        expected = ("net::ERR_", "Failed to load resource") if self.silence_expected else ()
        assert [error for error in self.errors if not any(words in error for words in expected)] == []


OpenPage = Callable[..., Watched]


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, headless. Playwright keeps an event loop on this thread, so it ends with these tests."""
    assert (PAGE / "index.html").is_file(), "the page is not built: python build_backend/page.py"
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=_ARGUMENTS)
        yield started
        started.close()


@pytest.fixture
def fixture_house() -> Iterator[FixtureHouse]:
    """The stand-in, which does what a test asks of it."""
    with FixtureHouse() as house:
        yield house


@pytest.fixture(scope="module")
def real_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealHouse]:
    """A real house with some life in it."""
    with running_house(tmp_path_factory.mktemp("house"), "--tags", "host=test-host") as house:
        house.send(*(f"shop.orders:{number}|c|#shop:{'eu' if number % 2 else 'us'}" for number in range(1, 9)))
        house.send(
            *(f"shop.render:{20 + number * number}|ms" for number in range(20)), "shop.queue:7|g", "shop.users:a|s"
        )
        wait_until(
            lambda: bool(house.get("/api/series", search="host.cpu.percent")["series"]), what="the host's series"
        )
        yield house


@pytest.fixture
def house_url(real_house: RealHouse) -> str:
    """The address of a real house."""
    return real_house.url


@pytest.fixture
def open_page(browser: Browser) -> Iterator[OpenPage]:
    """Return ``open_page(url, width=1280, height=900, scheme="light")``; at the end nothing may have gone wrong."""
    opened: list[Watched] = []

    def open_one(url: str, *, width: int = 1280, height: int = 900, scheme: Any = "light") -> Watched:
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        context.add_init_script(_NOTE_VIOLATIONS)
        page = context.new_page()
        watched = Watched(page)
        opened.append(watched)

        def note(message: ConsoleMessage) -> None:
            if message.type in ("error", "warning"):
                watched.errors.append(message.text)

        def dismiss(dialog: Dialog) -> None:
            watched.dialogs.append(dialog.message)
            dialog.dismiss()

        page.on("console", note)
        page.on("pageerror", lambda error: watched.errors.append(str(error)))
        page.on("dialog", dismiss)
        page.on("request", lambda sent: watched.requests.append(sent.url))
        page.goto(url)
        return watched

    yield open_one
    for watched in opened:
        watched.check()
        watched.page.context.close()


@pytest.fixture
def post(house_url: str) -> Callable[[list[dict[str, Any]]], None]:
    """Return ``post(points)``, which sends points to the house by HTTP."""

    def send(points: list[dict[str, Any]]) -> None:
        body = json.dumps({"points": points}).encode()
        asked = urllib.request.Request(f"{house_url}/api/points", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(asked) as answer:
            assert json.load(answer)["accepted"] == len(points)

    return send
