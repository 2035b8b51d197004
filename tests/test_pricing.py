"""What a request costs."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.pricetable import BadPrices, Price
from core.pricing import Cost, PriceBook
from core.usage import MOST_SEARCHES, MOST_TOKENS, Iteration, Usage, read_usage

BOOK = PriceBook.load()
NOVEMBER = datetime(2026, 11, 15, 12, tzinfo=UTC)
MTOK = 1_000_000


def usd(per_mtok: str) -> Decimal:
    """An amount that was added up in USD per million tokens."""
    return Decimal(per_mtok) / MTOK


def on(day: str) -> datetime:
    return datetime.fromisoformat(f"{day}T12:00:00+00:00")


# Tokens × rates of the price sheet, written out: in, w5 (5-minute write), w1 (1-hour write), read, out.
BATCH = "batch"
WORKED_EXAMPLES = [
    # 1,000 × 4 + 200 × 20 = 8,000
    ("Opus 5.5", "claude-opus-5-5", Usage(1_000, 200), NOVEMBER, "8000"),
    # half of it
    ("Opus 5.5 batch", "claude-opus-5-5", Usage(1_000, 200, service_tier=BATCH), NOVEMBER, "4000"),
    # 100 × 4 + 200 × 20 + 5,000 × 0.20 + 3,000 × 5 + 1,000 × 8 = 400 + 4,000 + 1,000 + 15,000 + 8,000
    ("every kind of token", "claude-opus-5-5", Usage(100, 200, 5_000, 3_000, 1_000), NOVEMBER, "28400"),
    ("the same in a batch", "claude-opus-5-5", Usage(100, 200, 5_000, 3_000, 1_000, service_tier=BATCH), NOVEMBER,
     "14200"),
    # 28,400 × 1.1
    ("in the US", "claude-opus-5-5", Usage(100, 200, 5_000, 3_000, 1_000, inference_geo="us"), NOVEMBER, "31240"),
    # 28,400 × 0.5 × 1.1
    ("a batch in the US", "claude-opus-5-5",
     Usage(100, 200, 5_000, 3_000, 1_000, service_tier=BATCH, inference_geo="us"), NOVEMBER, "15620"),
    # 100 × 8 + 200 × 40 + 5,000 × 0.40 + 3,000 × 10 + 1,000 × 16 = 800 + 8,000 + 2,000 + 30,000 + 16,000
    ("fast", "claude-opus-5-5", Usage(100, 200, 5_000, 3_000, 1_000, speed="fast"), NOVEMBER, "56800"),
    # 56,800 × 1.1
    ("fast in the US", "claude-opus-5-5", Usage(100, 200, 5_000, 3_000, 1_000, speed="fast", inference_geo="us"),
     NOVEMBER, "62480"),
    # 8,000 + 3 searches of 10,000 each: 10 USD per 1,000
    ("with web searches", "claude-opus-5-5", Usage(1_000, 200, web_searches=3), NOVEMBER, "38000"),
    # the searches are neither halved nor in the US: 8,000 × 0.55 + 30,000
    ("searches in a US batch", "claude-opus-5-5",
     Usage(1_000, 200, web_searches=3, service_tier=BATCH, inference_geo="us"), NOVEMBER, "34400"),
    # 1,000 × 8 + 2,000 × 40 + 4,000 × 0.20 = 8,000 + 80,000 + 800
    ("Fable 5.2", "claude-fable-5-2", Usage(1_000, 2_000, 4_000), NOVEMBER, "88800"),
    ("Mythos 5.2", "claude-mythos-5-2", Usage(1_000, 2_000, 4_000), NOVEMBER, "88800"),
    # 1,000 × 10 + 2,000 × 50 + 4,000 × 0.25 = 10,000 + 100,000 + 1,000
    ("Fable 5.1", "claude-fable-5-1", Usage(1_000, 2_000, 4_000), NOVEMBER, "111000"),
    # 1,000 × 3 + 500 × 15 = 10,500: the answer in the contract of `halfprice price`
    ("Sonnet 4.6", "claude-sonnet-4-6", Usage(1_000, 500), NOVEMBER, "10500"),
    # 4,000 × 0.10 before and after the cut of the cache read
    ("Sonnet 5.5 read, last day", "claude-sonnet-5-5", Usage(0, 0, 4_000), on("2026-10-06"), "800"),
    ("Sonnet 5.5 read, first day", "claude-sonnet-5-5", Usage(0, 0, 4_000), on("2026-10-07"), "400"),
    # Haiku 5.5 up to 100,000: 100,000 × 0.10 + 1,000 × 0.50 = 10,500
    ("Haiku 5.5 at the bound", "claude-haiku-5-5", Usage(100_000, 1_000), NOVEMBER, "10500"),
    # one token more and the whole request, output too: 100,001 × 0.50 + 1,000 × 2.50 = 50,000.5 + 2,500
    ("Haiku 5.5 above", "claude-haiku-5-5", Usage(100_001, 1_000), NOVEMBER, "52500.5"),
    # cached tokens count for the bound: 1 × 0.50 + 60,000 × 0.05 + 30,000 × 0.625 + 10,000 × 1.00
    ("Haiku 5.5 cached above", "claude-haiku-5-5", Usage(1, 0, 60_000, 30_000, 10_000), NOVEMBER, "31750.5"),
    ("Haiku 5.5 cached at it", "claude-haiku-5-5", Usage(0, 0, 60_000, 30_000, 10_000), NOVEMBER, "6350"),
    ("Haiku 5.5 above, batch", "claude-haiku-5-5", Usage(100_001, 1_000, service_tier=BATCH), NOVEMBER, "26250.25"),
    # output does not count for the bound: 100 × 0.10 + 128,000 × 0.50
    ("Haiku 5.5 long answer", "claude-haiku-5-5", Usage(100, 128_000), NOVEMBER, "64010"),
    # the long-context premium ended: 200,001 × 10 + 100 × 37.50, then 200,001 × 5 + 100 × 25
    ("Opus 4.6 premium", "claude-opus-4-6", Usage(200_001, 100), on("2026-03-12"), "2003760"),
    ("Opus 4.6 at the bound", "claude-opus-4-6", Usage(200_000, 100), on("2026-03-12"), "1002500"),
    ("Opus 4.6 after it", "claude-opus-4-6", Usage(200_001, 100), on("2026-03-13"), "1002505"),
    # 1,000 × 30 + 100 × 150 and, over 200,000, 200,001 × 60 + 100 × 225
    ("Opus 4.6 fast", "claude-opus-4-6", Usage(1_000, 100, speed="fast"), on("2026-06-28"), "45000"),
    ("Opus 4.6 fast, long", "claude-opus-4-6", Usage(200_001, 100, speed="fast"), on("2026-02-07"), "12022560"),
    # a request for fast mode after its end runs as standard and says so: 1,000 × 5 + 100 × 25
    ("Opus 4.6 no longer fast", "claude-opus-4-6", Usage(1_000, 100, speed="standard"), on("2026-06-29"), "7500"),
    ("Opus 4.7 fast, last day", "claude-opus-4-7", Usage(1_000, 100, speed="fast"), on("2026-07-23"), "45000"),
    # 1,000 × 1 + 100 × 5, by id and by alias
    ("Haiku 4.5", "claude-haiku-4-5-20251001", Usage(1_000, 100), NOVEMBER, "1500"),
    ("Haiku 4.5 by alias", "claude-haiku-4-5", Usage(1_000, 100), NOVEMBER, "1500"),
    # 1,000 × 15 + 100 × 75
    ("Opus 4.1", "claude-opus-4-1-20250805", Usage(1_000, 100), on("2026-01-01"), "22500"),
    ("Opus 4", "claude-opus-4-0", Usage(1_000, 100), on("2026-01-01"), "22500"),
    # 1,000 × 0.80 + 100 × 4
    ("Haiku 3.5", "claude-3-5-haiku-latest", Usage(1_000, 100), on("2025-12-01"), "1200"),
    ("nothing at all", "claude-opus-5-5", Usage(), NOVEMBER, "0"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("model", "usage", "at", "per_mtok"),
    [example[1:] for example in WORKED_EXAMPLES],
    ids=[e[0] for e in WORKED_EXAMPLES],
)
def test_worked_examples(model: str, usage: Usage, at: datetime, per_mtok: str) -> None:
    cost = BOOK.cost(model, usage, at)
    assert (cost.status, cost.cost_usd, cost.estimated) == ("priced", usd(per_mtok), False)
    assert len(cost.price_ids) == 1


def test_the_list_price_is_the_same_tokens_without_the_batch() -> None:
    usage = Usage(1_000, 200, 300, 40, 50, web_searches=2, service_tier="batch", inference_geo="us")
    batch, sync = (
        BOOK.cost("claude-opus-5-5", usage, NOVEMBER),
        BOOK.cost("claude-opus-5-5", replace(usage, service_tier=None), NOVEMBER),
    )
    assert batch.list_usd == sync.list_usd == sync.cost_usd
    fee = Decimal("0.02")
    assert batch.cost_usd is not None
    assert sync.cost_usd is not None
    assert (batch.cost_usd - fee) * 2 == sync.cost_usd - fee


REASONS = [
    (Usage(1), "List price of claude-haiku-5-5 from 2026-10-07 for prompts up to 100,000 tokens."),
    (
        Usage(100_001, service_tier="batch", inference_geo="us", web_searches=1),
        "List price of claude-haiku-5-5 from 2026-10-07 for prompts over 100,000 tokens, half price in a batch, "
        "1.1 times in the US, plus 1 web search.",
    ),
    (
        Usage(1, inference_geo="eu", service_tier="priority"),
        "List price of claude-haiku-5-5 from 2026-10-07 for prompts up to 100,000 tokens; estimated: "
        "what inference in 'eu' adds is not known; the priority tier is priced as the standard one.",
    ),
]


@pytest.mark.parametrize(("usage", "reason"), REASONS)
def test_the_reason_says_which_price_and_which_factors(usage: Usage, reason: str) -> None:
    assert BOOK.cost("claude-haiku-5-5", usage, NOVEMBER).reason == reason


ESTIMATED = [
    (Usage(1_000, inference_geo="eu"), "4000"),  # at the global rate
    (Usage(1_000, service_tier="priority"), "4000"),  # at the standard rate
    (read_usage({"input_tokens": 0, "output_tokens": 0, "cache_creation_input_tokens": 1_000}), "5000"),  # as 5 minutes
    (
        read_usage({"input_tokens": 1_000, "output_tokens": 0, "fallback_credit": {"status": {"type": "redeemed"}}}),
        "4000",
    ),
]


@pytest.mark.parametrize(("usage", "per_mtok"), ESTIMATED)
def test_what_usage_leaves_open_is_priced_and_marked(usage: Usage, per_mtok: str) -> None:
    cost = BOOK.cost("claude-opus-5-5", usage, NOVEMBER)
    assert (cost.status, cost.cost_usd, cost.estimated) == ("priced", usd(per_mtok), True)
    assert "; estimated: " in cost.reason


@pytest.mark.parametrize("geo", [None, "global", "not_available"])
def test_global_routing_adds_nothing(geo: str | None) -> None:
    assert BOOK.cost("claude-opus-5-5", Usage(1_000, inference_geo=geo), NOVEMBER).cost_usd == usd("4000")


UNPRICED = [
    ("gpt-5", Usage(1), NOVEMBER, "No price is known for the model 'gpt-5'."),
    # a dated id that is not listed is never guessed from the name before the date
    ("claude-opus-5-5-20260922", Usage(1), NOVEMBER, "No price is known for the model 'claude-opus-5-5-20260922'."),
    ("Claude-Opus-5-5", Usage(1), NOVEMBER, "No price is known for the model 'Claude-Opus-5-5'."),
    ("", Usage(1), NOVEMBER, "No price is known for the model ''."),
    (
        "claude-opus-5-5", Usage(1), on("2026-09-21"),
        "claude-opus-5-5 has no price on 2026-09-21: its first one starts on 2026-09-22.",
    ),
    (
        "claude-opus-4-6", Usage(1, speed="fast"), on("2026-06-29"),
        "claude-opus-4-6 fast has no price on 2026-06-29: the last one before ended on 2026-06-29.",
    ),
    (
        "claude-sonnet-4-5", Usage(200_001), on("2026-04-30"),
        "claude-sonnet-4-5-20250929 has no price for a prompt of 200,001 tokens on 2026-04-30.",
    ),
    ("claude-sonnet-5-5", Usage(1, speed="fast"), NOVEMBER, "claude-sonnet-5-5 has no price for the speed 'fast'."),
    ("claude-opus-5-5", Usage(1, speed="warp"), NOVEMBER, "claude-opus-5-5 has no price for the speed 'warp'."),
    (
        "claude-opus-5-5", Usage(1, speed="fast", service_tier="batch"), NOVEMBER,
        "Fast mode in a batch has no price: the Batches API refuses it.",
    ),
    ("claude-opus-5-5", Usage(1, service_tier="flex"), NOVEMBER, "No price is known for the service tier 'flex'."),
]  # fmt: skip


@pytest.mark.parametrize(("model", "usage", "at", "reason"), UNPRICED)
def test_what_has_no_price_is_unpriced_and_never_zero(model: str, usage: Usage, at: datetime, reason: str) -> None:
    assert BOOK.cost(model, usage, at) == Cost("unpriced", None, None, False, reason, ())


def test_the_day_of_a_price_is_the_utc_day() -> None:
    los_angeles = timezone(timedelta(hours=-7))
    before = datetime(2026, 10, 6, 16, 59, 59, tzinfo=los_angeles)
    usage = Usage(cache_read_tokens=1_000)
    assert BOOK.cost("claude-sonnet-5-5", usage, before).cost_usd == usd("200")
    assert BOOK.cost("claude-sonnet-5-5", usage, before + timedelta(seconds=1)).cost_usd == usd("100")


def test_a_time_without_a_zone_is_a_wrong_call() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        BOOK.cost("claude-opus-5-5", Usage(1), datetime(2026, 11, 1))  # noqa: DTZ001


def entry(kind: str, usage: Usage, model: str | None = None) -> Iteration:
    return Iteration(kind, model, usage)


def test_iterations_are_priced_one_by_one_and_the_totals_are_not_added() -> None:
    entries = (
        entry("message", Usage(1_000, 200)),  # 1,000 × 4 + 200 × 20 = 8,000
        entry("compaction", Usage(500, 100)),  # 500 × 4 + 100 × 20 = 4,000, in no total
        entry("advisor_message", Usage(100, 10), "claude-fable-5-2"),  # 100 × 8 + 10 × 40 = 1,200
    )
    usage = Usage(999, 999, web_searches=1, iterations=entries)  # and one search of 10,000
    cost = BOOK.cost("claude-opus-5-5", usage, NOVEMBER)
    assert (cost.cost_usd, cost.estimated) == (usd("23200"), False)
    assert [price_id.split("@")[0] for price_id in cost.price_ids] == ["claude-opus-5-5", "claude-fable-5-2"]
    assert cost.reason == (
        "List price, entry by entry, of claude-opus-5-5 from 2026-09-22 and claude-fable-5-2 from 2026-11-09, "
        "plus 1 web search."
    )


def test_iterations_follow_the_speed_tier_and_place_of_the_request() -> None:
    usage = Usage(iterations=(entry("message", Usage(1_000)), entry("compaction", Usage(1_000))))
    batch = BOOK.cost("claude-opus-5-5", replace(usage, service_tier="batch"), NOVEMBER)
    assert (batch.cost_usd, batch.list_usd) == (usd("4000"), usd("8000"))
    assert BOOK.cost("claude-opus-5-5", replace(usage, speed="fast"), NOVEMBER).cost_usd == usd("16000")
    assert BOOK.cost("claude-opus-5-5", replace(usage, inference_geo="us"), NOVEMBER).cost_usd == usd("8800")


def test_every_entry_has_its_own_prompt_size_tier() -> None:
    # 60,000 × 0.10 twice; together they would be in the high tier
    usage = Usage(120_000, iterations=(entry("message", Usage(60_000)), entry("message", Usage(60_000))))
    assert BOOK.cost("claude-haiku-5-5", usage, NOVEMBER).cost_usd == usd("12000")


def test_one_entry_without_a_price_leaves_the_request_unpriced() -> None:
    usage = Usage(iterations=(entry("message", Usage(1_000)), entry("fallback_message", Usage(1), "claude-next")))
    cost = BOOK.cost("claude-opus-5-5", usage, NOVEMBER)
    assert (cost.status, cost.cost_usd) == ("unpriced", None)
    assert cost.reason == "No price is known for the model 'claude-next'."


@pytest.mark.parametrize(("declined_output", "estimated"), [(0, True), (5, False)])
def test_a_declined_attempt_before_a_fallback_is_charged_and_marked(declined_output: int, estimated: bool) -> None:
    entries = (
        entry("message", Usage(1_000, declined_output), "claude-fable-5-2"),
        entry("fallback_message", Usage(1_000, 200), "claude-opus-5-5"),
    )
    cost = BOOK.cost("claude-opus-5-5", Usage(1_000, 200, iterations=entries), NOVEMBER)
    # 1,000 × 8 + declined × 40, and 1,000 × 4 + 200 × 20
    assert cost.cost_usd == usd(str(8_000 + declined_output * 40 + 8_000))
    assert cost.estimated is estimated


def test_the_steps_of_a_fallback_may_stand_between_it_and_the_declined_attempt() -> None:
    entries = (entry("message", Usage(1)), entry("message", Usage(1, 1)), entry("fallback_message", Usage(1, 1)))
    assert BOOK.cost("claude-opus-5-5", Usage(iterations=entries), NOVEMBER).estimated


@pytest.mark.parametrize("category", ["cyber", "bio", None])
def test_where_every_model_refused_the_last_reason_does_not_speak_for_the_others(category: str | None) -> None:
    entries = (
        entry("message", Usage(1_000), "claude-fable-5-2"),
        entry("fallback_message", Usage(1_000), "claude-opus-5-5"),
    )
    usage = Usage(1_000, iterations=entries)
    cost = BOOK.cost("claude-opus-5-5", usage, NOVEMBER, stop_reason="refusal", refusal_category=category)
    assert (cost.cost_usd, cost.estimated) == (usd("12000"), True)


def test_a_message_without_output_is_no_declined_attempt_when_nothing_replaced_it() -> None:
    usage = Usage(iterations=(entry("message", Usage(1_000, 0)), entry("message", Usage(1_000, 5))))
    assert not BOOK.cost("claude-opus-5-5", usage, NOVEMBER).estimated


FIRST_DAY, DAY_BEFORE = on("2026-09-24"), on("2026-09-23")
REFUSALS = [  # category, output tokens, day → cost, estimated; 1,000 × 4 in and 20 a token out
    ("cyber", 0, FIRST_DAY, "0", False),
    ("general_harms", 0, FIRST_DAY, "0", False),
    (None, 0, FIRST_DAY, "0", False),
    ("bio", 0, FIRST_DAY, "4000", False),
    ("bio", 0, DAY_BEFORE, "0", False),
    ("frontier_llm", 0, FIRST_DAY, "4000", False),
    ("frontier_llm", 0, DAY_BEFORE, "0", False),
    ("reasoning_extraction", 0, FIRST_DAY, "4000", False),
    ("reasoning_extraction", 0, DAY_BEFORE, "0", False),
    ("astrology", 0, FIRST_DAY, "4000", True),
    ("cyber", 10, FIRST_DAY, "4200", False),
    (None, 10, FIRST_DAY, "4200", False),
]


@pytest.mark.parametrize(("category", "output", "at", "per_mtok", "estimated"), REFUSALS)
def test_refusals_are_billed_by_category_and_day(
    category: str | None, output: int, at: datetime, per_mtok: str, estimated: bool
) -> None:
    cost = BOOK.cost("claude-opus-5-5", Usage(1_000, output), at, stop_reason="refusal", refusal_category=category)
    assert (cost.status, cost.cost_usd, cost.list_usd) == ("priced", usd(per_mtok), usd(per_mtok))
    assert cost.estimated is estimated
    assert ("refused" in cost.reason) is (output == 0)


def test_only_a_refusal_is_free_without_output() -> None:
    assert BOOK.cost("claude-opus-5-5", Usage(1_000), NOVEMBER, stop_reason="max_tokens").cost_usd == usd("4000")


def test_a_refused_request_without_a_price_stays_unpriced() -> None:
    assert BOOK.cost("gpt-5", Usage(1), NOVEMBER, stop_reason="refusal").status == "unpriced"


def test_a_refusal_after_other_entries_with_output_is_charged_and_marked() -> None:
    usage = Usage(iterations=(entry("compaction", Usage(0, 10)), entry("message", Usage(1_000, 0))))
    cost = BOOK.cost("claude-opus-5-5", usage, NOVEMBER, stop_reason="refusal")
    assert (cost.cost_usd, cost.estimated) == (usd("4200"), True)


def test_a_refusal_of_every_entry_is_not_billed() -> None:
    usage = Usage(iterations=(entry("message", Usage(1_000)), entry("message", Usage(1_000))))
    assert BOOK.cost("claude-opus-5-5", usage, NOVEMBER, stop_reason="refusal").cost_usd == 0


# Properties

MODELS = sorted({row.model for row in BOOK.rows} | set(BOOK.aliases))
COUNTS = st.integers(0, 1_000_000)
USAGES = st.builds(
    Usage,
    input_tokens=COUNTS,
    output_tokens=COUNTS,
    cache_read_tokens=COUNTS,
    cache_write_5m_tokens=COUNTS,
    cache_write_1h_tokens=COUNTS,
    web_searches=st.integers(0, 100),
    inference_geo=st.sampled_from([None, "us", "global"]),
)
ONE_TIER = ["claude-opus-5-5", "claude-fable-5-2", "claude-sonnet-5-5", "claude-haiku-4-5", "claude-opus-4-6"]


def cost_usd(model: str, usage: Usage) -> Decimal:
    cost = BOOK.cost(model, usage, NOVEMBER).cost_usd
    assert cost is not None
    return cost


@given(st.sampled_from(ONE_TIER), USAGES, USAGES)
def test_costs_add_up(model: str, one: Usage, other: Usage) -> None:
    other = replace(other, inference_geo=one.inference_geo)
    both = replace(
        one,
        input_tokens=one.input_tokens + other.input_tokens,
        output_tokens=one.output_tokens + other.output_tokens,
        cache_read_tokens=one.cache_read_tokens + other.cache_read_tokens,
        cache_write_5m_tokens=one.cache_write_5m_tokens + other.cache_write_5m_tokens,
        cache_write_1h_tokens=one.cache_write_1h_tokens + other.cache_write_1h_tokens,
        web_searches=one.web_searches + other.web_searches,
    )
    assert cost_usd(model, one) + cost_usd(model, other) == cost_usd(model, both)


@given(st.sampled_from(MODELS), USAGES, st.sampled_from([None, "standard", "batch", "priority"]))
def test_a_cost_is_exact_never_negative_and_never_above_the_list_price(
    model: str, usage: Usage, tier: str | None
) -> None:
    cost = BOOK.cost(model, replace(usage, service_tier=tier), NOVEMBER)
    if cost.cost_usd is None or cost.list_usd is None:
        assert (cost.cost_usd, cost.list_usd, cost.status) == (None, None, "unpriced")
        return
    assert 0 <= cost.cost_usd <= cost.list_usd
    assert cost.cost_usd.as_tuple().exponent == cost.list_usd.as_tuple().exponent == -12


@given(st.sampled_from(MODELS), USAGES)
def test_a_batch_is_exactly_half_of_the_tokens(model: str, usage: Usage) -> None:
    batch = BOOK.cost(model, replace(usage, service_tier="batch"), NOVEMBER)
    sync = BOOK.cost(model, usage, NOVEMBER)
    if batch.cost_usd is None or sync.cost_usd is None:
        assert batch.status == sync.status == "unpriced"
        return
    fees = usage.web_searches * Decimal("0.01")
    assert (batch.cost_usd - fees) * 2 == sync.cost_usd - fees


@given(st.sampled_from(MODELS), USAGES, st.sampled_from([None, "batch"]), st.dates(date(2025, 1, 1), date(2027, 1, 1)))
def test_the_cost_is_the_formula_with_the_row_of_the_day(model: str, usage: Usage, tier: str | None, day: date) -> None:
    cost = BOOK.cost(model, replace(usage, service_tier=tier), datetime(day.year, day.month, day.day, tzinfo=UTC))
    row = BOOK.price_for(model, day, usage.prompt_tokens)
    if row is None:
        assert cost.status == "unpriced"
        return
    counts = (
        usage.input_tokens,
        usage.cache_write_5m_tokens,
        usage.cache_write_1h_tokens,
        usage.cache_read_tokens,
        usage.output_tokens,
    )
    with localcontext(prec=60):
        tokens = sum((count * rate for count, rate in zip(counts, row.rates, strict=True)), Decimal(0)) / MTOK
        factor = Decimal("1.1") if usage.inference_geo == "us" else Decimal(1)
        share = Decimal("0.5") if tier == "batch" else Decimal(1)
        assert cost.cost_usd == tokens * factor * share + usage.web_searches * Decimal("0.01")
    assert cost.price_ids == (row.price_id,)


@pytest.mark.parametrize("row", BOOK.rows, ids=lambda row: row.price_id)
def test_the_largest_usage_fits_the_ledger(row: Price) -> None:
    tokens = Usage(MOST_TOKENS, MOST_TOKENS, MOST_TOKENS, MOST_TOKENS, MOST_TOKENS)
    most = replace(tokens, web_searches=MOST_SEARCHES, inference_geo="us", speed=row.speed)
    cost = BOOK.cost(row.model, most, datetime(row.from_day.year, row.from_day.month, row.from_day.day, tzinfo=UTC))
    assert cost.cost_usd is None or cost.cost_usd < 1_000_000  # DECIMAL(18, 12)


# The table

# The price sheet, whole: in, w5, w1, read, out.
SHEET = {
    "claude-fable-5-2": "8 10 16 0.20 40",
    "claude-mythos-5-2": "8 10 16 0.20 40",
    "claude-fable-5-1": "10 12.50 20 0.25 50",
    "claude-mythos-5-1": "10 12.50 20 0.25 50",
    "claude-fable-5": "10 12.50 20 1.00 50",
    "claude-mythos-5": "10 12.50 20 1.00 50",
    "claude-opus-5-5": "4 5 8 0.20 20",
    "claude-opus-5": "5 6.25 10 0.50 25",
    "claude-opus-4-8": "5 6.25 10 0.50 25",
    "claude-opus-4-7": "5 6.25 10 0.50 25",
    "claude-opus-4-6": "5 6.25 10 0.50 25",
    "claude-opus-4-5-20251101": "5 6.25 10 0.50 25",
    "claude-sonnet-5-5": "2 2.50 4 0.10 10",
    "claude-sonnet-5": "2 2.50 4 0.20 10",
    "claude-sonnet-4-6": "3 3.75 6 0.30 15",
    "claude-sonnet-4-5-20250929": "3 3.75 6 0.30 15",
    "claude-sonnet-4-20250514": "3 3.75 6 0.30 15",
    "claude-haiku-5-5": "0.10 0.125 0.20 0.01 0.50",
    "claude-haiku-4-5-20251001": "1 1.25 2 0.10 5",
    "claude-opus-4-1-20250805": "15 18.75 30 1.50 75",
    "claude-opus-4-20250514": "15 18.75 30 1.50 75",
    "claude-3-5-haiku-20241022": "0.80 1 1.60 0.08 4",
}
FAST = {
    "claude-fable-5-2": "16 20 32 0.40 80",
    "claude-mythos-5-2": "16 20 32 0.40 80",
    "claude-opus-5-5": "8 10 16 0.40 40",
    "claude-opus-5": "10 12.50 20 1.00 50",
    "claude-opus-4-8": "10 12.50 20 1.00 50",
}


@pytest.mark.parametrize(("speed", "sheet"), [("standard", SHEET), ("fast", FAST)])
def test_the_table_of_today_is_the_price_sheet(speed: str, sheet: dict[str, str]) -> None:
    today = {row.model: row.rates for row in BOOK.rows if row.speed == speed and row.covers(NOVEMBER.date(), 1)}
    assert today == {model: tuple(map(Decimal, rates.split())) for model, rates in sheet.items()}


LAUNCHES = [
    ("claude-fable-5-2", "2026-11-09"),
    ("claude-fable-5-1", "2026-09-01"),
    ("claude-fable-5", "2026-06-09"),
    ("claude-opus-5-5", "2026-09-22"),
    ("claude-opus-5", "2026-07-24"),
    ("claude-opus-4-8", "2026-05-28"),
    ("claude-opus-4-7", "2026-04-16"),
    ("claude-opus-4-6", "2026-02-05"),
    ("claude-opus-4-5", "2025-11-24"),
    ("claude-sonnet-5-5", "2026-09-28"),
    ("claude-sonnet-5", "2026-06-30"),
    ("claude-sonnet-4-6", "2026-02-17"),
    ("claude-sonnet-4-5", "2025-09-29"),
    ("claude-haiku-5-5", "2026-10-07"),
]


@pytest.mark.parametrize(("model", "launched"), LAUNCHES)
def test_a_model_has_a_price_from_its_first_day(model: str, launched: str) -> None:
    day = date.fromisoformat(launched)
    assert BOOK.price_for(model, day) is not None
    assert BOOK.price_for(model, day - timedelta(days=1)) is None


def test_every_row_says_where_it_is_from_and_when_it_was_checked() -> None:
    assert all(row.source.startswith("https://") for row in BOOK.rows)
    assert BOOK.checked == date(2026, 11, 22)


def test_price_ids_are_unique_and_change_with_any_rate() -> None:
    ids = {row.price_id for row in BOOK.rows}
    assert len(ids) == len(BOOK.rows)
    row = BOOK.rows[0]
    other = Decimal("0.1234")
    changed = (
        replace(row, input=other),
        replace(row, cache_write_5m=other),
        replace(row, cache_write_1h=other),
        replace(row, cache_read=other),
        replace(row, output=other),
    )
    assert len({price.price_id for price in (row, *changed)}) == 1 + len(changed)


def test_price_ids_stay_when_a_row_is_closed_or_checked_again() -> None:
    row = BOOK.rows[0]
    assert replace(row, to_day=date(2027, 1, 1), checked=date(2027, 1, 1)).price_id == row.price_id
    assert replace(row, input=Decimal("8.00")).price_id == row.price_id


def test_rows_and_aliases_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        BOOK.rows[0].input = Decimal(0)  # type: ignore[misc]
    with pytest.raises(TypeError):
        BOOK.aliases["claude"] = "claude-opus-5-5"  # type: ignore[index]


# Tables that are refused

ROW = """
[[price]]
model = "m"
when = { from_day = 2026-01-01 }
rates = { input = "1", cache_write_5m = "1.25", cache_write_1h = "2", cache_read = "0.1", output = "5" }
source = "https://example.com"
checked = 2026-11-22
"""


def load(tmp_path: Path, text: str) -> PriceBook:
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return PriceBook.load(path)


def test_another_table_can_be_loaded(tmp_path: Path) -> None:
    book = load(tmp_path, ROW + '[aliases]\nn = "m"\n')
    assert book.cost("n", Usage(1_000), NOVEMBER).cost_usd == usd("1000")


REFUSED_TABLES = [
    ("price = [", "cannot be read"),
    ("", "mine.toml has no [[price]] rows."),
    ("price = 5", "mine.toml has no [[price]] rows."),
    ("price = [5]", "mine.toml, row 1 is not a table of checked, "),
    (ROW + ROW, "mine.toml: two rows hold at the same time: m from 2026-01-01 and m from 2026-01-01."),
    (ROW.replace('"0.1"', '"0.12345"'), "mine.toml, row 1 (m): cache_read is '0.12345', not USD per million tokens"),
    (ROW.replace('"0.1"', "0.1"), "mine.toml, row 1 (m): cache_read is 0.1, not USD per million tokens as text"),
    (ROW.replace('"0.1"', '"-1"'), "mine.toml, row 1 (m): cache_read is '-1'"),
    (ROW.replace('"0.1"', '"NaN"'), "mine.toml, row 1 (m): cache_read is 'NaN'"),
    (ROW.replace('"5"', '"999"'), "mine.toml, row 1 (m): the rates are 1003.35 USD together, more than 900."),
    (ROW.replace(', output = "5"', ""), "mine.toml, row 1 (m): output is null"),
    (ROW.replace("output", "outptu"), "mine.toml, row 1 (m): rates is not a table of cache_read, "),
    (ROW.replace("source", "sauce"), "mine.toml, row 1 is not a table of checked, model, rates, source, when."),
    (ROW.replace('"m"', '""'), "mine.toml, row 1: model is '', not text."),
    (ROW.replace('when = { from_day = 2026-01-01 }', ""), "mine.toml, row 1 (m): when is not a table of from_day"),
    (ROW.replace("from_day = 2026-01-01", 'from_day = "soon"'), "mine.toml, row 1 (m): from_day is 'soon', not a day"),
    (ROW.replace("2026-01-01 }", "2026-01-01, to_day = 2026-01-01 }"), "to_day 2026-01-01 is not after from_day"),
    (ROW.replace("2026-01-01 }", "2026-01-01, prompt_over = true }"), "prompt_over is true, not a number of tokens."),
    (ROW.replace("2026-01-01 }", "2026-01-01, prompt_over = 5, prompt_up_to = 5 }"), "prompt_up_to 5 is not above"),
    ("aliases = 5" + ROW, "mine.toml: aliases is not a table."),
    (ROW + '[aliases]\nn = "o"\n', "mine.toml: the alias n stands for 'o', which has no price."),
    (ROW + '[aliases]\nm = "m"\n', "mine.toml: m is an alias and has a price of its own."),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), REFUSED_TABLES)
def test_a_table_that_contradicts_itself_is_refused_with_its_row(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(BadPrices) as refused:
        load(tmp_path, text)
    assert message in str(refused.value)


def test_a_missing_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadPrices, match="cannot be read"):
        PriceBook.load(tmp_path / "nowhere.toml")


OVERLAPS: list[tuple[dict[str, Any], dict[str, Any], bool]] = [
    ({"to_day": date(2026, 3, 1)}, {"from_day": date(2026, 3, 1)}, False),
    ({"to_day": date(2026, 3, 2)}, {"from_day": date(2026, 3, 1)}, True),
    ({"prompt_up_to": 100}, {"prompt_over": 100}, False),
    ({"prompt_up_to": 101}, {"prompt_over": 100}, True),
    ({"prompt_up_to": 100}, {}, True),
]


@pytest.mark.parametrize(("one", "other", "overlap"), OVERLAPS)
def test_rows_overlap_when_a_day_and_a_prompt_fit_both(
    one: dict[str, Any], other: dict[str, Any], overlap: bool
) -> None:
    row = BOOK.rows[0]
    plain = replace(row, from_day=date(2026, 1, 1), to_day=None, prompt_over=None, prompt_up_to=None)
    first, second = replace(plain, **one), replace(plain, **other)
    assert first.overlaps(second) is second.overlaps(first) is overlap
