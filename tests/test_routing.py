"""The checklist: worked answers first, then what holds for every workload."""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.costmodel import HitRates, Range
from core.journal import DecisionLine, read_line
from core.routing import CHECKLIST, Decision, check_rows, decide, decision_record
from core.workloads import Workload
from tests.workload_cases import ANSWERS, BATCHABLE, BOOK, MONTH, TODAY, band, changed, price

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def route(workload: Workload, rates: HitRates | None = None) -> Decision:
    return decide(workload, BOOK, TODAY, rates)


# --- the checklist ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ({}, "batch"),
        ({"person_waits": True}, "sync"),
        ({"streams_to_ui": True}, "sync"),
        ({"one_off": True}, "sync"),
        ({"chained": True}, "sync"),
        ({"zero_retention": True}, "sync"),
        ({"retry_safe": False}, "sync"),
        ({"deadline_hours": 23.9}, "sync"),
        ({"deadline_hours": 24.0}, "batch"),
        ({"deadline_hours": 0}, "sync"),
        ({"requests_per_run": 9}, "sync"),
        ({"requests_per_run": 10}, "batch"),
        ({"requests_per_run": 0}, "sync"),
        ({"person_waits": None}, "undecided"),
        ({"deadline_hours": None}, "undecided"),
        ({"person_waits": None, "one_off": True}, "sync"),  # any beats all, whatever the open answer
        ({"retry_safe": None, "requests_per_run": 3}, "sync"),
        ({"streams_to_ui": True, "person_waits": True}, "sync"),
    ],
)
def test_worked_answers(answers: dict[str, Any], expected: str) -> None:
    assert route(changed(BATCHABLE, **answers)).route == expected


def test_check_ids_are_the_keys_of_a_workload_in_the_order_in_which_they_are_asked() -> None:
    assert [question.id for question in CHECKLIST] == list(ANSWERS)
    assert [check.id for check in route(Workload()).checks] == list(ANSWERS)


def completions(answers: tuple[int | None, ...]) -> set[str]:
    """The routes that the article's two lists give when every open question gets each of its answers.

    Written from the lists, not from the program: an answer of 0 speaks for a batch, 1 against it.
    """
    routes = set()
    for full in product(*((0, 1) if answer is None else (answer,) for answer in answers)):
        waits, streams, chained, retention, one_off, late, few, unsafe = full
        any_sync = waits or streams or chained or one_off or retention
        all_batch = not (waits or late or few or unsafe)
        routes.add("sync" if any_sync or not all_batch else "batch")
    return routes


def test_all_6561_answers_are_undecided_exactly_when_an_open_one_could_change_the_route() -> None:
    found: Counter[str] = Counter()
    for answers in product((0, 1, None), repeat=8):
        workload = Workload(
            **{
                key: None if answer is None else ANSWERS[key][answer]
                for key, answer in zip(ANSWERS, answers, strict=True)
            }  # type: ignore[arg-type]
        )
        possible = completions(answers)
        decision = route(workload)
        assert decision.route == (possible.pop() if len(possible) == 1 else "undecided"), answers
        found[decision.route] += 1
    assert found == {"sync": 6_305, "batch": 1, "undecided": 255}


def test_the_article_s_128_answers_divide_as_its_two_lists_do() -> None:
    # Zero data retention is ours, not the article's, so its seven questions are asked with it answered no.
    found: Counter[tuple[bool, bool]] = Counter()
    for waits, streams, chained, one_off, late, few, unsafe in product((0, 1), repeat=7):
        any_sync = bool(waits or streams or chained or one_off)
        all_batch = not (waits or late or few or unsafe)
        picked = (waits, streams, chained, 0, one_off, late, few, unsafe)
        answers: dict[str, Any] = {key: ANSWERS[key][index] for key, index in zip(ANSWERS, picked, strict=True)}
        assert route(Workload(**answers)).route == ("batch" if all_batch and not any_sync else "sync")
        found[any_sync, all_batch] += 1
    any_alone, all_alone, both, neither = (True, False), (False, True), (True, True), (False, False)
    assert found == {any_alone: 113, all_alone: 1, both: 7, neither: 7}


@given(st.fixed_dictionaries({key: st.sampled_from((None, *answers)) for key, answers in ANSWERS.items()}))
def test_one_more_answer_never_makes_a_decided_route_undecided(answers: dict[str, Any]) -> None:
    before = route(Workload(**answers)).route
    for key in [key for key, answer in answers.items() if answer is None]:
        for answer in ANSWERS[key]:
            after = route(Workload(**{**answers, key: answer})).route
            assert after == before or before == "undecided"


def test_every_check_says_why_in_a_sentence() -> None:
    for index in (0, 1):
        workload = Workload(**{key: answers[index] for key, answers in ANSWERS.items()})  # type: ignore[arg-type]
        for check in route(workload).checks:
            assert check.passed is (index == 0)
            assert check.question.endswith("?")
            assert re.fullmatch(r"[A-Z0-9].*\.", check.why)
            assert "{" not in check.why


def test_a_short_deadline_is_sync_and_the_public_times_are_no_promise() -> None:
    why = next(c.why for c in route(changed(BATCHABLE, deadline_hours=2)).checks if c.id == "deadline_hours")
    assert why.startswith("2 hours is less than the 24 hours that the API promises.")
    for word in ("7 minutes", "90 %", "1 hour", "OpenRouter", "several providers", "only batches that completed"):
        assert word in why
    assert why.endswith("but that is no promise.")


# --- what would change it ---------------------------------------------------------------------------------------------


def test_the_distance_to_a_batch_is_named() -> None:
    decision = route(changed(BATCHABLE, requests_per_run=6))
    assert [flip.sentence for flip in decision.flips] == [
        "With 4 more requests a run (10 in all) it could go as a batch."
    ]
    assert decision.recommendation.startswith("Send it synchronously for now. 6 requests a run: fewer than 10")


def test_what_an_open_question_leaves_open_is_said() -> None:
    decision = route(changed(BATCHABLE, requests_per_run=9, retry_safe=None))
    assert decision.flips[0].sentence == (
        "With 1 more request a run (10 in all) it could go as a batch, if 1 open question allows it."
    )


def test_two_reasons_against_a_batch_leave_no_single_change() -> None:
    assert route(changed(BATCHABLE, requests_per_run=6, person_waits=True)).flips == ()


@given(st.fixed_dictionaries({key: st.sampled_from((None, *answers)) for key, answers in ANSWERS.items()}))
def test_each_flip_changes_the_route_and_no_single_change_is_left_out(answers: dict[str, Any]) -> None:
    workload = Workload(**answers)
    decision = route(workload)
    for flip in decision.flips:
        assert route(changed(workload, **{flip.id: flip.answer})).route != decision.route, flip
        assert re.fullmatch(r"(If|With) .*\.", flip.sentence)
    # While questions are open only they are of interest.
    asked = [check.id for check in decision.checks if check.passed is None or decision.route != "undecided"]
    changing = {
        (key, answer)
        for key in asked
        for answer in ANSWERS[key]
        if answer != answers[key] and route(changed(workload, **{key: answer})).route != decision.route
    }
    assert {(flip.id, flip.answer) for flip in decision.flips} == changing


# --- cached sync against batch ----------------------------------------------------------------------------------------


def test_cached_sync_is_recommended_where_it_is_cheaper_at_the_given_hit_rates() -> None:
    decision = route(MONTH, HitRates(sync=Decimal("0.98"), batch=band("0.3", "0.5")))
    assert (decision.route, decision.money.verdict) == ("sync", "cached_sync")
    check = decision.checks[-1]
    assert (check.id, check.answer, check.passed) == ("shared_prefix_tokens", 8_000, False)
    assert "$155.52 a month at a hit rate of 98%" in check.why
    assert "$300.00 without the cache and $216.00 to $273.60 with it at 30% to 50%" in check.why
    assert decision.recommendation.startswith("Send it synchronously with the prompt cache")
    assert check.why in decision.recommendation
    assert decision.saving_usd_month == 300


def test_it_is_a_remark_where_it_depends() -> None:
    decision = route(MONTH)
    assert (decision.route, decision.money.verdict) == ("batch", "depends")
    assert len(decision.checks) == len(CHECKLIST)
    for text in (decision.recommendation, decision.flips[-1].sentence):
        assert "$155.52 a month at a hit rate of 98%" in text
        assert "$300.00 without the cache and $77.76 to $273.60 with it at 30% to 98%" in text


def test_an_assumed_hit_rate_never_changes_the_route() -> None:
    decision = route(MONTH, HitRates(batch=band("0.3")))
    assert (decision.route, decision.money.verdict) == ("batch", "depends")


def test_nothing_is_said_of_the_cache_where_a_batch_is_cheaper_anyway() -> None:
    decision = route(changed(MONTH, shared_prefix_tokens=4_096, output_tokens=9_000))
    assert (decision.route, decision.money.verdict) == ("batch", "batch")
    assert "cache" not in decision.recommendation.replace("without the cache", "")


def test_what_the_checklist_refuses_stays_refused_for_its_own_reason() -> None:
    rates = HitRates(sync=Decimal("0.98"), batch=band("0.3"))
    decision = route(changed(MONTH, person_waits=True), rates)
    assert (decision.route, decision.saving_usd_month, len(decision.checks)) == ("sync", None, len(CHECKLIST))
    assert decision.recommendation.startswith("Send it synchronously. A person waits")
    assert decision.flips == ()  # without the person it would still be cheaper synchronous


def test_a_cheaper_cached_sync_leaves_no_open_question() -> None:
    rates = HitRates(sync=Decimal("0.98"), batch=band("0.3"))
    decision = route(changed(MONTH, retry_safe=None, chained=None), rates)
    assert decision.route == "sync"


@pytest.mark.parametrize("workload", [MONTH, changed(MONTH, retry_safe=None), changed(MONTH, runs_per_month=None)])
@pytest.mark.parametrize("rates", [HitRates(), HitRates(batch=band("0.3")), HitRates(sync=Decimal("0.9"))])
def test_the_named_hit_rate_is_where_the_route_turns(workload: Workload, rates: HitRates) -> None:
    flip = route(workload, rates).flips[-1]
    assert flip.id == "batch_hit_rate"
    assert isinstance(flip.answer, Decimal)
    sync, step = rates.assumed(workload.requests_per_run)[0], Decimal("0.001")
    below, above = (
        route(workload, HitRates(sync=sync, batch=Range(rate, rate))).route
        for rate in (flip.answer - step, flip.answer + step)
    )
    assert below == "sync"
    assert above == route(workload).route != "sync"


@pytest.mark.parametrize(
    ("answers", "known"),
    [
        ({"person_waits": True}, False),
        ({"streams_to_ui": True}, False),
        ({"chained": True}, False),
        ({"zero_retention": True}, False),
        ({"one_off": True}, True),
        ({"deadline_hours": 2}, True),
        ({"requests_per_run": 6}, True),
        ({"retry_safe": False}, True),
        ({"retry_safe": None}, True),
    ],
)
def test_a_saving_is_named_where_a_batch_could_do_the_work(answers: dict[str, Any], known: bool) -> None:
    assert (route(changed(MONTH, **answers)).saving_usd_month is not None) is known


# --- the record -------------------------------------------------------------------------------------------------------


def test_a_decision_is_a_line_that_the_journal_takes() -> None:
    decision = route(MONTH)
    record = decision_record(MONTH, decision, NOW)
    line = read_line(json.dumps(record).encode(), NOW)
    assert isinstance(line, DecisionLine)
    assert (line.workload, line.route, line.decided_at) == ("month", "batch", NOW)
    assert json.loads(line.answers)["shared_prefix_tokens"] == 8_000
    assert json.loads(line.checks) == check_rows(decision)
    assert json.loads(line.price_ids) == [price("claude-sonnet-5-5").price_id]


def test_a_workload_without_a_name_is_recorded_too() -> None:
    record = decision_record(Workload(), route(Workload()), NOW)
    line = read_line(json.dumps(record).encode(), NOW)
    assert isinstance(line, DecisionLine)
    assert (line.workload, line.route, line.price_ids) == ("unlabelled", "undecided", "[]")
