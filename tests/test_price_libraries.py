"""Our price table against two independent price libraries, row by row."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import partial

import genai_prices
import model_prices
import pytest

from core.pricetable import RATES, Price
from core.pricing import PriceBook
from core.usage import Usage

Pricing = Callable[[str, Usage, datetime, str], Decimal | None]

BOOK = PriceBook.load()
LAST_CHECKED = date(2026, 11, 22)
# model-prices counts in floats.
CLOSE_ENOUGH = Decimal("1E-10")


@dataclass(frozen=True)
class Difference:
    """Their cost divided by ours (None: they have no price) for one kind of token on one day."""

    library: str
    row: str
    mode: str
    day: date
    kind: str
    ratio: Fraction | None


@dataclass(frozen=True)
class Known:
    """A difference that was looked into, and why we stay with our own number."""

    library: str
    rows: tuple[str, ...]  # what the row's name starts with
    modes: tuple[str, ...]
    ratio: Fraction | None
    why: str
    kinds: tuple[str, ...] = RATES
    before: date = date.max

    def explains(self, difference: Difference) -> bool:
        return (
            self.library == difference.library
            and difference.row.startswith(self.rows)
            and difference.mode in self.modes
            and difference.kind in self.kinds
            and difference.day < self.before
            and self.ratio == difference.ratio
        )


EVERY_MODE = ("standard", "batch", "fast")
PROMPT = tuple(kind for kind in RATES if kind != "output")
RETIRED = ("claude-opus-4-1-20250805", "claude-opus-4-20250514", "claude-sonnet-4-20250514", "claude-3-5-haiku")
KNOWN = (
    Known(
        "model-prices", ("claude-fable-5-2", "claude-mythos-5-2"), EVERY_MODE, None,
        "its data are of 2026-10-23, before these models; release notes of 2026-11-09",
    ),
    Known(
        "genai-prices", ("claude-mythos-5-1", "claude-mythos-5 "), EVERY_MODE, None,
        "it leaves out models of limited availability; the pricing page lists them with Fable 5.1 and 5",
    ),
    Known(
        "genai-prices", ("claude-",), ("batch",), Fraction(2),
        "it prices batches at the standard rate before 2026-10-14; half price since 2024-10-08 (release notes)",
        before=date(2026, 10, 14),
    ),
    Known(
        "genai-prices", RETIRED, ("batch",), Fraction(2),
        "it has no batch price for retired models; half price held for every model (batch processing page)",
    ),
    Known(
        "genai-prices", ("claude-sonnet-5-5 from 2026-09-28",), ("standard",), Fraction(1, 2),
        "it has the cache read of 2026-10-07 from the start; it was 0.20 before (release notes)",
        kinds=("cache_read",),
    ),
    Known(
        "genai-prices", ("claude-opus-4-6 fast", "claude-opus-4-7 fast"), ("fast",), Fraction(1, 6),
        "it has no fast rates for models that lost fast mode and falls back to standard ones; 30/150 (fast mode page)",
    ),
    Known(
        "model-prices", ("claude-opus-4-6 fast",), ("fast",), None,
        "it knows the fast rates from 2026-04-08 only; fast mode opened on 2026-02-07 (fast mode page)",
        before=date(2026, 4, 8),
    ),
    Known(
        "model-prices", ("claude-sonnet-4-5-20250929 from 2025-09-29 for prompts over",), ("standard", "batch"),
        Fraction(1, 2), "it has no premium over 200,000 tokens; 2 times until 2026-04-30 (long context pricing)",
        kinds=PROMPT,
    ),
    Known(
        "model-prices", ("claude-sonnet-4-5-20250929 from 2025-09-29 for prompts over",), ("standard", "batch"),
        Fraction(2, 3), "the same, 1.5 times for output", kinds=("output",),
    ),
    Known(
        "model-prices", ("claude-sonnet-4-20250514 from 2025-08-12 for prompts over",), ("standard", "batch"),
        Fraction(1, 2), "it has no premium over 200,000 tokens; 2 times until 2026-04-30 (long context pricing)",
        kinds=PROMPT,
    ),
    Known(
        "model-prices", ("claude-sonnet-4-20250514 from 2025-08-12 for prompts over",), ("standard", "batch"),
        Fraction(2, 3), "the same, 1.5 times for output", kinds=("output",),
    ),
    Known(
        "genai-prices", ("claude-sonnet-4-20250514 from 2025-08-12 for prompts over",), ("standard",),
        Fraction(1, 2), "it keeps the premium of Sonnet 4.5, but not the one of Sonnet 4", kinds=PROMPT,
    ),
    Known(
        "genai-prices", ("claude-sonnet-4-20250514 from 2025-08-12 for prompts over",), ("standard",),
        Fraction(2, 3), "the same, 1.5 times for output", kinds=("output",),
    ),
    Known(
        "genai-prices", ("claude-sonnet-4-20250514 from 2025-08-12 for prompts over",), ("batch",),
        Fraction(4, 3), "the same without the half price: 15 instead of 22.50 / 2", kinds=("output",),
    ),
    Known(
        "model-prices", ("claude-opus-4-20250514", "claude-sonnet-4-20250514 from 2025-05-22"), ("standard", "batch"),
        Fraction(4, 5), "its first rows have no cache rates and fall back to the input rate; 1.25 times (pricing page)",
        kinds=("cache_write_5m",), before=date(2025, 6, 5),
    ),
    Known(
        "model-prices", ("claude-opus-4-20250514", "claude-sonnet-4-20250514 from 2025-05-22"), ("standard", "batch"),
        Fraction(10), "its first rows have no cache rates and fall back to the input rate; 0.1 times (pricing page)",
        kinds=("cache_read",), before=date(2025, 6, 5),
    ),
)  # fmt: skip


@pytest.mark.parametrize("row", BOOK.rows, ids=lambda row: row.price_id)
def test_every_rate_agrees_with_both_libraries_or_the_difference_is_explained(row: Price) -> None:
    unexplained = [found for found in differences(row) if not any(known.explains(found) for known in KNOWN)]
    assert unexplained == []


def test_every_explanation_still_explains_a_difference() -> None:
    found = [difference for row in BOOK.rows for difference in differences(row)]
    assert [known for known in KNOWN if not any(known.explains(difference) for difference in found)] == []


def test_a_wrong_rate_in_our_table_would_be_found() -> None:
    row = replace(BOOK.rows[0], model="claude-opus-5-5", speed="standard", output=Decimal("21"))
    assert {found.kind for found in differences(row, PriceBook([row]))} >= {"output"}


def test_aliases_mean_the_same_model_to_both_libraries() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    usage = Usage(input_tokens=1_000, output_tokens=1_000)
    for alias, model in BOOK.aliases.items():
        assert by_genai_prices(alias, usage, at, "standard") == by_genai_prices(model, usage, at, "standard")
        assert by_model_prices(alias, usage, at, "standard") == by_model_prices(model, usage, at, "standard")


def differences(row: Price, book: PriceBook = BOOK) -> Iterator[Difference]:
    last = (row.to_day or LAST_CHECKED + timedelta(days=1)) - timedelta(days=1)
    for mode in ("fast",) if row.speed == "fast" else ("standard", "batch"):
        for day in (row.from_day, last):
            # The last second of the day: prices change within a day, and a row starts with the whole day.
            at = datetime.combine(day, time(23, 59, 59), UTC)
            ours = cost_by_kind(partial(by_us, book), row, at, mode)
            for library, price in LIBRARIES.items():
                theirs = cost_by_kind(price, row, at, mode)
                for kind in RATES:
                    ratio = quotient(theirs[kind], ours[kind])
                    if ratio != 1:
                        yield Difference(library, row.name, mode, day, kind, ratio)


def cost_by_kind(price: Pricing, row: Price, at: datetime, mode: str) -> dict[str, Decimal | None]:
    size = (row.prompt_over or 0) + 1_000
    costs = {
        "input": price(row.model, Usage(input_tokens=size), at, mode),
        "cache_write_5m": price(row.model, Usage(cache_write_5m_tokens=size), at, mode),
        "cache_write_1h": price(row.model, Usage(cache_write_1h_tokens=size), at, mode),
        "cache_read": price(row.model, Usage(cache_read_tokens=size), at, mode),
    }
    # Output counts only beside a prompt of the right size, whose cost is then taken off.
    together = price(row.model, Usage(input_tokens=size, output_tokens=size), at, mode)
    prompt = costs["input"]
    return costs | {"output": None if together is None or prompt is None else together - prompt}


def quotient(theirs: Decimal | None, ours: Decimal | None) -> Fraction | None:
    if theirs is None or ours is None:
        return None
    if abs(theirs - ours) <= CLOSE_ENOUGH:
        return Fraction(1)
    return Fraction(theirs / ours).limit_denominator(1_000)


def by_us(book: PriceBook, model: str, usage: Usage, at: datetime, mode: str) -> Decimal:
    speed = "fast" if mode == "fast" else "standard"
    service_tier = "batch" if mode == "batch" else "standard"
    cost = book.cost(model, replace(usage, speed=speed, service_tier=service_tier), at).cost_usd
    assert cost is not None
    return cost


def by_genai_prices(model: str, usage: Usage, at: datetime, mode: str) -> Decimal | None:
    context = {"fast": {"speed": "fast"}, "batch": {"processing": "batch"}, "standard": None}[mode]
    theirs = genai_prices.Usage(
        input_tokens=usage.prompt_tokens,  # the total, unlike in the API
        cache_write_tokens=usage.cache_write_5m_tokens + usage.cache_write_1h_tokens,
        cache_write_1h_tokens=usage.cache_write_1h_tokens,
        cache_read_tokens=usage.cache_read_tokens,
        output_tokens=usage.output_tokens,
    )
    try:
        return genai_prices.calc_price(
            theirs, model, provider_id="anthropic", genai_request_timestamp=at, price_context=context
        ).total_price
    except LookupError:
        return None


def by_model_prices(model: str, usage: Usage, at: datetime, mode: str) -> Decimal | None:
    cost = model_prices.cost(
        model,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cache_read_tokens,
        cache_write_tokens=usage.cache_write_5m_tokens,
        cache_write_1h_tokens=usage.cache_write_1h_tokens,
        at=at,
        mode=None if mode == "standard" else mode,
    )
    return None if cost is None else Decimal(cost)


LIBRARIES: dict[str, Pricing] = {
    "genai-prices": by_genai_prices,
    "model-prices": by_model_prices,
}
