"""The money check: the published figures first, then what holds for every workload."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.costmodel import (
    SHORTEST_PREFIX,
    HitRates,
    Range,
    RequestTokens,
    WayId,
    break_even_hit_rate,
    break_even_prefix_share,
    compare,
    hit_rate_for,
    prefix_rate,
    request_usd,
    worthwhile_hit_rate,
)
from tests.workload_cases import BOOK, MONTH, TODAY, band, changed, price


@pytest.mark.parametrize(
    ("way", "rates", "month"),
    [
        ("sync", HitRates(), "600"),
        ("batch", HitRates(), "300"),
        ("sync_cache", HitRates(sync=Decimal("0.98")), "155.52"),
        ("sync_cache", HitRates(sync=Decimal("0.9")), "201.60"),
        ("batch_cache", HitRates(batch=band("0.3")), "273.60"),
        ("batch_cache", HitRates(batch=band("0.65")), "172.80"),
        ("batch_cache", HitRates(batch=band("0.98")), "77.76"),
        ("batch_cache", HitRates(batch=band("0.3"), batch_ttl="1h"), "399.60"),
        ("batch_cache", HitRates(batch=band("0.98"), batch_ttl="1h"), "81.36"),
    ],
)
def test_a_month_with_a_long_prefix(way: WayId, rates: HitRates, month: str) -> None:
    comparison = compare(MONTH, BOOK, TODAY, rates)
    assert comparison.way(way).month_usd == band(month)
    assert comparison.saving_usd_month == 300
    assert comparison.price_ids == (price("claude-sonnet-5-5").price_id,)


@pytest.mark.parametrize(
    ("model", "ttl", "shares"),
    [
        ("claude-sonnet-5-5", "5m", ".847 .704 .602 .562 .540 .526"),
        ("claude-opus-5-5", "5m", ".847 .704 .602 .562 .540 .526"),
        ("claude-haiku-5-5", "5m", ".901 .746 .637 .593 .570 .556"),
        ("claude-fable-5-2", "5m", ".823 .685 .587 .547 .526 .513"),
        ("claude-sonnet-5-5", "1h", "never .893 .662 .587 .549 .526"),
    ],
)
def test_the_prefix_s_share_at_which_cached_sync_beats_batch(model: str, ttl: Any, shares: str) -> None:
    for hit_rate, expected in zip(("0.7", "0.8", "0.9", "0.95", "0.98", "1"), shares.split(), strict=True):
        share = break_even_prefix_share(price(model), Decimal(hit_rate), ttl=ttl)
        assert ("never" if share is None else f"{share:.3f}".lstrip("0")) == expected


@pytest.mark.parametrize(
    ("batch_hit_rate", "expected"),
    [("0", ".476"), ("0.3", ".574"), ("0.6", ".724"), ("0.9", ".978"), ("0.98", "never")],
)
def test_the_same_against_a_cached_batch(batch_hit_rate: str, expected: str) -> None:
    share = break_even_prefix_share(price("claude-sonnet-5-5"), Decimal("0.98"), batch_hit_rate=Decimal(batch_hit_rate))
    assert ("never" if share is None else f"{share:.3f}".lstrip("0")) == expected


@pytest.mark.parametrize(
    ("model", "ttl", "lowest"),
    [
        ("claude-sonnet-5-5", "5m", ".625"),
        ("claude-haiku-5-5", "5m", ".652"),
        ("claude-fable-5-2", "5m", ".612"),
        ("claude-sonnet-5-5", "1h", ".769"),
    ],
)
def test_the_lowest_hit_rate_that_can_ever_beat_a_batch_is_that_of_a_prompt_of_prefix_alone(
    model: str, ttl: Any, lowest: str
) -> None:
    rate = break_even_hit_rate(RequestTokens(8_000, 0, 0), price(model), ttl)
    assert f"{rate:.3f}".lstrip("0") == lowest


def test_caching_pays_from_a_hit_rate_on() -> None:
    sonnet = price("claude-sonnet-5-5")
    assert f"{worthwhile_hit_rate(sonnet, '5m'):.3f}" == "0.208"
    assert f"{worthwhile_hit_rate(sonnet, '1h'):.3f}" == "0.513"


@given(
    st.integers(0, 90_000),
    st.integers(0, 9_000),
    st.integers(0, 9_000),
    st.sampled_from(["claude-sonnet-5-5", "claude-haiku-5-5", "claude-fable-5-2", "claude-haiku-4-5"]),
    st.sampled_from(["5m", "1h"]),
)
def test_the_break_even_is_the_published_formula(prefix: int, own: int, out: int, model: str, ttl: Any) -> None:
    tokens, row = RequestTokens(prefix, own, out), price(model, prefix + own)
    rate = break_even_hit_rate(tokens, row, ttl)
    if not prefix:
        assert rate is None
        return
    w = (row.cache_write_5m if ttl == "5m" else row.cache_write_1h) / row.input
    r = row.cache_read / row.input
    phi = prefix * row.input / ((prefix + own) * row.input + out * row.output)
    expected = (w - 1 + 1 / (2 * phi)) / (w - r)
    if rate is None:
        assert expected > 1 - Decimal("1E-20")
    else:
        assert abs(rate - expected) < Decimal("1E-20")
        cached = request_usd(tokens, row, hit_rate=rate, ttl=ttl)
        assert abs(cached - request_usd(tokens, row, batch=True)) < Decimal("1E-20")


@pytest.mark.parametrize(
    ("model", "sync", "batch"), [("claude-sonnet-5-5", "420", "210"), ("claude-haiku-5-5", "21", "10.5")]
)
def test_the_model_matters_more_than_the_discount(model: str, sync: str, batch: str) -> None:
    workload = changed(MONTH, model=model, input_tokens=3_000, output_tokens=800, shared_prefix_tokens=None)
    comparison = compare(workload, BOOK, TODAY)
    assert comparison.way("sync").month_usd == band(sync)
    assert comparison.way("batch").month_usd == band(batch)


@pytest.mark.parametrize(("prompt", "expected"), [(100_000, "0.01025"), (100_001, "0.0512505")])
@pytest.mark.parametrize("prefix", [0, 4_000])
def test_one_token_over_the_tier_of_haiku_reprices_the_whole_request(prompt: int, expected: str, prefix: int) -> None:
    workload = changed(
        MONTH,
        model="claude-haiku-5-5",
        input_tokens=prompt - prefix,
        shared_prefix_tokens=prefix,
        output_tokens=500,
    )
    assert compare(workload, BOOK, TODAY).way("sync").request_usd == band(expected)


def test_ten_requests_save_cents() -> None:
    ten = changed(MONTH, requests_per_run=10, runs_per_month=1, input_tokens=3_000, output_tokens=800)
    sonnet = changed(ten, shared_prefix_tokens=0)
    assert compare(sonnet, BOOK, TODAY).saving_usd_month == Decimal("0.07")
    assert compare(changed(sonnet, model="claude-haiku-5-5"), BOOK, TODAY).saving_usd_month == Decimal("0.0035")


def test_the_price_is_that_of_the_day() -> None:
    before = compare(MONTH, BOOK, date(2026, 10, 6), HitRates(sync=Decimal(1))).way("sync_cache").request_usd
    after = compare(MONTH, BOOK, date(2026, 10, 7), HitRates(sync=Decimal(1))).way("sync_cache").request_usd
    assert before is not None
    assert after is not None
    assert before.low - after.low == 8_000 * Decimal("0.1") / 1_000_000


counts = st.integers(0, 60_000)


@given(counts, counts, counts, st.sampled_from([None, *(Decimal(n) / 10 for n in range(11))]))
def test_more_tokens_never_cost_less(prefix: int, own: int, output: int, hit_rate: Decimal | None) -> None:
    haiku = [
        request_usd(RequestTokens(*tokens), price("claude-haiku-5-5", sum(tokens[:2])), hit_rate=hit_rate)
        for tokens in (
            (prefix, own, output),
            (prefix + 1, own, output),
            (prefix, own + 1, output),
            (prefix, own, output + 1),
        )
    ]
    assert haiku[0] == min(haiku)


@given(counts, counts, counts, st.sampled_from(sorted(SHORTEST_PREFIX)))
def test_a_batch_without_the_cache_is_half(prefix: int, own: int, output: int, model: str) -> None:
    tokens, row = RequestTokens(prefix, own, output), price(model, prefix + own)
    assert 2 * request_usd(tokens, row, batch=True) == request_usd(tokens, row)


@given(counts, st.integers(0, 100), st.integers(0, 100))
def test_a_higher_hit_rate_never_costs_more(prefix: int, one: int, other: int) -> None:
    low, high = (Decimal(n) / 100 for n in sorted((one, other)))
    assert prefix_rate(price("claude-opus-5-5"), high) <= prefix_rate(price("claude-opus-5-5"), low)
    tokens = RequestTokens(prefix, 100, 100)
    for batch in (True, False):
        at_low, at_high = (
            request_usd(tokens, price("claude-opus-5-5"), batch=batch, hit_rate=rate) for rate in (low, high)
        )
        assert at_high <= at_low


def test_a_target_out_of_reach_has_no_hit_rate() -> None:
    tokens = RequestTokens(8_000, 500, 300)
    assert hit_rate_for(Decimal(1), tokens, price("claude-sonnet-5-5")) is None
    assert hit_rate_for(Decimal(0), tokens, price("claude-sonnet-5-5")) is None


@given(
    st.integers(4_096, 50_000),
    st.integers(0, 9_000),
    st.integers(1, 9_000),
    st.integers(0, 100),
    st.integers(0, 100),
    st.integers(0, 100),
)
def test_cached_sync_wins_only_where_no_batch_is_cheaper(
    prefix: int, own: int, output: int, sync: int, one: int, other: int
) -> None:
    low, high = (Decimal(n) / 100 for n in sorted((one, other)))
    workload = changed(MONTH, shared_prefix_tokens=prefix, input_tokens=own, output_tokens=output)
    money = compare(workload, BOOK, TODAY, HitRates(sync=Decimal(sync) / 100, batch=Range(low, high)))
    cached_sync, batch, cached_batch = (money.way(way).month_usd for way in ("sync_cache", "batch", "batch_cache"))
    assert cached_sync is not None
    assert batch is not None
    assert cached_batch is not None
    cheapest_batch = min(batch.low, cached_batch.low)
    assert (money.verdict == "cached_sync") is (cached_sync.low < cheapest_batch)
    surest_batch = min(batch.low, cached_batch.high)
    assert (money.verdict == "batch") is (cached_sync.low >= surest_batch)


# --- no amount without its inputs -------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["model", "input_tokens", "output_tokens"])
def test_no_amount_without_an_answer_that_it_needs(key: str) -> None:
    money = compare(changed(MONTH, **{key: None}), BOOK, TODAY)
    assert (money.verdict, money.saving_usd_month) == ("unknown", None)
    assert money.reason == f"No amounts: {key} is not given."
    assert all(way.request_usd is way.month_usd is None for way in money.ways)


@pytest.mark.parametrize("key", ["runs_per_month", "requests_per_run"])
def test_no_month_without_the_number_of_requests(key: str) -> None:
    money = compare(changed(MONTH, **{key: None}), BOOK, TODAY)
    assert money.saving_usd_month is None
    assert money.way("sync").request_usd == band("0.02")
    assert money.way("sync").month_usd is None
    assert key in money.reason


def test_a_model_without_a_price_is_not_free() -> None:
    money = compare(changed(MONTH, model="gateway/claude"), BOOK, TODAY)
    assert (money.verdict, money.saving_usd_month) == ("unknown", None)
    assert money.reason == "No price is known for the model 'gateway/claude'."


def test_a_prompt_above_the_last_tier_says_so() -> None:
    money = compare(changed(MONTH, model="claude-sonnet-4-5", input_tokens=300_000), BOOK, TODAY)
    assert "no price for a prompt of 308,000 tokens" in money.reason


@pytest.mark.parametrize(
    ("model", "prefix", "note"),
    [
        ("claude-haiku-4-5", 4_095, "takes prefixes from 4,096 tokens; 4,095 are silently not cached"),
        ("claude-haiku-4-5", 4_096, None),
        ("claude-opus-5-5", 511, "takes prefixes from 512 tokens"),
        ("claude-opus-5-5", 512, None),
        ("claude-sonnet-5-5", 4_095, "is not documented"),
        ("claude-sonnet-5-5", 4_096, None),
        ("claude-sonnet-5-5", None, "no shared prefix is given"),
        ("claude-sonnet-5-5", 0, "no shared prefix is given"),
    ],
)
def test_a_prefix_too_short_for_the_cache_has_no_cached_price(model: str, prefix: int | None, note: str | None) -> None:
    money = compare(changed(MONTH, model=model, shared_prefix_tokens=prefix), BOOK, TODAY)
    for way in (money.way("sync_cache"), money.way("batch_cache")):
        assert (way.request_usd is None) is (note is not None)
        assert note is None or note in way.note
    assert money.saving_usd_month is not None


def test_every_model_with_a_documented_minimum_has_a_price() -> None:
    assert set(SHORTEST_PREFIX) <= {row.model for row in BOOK.rows}


@pytest.mark.parametrize(
    ("requests", "sync", "batch"),
    [
        (None, "0.98", ("0.3", "0.98")),
        (1_000, "0.98", ("0.3", "0.98")),
        (10, "0.9", ("0.3", "0.9")),
        (3, "0.6666", ("0.3", "0.6666")),
        (1, "0", ("0", "0")),
        (0, "0", ("0", "0")),
    ],
)
def test_a_run_cannot_hit_more_often_than_after_its_first_request(
    requests: int | None, sync: str, batch: tuple[str, str]
) -> None:
    assert HitRates().assumed(requests) == (Decimal(sync), band(*batch))
