"""The sandbox answers Messages requests of the real SDK as the API does."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import anthropic
import pytest
from anthropic.types import Message

from core.sandbox import Handle
from tests.sandbox_server import (  # noqa: F401 (fixtures)
    LONG_ENOUGH,
    SONNET,
    SONNET_4_6,
    api_fixture,
    async_client,
    items,
    params,
    sandbox_fixture,
    server_fixture,
)


def text(message: Message) -> str:
    (block,) = message.content
    assert block.type == "text"
    return block.text


def test_an_answer_says_that_it_comes_from_the_sandbox(api: anthropic.Anthropic) -> None:
    raw = api.messages.with_raw_response.create(**params())
    message = raw.parse()
    assert message.id == "msg_sandbox_0_000001"
    assert message._request_id == raw.headers["request-id"] == "req_sandbox_0_000001"
    assert raw.headers["x-halfprice-sandbox"] == "1"
    assert "sandbox" in text(message)
    assert message.stop_reason == "end_turn"


def test_usage_has_every_field_of_the_api(api: anthropic.Anthropic) -> None:
    usage = api.messages.create(**params("x" * 400)).usage
    # 400 bytes / 4 × 1.3 for the new tokenizer, and 4 for the frame of the message
    assert usage.input_tokens == 134
    assert usage.output_tokens > 0
    assert (usage.cache_read_input_tokens, usage.cache_creation_input_tokens) == (0, 0)
    assert (usage.service_tier, usage.inference_geo, usage.speed) == ("standard", "global", "standard")


@pytest.mark.parametrize(
    ("model", "expected"),
    [(SONNET_4_6, 100 + 4), (SONNET, 130 + 4)],
)
def test_newer_models_count_thirty_percent_more_tokens(api: anthropic.Anthropic, model: str, expected: int) -> None:
    assert api.messages.count_tokens(model=model, messages=params("x" * 400)["messages"]).input_tokens == expected


def test_system_tools_and_every_block_are_counted(api: anthropic.Anthropic) -> None:
    plain = api.messages.count_tokens(model=SONNET_4_6, messages=[{"role": "user", "content": "x" * 40}]).input_tokens
    assert plain == 14
    assert api.messages.count_tokens(**_counted(system="y" * 40)).input_tokens == plain + 10
    assert (
        api.messages.count_tokens(**_counted(tools=[{"name": "find", "input_schema": {"type": "object"}}])).input_tokens
        > plain + 497
    )
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA" * 1_000}}
    blocks = [{"role": "user", "content": [{"type": "text", "text": "x" * 40}, image]}]
    assert api.messages.count_tokens(model=SONNET_4_6, messages=blocks).input_tokens == plain + 1_500  # type: ignore[arg-type]


def _counted(**fields: Any) -> dict[str, Any]:
    return {"model": SONNET_4_6, "messages": [{"role": "user", "content": "x" * 40}], **fields}


def test_a_stream_ends_at_the_usage_of_the_same_request_without_one(api: anthropic.Anthropic) -> None:
    whole = api.messages.create(**params())
    with api.messages.stream(**params()) as stream:
        events = [event.type for event in stream]
        final = stream.get_final_message()
    assert final.usage == whole.usage
    assert [block.text for block in final.content if block.type == "text"] == [text(whole)]
    assert final.stop_reason == whole.stop_reason
    assert events[0] == "message_start"
    assert events[-1] == "message_stop"


def test_the_usage_of_a_stream_is_split_over_its_start_and_its_end(api: anthropic.Anthropic) -> None:
    with api.messages.create(**params(), stream=True) as stream:
        events = list(stream)
    (start,) = [event for event in events if event.type == "message_start"]
    (end,) = [event for event in events if event.type == "message_delta"]
    assert start.message.usage.output_tokens == 1
    assert start.message.usage.service_tier == "standard"
    assert start.message.usage.cache_creation is not None
    assert end.usage.output_tokens > 1
    assert set(end.usage.model_dump(exclude_none=True)) == {
        "input_tokens",
        "output_tokens",
        "cache_creation_input_tokens",
        "cache_read_input_tokens",
    }


def test_the_async_client_gets_the_same(sandbox: Handle, api: anthropic.Anthropic) -> None:
    async def ask() -> tuple[Message, Message, list[str]]:
        async with async_client(sandbox) as asynchronous:
            whole = await asynchronous.messages.create(**params())
            async with asynchronous.messages.stream(**params()) as stream:
                streamed = await stream.get_final_message()
            batch = await asynchronous.messages.batches.create(requests=items(3))  # type: ignore[arg-type]
            sandbox.advance(LONG_ENOUGH)
            results = [line.custom_id async for line in await asynchronous.messages.batches.results(batch.id)]
        return whole, streamed, results

    whole, streamed, results = asyncio.run(ask())
    assert whole.usage == streamed.usage == api.messages.create(**params()).usage
    assert sorted(results) == ["item-0", "item-1", "item-2"]


def test_the_answer_fits_the_kind_of_the_prompt(api: anthropic.Anthropic) -> None:
    review = (
        "Classify this app review by sentiment, topic and urgency.\n\nCrashed twice, a terrible bug, I want a refund."
    )
    assert json.loads(text(api.messages.create(**params(review)))) == {
        "sentiment": "negative",
        "topic": "stability",
        "urgency": "high",
        "summary": "Sandbox: says terrible bug want refund.",
    }
    seo = "Write an SEO title and a meta description as JSON.\n\nGrowing tomatoes on a small balcony"
    assert set(json.loads(text(api.messages.create(**params(seo))))) == {"title", "description"}
    news = "Summarise this news item in two sentences.\n\nThe harbour reopened after the storm damaged four cranes."
    assert text(api.messages.create(**params(news))).startswith("Topic: ")
    log = "Turn this log of user events into a morning report.\n\nsignup=12 checkout=3 errors=1 search pages"
    assert text(api.messages.create(**params(log))).startswith("Sandbox report.")


def test_max_tokens_cut_an_answer(api: anthropic.Anthropic) -> None:
    message = api.messages.create(**params(max_tokens=5))
    assert message.stop_reason == "max_tokens"
    assert message.usage.output_tokens == 5


def test_a_stop_sequence_ends_an_answer(api: anthropic.Anthropic) -> None:
    message = api.messages.create(**params(stop_sequences=["sandbox"]))
    assert (message.stop_reason, message.stop_sequence) == ("stop_sequence", "sandbox")
    assert "sandbox" not in text(message)


def test_a_refusal_has_no_output_and_costs_nothing_unless_its_category_does(
    sandbox: Handle, api: anthropic.Anthropic
) -> None:
    refused = api.messages.create(**params("[sandbox:refuse] please"))
    assert refused.stop_reason == "refusal"
    assert refused.stop_details is not None
    assert refused.stop_details.category is None
    assert refused.usage.output_tokens == 0
    assert sandbox.bill()["total_usd"] == "0"
    # 4 characters a token, 1.3 for the tokenizer: 27 × 13 / 40 = 8.775 → 9, and 4 for the frame; at 2 USD a million
    billed = api.messages.create(**params("[sandbox:refuse:bio] please"))
    assert billed.usage.input_tokens == 13
    assert sandbox.bill()["total_usd"] == "0.000026"


def test_models_are_listed_with_their_life_and_abilities(api: anthropic.Anthropic) -> None:
    models = {model.id: model for model in api.models.list(limit=3)}  # three pages and one
    assert len(models) == 10
    old = models["claude-sonnet-4-5-20250929"]
    assert old.lifecycle == "deprecated"
    assert old.retires_at is not None
    assert old.retires_at.date().isoformat() == "2026-11-30"
    assert all(model.capabilities and model.capabilities.batch.supported for model in models.values())
    assert all("sandbox" in model.display_name for model in models.values())
    assert [model.id for model in api.models.list(lifecycle=["deprecated"])] == [old.id]


def test_a_model_is_found_by_id_or_alias(api: anthropic.Anthropic) -> None:
    haiku = api.models.retrieve("claude-haiku-4-5")
    assert (haiku.id, haiku.max_input_tokens, haiku.max_tokens) == ("claude-haiku-4-5-20251001", 200_000, 64_000)
    assert api.messages.create(**params(model="claude-haiku-4-5")).model == haiku.id
    with pytest.raises(anthropic.NotFoundError):
        api.models.retrieve("claude-none")
