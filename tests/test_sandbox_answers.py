"""Thinking, tools, searches, fallbacks and the other kinds of answers reach the real SDK as the API sends them."""

from __future__ import annotations

import json
from typing import Any

import anthropic
import pytest
from anthropic.types import Message
from anthropic.types.beta import BetaMessage
from pydantic import BaseModel

from core.sandbox import Handle
from core.sandbox.schemas import example
from tests.sandbox_server import (  # noqa: F401 (fixtures)
    LONG_ENOUGH,
    OPUS,
    SONNET,
    api_fixture,
    client,
    create_batch,
    params,
    sandbox_fixture,
    server_fixture,
)

FALLBACK = "server-side-fallback-2026-07-01"
WEATHER = {
    "name": "get_weather",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 2}},
        "required": ["city"],
    },
}
WEB = {"type": "web_search_20260318", "name": "web_search"}
ADVISOR = {"type": "advisor_20260301", "name": "advisor", "model": OPUS}
ADAPTIVE = {"type": "adaptive"}
COMPACT = {"edits": [{"type": "compact_20260112"}]}
PAUSED = {"edits": [{"type": "compact_20260112", "pause_after_compaction": True}]}

# What is asked, the betas, why the answer stops, its blocks.
Case = tuple[dict[str, Any], str, str, list[str]]
CASES: dict[str, Case] = {
    "thinking": (params(thinking=ADAPTIVE), "", "end_turn", ["thinking", "text"]),
    "thinking with a budget": (
        params(max_tokens=2_000, thinking={"type": "enabled", "budget_tokens": 1_024, "display": "omitted"}),
        "",
        "end_turn",
        ["thinking", "text"],
    ),
    "too long a thought": (params("[sandbox:think:500] why?", thinking=ADAPTIVE), "", "max_tokens", ["thinking"]),
    "a forced tool": (
        params(tools=[WEATHER], tool_choice={"type": "tool", "name": "get_weather"}),
        "",
        "tool_use",
        ["tool_use"],
    ),
    "two tools": (params("[sandbox:tool] [sandbox:tool]", tools=[WEATHER]), "", "tool_use", ["tool_use", "tool_use"]),
    "a tool that is not called": (params(tools=[WEATHER]), "", "end_turn", ["text"]),
    "a search": (params(tools=[WEB]), "", "end_turn", ["server_tool_use", "web_search_tool_result", "text"]),
    "two searches and a pause": (
        params("[sandbox:search:2][sandbox:pause] news?", tools=[WEB]),
        "x",
        "pause_turn",
        ["server_tool_use", "web_search_tool_result"] * 2,
    ),
    "a refusal in the middle": (params("[sandbox:refuse:bio:midway]"), "", "refusal", ["text"]),
    "a refusal": (params("[sandbox:refuse:bio]"), "", "refusal", []),
    "the end of the window": (params("[sandbox:context]"), "", "model_context_window_exceeded", ["text"]),
    "a fallback": (
        params("[sandbox:refuse:bio]", fallbacks=[{"model": OPUS}]),
        FALLBACK,
        "end_turn",
        ["fallback", "text"],
    ),
    "two fallbacks": (
        params(
            "[sandbox:refuse:bio:midway][sandbox:refuse:cyber]",
            fallbacks=[{"model": OPUS}, {"model": "claude-opus-4-8"}],
        ),
        FALLBACK,
        "end_turn",
        ["text", "fallback", "fallback", "text"],
    ),
    "nobody answers": (
        params("[sandbox:refuse][sandbox:refuse]", fallbacks="default"),
        FALLBACK,
        "refusal",
        ["fallback"],
    ),
    "a compaction": (params("[sandbox:compact]", context_management=COMPACT), "x", "end_turn", ["compaction", "text"]),
    "a compaction alone": (params("[sandbox:compact]", context_management=PAUSED), "x", "compaction", ["compaction"]),
    "an advisor": (
        params("[sandbox:advisor]", tools=[ADVISOR]),
        "x",
        "end_turn",
        ["server_tool_use", "advisor_tool_result", "text"],
    ),
}


def whole_and_streamed(api: anthropic.Anthropic, asked: dict[str, Any], betas: str) -> tuple[Any, Any]:
    if not betas:
        with api.messages.stream(**asked) as stream:
            streamed: Message | BetaMessage = stream.get_final_message()
        return api.messages.create(**asked), streamed
    with api.beta.messages.stream(**asked, betas=[betas]) as beta_stream:
        streamed = beta_stream.get_final_message()
    return api.beta.messages.create(**asked, betas=[betas]), streamed


def without_ids(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_ids(inner) for name, inner in value.items() if not name.endswith(("id", "_token"))}
    return [without_ids(inner) for inner in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", CASES)
def test_a_stream_adds_up_to_the_same_answer(api: anthropic.Anthropic, name: str) -> None:
    asked, betas, stop_reason, blocks = CASES[name]
    whole, streamed = whole_and_streamed(api, asked, betas)
    assert whole.stop_reason == stop_reason
    assert [block.type for block in whole.content] == blocks
    assert without_ids(streamed.to_dict()) == without_ids(whole.to_dict())
    assert "sandbox" in json.dumps(whole.to_dict())


def test_thinking_is_part_of_the_output(api: anthropic.Anthropic) -> None:
    silent = api.messages.create(**params("[sandbox:think:0] why?", thinking=ADAPTIVE)).usage
    usage = api.messages.create(**params("[sandbox:think:70] why?", thinking=ADAPTIVE)).usage
    assert usage.output_tokens_details is not None
    assert usage.output_tokens_details.thinking_tokens == 70
    assert usage.output_tokens - 70 == silent.output_tokens
    assert silent.output_tokens_details is None


def test_a_tool_loop_ends_when_its_result_comes_back(api: anthropic.Anthropic) -> None:
    asked = params("[sandbox:tool] Will it rain?", tools=[WEATHER])
    call = api.messages.create(**asked)
    (block,) = call.content
    assert block.type == "tool_use"
    assert block.input == {"city": "sandbox", "days": 2}
    assert block.id.startswith("toolu_sandbox_")
    result = {"type": "tool_result", "tool_use_id": block.id, "content": "sun"}
    turns = [*asked["messages"], {"role": "assistant", "content": call.content}, {"role": "user", "content": [result]}]
    assert api.messages.create(**{**asked, "messages": turns}).stop_reason == "end_turn"


def test_a_search_costs_a_cent_in_a_batch_too_and_a_failed_one_nothing(
    sandbox: Handle, api: anthropic.Anthropic
) -> None:
    found = api.messages.create(**params("[sandbox:search:3] news?", tools=[{**WEB, "max_uses": 2}]))
    assert found.usage.server_tool_use is not None
    assert found.usage.server_tool_use.web_search_requests == 2
    assert api.messages.create(**params("[sandbox:search_error] news?", tools=[WEB])).usage.server_tool_use is not None
    batch = create_batch(api, [{"custom_id": "one", "params": params(tools=[WEB])}])
    sandbox.advance(LONG_ENOUGH)
    assert api.messages.batches.retrieve(batch.id).request_counts.succeeded == 1
    assert sandbox.bill()["by_model"][SONNET]["web_searches"] == 3


def test_what_helped_is_in_the_iterations_alone(api: anthropic.Anthropic) -> None:
    """Each entry has its own model; a compaction's and an advisor's tokens are in no total."""
    for name, kinds in {
        "a compaction": ["compaction", "message"],
        "an advisor": ["message", "advisor_message", "message"],
        "two fallbacks": ["message", "message", "fallback_message"],
        "two searches and a pause": ["message", "message", "message"],
    }.items():
        asked, betas, *_ = CASES[name]
        message = api.beta.messages.create(**asked, betas=[betas])
        entries = message.usage.iterations or []
        assert [entry.type for entry in entries] == kinds
        own = [entry for entry in entries if getattr(entry, "model", None) == message.model]
        assert message.usage.output_tokens == sum(entry.output_tokens for entry in own)
        assert message.usage.input_tokens == sum(entry.input_tokens for entry in own)


def test_a_long_conversation_is_compacted_by_itself(api: anthropic.Anthropic) -> None:
    edit = {"type": "compact_20260112", "trigger": {"type": "input_tokens", "value": 1_000}}
    for words, compacted in ((500, False), (1_000, True)):
        message = api.beta.messages.create(
            **params("word " * words, context_management={"edits": [edit]}), betas=["compact-2026-01-12"]
        )
        assert (message.content[0].type == "compaction") == compacted


def test_a_refusal_hands_out_a_credit_for_one_retry(sandbox: Handle, api: anthropic.Anthropic) -> None:
    asked = params("[sandbox:refuse:cyber] please")
    refused = api.beta.messages.create(**asked, betas=["fallback-credit-2026-07-01"])
    assert refused.stop_details is not None
    token = refused.stop_details.fallback_credit_token
    assert token is not None

    def retry(token: Any, **fields: Any) -> BetaMessage:
        again: BetaMessage = api.beta.messages.create(
            **{**asked, "model": OPUS, **fields}, fallback_credit_token=token, betas=["fallback-credit-2026-07-01"]
        )
        return again

    first = retry(token)
    assert first.stop_reason == "end_turn"
    assert first.usage.fallback_credit is not None
    assert first.usage.fallback_credit.status.type == "redeemed"
    with pytest.raises(anthropic.BadRequestError, match="body_mismatch"):
        retry(token, system="Other rules.")
    sandbox.advance(300)
    with pytest.raises(anthropic.BadRequestError, match="expired"):
        retry(token)
    late = retry({"token": token, "mode": "best_effort"})
    assert late.usage.fallback_credit is not None
    assert late.usage.fallback_credit.status.type == "not_applied"


def test_an_answer_can_be_structured(api: anthropic.Anthropic) -> None:
    class Review(BaseModel):
        stars: int
        words: list[str]

    parsed = api.messages.parse(**params(), output_format=Review).parsed_output
    assert parsed == Review(stars=1, words=["sandbox"])


NESTED = {"type": "object", "properties": {"inner": {"$ref": "#"}, "n": {"type": "integer"}}, "required": ["n"]}
SCHEMAS: list[tuple[dict[str, Any], Any]] = [
    ({"type": "object"}, {}),
    ({"type": "object", "properties": {"a": {"enum": ["x", "y"]}, "b": {"const": 5}}}, {"a": "x", "b": 5}),
    ({"type": "object", "properties": {"a": {"type": ["string", "null"], "minLength": 9}}}, {"a": "sandboxxx"}),
    (
        {"type": "object", "properties": {"a": {"type": "array", "items": {"type": "boolean"}, "minItems": 2}}},
        {"a": [True, True]},
    ),
    ({"type": "object", "properties": {"a": {"anyOf": [{"type": "number", "exclusiveMinimum": 1}]}}}, {"a": 2}),
    ({"type": "object", "properties": {"a": {"type": "string", "maxLength": "many"}}}, {"a": "sandbox"}),
    ({"type": "object", "properties": {"at": {"type": "string", "format": "date"}}}, {"at": "2026-11-23"}),
]


@pytest.mark.parametrize(("schema", "value"), SCHEMAS)
def test_a_made_up_input_fits_its_schema(schema: dict[str, Any], value: Any) -> None:
    assert example(schema) == value


def test_a_schema_that_holds_itself_comes_to_an_end() -> None:
    value, depth = example(NESTED), 0
    while "inner" in value:
        value, depth = value["inner"], depth + 1
    assert value == {"n": 1}
    assert 2 <= depth <= 12


def test_an_answer_can_be_as_long_as_asked(api: anthropic.Anthropic) -> None:
    usage = api.messages.create(**params("[sandbox:tokens:150]")).usage
    assert (usage.output_tokens, usage.service_tier) == (150, "standard")
    assert api.messages.create(**params("[sandbox:priority]")).usage.service_tier == "priority"


BAD: list[tuple[dict[str, Any], str]] = [
    ({"thinking": {"type": "between_tools"}}, "thinking.type"),
    ({"thinking": {"type": "enabled", "budget_tokens": 100}}, "budget_tokens"),
    ({"thinking": {"type": "enabled", "budget_tokens": 2_000}}, "less than max_tokens"),
    ({"thinking": ADAPTIVE, "tools": [WEATHER], "tool_choice": {"type": "any"}}, "Thinking may not be enabled"),
    ({"tools": [{"name": "no_schema"}]}, "input_schema"),
    ({"tools": [{"name": "a", "type": None, "input_schema": {"type": "string"}}]}, "input_schema.type"),
    ({"tools": [{"name": "a", "type": 5}]}, "tools.0.type"),
    ({"tool_choice": {"type": "any"}}, "tool_choice"),
    ({"tools": [WEATHER], "tool_choice": {"type": "tool", "name": "other"}}, "'other' not found"),
    ({"tools": [ADVISOR]}, "advisor_20260301"),
    ({"output_config": {"effort": "huge"}}, "effort"),
    ({"output_config": {"format": {"type": "xml"}}}, "output_config.format"),
    ({"fallbacks": "default"}, "fallbacks: Extra inputs"),
    ({"messages": [{"role": "user", "content": "[sandbox:typo]"}]}, "is not a marker"),
    ({"messages": [{"role": "user", "content": "[sandbox:refuse:nobody]"}]}, "not something this marker"),
    ({"tools": [WEATHER], "messages": [{"role": "user", "content": "[sandbox:tool:other]"}]}, "names no tool"),
]
BAD_BETA: list[tuple[dict[str, Any], str]] = [
    ({"fallbacks": []}, "fallbacks"),
    ({"fallbacks": [{"model": "claude-none"}]}, "claude-none"),
    ({"fallbacks": [{"model": OPUS, "colour": "red"}]}, "fallbacks.0.colour"),
    ({"fallbacks": [{"model": OPUS, "max_tokens": "5"}]}, "fallbacks.0.max_tokens"),
    ({"context_management": {"edits": 5}}, "context_management.edits"),
    ({"fallbacks": [{"model": SONNET}], "model": OPUS, "speed": "fast"}, "fast mode"),
    ({"context_management": {"edits": [{"type": "clear_all"}]}}, "compact_20260112"),
    ({"fallback_credit_token": "made-up"}, "fallback_credit_token"),
]


@pytest.mark.parametrize(("fields", "said"), BAD)
def test_what_the_api_refuses_is_refused(api: anthropic.Anthropic, fields: dict[str, Any], said: str) -> None:
    with pytest.raises(anthropic.BadRequestError, match=said):
        api.messages.create(**params(), extra_body=fields)


@pytest.mark.parametrize(("fields", "said"), BAD_BETA)
def test_beta_parameters_are_checked_too(api: anthropic.Anthropic, fields: dict[str, Any], said: str) -> None:
    with pytest.raises(anthropic.BadRequestError, match=said):
        api.beta.messages.create(**params(), extra_body=fields, betas=["x"])
