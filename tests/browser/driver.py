"""Starts the real command and drives a real Chromium against it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Page, Playwright, expect

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
START_S = 60
SETTLE_MS = 30_000
expect.set_options(timeout=SETTLE_MS)  # other tests run beside these


def find_chromium() -> str | None:
    """The Chromium that `CHROMIUM` names, else the first one on the path."""
    if chosen := os.environ.get("CHROMIUM"):
        return chosen
    return next((found for name in NAMES if (found := shutil.which(name))), None)


def launch(playwright: Playwright, executable: str) -> Browser:
    """A headless browser that calls nobody by itself."""
    return playwright.chromium.launch(executable_path=executable, args=FLAGS)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        return int(tried.getsockname()[1])


def spawn(command: str, *, folder: Path | None = None, **environment: str) -> subprocess.Popen[str]:
    """`halfprice demo` or `halfprice dashboard` on a free port, started as a user starts it."""
    return subprocess.Popen(
        [Path(sys.executable).with_name("halfprice"), command, "--no-browser", "--port", str(free_port())],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder,
        env=os.environ | environment,
    )


@dataclass(frozen=True, slots=True)
class Demo:
    """A running `halfprice demo`: its address, its data folder, and the address of the sandbox behind it."""

    url: str
    home: Path
    api_url: str


@contextmanager
def serving(command: str, home: Path | None = None, *, folder: Path | None = None, **environment: str) -> Iterator[str]:
    """The address of a running server, which is stopped in the end."""
    if home is not None:
        environment["HALFPRICE_HOME"] = str(home)
    with _running(command, folder=folder, **environment) as said:
        yield _address(said[-1])


@contextmanager
def demo_in(folder: Path) -> Iterator[Demo]:
    """A demo whose data folder is in that folder; it is stopped in the end."""
    with _running("demo", TMPDIR=str(folder)) as said:
        [home] = folder.glob("halfprice-demo-*")
        [sandbox] = [line for line in said if "sandbox" in line]
        yield Demo(_address(said[-1]), home, _address(sandbox))


@contextmanager
def _running(command: str, *, folder: Path | None = None, **environment: str) -> Iterator[list[str]]:
    """What a server said up to its address, while it runs."""
    with spawn(command, folder=folder, **environment) as server:
        giving_up = threading.Timer(START_S, server.kill)
        giving_up.start()
        try:
            yield _said(server, giving_up)
        finally:
            giving_up.cancel()
            server.terminate()
            server.communicate(timeout=START_S)


def settle(page: Page) -> None:
    """Wait until the page shows all it has to show, and no error."""
    app = page.get_by_test_id("stApp")
    expect(app).to_have_attribute("data-test-connection-state", "CONNECTED", timeout=SETTLE_MS)
    expect(page.locator("h1")).to_be_visible(timeout=SETTLE_MS)
    expect(app).to_have_attribute("data-test-script-state", "notRunning", timeout=SETTLE_MS)
    expect(page.get_by_test_id("stSkeleton")).to_have_count(0, timeout=SETTLE_MS)
    expect(page.locator(".stPlotlyChart:not(:has(.main-svg))")).to_have_count(0, timeout=SETTLE_MS)
    expect(page.get_by_test_id("stException")).to_have_count(0)


def _said(server: subprocess.Popen[str], giving_up: threading.Timer) -> list[str]:
    said: list[str] = []
    assert server.stdout is not None
    for line in server.stdout:
        said.append(line)
        if "http://localhost:" in line:
            giving_up.cancel()
            return said
    raise AssertionError("The server did not say where it is:\n" + "".join(said))


def _address(line: str) -> str:
    return line[line.index("http://") :].split()[0]
