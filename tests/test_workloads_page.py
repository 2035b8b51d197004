"""The Workloads page: the decision follows the answers, answers are kept and come back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from streamlit.testing.v1 import AppTest

from core.errors import HalfpriceError
from core.pricing import PriceBook
from core.routing import Decision, decide
from core.workloads import FLAGS, KEYS, MOST, MOST_HOURS, TEXTS, Workload, examples, load_workload, read_workload
from dashboard import decision_form, formats, state, workload_files
from tests.conftest import Open
from tests.lines import request
from tests.pages import prose

REVIEWS = next(load_workload(example.workload_file) for example in examples() if example.name == "app-reviews")


def open_workload(open_app: Open, home: Path, name: str) -> AppTest:
    app = open_app(home, "workloads", **{state.WORKLOAD: name})
    assert not app.exception
    return app


def answer(app: AppTest, key: str, value: Any) -> None:
    if key in FLAGS:
        app.segmented_control(state.answer(key)).set_value(
            {True: "Yes", False: "No", None: "Not answered"}[value]
        ).run()
    elif key == "model":
        app.selectbox(state.answer(key)).set_value(value).run()
    else:
        app.number_input(state.answer(key)).set_value(value).run()
    assert not app.exception


def decided(workload: Workload) -> Decision:
    return decide(workload, PriceBook.load(), datetime.now(UTC).date())


def test_nothing_chosen_says_what_the_page_is_for(tmp_path: Path, open_app: Open) -> None:
    app = open_app(tmp_path, "workloads")
    assert not app.exception
    assert "Nothing is sent from this page" in prose(app)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"person_waits": True},
        {"person_waits": None},
        {"deadline_hours": 6.0},
        {"requests_per_run": 6},
        {"retry_safe": False, "chained": True},
        {"model": "claude-opus-5-5", "shared_prefix_tokens": 20_000},
        {"runs_per_month": None},
    ],
    ids=str,
)
def test_the_decision_follows_the_answers(tmp_path: Path, open_app: Open, changes: dict[str, Any]) -> None:
    app = open_workload(open_app, tmp_path, "app-reviews")
    for key, value in changes.items():
        answer(app, key, value)
    expected = decided(replace(REVIEWS, **changes))
    shown = prose(app)
    assert f"Decision: {decision_form.VERDICTS[expected.route]}" in shown
    assert formats.md(expected.recommendation) in shown
    for check in expected.checks:
        assert formats.md(check.why) in shown
    for flip in expected.flips:
        assert formats.md(flip.sentence) in shown
    for way, amount in zip(expected.money.ways, app.subheader, strict=True):
        if way.request_usd is not None:
            assert amount.value == formats.plain(formats.span_usd(way.month_usd))


def test_a_new_workload_is_undecided_and_its_price_unknown(tmp_path: Path, open_app: Open) -> None:
    app = open_workload(open_app, tmp_path, "brand new")
    assert "Decision: Undecided" in prose(app)
    assert [amount.value for amount in app.subheader] == [formats.UNKNOWN] * 4
    assert "$0" not in prose(app)


def test_answers_are_saved_and_come_back(tmp_path: Path, open_app: Open) -> None:
    workload_files.save(tmp_path, Workload(name="nightly job"))
    app = open_workload(open_app, tmp_path, "nightly job")
    for key, value in {"person_waits": False, "deadline_hours": 30.5, "requests_per_run": 250}.items():
        answer(app, key, value)
    answer(app, "model", "claude-haiku-5-5")
    assert "Changes are not saved yet" in prose(app)
    app.button("save").click().run()
    kept = load_workload(tmp_path / "workloads" / "nightly job.toml")
    assert kept == Workload(
        name="nightly job", model="claude-haiku-5-5", person_waits=False, deadline_hours=30.5, requests_per_run=250
    )
    again = open_workload(open_app, tmp_path, "nightly job")
    assert again.segmented_control(state.answer("person_waits")).value == "No"
    assert again.segmented_control(state.answer("one_off")).value == "Not answered"
    assert again.number_input(state.answer("deadline_hours")).value == 30.5
    assert "Saved in" in prose(again)


def test_changes_can_be_taken_back(tmp_path: Path, open_app: Open) -> None:
    app = open_workload(open_app, tmp_path, "app-reviews")
    answer(app, "person_waits", True)
    assert "Decision: Synchronous" in prose(app)
    app.button("undo").click().run()
    assert "Decision: Batch" in prose(app)


def test_another_workload_brings_its_own_answers(tmp_path: Path, open_app: Open) -> None:
    app = open_workload(open_app, tmp_path, "app-reviews")
    app.selectbox(state.WORKLOAD).set_value("seo-metadata").run()
    assert not app.exception
    assert app.number_input(state.answer("requests_per_run")).value == 200


def test_saved_recorded_and_example_workloads_can_be_chosen(home: Path, open_app: Open, record: Any) -> None:
    record(request(workload="from-the-ledger"), request(workload="../no name for a file"))
    workload_files.save(home, Workload(name="saved"))
    app = open_app(home, "workloads")
    options = app.selectbox(state.WORKLOAD).options
    assert {"saved", "from-the-ledger", "app-reviews"} <= set(options)
    assert "../no name for a file" not in options


def test_a_name_that_is_no_file_name_is_one_sentence(tmp_path: Path, open_app: Open) -> None:
    app = open_app(tmp_path, "workloads", **{state.WORKLOAD: "../../etc/passwd"})
    assert not app.exception
    assert "is no name for a workload" in app.error[0].value


def test_what_could_not_be_read_back_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(HalfpriceError):
        workload_files.save(tmp_path, Workload(name="long", model="m" * 300))
    assert not (tmp_path / "workloads").exists()


VALUES = {
    **dict.fromkeys(FLAGS, some.booleans()),
    **dict.fromkeys(set(KEYS) - FLAGS - TEXTS - {"deadline_hours"}, some.integers(0, MOST)),
    **dict.fromkeys(TEXTS, some.text(min_size=1, max_size=200).filter(str.isprintable)),
    "deadline_hours": some.floats(0, MOST_HOURS),
}


@given(some.fixed_dictionaries({key: value if key == "name" else some.none() | value for key, value in VALUES.items()}))
def test_every_workload_reads_back_as_it_was_written(values: dict[str, Any]) -> None:
    workload = Workload(**values)
    assert read_workload(workload_files.toml(workload)) == workload
