"""The sandbox caches prompts and bills what it serves, in an arithmetic of its own."""

from __future__ import annotations

from typing import Any

import anthropic
import pytest
from anthropic.types import Message

from core.sandbox import Handle
from tests.sandbox_server import (  # noqa: F401 (fixtures)
    HAIKU,
    LONG_ENOUGH,
    OPUS,
    SONNET,
    SONNET_4_6,
    api_fixture,
    create_batch,
    params,
    sandbox_fixture,
    server_fixture,
)

LONG_SYSTEM = "s" * 8_000  # 8,000 bytes / 4 × 1.3 = 2,600 tokens


def cached(ttl: str = "5m", **fields: Any) -> dict[str, Any]:
    block = {"type": "text", "text": LONG_SYSTEM, "cache_control": {"type": "ephemeral", "ttl": ttl}}
    return params("x" * 40, **{"system": [block], **fields})


def billed(message: Message) -> tuple[int, int, int, int]:
    """Uncached, written for 5 minutes, written for an hour, read."""
    usage, split = message.usage, message.usage.cache_creation
    assert split is not None
    written = split.ephemeral_5m_input_tokens, split.ephemeral_1h_input_tokens
    assert usage.cache_creation_input_tokens == sum(written)
    return usage.input_tokens, *written, usage.cache_read_input_tokens or 0


def test_a_cached_prefix_is_written_once_and_read_until_it_expires(sandbox: Handle, api: anthropic.Anthropic) -> None:
    assert billed(api.messages.create(**cached())) == (17, 2_600, 0, 0)
    sandbox.advance(290)
    assert billed(api.messages.create(**cached())) == (17, 0, 0, 2_600)
    sandbox.advance(290)  # a read keeps it alive for five minutes more
    assert billed(api.messages.create(**cached())) == (17, 0, 0, 2_600)
    sandbox.advance(301)
    assert billed(api.messages.create(**cached())) == (17, 2_600, 0, 0)


def test_an_hour_is_written_as_such(sandbox: Handle, api: anthropic.Anthropic) -> None:
    assert billed(api.messages.create(**cached("1h"))) == (17, 0, 2_600, 0)
    sandbox.advance(3_500)
    assert billed(api.messages.create(**cached("1h"))) == (17, 0, 0, 2_600)


def test_a_growing_conversation_reads_what_the_turn_before_wrote(api: anthropic.Anthropic) -> None:
    control = {"type": "ephemeral"}
    first = api.messages.create(**params("x" * 8_000, cache_control=control))
    assert billed(first)[1:] == (2_604, 0, 0)
    turns = [
        {"role": "user", "content": "x" * 8_000},
        {"role": "assistant", "content": "y" * 400},
        {"role": "user", "content": "z" * 40},
    ]
    # the rest: 440 bytes / 4 × 1.3 = 143, and two frames
    assert billed(api.messages.create(**params(messages=turns, cache_control=control))) == (0, 151, 0, 2_604)


def test_a_prefix_below_the_minimum_is_not_cached(api: anthropic.Anthropic) -> None:
    short = [{"type": "text", "text": "s" * 3_000, "cache_control": {"type": "ephemeral"}}]
    assert billed(api.messages.create(**cached(system=short)))[1:] == (0, 0, 0)  # 975 tokens; Sonnet 5.5 needs 1,024
    assert billed(api.messages.create(**cached(system=short, model=HAIKU)))[1] == 975  # Haiku 5.5 needs 512


def test_the_items_of_a_batch_share_a_prefix_after_the_first_few(sandbox: Handle, api: anthropic.Anthropic) -> None:
    requests = [{"custom_id": f"i-{n}", "params": cached("1h")} for n in range(20)]
    batch = create_batch(api, requests)
    sandbox.advance(LONG_ENOUGH)
    reads = [
        result.result.message.usage.cache_read_input_tokens
        for result in api.messages.batches.results(batch.id)
        if result.result.type == "succeeded"
    ]
    assert sorted(map(bool, reads)) == [False] * 8 + [True] * 12


def test_the_bill_is_what_the_price_list_says(sandbox: Handle, api: anthropic.Anthropic) -> None:
    """Every amount here was worked out by hand from platform.claude.com/docs/en/about-claude/pricing."""
    words = "x" * 4_000  # 1,000 tokens, 1,300 with the new tokenizer; 4 for the frame
    system = [{"type": "text", "text": "s" * 8_000, "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
    cases: list[tuple[dict[str, Any], str]] = [
        # 1,004 × 3 + 3 × 15 millionths
        ({"model": SONNET_4_6, "max_tokens": 3}, "0.003057"),
        # 1,304 × 8 + 3 × 40, fast doubles it
        ({"model": "claude-fable-5-2", "max_tokens": 3}, "0.010552"),
        ({"model": "claude-fable-5-2", "max_tokens": 3, "speed": "fast"}, "0.021104"),
        # 1,304 × 4 + 3 × 20, in the US a tenth more
        ({"model": OPUS, "max_tokens": 3, "inference_geo": "us"}, "0.0058036"),
        # 2,600 written for an hour at 4, 1,304 × 2, 3 × 10; then 2,600 read at 0.10
        ({"model": SONNET, "max_tokens": 3, "system": system}, "0.013038"),
        ({"model": SONNET, "max_tokens": 3, "system": system}, "0.002898"),
        # 1,304 × 0.1 + 3 × 0.5
        ({"model": HAIKU, "max_tokens": 3}, "0.0001319"),
    ]
    before = 0
    for fields, expected in cases:
        api.messages.create(**params(words, **fields))
        now = pico(sandbox.bill()["total_usd"])
        assert now - before == pico(expected), fields
        before = now
    assert sandbox.bill()["requests"] == len(cases)
    assert set(sandbox.bill()["by_model"]) == {SONNET_4_6, "claude-fable-5-2", OPUS, SONNET, HAIKU}


def pico(usd: str) -> int:
    whole, _, part = usd.partition(".")
    return int(whole) * 10**12 + int(part.ljust(12, "0"))


@pytest.mark.parametrize(
    ("size", "tokens", "usd"),
    [
        # 100,000 tokens × 0.1 + 2 × 0.5 millionths, halved
        (307_680, 100_000, "0.0050005"),
        # 100,001 × 0.5 + 2 × 2.5, halved: one more token and all of them cost five times as much
        (307_683, 100_001, "0.02500275"),
    ],
)
def test_a_long_prompt_moves_haiku_5_5_to_its_dearer_rates(
    sandbox: Handle, api: anthropic.Anthropic, size: int, tokens: int, usd: str
) -> None:
    request = {"custom_id": "long", "params": params("x" * size, model=HAIKU, max_tokens=2)}
    batch = create_batch(api, [request])
    sandbox.advance(LONG_ENOUGH)
    (line,) = api.messages.batches.results(batch.id)
    assert line.result.type == "succeeded"
    assert line.result.message.usage.input_tokens == tokens
    assert sandbox.bill()["total_usd"] == usd
