"""A person launches an example in the demo: chooses, confirms, follows, reads; the bill is right to the last digit."""

from __future__ import annotations

import json
import re
import urllib.request
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from dashboard.formats import exact_usd, usd
from tests.browser.conftest import Open
from tests.browser.driver import Demo, settle
from tests.browser.test_pages import ALLOWED, metric
from tests.lines import halfprice

pytestmark = pytest.mark.browser

READY_MS = 20_000
ENDS_MS = 60_000


def spent(home: Path) -> Decimal:
    return Decimal(json.loads(halfprice(home, "spend", "--json").stdout)["total_usd"])


def told(demo: Demo, name: str) -> Any:
    """What the sandbox says under that name."""
    with urllib.request.urlopen(f"{demo.api_url}/sandbox/{name}") as answer:
        return json.load(answer)


def created(demo: Demo) -> int:
    return sum(entry["method"] == "POST" and entry["path"] == "/v1/messages/batches" for entry in told(demo, "log"))


def choose(page: Page, name: str) -> None:
    page.get_by_role("radio", name=name, exact=True).or_(
        page.get_by_role("button", name=name, exact=True)
    ).first.click()


def ready(page: Page) -> Locator:
    """The button that asks, once the API was found to take the requests."""
    button = page.locator(".st-key-send button").last
    expect(button).to_be_enabled(timeout=READY_MS)
    settle(page)
    return button


def ask(page: Page) -> Locator:
    ready(page).click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    return dialog


def test_a_batch_is_launched_followed_and_paid_for_exactly_once(own_demo: Demo, open_page: Open) -> None:
    before = spent(own_demo.home)
    page = open_page(own_demo.url)
    settle(page)
    page.get_by_role("link", name="Launch").click()
    expect(page.locator("h1")).to_have_text("Launch")
    settle(page)
    expect(page.get_by_text("Sandbox: no real money").first).to_be_visible()
    choose(page, "Batch")
    expect(metric(page, "Requests")).to_have_text("1,000")

    dialog = ask(page)
    estimated = metric(page, "Batch").inner_text()
    for said in (f"about {estimated}", "1,000", "claude-haiku-4-5-20251001", "one batch", "no real money"):
        expect(dialog).to_contain_text(said)
    dialog.locator(".st-key-confirm button").click(click_count=3)

    live = page.locator(".st-key-live")
    expect(live).to_contain_text("in progress", timeout=READY_MS)
    page.reload()
    expect(live).to_contain_text("in progress", timeout=READY_MS)

    answers = page.locator(".st-key-answers")
    expect(answers).to_be_visible(timeout=ENDS_MS)
    settle(page)
    assert created(own_demo) == 1
    bill = Decimal(told(own_demo, "bill")["total_usd"])
    assert bill > 0
    expect(metric(page, "Cost")).to_have_text(exact_usd(bill))
    expect(metric(page, "Succeeded")).to_have_text("1,000")
    expect(page.locator(".st-key-points")).to_contain_text("1,000 sent = 1,000 succeeded")
    assert spent(own_demo.home) - before == bill

    reads_and_downloads(page, answers)
    nothing_of_ours_is_wrong(page)
    page.get_by_role("link", name="Overview").click()
    expect(metric(page, "Spend")).to_have_text(usd(spent(own_demo.home)))
    refuses_to_send_again(page, own_demo)


def reads_and_downloads(page: Page, answers: Locator) -> None:
    answers.get_by_role("textbox").fill("review-0007")
    answers.get_by_role("textbox").press("Enter")
    expect(answers).to_contain_text("First 1 of 1")
    answers.get_by_text("review-0007").click()
    expect(answers.get_by_text("Prompt")).to_be_visible()
    expect(answers).to_contain_text("Rating:")
    with page.expect_download() as download:
        answers.get_by_role("button", name="Download JSONL").click()
    lines = Path(download.value.path()).read_text(encoding="utf-8").splitlines()
    assert len({json.loads(line)["custom_id"] for line in lines}) == 1_000


def nothing_of_ours_is_wrong(page: Page) -> None:
    found = Axe().run(page).response["violations"]
    assert [rule["id"] for rule in found if rule["id"] not in ALLOWED] == []


def refuses_to_send_again(page: Page, demo: Demo) -> None:
    page.get_by_role("link", name="Launch", exact=True).click()
    choose(page, "Batch")
    dialog = ask(page)
    expect(dialog).to_contain_text("Sent before")
    expect(dialog.locator(".st-key-confirm button")).to_be_disabled()
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_have_count(0)
    assert created(demo) == 1


def test_two_tabs_send_once_and_a_closed_tab_changes_nothing(own_demo: Demo, open_page: Open) -> None:
    pages = [open_page(f"{own_demo.url}/launch?example=seo-metadata") for _ in range(2)]
    dialogs = [ask(page) for page in pages]
    for dialog in dialogs:
        dialog.locator(".st-key-confirm button").click()
    for page in pages:
        expect(page.locator(".st-key-live")).to_contain_text("in progress", timeout=READY_MS)
    for page in pages:
        page.close()
    later = open_page(f"{own_demo.url}/launch")
    run = later.get_by_role("link", name=re.compile("seo-metadata: 200 requests, batch, ended"))
    expect(run).to_be_visible(timeout=ENDS_MS)
    run.click()
    expect(later.locator(".st-key-answers")).to_be_visible()
    assert created(own_demo) == 1


def test_a_dry_run_sends_one_request_and_shows_its_cost(own_demo: Demo, open_page: Open) -> None:
    page = open_page(f"{own_demo.url}/launch?example=news-digest")
    ready(page)
    page.locator(".st-key-dry-run button").dblclick()
    bill_line = page.locator(".st-key-points").get_by_text("was answered synchronously")
    expect(bill_line).to_be_visible(timeout=READY_MS)
    expect(bill_line).to_contain_text(exact_usd(Decimal(told(own_demo, "bill")["total_usd"])))
    assert sum(entry["path"] == "/v1/messages" for entry in told(own_demo, "log")) == 1


def test_a_synchronous_run_shows_answers_as_they_arrive(own_demo: Demo, open_page: Open) -> None:
    before = spent(own_demo.home)
    page = open_page(f"{own_demo.url}/launch?example=app-reviews")
    choose(page, "Synchronous")
    expect(page.locator(".st-key-send")).to_contain_text("synchronously")
    ask(page).locator(".st-key-confirm button").click()
    expect(page.locator(".st-key-live")).to_contain_text(re.compile(r"[1-9]\d* of 1,000 answers"), timeout=READY_MS)
    expect(page.locator(".st-key-answers")).to_be_visible(timeout=ENDS_MS)
    assert spent(own_demo.home) - before == Decimal(told(own_demo, "bill")["total_usd"])


def test_the_decision_changes_while_a_person_answers(own_demo: Demo, open_page: Open) -> None:
    page = open_page(f"{own_demo.url}/workloads?workload=app-reviews")
    settle(page)
    decision = page.locator(".st-key-decision")
    expect(decision).to_contain_text("Decision: Batch")
    page.locator(".st-key-answer-person_waits").get_by_text("Yes", exact=True).click()
    expect(decision).to_contain_text("Decision: Synchronous")
    page.get_by_role("link", name="Batches").click()
    expect(page.locator("h1")).to_have_text("Batches")
    page.get_by_role("link", name="Workloads").click()
    expect(decision).to_contain_text("Decision: Synchronous")
    page.get_by_role("button", name="Save answers").click()
    expect(page.locator(".st-key-keep")).to_contain_text("Saved in")
    page.reload()
    expect(decision).to_contain_text("Decision: Synchronous")


def test_an_empty_home_without_a_key_says_what_to_do(own: str, open_page: Open) -> None:
    page = open_page(f"{own}/launch?from=Example&example=app-reviews")
    settle(page)
    expect(page.get_by_test_id("stAlert")).to_contain_text("no API key was found", timeout=READY_MS)
    expect(page.get_by_test_id("stAlert")).to_contain_text("ANTHROPIC_API_KEY")
    expect(page.locator(".st-key-send button").last).to_be_disabled()
    assert page.locator("input[type=password]").count() == 0
