"""How long one price takes, beside the same prices from genai-prices."""

from __future__ import annotations

import statistics
import time
from datetime import UTC, datetime

import genai_prices

from benchmarks.rows import Row
from core.pricing import PriceBook
from core.usage import Usage

AT = datetime(2026, 11, 15, 12, tzinfo=UTC)
CASES = (
    ("one plain price", "claude-opus-5-5", Usage(1_200, 350)),
    ("one price of every kind of token", "claude-sonnet-5-5", Usage(1_200, 350, 20_000, 3_000, 1_000)),
    ("one price in a batch", "claude-opus-5-5", Usage(1_200, 350, service_tier="batch")),
    ("one price in a prompt-size tier", "claude-haiku-5-5", Usage(150_000, 900)),
)
LIMIT = 20.0
REPEATS = 15
PRICES_EACH = 2_000


def measure() -> list[Row]:
    """Every case, in turns with the peer on the same machine at the same time."""
    book = PriceBook.load()
    return [_row(book, *case) for case in CASES]


def _row(book: PriceBook, name: str, model: str, usage: Usage) -> Row:
    ours_us, peer_us = [], []
    for _ in range(REPEATS):
        ours_us.append(_our_microseconds(book, model, usage))
        peer_us.append(_peer_microseconds(model, usage))
    ours, peer = statistics.median(ours_us), statistics.median(peer_us)
    ratio = peer / ours
    return Row(name, f"{ours:.2f} µs", f"{peer:.1f} µs (genai-prices)", ratio, f"≥ {LIMIT:g}", ratio >= LIMIT)


def _our_microseconds(book: PriceBook, model: str, usage: Usage) -> float:
    began = time.perf_counter()
    for _ in range(PRICES_EACH):
        book.cost(model, usage, AT)
    return (time.perf_counter() - began) / PRICES_EACH * 1e6


def _peer_microseconds(model: str, usage: Usage) -> float:
    context = {"processing": "batch"} if usage.service_tier == "batch" else None
    theirs = genai_prices.Usage(
        input_tokens=usage.prompt_tokens,
        cache_write_tokens=usage.cache_write_5m_tokens + usage.cache_write_1h_tokens,
        cache_write_1h_tokens=usage.cache_write_1h_tokens,
        cache_read_tokens=usage.cache_read_tokens,
        output_tokens=usage.output_tokens,
    )
    prices = PRICES_EACH // 10  # it is that much slower
    began = time.perf_counter()
    for _ in range(prices):
        genai_prices.calc_price(
            theirs, model, provider_id="anthropic", genai_request_timestamp=AT, price_context=context
        )
    return (time.perf_counter() - began) / prices * 1e6
