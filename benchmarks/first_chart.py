"""How long a visitor waits for the first chart, beside the barest page."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from benchmarks.rows import Row
from tests.browser.driver import find_chromium, free_port, launch, serving

STARTS = 3
VISITS = 4
LIMIT = 1.5


def measure() -> list[Row]:
    """Milliseconds until the first chart is drawn, in a new browser profile, in turns with the bare page."""
    executable = find_chromium()
    if executable is None:
        raise SystemExit("No Chromium found: install it or set CHROMIUM to its path.")
    with sync_playwright() as playwright:
        browser = launch(playwright, executable)
        starts = [_visits(browser) for _ in range(STARTS)]
        browser.close()
    return [
        _row("first chart, first visit after a start", [(ours[0], bare[0]) for ours, bare in starts]),
        _row(
            "first chart, later visits",
            [pair for ours, bare in starts for pair in zip(ours[1:], bare[1:], strict=True)],
        ),
    ]


def _visits(browser: Browser) -> tuple[list[float], list[float]]:
    """Milliseconds of some visits in turns, ours and the bare page's, to servers just started."""
    ours_ms, bare_ms = [], []
    with serving("demo") as ours, _bare_page() as bare:
        for _ in range(VISITS):
            ours_ms.append(_visit(browser, ours))
            bare_ms.append(_visit(browser, bare))
    return ours_ms, bare_ms


def _row(name: str, pairs: list[tuple[float, float]]) -> Row:
    ours, bare = (statistics.median(side) for side in zip(*pairs, strict=True))
    return Row(
        name, f"{ours:,.0f} ms", f"{bare:,.0f} ms (bare page)", ours / bare, f"≤ {LIMIT:g}", ours / bare <= LIMIT
    )


def _visit(browser: Browser, url: str) -> float:
    """Milliseconds from the address to the first chart, with an empty cache."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, bypass_csp=True)
    page = context.new_page()
    began = time.perf_counter()
    page.goto(url, wait_until="commit")
    page.wait_for_selector(".stPlotlyChart .main-svg", timeout=60_000)
    took = time.perf_counter() - began
    context.close()
    return took * 1_000


@contextmanager
def _bare_page() -> Iterator[str]:
    port = free_port()
    page = Path(__file__).with_name("bare_page.py")
    options = {"server.port": port, "server.address": "127.0.0.1", "server.headless": "true"}
    options |= {"browser.gatherUsageStats": "false", "server.fileWatcherType": "none"}
    words = [f"--{name}={value}" for name, value in options.items()]
    command = [sys.executable, "-m", "streamlit", "run", str(page), *words]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            _wait_for(f"http://127.0.0.1:{port}/_stcore/health")
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
        else:
            return
    raise SystemExit(f"{url} did not answer.")
