"""Batches of the sandbox live, end and are forgotten as those of the API."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import anthropic
import pytest

from core.sandbox import Handle
from core.sandbox.errors import TYPES
from core.sandbox.markers import FAILURES
from tests.sandbox_server import (  # noqa: F401 (fixtures)
    BATCH_SECONDS,
    LONG_ENOUGH,
    OPUS,
    START,
    a_sandbox,
    api_fixture,
    client,
    create_batch,
    items,
    params,
    sandbox_fixture,
    server_fixture,
)

DAY = timedelta(days=1).total_seconds()


def test_a_batch_shows_no_progress_until_it_has_ended(sandbox: Handle, api: anthropic.Anthropic) -> None:
    batch = create_batch(api, items(20))
    assert batch.id == "msgbatch_sandbox_0_000001"
    assert batch.created_at - START < timedelta(seconds=30)
    assert batch.expires_at - batch.created_at == timedelta(hours=24)
    sandbox.advance(BATCH_SECONDS / 2)
    running = api.messages.batches.retrieve(batch.id)
    assert running.processing_status == "in_progress"
    assert running.request_counts.to_dict() == counts(processing=20)
    assert (running.ended_at, running.results_url) == (None, None)
    with pytest.raises(anthropic.AnthropicError, match="results_url"):
        api.messages.batches.results(batch.id)
    sandbox.advance(BATCH_SECONDS)
    ended = api.messages.batches.retrieve(batch.id)
    assert ended.processing_status == "ended"
    assert ended.request_counts.to_dict() == counts(succeeded=20)
    assert ended.ended_at is not None
    took = (ended.ended_at - ended.created_at).total_seconds()
    assert 0.75 * BATCH_SECONDS <= took <= 1.25 * BATCH_SECONDS


def counts(**some: int) -> dict[str, int]:
    return {"processing": 0, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0, **some}


def test_results_come_in_an_order_of_their_own(sandbox: Handle, api: anthropic.Anthropic) -> None:
    batch = create_batch(api, items(50))
    sandbox.advance(LONG_ENOUGH)
    order = [line.custom_id for line in api.messages.batches.results(batch.id)]
    asked = [f"item-{n}" for n in range(50)]
    assert order != asked
    assert sorted(order) == sorted(asked)
    assert order == [line.custom_id for line in api.messages.batches.results(batch.id)]


def test_an_item_is_answered_as_the_same_request_alone_at_half_the_price(
    sandbox: Handle, api: anthropic.Anthropic
) -> None:
    alone = api.messages.create(**params())
    full = sandbox.bill()["total_usd"]
    requests = [{"custom_id": "one", "params": params()}]
    batch = create_batch(api, requests)
    sandbox.advance(LONG_ENOUGH)
    (line,) = api.messages.batches.results(batch.id)
    assert line.result.type == "succeeded"
    assert line.result.message.usage.service_tier == "batch"
    assert line.result.message.content == alone.content
    # 29 bytes × 1.3 / 4 → 10 and 4 for the frame; the answer has 78 bytes → 26
    assert (alone.usage.input_tokens, alone.usage.output_tokens) == (14, 26)
    assert full == "0.000288"  # 14 × 2 + 26 × 10 millionths
    assert sandbox.bill()["total_usd"] == "0.000432"


def test_items_are_checked_only_when_the_batch_runs(sandbox: Handle, api: anthropic.Anthropic) -> None:
    bad: dict[str, dict[str, Any]] = {
        "stream": {"stream": True},
        "speed": {"model": OPUS, "speed": "fast"},
        "nothing": {"max_tokens": 0},
        "warm": {"temperature": 1.0},
        "stranger": {"model": "claude-none"},
        "busy": {"messages": [{"role": "user", "content": "[sandbox:overloaded]"}]},
        "marked": {"messages": [{"role": "user", "content": "[sandbox:invalid]"}]},
    }
    requests = [{"custom_id": name, "params": params(**fields)} for name, fields in bad.items()]
    requests.append({"custom_id": "good", "params": params()})
    batch = create_batch(api, requests)
    sandbox.advance(LONG_ENOUGH)
    kinds = {
        line.custom_id: line.result.error.error.type if line.result.type == "errored" else line.result.type
        for line in api.messages.batches.results(batch.id)
    }
    assert kinds == {
        **dict.fromkeys(("stream", "speed", "nothing", "warm", "marked"), "invalid_request_error"),
        "stranger": "not_found_error",
        "busy": "overloaded_error",
        "good": "succeeded",
    }
    assert api.messages.batches.retrieve(batch.id).request_counts.to_dict() == counts(succeeded=1, errored=7)
    assert sandbox.bill()["batch_items"] == 1


BAD_ENVELOPES: list[tuple[Any, str]] = [
    ([], "at least 1 item"),
    ("many", "requests"),
    (["one"], "requests.0"),
    ([{"custom_id": "a b", "params": {}}], "requests.0.custom_id"),
    ([{"custom_id": "x" * 65, "params": {}}], "requests.0.custom_id"),
    ([{"custom_id": "one\n", "params": {}}], "requests.0.custom_id"),
    ([{"params": {}}], "requests.0.custom_id"),
    ([{"custom_id": "one", "params": []}], "requests.0.params"),
    ([{"custom_id": "one", "params": {}}, {"custom_id": "one", "params": {}}], "unique"),
]


@pytest.mark.parametrize(("requests", "said"), BAD_ENVELOPES)
def test_a_bad_envelope_is_refused_at_once(api: anthropic.Anthropic, requests: Any, said: str) -> None:
    with pytest.raises(anthropic.BadRequestError) as caught:
        api.messages.batches.create(requests=[], extra_body={"requests": requests})
    assert said in str(caught.value)
    assert not api.messages.batches.list().data


def test_a_canceled_batch_keeps_what_had_finished(sandbox: Handle, api: anthropic.Anthropic) -> None:
    batch = create_batch(api, items(100))
    sandbox.advance(BATCH_SECONDS / 3)
    canceling = api.messages.batches.cancel(batch.id)
    assert canceling.processing_status == "canceling"
    assert canceling.cancel_initiated_at is not None
    assert canceling.request_counts.processing == 100
    sandbox.advance(60)
    ended = api.messages.batches.retrieve(batch.id)
    assert ended.processing_status == "ended"
    outcome = ended.request_counts
    assert outcome.succeeded + outcome.canceled == 100
    assert 20 < outcome.succeeded < 60
    assert sandbox.bill()["batch_items"] == outcome.succeeded
    with pytest.raises(anthropic.BadRequestError):
        api.messages.batches.cancel(batch.id)


def test_what_is_unfinished_after_a_day_expires() -> None:
    with a_sandbox(batch_seconds=2 * DAY) as slow, client(slow) as api:
        batch = create_batch(api, items(100))
        slow.advance(DAY - 60)
        assert api.messages.batches.retrieve(batch.id).processing_status == "in_progress"
        slow.advance(60)
        ended = api.messages.batches.retrieve(batch.id)
        assert ended.ended_at == ended.expires_at
        outcome = ended.request_counts
        assert outcome.succeeded + outcome.expired == 100
        assert 30 < outcome.expired < 70
        assert slow.bill()["batch_items"] == outcome.succeeded


def test_results_are_gone_29_days_after_the_creation(sandbox: Handle, api: anthropic.Anthropic) -> None:
    batch = create_batch(api, items(2))
    sandbox.advance(29 * DAY - 60)
    assert len(list(api.messages.batches.results(batch.id))) == 2
    sandbox.advance(60)
    kept = api.messages.batches.retrieve(batch.id)
    assert kept.archived_at == kept.created_at + timedelta(days=29)
    assert kept.results_url is None
    assert kept.request_counts.succeeded == 2
    assert [listed.id for listed in api.messages.batches.list()] == [batch.id]
    with pytest.raises(anthropic.NotFoundError, match="29 days have passed"):
        api.get(f"/v1/messages/batches/{batch.id}/results", cast_to=object)


def outcomes(api: anthropic.Anthropic, batch_id: str) -> Counter[str]:
    return Counter(
        line.result.error.error.type if line.result.type == "errored" else line.result.type
        for line in api.messages.batches.results(batch_id)
    )


def test_a_batch_can_take_as_long_as_it_is_told(sandbox: Handle, api: anthropic.Anthropic) -> None:
    sandbox.script_batch(seconds=5)
    sandbox.script_batch(seconds=7_200, custom_id="^item-0$")
    quick, slow, usual = (create_batch(api, items(1)).id for _ in range(3))
    ends = {row["id"]: datetime.fromisoformat(row["ends_at"]) for row in sandbox.batches()}
    assert ends[quick] - START < timedelta(seconds=40)
    assert timedelta(hours=2) < ends[slow] - START < timedelta(hours=2, minutes=1)
    assert timedelta(minutes=7) < ends[usual] - START < timedelta(minutes=14)
    sandbox.script_batch(id=slow, seconds=0)
    assert api.messages.batches.retrieve(slow).processing_status == "ended"


def test_a_batch_can_be_stuck_until_it_expires(sandbox: Handle, api: anthropic.Anthropic) -> None:
    sandbox.script_batch(expire=1)
    batch = create_batch(api, items(3))
    sandbox.advance(DAY - 60)
    assert api.messages.batches.retrieve(batch.id).processing_status == "in_progress"
    sandbox.advance(60)
    assert outcomes(api, batch.id) == {"expired": 3}
    assert sandbox.bill()["batch_items"] == 0


def test_the_items_of_a_batch_end_as_they_are_told(sandbox: Handle, api: anthropic.Anthropic) -> None:
    shares = {
        "invalid_request_error": 0.1,
        "authentication_error": 0.1,
        "billing_error": 0.1,
        "permission_error": 0.1,
        "not_found_error": 0.1,
        "rate_limit_error": 0.1,
        "api_error": 0.1,
        "timeout_error": 0.1,
        "overloaded_error": 0.1,
    }
    sandbox.script_batch(errors=shares)
    sandbox.script_batch(expire=0.3, errors={"request_too_large": 0.2})
    every, some = create_batch(api, items(10)), create_batch(api, items(10))
    sandbox.advance(DAY)
    assert outcomes(api, every.id) == {**dict.fromkeys(shares, 1), "succeeded": 1}
    assert outcomes(api, some.id) == {"expired": 3, "request_too_large": 2, "succeeded": 5}
    assert sandbox.bill()["batch_items"] == 6


@pytest.mark.parametrize(("marker", "kind"), {name: TYPES[status] for name, (status, _) in FAILURES.items()}.items())
def test_an_item_can_ask_for_its_error(api: anthropic.Anthropic, sandbox: Handle, marker: str, kind: str) -> None:
    text = f"[sandbox:{marker}:once] please"
    ids = []
    for _ in range(2):
        ids.append(create_batch(api, [{"custom_id": "one", "params": params(text)}]).id)
        sandbox.advance(LONG_ENOUGH)
    assert [outcomes(api, batch_id) for batch_id in ids] == [{kind: 1}, {"succeeded": 1}]


def test_an_item_can_ask_never_to_end(sandbox: Handle, api: anthropic.Anthropic) -> None:
    requests = [*items(4), {"custom_id": "late", "params": params("[sandbox:expire] please")}]
    batch, canceled = create_batch(api, requests), create_batch(api, requests)
    sandbox.advance(DAY / 2)
    api.messages.batches.cancel(canceled.id)
    sandbox.advance(60)
    assert outcomes(api, canceled.id) == {"succeeded": 4, "canceled": 1}
    sandbox.advance(DAY / 2)
    assert outcomes(api, batch.id) == {"succeeded": 4, "expired": 1}


def test_a_cancellation_takes_its_time(sandbox: Handle, api: anthropic.Anthropic) -> None:
    sandbox.script_batch(seconds=DAY / 2, cancel_seconds=3_600)
    batch = create_batch(api, items(2))
    api.messages.batches.cancel(batch.id)
    sandbox.advance(3_500)
    assert api.messages.batches.retrieve(batch.id).processing_status == "canceling"
    sandbox.advance(100)
    assert api.messages.batches.retrieve(batch.id).processing_status == "ended"


def test_a_new_batch_can_be_missing_for_a_while(sandbox: Handle, api: anthropic.Anthropic) -> None:
    sandbox.script_batch(missing_seconds=300, unlisted_seconds=600)
    batch = create_batch(api, items(1))
    with pytest.raises(anthropic.NotFoundError):
        api.messages.batches.retrieve(batch.id)
    sandbox.advance(300)
    assert api.messages.batches.retrieve(batch.id).id == batch.id
    assert not api.messages.batches.list().data
    sandbox.advance(300)
    assert [listed.id for listed in api.messages.batches.list()] == [batch.id]


BAD_FATES: list[dict[str, Any]] = [
    {"colour": 1},
    {"seconds": -1},
    {"expire": 2},
    {"expire": 0.6, "errors": {"api_error": 0.6}},
    {"errors": {"x": 1}},
    {"custom_id": "("},
    {"times": 0},
    {"id": "msgbatch_none"},
]


@pytest.mark.parametrize("fate", BAD_FATES)
def test_a_fate_that_cannot_be_is_refused(sandbox: Handle, fate: Any) -> None:
    with pytest.raises(ValueError, match="batches"):
        sandbox.script_batch(**fate)


def test_the_betas_of_a_batch_hold_for_its_items(sandbox: Handle, api: anthropic.Anthropic) -> None:
    compact = {"edits": [{"type": "compact_20260112"}]}
    item: Any = {"custom_id": "one", "params": params("[sandbox:compact]", context_management=compact)}
    with_beta = api.beta.messages.batches.create(requests=[item], betas=["compact-2026-01-12"])
    without = create_batch(api, [item])
    sandbox.advance(LONG_ENOUGH)
    (line,) = api.beta.messages.batches.results(with_beta.id)
    assert line.result.type == "succeeded"
    assert [entry.type for entry in line.result.message.usage.iterations or ()] == ["compaction", "message"]
    assert outcomes(api, without.id) == {"invalid_request_error": 1}


def test_batches_are_listed_newest_first_in_pages(api: anthropic.Anthropic) -> None:
    made = [create_batch(api, items(1)).id for _ in range(7)]
    assert [batch.id for batch in api.messages.batches.list(limit=3)] == made[::-1]
    page = api.messages.batches.list(limit=2, after_id=made[4])
    assert ([batch.id for batch in page.data], page.has_more) == ([made[3], made[2]], True)
    newer = api.messages.batches.list(limit=2, before_id=made[3])
    assert ([batch.id for batch in newer.data], newer.has_more) == ([made[5], made[4]], True)
    for bad in ({"limit": 0}, {"limit": 1_001}, {"after_id": "msgbatch_none"}):
        with pytest.raises(anthropic.BadRequestError):
            api.messages.batches.list(**bad)


def test_a_batch_can_be_deleted_once_it_has_ended(sandbox: Handle, api: anthropic.Anthropic) -> None:
    batch = create_batch(api, items(1))
    with pytest.raises(anthropic.BadRequestError):
        api.messages.batches.delete(batch.id)
    sandbox.advance(LONG_ENOUGH)
    assert api.messages.batches.delete(batch.id).type == "message_batch_deleted"
    with pytest.raises(anthropic.NotFoundError):
        api.messages.batches.retrieve(batch.id)


def test_without_an_option_batches_have_a_realistic_tail() -> None:
    with a_sandbox(batch_seconds=None) as real, client(real) as api:
        for _ in range(40):
            create_batch(api, items(1))
        real.advance(DAY)
        ended = list(api.messages.batches.list(limit=100))
    seconds = sorted((batch.ended_at - batch.created_at).total_seconds() for batch in ended if batch.ended_at)
    assert len(seconds) == 40
    assert 300 < seconds[20] < 1_200
    assert seconds[-1] > 3_600
