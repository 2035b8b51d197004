"""What only a browser shows: painting, the address, both themes, the phone, accessibility."""

from __future__ import annotations

import re
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from core.capture.journal import Journal
from core.periods import month_before, month_of
from dashboard.formats import month_name
from tests.browser.conftest import Open
from tests.browser.driver import settle
from tests.lines import request

pytestmark = pytest.mark.browser

PATHS = (
    "/", "/batches", "/workloads", "/workloads?workload=app-reviews", "/launch?example=app-reviews",
    "/launch?from=Pasted+lines", "/launch?from=File",
)  # fmt: skip
FOLLOWS_MS = 20_000

# Rules that fail inside Streamlit, with what breaks them; nothing of ours may.
ALLOWED = {
    "svg-img-alt": "the sparkline in st.metric has no alternative text, and none can be given",
    "presentation-role-conflict": "the drop area of st.file_uploader has a role and takes the focus",
}


def metric(page: Page, label: str) -> Locator:
    named = page.get_by_test_id("stMetricLabel").filter(has_text=re.compile(f"^{label}$"))
    return page.get_by_test_id("stMetric").filter(has=named).get_by_test_id("stMetricValue")


def picker(page: Page) -> Locator:
    return page.get_by_role("combobox", name="Month")


def legend(page: Page) -> list[str]:
    return page.locator(".st-key-daily .legendtext").all_text_contents()


def last_month() -> str:
    return month_name(month_before(month_of(datetime.now(UTC).date())).first)


def test_overview_paints_its_numbers_and_its_chart(demo: str, open_page: Open) -> None:
    page = open_page(demo)
    settle(page)
    expect(page).to_have_title("Overview · Halfprice")
    expect(metric(page, "Spend")).to_have_text(re.compile(r"^\$\d"))
    assert page.locator(".st-key-daily-chart .barlayer .point path").count() > 1
    expect(page.get_by_text("Synthetic sample data").first).to_be_visible()


def test_a_month_is_one_press_away_and_in_the_address(demo: str, open_page: Open) -> None:
    page = open_page(demo)
    settle(page)
    spend = metric(page, "Spend")
    this_month = spend.inner_text()
    page.locator(".st-key-previous-month button").click()
    expect(spend).not_to_have_text(this_month)
    settle(page)
    assert parse_qs(urlsplit(page.url).query)["month"] == [last_month()]

    linked = open_page(page.url)
    settle(linked)
    expect(metric(linked, "Spend")).to_have_text(spend.inner_text())
    linked.locator(".st-key-next-month button").click()
    expect(metric(linked, "Spend")).to_have_text(this_month)


def test_the_month_survives_a_look_at_another_page(demo: str, open_page: Open) -> None:
    page = open_page(demo)
    settle(page)
    page.locator(".st-key-previous-month button").click()
    expect(picker(page)).to_have_value(last_month())
    page.get_by_role("link", name="Batches").click()
    expect(page.locator("h1")).to_have_text("Batches")
    settle(page)
    page.get_by_role("link", name="Overview").click()
    expect(page.locator("h1")).to_have_text("Overview")
    expect(picker(page)).to_have_value(last_month())


def test_splitting_by_workload_changes_the_legend(demo: str, open_page: Open) -> None:
    page = open_page(demo)
    settle(page)
    assert "claude-opus-5-5" in legend(page)
    page.get_by_role("radio", name="Workload").or_(page.get_by_role("button", name="Workload")).first.click()
    expect(page.locator(".st-key-daily .legendtext").filter(has_text="support-chat")).to_be_visible()
    assert "claude-opus-5-5" not in legend(page)
    assert "by=Workload" in page.url


def test_batches_page_draws_the_curve_and_every_batch(demo: str, open_page: Open) -> None:
    page = open_page(f"{demo}/batches")
    settle(page)
    expect(page.locator(".st-key-completion")).to_contain_text("Half within")
    assert page.locator(".st-key-completion-chart .scatterlayer path").count() > 1
    assert {"Ended", "Running", "Canceled", "Expired"} <= set(
        page.locator(".st-key-each .legendtext").all_text_contents()
    )


def test_an_empty_home_says_what_to_do_and_fills_by_itself(own: str, own_home: Path, open_page: Open) -> None:
    page = open_page(f"{own}/batches")
    settle(page)
    expect(page.get_by_text("halfprice import jsonl FILE")).to_be_visible()
    page.get_by_role("link", name="Overview").click()
    expect(page.locator("h1")).to_have_text("Overview")
    expect(page.get_by_text("halfprice import jsonl FILE")).to_be_visible()

    hostile = "![x](http://evil.invalid/x.png) $5 :red[a] <b>"
    journal = Journal(own_home, durable=False)
    journal.append(request(sent_at=datetime.now(UTC).isoformat(), workload=hostile))
    journal.append(request(sent_at=datetime.now(UTC).isoformat(), workload=hostile, model=hostile))
    journal.close()

    expect(metric(page, "Requests")).to_have_text("2", timeout=FOLLOWS_MS)
    settle(page)
    expect(page.get_by_test_id("stAlert")).to_contain_text(hostile)
    assert page.locator("img[src*='evil']").count() == 0


@pytest.mark.parametrize("path", PATHS)
def test_nothing_scrolls_sideways_on_a_phone(demo: str, open_page: Open, path: str) -> None:
    page = open_page(demo + path, width=390, height=844)
    settle(page)
    main = page.get_by_test_id("stMain")
    assert main.evaluate("it => it.scrollWidth <= it.clientWidth")
    assert page.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("path", PATHS)
def test_axe_finds_nothing_of_ours(demo: str, open_page: Open, path: str, dark: bool) -> None:
    page = open_page(demo + path, dark=dark)
    settle(page)
    found = Axe().run(page).response["violations"]
    ours = [
        (rule["id"], [(node["target"], node["any"] and node["any"][0]["message"]) for node in rule["nodes"]])
        for rule in found
        if rule["id"] not in ALLOWED
    ]
    assert ours == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_browser_swaps_our_colours_for_the_themes(demo: str, open_page: Open, dark: bool) -> None:
    page = open_page(demo, dark=dark)
    settle(page)
    bars = page.locator(".st-key-daily-chart .barlayer .point path")
    fills = set(bars.evaluate_all("bars => bars.map(bar => bar.style.fill)"))
    assert fills
    assert fills <= {f"rgb({int(hue[1:3], 16)}, {int(hue[3:5], 16)}, {int(hue[5:], 16)})" for hue in palette(dark)}


def palette(dark: bool) -> list[str]:
    config = tomllib.loads((Path(__file__).parents[2] / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    colors: list[str] = config["theme"]["dark" if dark else "light"]["chartCategoricalColors"]
    return colors
