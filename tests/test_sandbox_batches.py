"""Batches of the sandbox live, end and are forgotten as those of the API."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import anthropic
import pytest

from core.sandbox import Handle
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
    with pytest.raises(anthropic.NotFoundError):
        api.messages.batches.results(batch.id)


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
