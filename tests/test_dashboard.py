"""Every page opened from the app's entry point, and the pure functions behind it."""

from __future__ import annotations

import json
import os
import socket
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from core.capture.journal import Journal
from core.completion import Curve, Observation, completion_curve
from core.errors import HalfpriceError
from core.facts import DailySpend, Spend
from core.ledger import Ledger
from core.ledger.sample import write_sample_journal
from core.periods import Period, instant_text, local_day, month_before, month_of
from core.settings import change_setting, mark_home
from dashboard import charts, demo, derived, formats, ports, queries, state
from tests.conftest import Open
from tests.lines import batch, batch_item, request, usage
from tests.pages import metric, prose

NOVEMBER = Period(date(2026, 11, 1), date(2026, 12, 1))
HOSTILE = "![x](http://evil.invalid/x.png) $5 :red[a] <b>"
BATCHES_PAGE = "batches"


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the sample data in its ledger."""
    home = tmp_path_factory.mktemp("sample")
    mark_home(home, "sandbox")
    change_setting(home, "time_zone", "UTC")
    (home / "journal").mkdir()
    write_sample_journal(home / "journal" / "sample.jsonl", datetime.now(UTC))
    Ledger(home).sync()
    return home


def figure(app: AppTest, place: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(app.get("plotly_chart")[place].proto.spec)
    return found


def legend(app: AppTest) -> set[str]:
    return {trace["name"] for trace in figure(app)["data"] if trace.get("type") == "bar"}


def fill(home: Path, *lines: dict[str, Any]) -> Path:
    """A home in UTC whose journal has these lines."""
    change_setting(home, "time_zone", "UTC")
    journal = Journal(home, durable=False)
    journal.append_all(lines)
    journal.close()
    return home


def newest_month(home: Path) -> Period:
    with Ledger(home).read() as reader:
        span = reader.span()
    assert span is not None
    return month_of(local_day(span.newest_at, "UTC"))


def total(home: Path, period: Period) -> Spend:
    with Ledger(home).read() as reader:
        return reader.total(period)


def ended_batch(number: int, *, minutes: float = 10, **fields: Any) -> dict[str, Any]:
    created = datetime(2026, 11, 1, tzinfo=UTC) + timedelta(hours=number)
    return batch(
        f"msgbatch_{number}",
        **{
            "status": "ended",
            "created_at": instant_text(created),
            "expires_at": instant_text(created + timedelta(days=1)),
            "ended_at": instant_text(created + timedelta(minutes=minutes)),
            "succeeded": 1,
            **fields,
        },
    )


def spent(day: int, key: str, usd: str = "1", requests: int = 1) -> DailySpend:
    return DailySpend(date(2026, 11, day), key, requests, Decimal(usd), Decimal(usd))


# --- the overview ----------------------------------------------------------------------------------------------------


def test_the_cards_show_what_the_core_returns(sample: Path, open_app: Open) -> None:
    app = open_app(sample)
    spend = total(sample, newest_month(sample))
    assert metric(app, "Spend").value == formats.usd(spend.cost_usd)
    assert metric(app, "Saved by batching").value == formats.usd(spend.saved_usd)
    assert metric(app, "Requests").value == formats.count(spend.requests)
    assert metric(app, "Cost per 1,000 requests").value == formats.usd(derived.per_thousand_usd(spend))
    assert f"{formats.percent(derived.share(spend.batch_requests, spend.requests))} batched" in prose(app)


def test_a_past_month_is_compared_with_the_whole_month_before(sample: Path, open_app: Open) -> None:
    app = open_app(sample)
    app.button("previous-month").click().run()
    month = month_before(newest_month(sample))
    before = month_before(month)
    spend, spend_before = total(sample, month), total(sample, before)
    assert metric(app, "Spend").value == formats.usd(spend.cost_usd)
    assert metric(app, "Spend").delta == formats.change(derived.change(spend.cost_usd, spend_before.cost_usd))
    assert f"{formats.day_span(month)} vs {formats.day_span(before)}" in prose(app)
    app.button("next-month").click().run()
    assert metric(app, "Spend").value == formats.usd(total(sample, newest_month(sample)).cost_usd)


def test_a_link_opens_its_month_and_its_split(sample: Path, open_app: Open) -> None:
    month = month_before(newest_month(sample))
    app = open_app(sample, **{state.MONTH: formats.month_name(month.first), state.GROUP: "Workload"})
    assert metric(app, "Spend").value == formats.usd(total(sample, month).cost_usd)
    assert "support-chat" in legend(app)


def test_a_link_to_a_month_without_data_opens_the_newest(sample: Path, open_app: Open) -> None:
    app = open_app(sample, **{state.MONTH: "January 1999"})
    assert metric(app, "Spend").value == formats.usd(total(sample, newest_month(sample)).cost_usd)


def test_another_split_draws_other_series_of_the_same_total(sample: Path, open_app: Open) -> None:
    app = open_app(sample)
    by_model = legend(app)
    app.segmented_control(state.GROUP).set_value("route").run()
    assert by_model != legend(app) == {"sync", "batch"}
    drawn = sum(sum(trace["y"]) for trace in figure(app)["data"] if trace["type"] == "bar")
    assert drawn == pytest.approx(float(total(sample, newest_month(sample)).cost_usd), abs=1e-3)


def test_the_tables_hold_every_workload_and_model(sample: Path, open_app: Open) -> None:
    app = open_app(sample)
    with Ledger(sample).read() as reader:
        workloads, models = (reader.spend_by(newest_month(sample), by) for by in ("workload", "model"))
    shown = [table.value for table in app.dataframe]
    assert list(shown[0]["Workload"]) == [row.key for row in workloads]
    assert list(shown[0]["Cost"]) == pytest.approx([float(row.spend.cost_usd) for row in workloads])
    assert list(shown[1]["Model"]) == [row.key for row in models]
    assert list(shown[1]["Output tokens"]) == [row.spend.output_tokens for row in models]


def test_unpriced_requests_are_said_with_their_number_and_model(tmp_path: Path, open_app: Open) -> None:
    home = fill(tmp_path, request(), request(model="gateway/nobody_knows_me"))
    notice = open_app(home).warning[0]
    assert "1 request without a price" in str(notice.proto)
    assert "Counted, not priced: the total leaves them out." in notice.value
    assert formats.md("gateway/nobody_knows_me") in notice.value


def test_estimated_requests_are_counted_in_the_foot(tmp_path: Path, open_app: Open) -> None:
    app = open_app(fill(tmp_path, request(), request(usage=usage(inference_geo="moon"))))
    assert "1 request estimated" in app.main.caption[-1].value


def test_a_month_without_a_single_price_draws_no_chart(tmp_path: Path, open_app: Open) -> None:
    app = open_app(fill(tmp_path, request(model="nobody-knows-me")))
    assert not app.exception
    assert metric(app, "Spend").value == "–"
    assert metric(app, "Cost per 1,000 requests").value == formats.NOTHING
    assert len(app.get("plotly_chart")) == 0


def test_a_model_without_a_price_has_no_cost_in_the_table(tmp_path: Path, open_app: Open) -> None:
    app = open_app(fill(tmp_path, request(), request(model="nobody-knows-me")))
    costs = app.dataframe[1].value.set_index("Model")["Cost"]
    assert np.isnan(costs["nobody-knows-me"])
    assert legend(app) == {"claude-sonnet-5-5"}


def test_lines_that_could_not_be_read_are_listed(tmp_path: Path, open_app: Open) -> None:
    home = fill(tmp_path, request(), {"v": 1, "kind": "request"})
    app = open_app(home)
    assert [expander.label for expander in app.expander] == ["1 journal line could not be read and counted nowhere"]


def test_the_foot_names_the_zone_the_newest_data_and_the_day_of_the_prices(tmp_path: Path, open_app: Open) -> None:
    app = open_app(fill(tmp_path, request(sent_at="2026-11-10T10:00:00Z")))
    foot = app.main.caption[-1].value
    assert "Newest data 10 Nov 2026, 10:00 (UTC)" in foot
    assert "List price, not an invoice" in foot
    assert formats.day_name(queries.prices_checked()) in foot


def test_outside_text_is_harmless_wherever_it_is_drawn(tmp_path: Path, open_app: Open) -> None:
    home = fill(tmp_path, request(workload=HOSTILE, model=HOSTILE), request(workload=HOSTILE))
    app = open_app(home, **{state.GROUP: "Workload"})
    assert not app.exception
    assert HOSTILE not in prose(app)
    assert formats.md(HOSTILE) in app.warning[0].value
    assert legend(app) == {"![x](http://evil.invalid/x.png) $5 :red[a] &lt;b&gt;"}
    assert app.dataframe[0].value["Workload"][0] == HOSTILE


def test_sample_data_is_named_as_such_on_every_page(sample: Path, tmp_path: Path, open_app: Open) -> None:
    for page in ("overview", BATCHES_PAGE):
        assert "Synthetic sample data" in prose(open_app(sample, page))
        assert "Synthetic sample data" not in prose(open_app(tmp_path, page))


# --- the batches -----------------------------------------------------------------------------------------------------


def test_batch_cards_and_table_show_what_the_core_returns(sample: Path, open_app: Open) -> None:
    app = open_app(sample, BATCHES_PAGE)
    with Ledger(sample).read() as reader:
        held = reader.batches()
    saved = sum((one.saved_usd for one in held), Decimal(0))
    assert metric(app, "Batches").value == str(len(held))
    assert metric(app, "Saved").value == formats.usd(saved)
    table = app.dataframe[0].value
    assert list(table["Batch"]) == [one.batch_id for one in held]
    assert set(table["Status"]) == {"ended", "ended (canceled)", "ended (expired)", "in_progress"}
    assert "Half within" in prose(app)
    assert "9 in 10 within" in prose(app)


def test_a_single_running_batch_has_no_curve_and_no_cost_yet(tmp_path: Path, open_app: Open) -> None:
    created = datetime.now(UTC) - timedelta(minutes=5)
    times = {"created_at": instant_text(created), "expires_at": instant_text(created + timedelta(days=1))}
    app = open_app(fill(tmp_path, batch("msgbatch_1", **times)), BATCHES_PAGE)
    assert metric(app, "Median time").value == "Not yet"
    assert metric(app, "Items succeeded").value == formats.NOTHING
    assert "no batch has run to its end (1 still open or cut off)" in prose(app)
    assert len(app.get("plotly_chart")) == 1
    assert app.dataframe[0].value["Cost"].isna().all()


@pytest.mark.parametrize(
    ("ended", "said"),
    [
        (5, "Not estimable yet from 5 batches"),
        (6, "9 in 10 is not estimable yet: that takes 29 ended ones, there are 6"),
        (29, "9 in 10 within 10 min, from 29 batches (0 still open or cut off)"),
    ],
)
def test_a_quantile_waits_until_there_are_enough_batches(tmp_path: Path, open_app: Open, ended: int, said: str) -> None:
    app = open_app(fill(tmp_path, *(ended_batch(number) for number in range(ended))), BATCHES_PAGE)
    assert said in prose(app)


def test_a_batch_whose_results_were_not_collected_shows_no_cost(tmp_path: Path, open_app: Open) -> None:
    item = batch_item("msgbatch_2", "a", sent_at="2026-11-01T02:00:00Z")
    app = open_app(fill(tmp_path, ended_batch(1), ended_batch(2), item), BATCHES_PAGE)
    costs = app.dataframe[0].value.set_index("Batch")["Cost"]
    assert np.isnan(costs["msgbatch_1"])
    assert costs["msgbatch_2"] == pytest.approx(0.002)


# --- nothing there, or nothing to be had -----------------------------------------------------------------------------


@pytest.mark.parametrize("page", ["overview", BATCHES_PAGE])
def test_an_empty_ledger_says_what_to_do_next(tmp_path: Path, open_app: Open, page: str) -> None:
    app = open_app(tmp_path, page)
    assert not app.exception
    assert "halfprice import jsonl FILE" in prose(app)
    assert "halfprice demo" in prose(app)
    assert not app.metric


def test_requests_without_a_batch_say_so(tmp_path: Path, open_app: Open) -> None:
    app = open_app(fill(tmp_path, request()), BATCHES_PAGE)
    assert "No batches yet" in prose(app)


def test_a_home_that_cannot_be_read_is_one_sentence_not_a_traceback(tmp_path: Path, open_app: Open) -> None:
    (tmp_path / "ledger.duckdb").write_bytes(b"this is no database" * 1_000)
    app = open_app(tmp_path)
    assert not app.exception
    assert len(app.error) == 1
    assert formats.md(str(tmp_path)) in app.error[0].value


# --- derived numbers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("today", "newest", "first", "expected"),
    [
        ("2026-11-23", "2026-11-23", "2026-09-01", ("2026-11-22", "2026-10-22")),
        ("2026-11-23", "2026-11-20", "2026-09-01", ("2026-11-20", "2026-10-20")),
        ("2026-12-05", "2026-12-05", "2026-09-01", ("2026-11-30", "2026-10-31")),
        ("2026-11-01", "2026-11-01", "2026-09-01", None),
        ("2026-11-23", "2026-11-23", "2026-10-02", None),
    ],
    ids=["month to date", "data up to a day", "a past month", "no complete day", "the month before is cut off"],
)
def test_only_complete_days_are_compared(today: str, newest: str, first: str, expected: tuple[str, str] | None) -> None:
    days = [date.fromisoformat(text) for text in (today, first, newest)]
    periods = derived.comparable(NOVEMBER, *days)
    assert (periods and tuple(period.last.isoformat() for period in periods)) == expected


def test_a_longer_month_is_compared_up_to_the_length_of_the_shorter() -> None:
    march, today = Period(date(2026, 3, 1), date(2026, 4, 1)), date(2026, 3, 31)
    periods = derived.comparable(march, today, date(2026, 1, 1), today)
    assert periods
    assert [period.days for period in periods] == [28, 28]


def test_days_without_requests_are_zero() -> None:
    days = derived.by_day(
        [spent(1, "a"), spent(3, "a"), spent(3, "b", "0.5")], Period(date(2026, 11, 1), date(2026, 11, 4))
    )
    assert [day.cost_usd for day in days] == [Decimal(1), Decimal(0), Decimal("1.5")]


# --- charts ----------------------------------------------------------------------------------------------------------


def test_what_is_beyond_eight_series_is_drawn_as_other() -> None:
    rows = [spent(1, f"workload-{number}", str(20 - number)) for number in range(11)]
    drawn = charts.daily_spend(rows, NOVEMBER, [row.key for row in rows])
    bars = [trace for trace in drawn.data if trace.type == "bar"]
    assert [trace.name for trace in bars] == [*(f"workload-{number}" for number in range(8)), "Other"]
    assert bars[-1].y[0] == 12 + 11 + 10
    assert len({trace.marker.color for trace in bars}) == 9


def test_a_name_keeps_its_colour_whatever_else_is_shown() -> None:
    ranking = [f"workload-{number}" for number in range(8)]
    every = charts.series_colors(ranking, ranking)
    assert len(set(every.values())) == 8
    for name in ranking:
        assert charts.series_colors([name], ranking) == {name: every[name]}


def test_every_day_of_the_month_has_its_place() -> None:
    drawn = charts.daily_spend([spent(3, "a")], NOVEMBER, ["a"])
    assert len(drawn.data[0].x) == 30
    assert sum(drawn.data[0].y) == 1


def curve_of(*observed: Observation) -> tuple[Curve, list[Observation]]:
    curve = completion_curve(observed)
    assert curve is not None
    return curve, list(observed)


def test_the_curve_starts_at_nothing_and_reaches_the_last_moment_seen() -> None:
    curve, observed = curve_of(Observation(60, True), Observation(600, True), Observation(4_000, False))
    drawn = charts.completion(curve, observed, {"p50": 600.0})
    line = next(trace for trace in drawn.data if trace.name == "Share done")
    assert line.y[0] == 0
    assert line.x[-1] == 4_000
    assert list(line.y) == sorted(line.y)
    ticks = next(trace for trace in drawn.data if trace.name == "Still open or cut off")
    assert (ticks.x[0], ticks.y[0]) == (4_000, pytest.approx(curve.share_done[-1]))


def test_a_long_history_stays_a_small_figure() -> None:
    curve, observed = curve_of(*(Observation(60 + number, True) for number in range(20_000)))
    assert len(charts.completion(curve, observed, {}).to_json()) < 100_000


def test_outcomes_are_told_apart_by_shape_too() -> None:
    at = datetime(2026, 11, 1, tzinfo=UTC)
    outcomes: list[derived.Outcome] = ["ended", "running", "canceled", "expired"]
    drawn = charts.batch_times([charts.BatchTime(at, 60, outcome, HOSTILE) for outcome in outcomes], "UTC")
    assert len({trace.marker.symbol for trace in drawn.data}) == 4
    assert "<b>" not in str(drawn.data[0].customdata)


# --- the start -------------------------------------------------------------------------------------------------------


def test_a_demo_replaces_the_callers_key_and_removes_its_home(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_PROFILE"):
        monkeypatch.setenv(name, "theirs")
    monkeypatch.setenv("HALFPRICE_HOME", "theirs")
    monkeypatch.setattr(demo, "write_sample_journal", lambda *_: 0)
    with demo.demo() as running:
        assert os.environ["HALFPRICE_HOME"] == str(running.home)
        kept = {name: text for name, text in os.environ.items() if name.startswith("ANTHROPIC_")}
        assert kept == {"ANTHROPIC_API_KEY": demo.DUMMY_KEY, "ANTHROPIC_BASE_URL": running.api_url}
    assert not running.home.exists()


def test_without_a_wish_a_port_in_use_is_passed_over() -> None:
    first = ports.choose_port(None)
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind((ports.ADDRESS, first))
        taken.listen()
        assert ports.choose_port(None) > first
        with pytest.raises(HalfpriceError, match="it is in use"):
            ports.choose_port(first)
