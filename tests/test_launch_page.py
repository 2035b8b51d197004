"""The Launch page and the threads behind it, against the sandbox over HTTP."""

from __future__ import annotations

import dataclasses
import io
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from core.ledger import Ledger
from core.plan import Asked, Plan, find_workload, make_plan
from core.pricing import PriceBook
from core.sandbox.serve import KEY, Handle, serve_in_thread
from core.submissions import Submission, Submissions
from core.workloads import examples
from dashboard import adoption, formats, runs, sending, state
from dashboard.collector import BackgroundCollector
from dashboard.sending import Sender
from tests.conftest import Open
from tests.pages import metric, prose

HAIKU = "claude-haiku-4-5-20251001"
WAIT_S = 60


@pytest.fixture
def sandbox() -> Iterator[Handle]:
    with serve_in_thread(batch_seconds=600) as handle:
        yield handle


@pytest.fixture
def to_sandbox(home: Path, sandbox: Handle, monkeypatch: pytest.MonkeyPatch) -> Handle:
    """This process, its home and its key belong to the sandbox."""
    monkeypatch.setenv("HALFPRICE_HOME", str(home))
    monkeypatch.setenv("ANTHROPIC_BASE_URL", sandbox.url)
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    return sandbox


@pytest.fixture
def no_key(monkeypatch: pytest.MonkeyPatch, sandbox: Handle, tmp_path: Path) -> None:
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", sandbox.url)
    monkeypatch.setenv("HOME", str(tmp_path))


def line(number: int, **fields: Any) -> dict[str, Any]:
    message = {"role": "user", "content": f"Classify this app review: it crashed {number} times"}
    return {"custom_id": f"r-{number}", "params": {"model": HAIKU, "max_tokens": 100, "messages": [message]}, **fields}


def lines(*entries: object) -> str:
    return "\n".join(entry if isinstance(entry, str) else json.dumps(entry) for entry in entries)


def plan_of(home: Path, text: str, asked: Asked = "batch", name: str = "pasted") -> Plan:
    workload = find_workload(home, name)
    return make_plan(io.BytesIO(text.encode()), workload, name, asked, PriceBook.load(), datetime.now(UTC))


def paste(open_app: Open, home: Path, text: str) -> AppTest:
    app = open_app(home, "launch", **{state.SOURCE: "Pasted lines"})
    app.text_area("lines").set_value(text).run()
    assert not app.exception
    return app


def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def shown(app: AppTest, text: str) -> None:
    """Look again, as the page does by itself, until it says that."""
    until(lambda: text in prose(app.run()))
    assert not app.exception


def only_run(home: Path) -> Submission:
    [run] = Submissions(home).all()
    return run


def posts(sandbox: Handle, path: str) -> int:
    return sum(entry["method"] == "POST" and entry["path"] == path for entry in sandbox.log())


# --- before anything is sent -----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("no_key")
@pytest.mark.parametrize("asked", ["auto", "sync", "batch"])
def test_the_prices_and_the_route_are_the_plans(tmp_path: Path, open_app: Open, asked: Asked) -> None:
    app = open_app(tmp_path, "launch", **{state.SOURCE: "Example", state.EXAMPLE: "app-reviews"})
    app.segmented_control(state.ROUTE).set_value(asked).run()
    example = next(example for example in examples() if example.name == "app-reviews")
    workload = find_workload(tmp_path, example.name, example.requests_file)
    with example.requests_file.open("rb") as stream:
        plan = make_plan(stream, workload, example.name, asked, PriceBook.load(), datetime.now(UTC))
    assert metric(app, "Synchronous").value == formats.exact_usd(plan.estimate.sync_usd)
    assert metric(app, "Batch").value == formats.exact_usd(plan.estimate.batch_usd)
    assert metric(app, "Requests").value == "1,000"
    assert metric(app, "Route").value == {"sync": "Synchronous", "batch": "Batch"}[plan.route]
    assert list(app.dataframe[0].value["custom_id"])[:2] == [item.custom_id for item in plan.prepared.items[:2]]


@pytest.mark.usefixtures("no_key")
def test_every_problem_is_named_with_its_line_and_nothing_can_be_sent(tmp_path: Path, open_app: Open) -> None:
    app = paste(open_app, tmp_path, lines(line(1), "{broken", line(1), line(2, custom_id="no spaces"), {"params": {}}))
    said = app.error[0].value
    for start, what in (
        ("Line 2", "not JSON"),
        ("Line 3", "that of line 1"),
        ("Line 4", "custom"),
        ("Line 5", "model"),
    ):
        assert any(text.startswith(f"{start}: ") and what in text for text in said.splitlines()), (start, what)
    assert not [button for button in app.button if button.key == "send"]


@pytest.mark.usefixtures("no_key")
def test_a_model_without_a_price_is_unknown_and_not_free(tmp_path: Path, open_app: Open) -> None:
    odd = line(1)
    odd["params"]["model"] = "claude-unheard-of"
    app = paste(open_app, tmp_path, lines(odd))
    assert metric(app, "Synchronous").value == metric(app, "Batch").value == formats.UNKNOWN


@pytest.mark.usefixtures("no_key")
def test_without_a_key_it_says_how_to_give_one_and_offers_no_box_for_it(tmp_path: Path, open_app: Open) -> None:
    app = paste(open_app, tmp_path, lines(line(1)))
    shown(app, "no API key was found")
    assert "ANTHROPIC_API_KEY" in app.warning[0].value
    assert app.button("send").disabled
    assert not any(box.proto.type == box.proto.PASSWORD for box in app.text_input)


def test_a_model_that_the_api_does_not_serve_is_named(home: Path, open_app: Open, to_sandbox: Handle) -> None:
    odd = line(2)
    odd["params"]["model"] = "claude-unheard-of"
    app = paste(open_app, home, lines(line(1), odd))
    shown(app, "Line 2: the API knows no model")
    assert app.button("send").disabled


def test_outside_text_is_harmless(tmp_path: Path, open_app: Open, no_key: None) -> None:
    hostile = "![x](http://evil.invalid/x.png) $5 :red[a]"
    app = paste(open_app, tmp_path, lines(line(1, custom_id=hostile), hostile))
    assert "![x]" not in prose(app)
    assert formats.md(hostile)[:20] in app.error[0].value


# --- sending ---------------------------------------------------------------------------------------------------------


def test_the_question_names_all_and_a_yes_sends_once(home: Path, open_app: Open, to_sandbox: Handle) -> None:
    app = paste(open_app, home, lines(*map(line, range(12))))
    app.segmented_control(state.ROUTE).set_value("batch").run()
    shown(app, "They go to the **sandbox**")
    app.button("send").click().run()
    said = prose(app)
    plan = plan_of(home, lines(*map(line, range(12))))
    for part in (formats.plain(formats.exact_usd(plan.estimate.batch_usd)), "12, of", "one batch", "no real money"):
        assert part in said
    assert formats.md(HAIKU) in said
    assert posts(to_sandbox, "/v1/messages/batches") == 0
    app.button("confirm").click().run()
    until(lambda: Submissions(home).all() and only_run(home).stage == "sent")
    assert posts(to_sandbox, "/v1/messages/batches") == 1


def test_however_often_it_is_asked_for_a_run_is_sent_once(home: Path, to_sandbox: Handle) -> None:
    sender, plan = Sender(), plan_of(home, lines(*map(line, range(5))))
    run_id = sending.run_id(home, plan, again=False)
    for _ in range(3):
        sender.start(home, run_id, plan, again=False, then=lambda: None)
    until(lambda: not sender.job(home, run_id).running)  # type: ignore[union-attr]
    sender.start(home, run_id, plan, again=False, then=lambda: None)
    assert only_run(home).submission_id == run_id
    assert posts(to_sandbox, "/v1/messages/batches") == 1
    other = Sender()  # a server that was started anew knows of no job, but the home does
    other.start(home, run_id, plan, again=False, then=lambda: None)
    until(lambda: not other.job(home, run_id).running)  # type: ignore[union-attr]
    assert "were sent" in (other.job(home, run_id).problem or "")  # type: ignore[union-attr]
    assert posts(to_sandbox, "/v1/messages/batches") == 1


def test_paying_again_is_another_run(home: Path, to_sandbox: Handle) -> None:
    sender, plan = Sender(), plan_of(home, lines(line(1)), "sync")
    for again in (False, True):
        run_id = sending.run_id(home, plan, again=again)
        sender.start(home, run_id, plan, again=again, then=lambda: None)
        until(lambda run_id=run_id: not sender.job(home, run_id).running)  # type: ignore[misc, union-attr]
        assert Submissions(home).find(run_id) is not None
    assert len(Submissions(home).all()) == posts(to_sandbox, "/v1/messages") == 2


def test_a_sending_that_failed_says_why_and_can_be_tried_again(home: Path, to_sandbox: Handle) -> None:
    empty = {"status": 400, "error_type": "invalid_request_error", "message": "Your credit balance is too low"}
    to_sandbox.script({"method": "POST", "path": "/v1/messages", "times": 8, **empty})
    sender, plan = Sender(), plan_of(home, lines(*map(line, range(20))), "sync")
    run_id = sending.run_id(home, plan, again=False)
    sender.start(home, run_id, plan, again=False, then=lambda: None)
    until(lambda: not sender.job(home, run_id).running)  # type: ignore[union-attr]
    assert "credit balance" in (sender.job(home, run_id).problem or "")  # type: ignore[union-attr]
    sender.start(home, run_id, plan, again=False, then=lambda: None)
    until(lambda: not sender.job(home, run_id).running)  # type: ignore[union-attr]
    assert (sender.job(home, run_id).done, only_run(home).stage) == (20, "finished")  # type: ignore[union-attr]


def test_a_synchronous_launch_is_read_back_with_its_exact_cost(home: Path, open_app: Open, to_sandbox: Handle) -> None:
    plan = plan_of(home, lines(*map(line, range(15))), "sync")
    run_id = sending.run_id(home, plan, again=False)
    sending.SENDER.start(home, run_id, plan, again=False, then=lambda: None)
    until(lambda: not sending.SENDER.job(home, run_id).running)  # type: ignore[union-attr]
    app = open_app(home, "launch", **{state.RUN: run_id})
    assert not app.exception
    bill = Decimal(to_sandbox.bill()["total_usd"])
    assert metric(app, "Cost").value == formats.exact_usd(bill)
    assert metric(app, "As a batch").value == formats.exact_usd(bill / 2)
    assert metric(app, "Succeeded").value == "15"
    assert len(app.expander) == 10
    app.text_input("search-answers").set_value("r-1").run()
    assert {label.label.split(" ")[0] for label in app.expander} == {
        formats.md(name) for name in ("r-1", *(f"r-{number}" for number in range(10, 15)))
    }


# --- collecting ------------------------------------------------------------------------------------------------------


@pytest.fixture
def collector() -> Iterator[BackgroundCollector]:
    running = BackgroundCollector()
    yield running
    running.end()
    assert running.status.doing == "off"


def send_batch(home: Path, text: str) -> str:
    sender, plan = Sender(), plan_of(home, text)
    run_id = sending.run_id(home, plan, again=False)
    sender.start(home, run_id, plan, again=False, then=lambda: None)
    until(lambda: not sender.job(home, run_id).running)  # type: ignore[union-attr]
    return run_id


def test_results_are_fetched_with_no_page_open(
    home: Path, open_app: Open, to_sandbox: Handle, collector: BackgroundCollector
) -> None:
    run_id = send_batch(home, lines(*map(line, range(25))))
    collector.start(home)
    until(lambda: collector.status.doing == "collecting")
    to_sandbox.advance(3_600)
    until(lambda: only_run(home).stage == "finished")
    until(lambda: collector.status.doing == "idle")
    bill = Decimal(to_sandbox.bill()["total_usd"])
    with Ledger(home).read() as reader:
        assert [batch.cost_usd for batch in reader.batches()] == [bill]
    app = open_app(home, "launch", **{state.RUN: run_id})
    assert metric(app, "Cost").value == formats.exact_usd(bill)
    assert "25 sent = 25 succeeded" in prose(app).replace("\\", "")


def test_the_collector_survives_a_missing_key_and_says_so(
    home: Path, open_app: Open, to_sandbox: Handle, collector: BackgroundCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = send_batch(home, lines(line(1)))
    to_sandbox.advance(3_600)
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    collector.start(home)
    until(lambda: collector.status.problem)
    assert "no API key was found" in (collector.status.problem or "")
    assert collector.status.alive
    app = open_app(home, "launch", **{state.RUN: run_id})
    assert "in progress" in prose(app)
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    collector.look_now()
    until(lambda: only_run(home).stage == "finished")
    until(lambda: collector.status.problem is None)


def test_another_process_that_collects_is_left_alone(
    home: Path, to_sandbox: Handle, collector: BackgroundCollector
) -> None:
    from core.batches import collecting

    send_batch(home, lines(line(1)))
    with collecting(home) as mine:
        assert mine
        collector.start(home)
        until(lambda: collector.status.doing == "elsewhere")


# --- the five points -------------------------------------------------------------------------------------------------

KNOWN = adoption.Known(
    requests=1_000, size=500_000, without_id=0, deadline_hours=24, batch_usd=Decimal("0.2"), collected=True
)
DONE = runs.Outcome({"succeeded": 997, "errored": 1, "canceled": 1, "expired": 1}, Decimal("0.1"), Decimal("0.2"))


@pytest.mark.parametrize(
    ("place", "fields", "holds"),
    [
        (0, {}, False),
        (0, {"dry_run": DONE}, True),
        (0, {"dry_run": runs.Outcome({**dict.fromkeys(runs.OUTCOMES, 0), "errored": 1}, None, None)}, False),
        (1, {}, True),
        (1, {"without_id": 3}, False),
        (2, {}, False),
        (2, {"outcome": DONE}, True),
        (2, {"outcome": DONE, "requests": 1_001}, False),
        (3, {}, True),
        (3, {"deadline_hours": 6}, False),
        (3, {"deadline_hours": None}, False),
        (3, {"collected": False}, False),
        (4, {}, False),
    ],
)
def test_a_point_is_ticked_only_when_nothing_of_it_is_open(place: int, fields: dict[str, Any], holds: bool) -> None:
    assert adoption.points(dataclasses.replace(KNOWN, **fields))[place].holds is holds


def test_start_and_pages_do_not_import_the_sdk() -> None:
    program = "import sys, dashboard.launch, dashboard.nav, dashboard.demo; sys.exit('anthropic' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
