"""Reading the usage block of a response."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.usage import MOST_TOKENS, BadUsage, Usage, read_usage

TWO: dict[str, Any] = {"input_tokens": 100, "output_tokens": 20}

COMPLETE: dict[str, Any] = {
    "input_tokens": 100,
    "output_tokens": 20,
    "output_tokens_details": {"thinking_tokens": 15},
    "cache_read_input_tokens": 3_000,
    "cache_creation_input_tokens": 500,
    "cache_creation": {"ephemeral_5m_input_tokens": 200, "ephemeral_1h_input_tokens": 300},
    "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 7},
    "service_tier": "standard",
    "inference_geo": "global",
    "speed": "standard",
}


def test_a_complete_block_is_read_field_by_field() -> None:
    assert read_usage(COMPLETE) == Usage(
        input_tokens=100,
        output_tokens=20,  # thinking is part of it
        cache_read_tokens=3_000,
        cache_write_5m_tokens=200,
        cache_write_1h_tokens=300,
        web_searches=2,
        speed="standard",
        service_tier="standard",
        inference_geo="global",
    )
    assert read_usage(COMPLETE).prompt_tokens == 100 + 3_000 + 500


def test_null_and_absent_optional_fields_are_the_same() -> None:
    optional = set(COMPLETE) - {"input_tokens", "output_tokens"} | {"iterations", "fallback_credit"}
    assert read_usage(TWO | dict.fromkeys(optional)) == read_usage(TWO) == Usage(100, 20)


CACHE_WRITES = [  # total, 5 minutes, 1 hour → 5 minutes, 1 hour, the cost is only an estimate
    (500, 200, 300, 200, 300, False),
    (500, None, None, 500, 0, True),
    (500, 0, 0, 500, 0, True),  # as the API once sent it: anthropic-sdk-java/issues/353
    (500, 100, 300, 200, 300, True),
    (500, None, 300, 200, 300, True),
    (None, 200, 300, 200, 300, False),
    (400, 200, 300, 200, 300, True),
    (0, 200, 300, 200, 300, True),
    (0, None, None, 0, 0, False),
]


@pytest.mark.parametrize(("total", "five", "hour", "read_five", "read_hour", "estimated"), CACHE_WRITES)
def test_cache_writes_keep_their_lifetime(
    total: int | None, five: int | None, hour: int | None, read_five: int, read_hour: int, estimated: bool
) -> None:
    split = {"ephemeral_5m_input_tokens": five, "ephemeral_1h_input_tokens": hour}
    usage = read_usage(TWO | {"cache_creation_input_tokens": total, "cache_creation": split})
    assert (usage.cache_write_5m_tokens, usage.cache_write_1h_tokens) == (read_five, read_hour)
    assert bool(usage.notes) is estimated


def test_a_missing_split_is_priced_as_5_minute_writes_and_says_so() -> None:
    usage = read_usage(TWO | {"cache_creation_input_tokens": 1_500, "cache_creation": None})
    assert usage.cache_write_5m_tokens == 1_500
    assert usage.notes == ("1,500 cache writes of unknown lifetime are priced as 5-minute writes",)


def test_iterations_are_read_with_their_own_type_model_and_tokens() -> None:
    entries = [
        {"type": "message", "model": None, **TWO},
        {"type": "advisor_message", "model": "claude-opus-5-5", "input_tokens": 7, "output_tokens": 8},
    ]
    first, second = read_usage(TWO | {"iterations": entries}).iterations
    assert (first.type, first.model, first.usage) == ("message", None, Usage(100, 20))
    assert (second.type, second.model, second.usage) == ("advisor_message", "claude-opus-5-5", Usage(7, 8))


def test_notes_come_from_what_is_billed() -> None:
    unsplit = {"cache_creation_input_tokens": 10}
    entry = {"type": "message", **TWO}
    assert read_usage(TWO | unsplit | {"iterations": [entry]}).notes == ()
    assert read_usage(TWO | {"iterations": [entry | unsplit]}).notes != ()
    assert read_usage(TWO | {"iterations": [entry | {"type": "dream"}]}).notes == (
        "an entry of the unknown type 'dream' is priced",
    )


@pytest.mark.parametrize(("status", "noted"), [("redeemed", True), ({"type": "redeemed"}, True), (
    {"type": "not_applied", "reason": "expired"}, False), (None, False)])  # fmt: skip
def test_a_redeemed_fallback_credit_is_noted(status: object, noted: bool) -> None:
    assert bool(read_usage(TWO | {"fallback_credit": {"status": status}}).notes) is noted


BAD = [
    (None, "usage is null, not an object."),
    ([TWO], "usage is [{"),
    ("usage", "usage is 'usage', not an object."),
    ({}, "usage.input_tokens is missing."),
    ({"input_tokens": 1}, "usage.output_tokens is missing."),
    (TWO | {"input_tokens": None}, "usage.input_tokens is null, not a whole number from 0 to 1,000,000,000."),
    (TWO | {"output_tokens": -5}, "usage.output_tokens is -5, not a whole number"),
    (TWO | {"output_tokens": 1.5}, "usage.output_tokens is 1.5, not a whole number"),
    (TWO | {"output_tokens": float("nan")}, "usage.output_tokens is nan, not a whole number"),
    (TWO | {"output_tokens": float("inf")}, "usage.output_tokens is inf, not a whole number"),
    (TWO | {"output_tokens": "12"}, "usage.output_tokens is '12', not a whole number"),
    (TWO | {"output_tokens": True}, "usage.output_tokens is true, not a whole number"),
    (TWO | {"output_tokens": []}, "usage.output_tokens is [], not a whole number"),
    (TWO | {"input_tokens": MOST_TOKENS + 1}, "usage.input_tokens is 1000000001, not a whole number"),
    (TWO | {"input_tokens": 10**5_000}, "usage.input_tokens is a number far too large, not a whole number"),
    (TWO | {"cache_read_input_tokens": -1}, "usage.cache_read_input_tokens is -1"),
    (TWO | {"cache_creation_input_tokens": -1}, "usage.cache_creation_input_tokens is -1"),
    (TWO | {"cache_creation": 5}, "usage.cache_creation is 5, not an object."),
    (
        TWO | {"cache_creation": {"ephemeral_1h_input_tokens": -1}},
        "usage.cache_creation.ephemeral_1h_input_tokens is -1",
    ),
    (
        TWO | {"server_tool_use": {"web_search_requests": -1}},
        "usage.server_tool_use.web_search_requests is -1, not a whole number from 0 to 1,000,000.",
    ),
    (TWO | {"server_tool_use": []}, "usage.server_tool_use is [], not an object."),
    (TWO | {"speed": 2}, "usage.speed is 2, not text."),
    (TWO | {"speed": "\ud800"}, r"usage.speed is '\ud800', not text."),
    (TWO | {"service_tier": ["batch"]}, "usage.service_tier is ['batch'], not text."),
    (TWO | {"inference_geo": False}, "usage.inference_geo is false, not text."),
    (TWO | {"iterations": {}}, "usage.iterations is {}, not a list."),
    (TWO | {"iterations": [None]}, "usage.iterations[0] is null, not an object."),
    (TWO | {"iterations": [TWO]}, "usage.iterations[0].type is missing."),
    (TWO | {"iterations": [{"type": "message", "input_tokens": 1}]}, "usage.iterations[0].output_tokens is missing."),
    (TWO | {"iterations": [{"type": "message", "model": 5, **TWO}]}, "usage.iterations[0].model is 5, not text."),
    (
        TWO | {"iterations": [{"type": "message", "input_tokens": MOST_TOKENS, "output_tokens": 1}]},
        "usage.iterations hold 1,000,000,001 tokens together, more than 1,000,000,000.",
    ),
]


@pytest.mark.parametrize(("block", "message"), BAD, ids=lambda value: value[:40] if isinstance(value, str) else "")
def test_a_bad_block_is_refused_with_the_field_and_its_value(block: object, message: str) -> None:
    with pytest.raises(BadUsage) as refused:
        read_usage(block)
    assert str(refused.value).startswith(message)
    assert len(str(refused.value)) < 200
    assert str(refused.value).endswith(".")


def test_the_largest_counts_are_read() -> None:
    assert read_usage({"input_tokens": MOST_TOKENS, "output_tokens": 0}).input_tokens == MOST_TOKENS


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(sorted(COMPLETE)), inner),
    max_leaves=10,
)


@given(JSON_VALUES)
def test_any_json_is_read_or_refused_plainly(block: object) -> None:
    try:
        usage = read_usage(block)
    except BadUsage:
        return
    assert usage.prompt_tokens >= 0


@given(st.integers(0, 1_000))
def test_thinking_tokens_change_nothing(thinking: int) -> None:
    assert read_usage(TWO | {"output_tokens_details": {"thinking_tokens": thinking}}) == read_usage(TWO)
