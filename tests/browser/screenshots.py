"""Takes the pictures in `docs/screenshots`: `python -m tests.browser.screenshots`."""

from __future__ import annotations

import io
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, ViewportSize, expect, sync_playwright

from tests.browser.driver import SETTLE_MS, find_chromium, launch, serving, settle

FOLDER = Path(__file__).parents[2] / "docs" / "screenshots"
PAGES = {
    "overview": "/",
    "batches": "/batches",
    "workloads": "/workloads?workload=behaviour-report",
    "launch": "/launch?example=app-reviews",
}
SCREENS = {"desktop": ViewportSize(width=1440, height=900), "phone": ViewportSize(width=390, height=844)}


def main() -> int:
    """Take every picture; 1 without a browser."""
    executable = find_chromium()
    if executable is None:
        print("No Chromium found: install it or set CHROMIUM to its path.", file=sys.stderr)
        return 1
    FOLDER.mkdir(parents=True, exist_ok=True)
    with serving("demo") as url, sync_playwright() as playwright:
        browser = launch(playwright, executable)
        for theme in ("light", "dark"):
            for screen, size in SCREENS.items():
                context = browser.new_context(viewport=size, color_scheme=theme)
                for name, path in PAGES.items():
                    page = context.new_page()
                    page.goto(url + path)
                    settle(page)
                    if name == "launch":
                        expect(page.get_by_text("Ready.")).to_be_visible(timeout=SETTLE_MS)
                    _save(page, FOLDER / f"{name}-{screen}-{theme}.png")
                    page.close()
        browser.close()
    return 0


def _save(page: Page, path: Path) -> None:
    height = page.evaluate("() => document.querySelector('[data-testid=stMain] > div').scrollHeight")
    width = page.viewport_size["width"] if page.viewport_size else 1440
    page.set_viewport_size({"width": width, "height": height})  # the page scrolls inside itself
    settle(page)
    page.evaluate("() => document.fonts.ready")
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    # A third of the size; colours of areas stay within 2 of 255, so nothing is tinted.
    picture.quantize(256, Image.Quantize.MEDIANCUT, kmeans=3, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    sys.exit(main())
