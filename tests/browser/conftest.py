"""The browser, the servers and pages that watch over themselves."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.driver import Demo, demo_in, find_chromium, launch, serving

Open = Callable[..., Page]


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    executable = find_chromium()
    if executable is None:
        missing = "no Chromium: install it (Debian: apt-get install chromium) or set CHROMIUM to its path"
        if os.environ.get("REQUIRE_BROWSER") == "1":
            pytest.fail(missing)
        pytest.skip(missing)
    with sync_playwright() as playwright:
        running = launch(playwright, executable)
        yield running
        running.close()


@pytest.fixture(scope="package")
def demo() -> Iterator[str]:
    """The address of a running `halfprice demo`."""
    with serving("demo") as url:
        yield url


@pytest.fixture
def own_demo(tmp_path: Path) -> Iterator[Demo]:
    """A demo of one test's own, with its data folder and its sandbox."""
    with demo_in(tmp_path) as running:
        yield running


@pytest.fixture(scope="package")
def own_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's home; it has a zone and is otherwise empty."""
    home = tmp_path_factory.mktemp("own")
    (home / "settings.toml").write_text('time_zone = "UTC"\n', encoding="utf-8")
    return home


@pytest.fixture(scope="package")
def own(own_home: Path) -> Iterator[str]:
    """The address of a running `halfprice dashboard` on that home."""
    with serving("dashboard", own_home, ANTHROPIC_API_KEY="", ANTHROPIC_AUTH_TOKEN="", ANTHROPIC_PROFILE="") as url:
        yield url


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Open]:
    """Opens an address in a window of its own; afterwards nothing may have gone out or gone wrong."""
    outside: list[str] = []
    errors: list[str] = []
    contexts = []

    def opened(url: str, *, width: int = 1440, height: int = 900, dark: bool = False) -> Page:
        origin = "/".join(url.split("/")[:3])
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light"
        )
        contexts.append(context)
        context.on("request", lambda request: outside.append(request.url) if _leaves(request.url, origin) else None)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(url)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert outside == []
    assert errors == []


def _leaves(url: str, origin: str) -> bool:
    return not url.startswith((f"{origin}/", "data:", "blob:"))
