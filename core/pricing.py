"""What a request costs at the list price of its day, as an exact amount.

Costs come from the usage block of the answer alone. Container hours, session hours and the share that a cloud partner
adds are not in it, so they are not in any cost here. Sources: platform.claude.com/docs/en/about-claude/pricing,
…/build-with-claude/batch-processing, …/build-with-claude/refusals-and-fallback; the rates are in `prices.toml`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from core.capture.messages import CATEGORY_NOT_GIVEN
from core.pricetable import PRICES_FILE, Price, read_prices
from core.usage import Usage, shown

BATCH_SHARE = Decimal("0.5")
US_FACTOR = Decimal("1.1")
WEB_SEARCH_USD = Decimal("0.01")
# None: the response does not say where it ran, which is how answers from before data residency look.
GLOBAL_GEOS = frozenset({None, "global", "not_available"})

# Refused before any output: some categories are free, others cost since a day, any other is not documented.
FREE_REFUSALS = frozenset({None, "cyber", "general_harms"})
CHARGED_REFUSALS = frozenset({"bio", "frontier_llm", "reasoning_extraction"})
REFUSALS_CHARGED_FROM = date(2026, 9, 24)

# Money is counted in trillionths of a USD. With four decimals a rate in USD per million tokens is a multiple of 100 of
# them per token, so that half of it, and 1.1 times that, are whole numbers too.
TRILLIONTH = Decimal("1E-12")
_PER_MTOK = 1_000_000  # trillionths per token in one USD per million tokens
_SEARCH = int(WEB_SEARCH_USD / TRILLIONTH)


@dataclass(frozen=True, slots=True)
class Cost:
    """What one request cost in USD, exact to 12 decimals; an unpriced one has no amount, never zero.

    `list_usd` is the same tokens and searches at the synchronous price. `estimated` when the usage leaves open what is
    billed. `reason` is one sentence; `price_ids` are the rows of the price table that were used.
    """

    status: Literal["priced", "unpriced"]
    cost_usd: Decimal | None
    list_usd: Decimal | None
    estimated: bool
    reason: str
    price_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Tariff:
    """A price with the factors of one way of sending applied, in trillionths of a USD per token."""

    price: Price
    from_day: date
    to_day: date
    prompt_over: int
    prompt_up_to: int
    rates: tuple[int, ...]  # in the order of RATES
    list_factor: int  # how many times the cost of the tokens the synchronous price is
    description: str
    notes: tuple[str, ...]
    reason: str
    price_ids: tuple[str, ...]

    def charge(self, usage: Usage) -> int:
        """The cost of the tokens in trillionths of a USD, without web searches."""
        for_input, for_write_5m, for_write_1h, for_read, for_output = self.rates
        return (
            usage.input_tokens * for_input
            + usage.cache_write_5m_tokens * for_write_5m
            + usage.cache_write_1h_tokens * for_write_1h
            + usage.cache_read_tokens * for_read
            + usage.output_tokens * for_output
        )


class PriceBook:
    """The dated list prices of the Claude API; `rows` and `aliases` are all that pricing in bulk needs.

    >>> book = PriceBook.load()
    >>> usage = Usage(input_tokens=1_000, output_tokens=200, service_tier="batch")
    >>> cost = book.cost("claude-sonnet-5-5", usage, datetime(2026, 11, 1, tzinfo=UTC))
    >>> cost.cost_usd, cost.list_usd
    (Decimal('0.002000000000'), Decimal('0.004000000000'))
    """

    def __init__(self, rows: Iterable[Price], aliases: Mapping[str, str] | None = None) -> None:
        self.rows: tuple[Price, ...] = tuple(rows)
        self.aliases: Mapping[str, str] = MappingProxyType(dict(aliases or {}))
        self._by_model: dict[str, list[Price]] = {}
        # The newest row first: it is the one most often asked for.
        for row in sorted(self.rows, key=lambda row: row.from_day, reverse=True):
            self._by_model.setdefault(row.model, []).append(row)
        # A usage can name any place it likes, so what is remembered has a bound.
        self._tariffs = lru_cache(maxsize=1024)(self._find_tariffs)

    @classmethod
    def load(cls, path: Path = PRICES_FILE) -> PriceBook:
        """The price table in a TOML file, by default the one of this package; BadPrices if it contradicts itself."""
        return cls(*read_prices(path))

    @property
    def checked(self) -> date:
        """The oldest day on which a row was last compared with its source."""
        return min(row.checked for row in self.rows)

    def price_for(self, model: str, day: date, prompt_tokens: int = 0, speed: str | None = None) -> Price | None:
        """The row for a model id or alias on a UTC day; None if there is none."""
        rows = self._by_model.get(self.aliases.get(model, model), [])
        return next(
            (row for row in rows if row.speed == (speed or "standard") and row.covers(day, prompt_tokens)), None
        )

    def cost(
        self,
        model: str,
        usage: Usage,
        at: datetime,
        *,
        stop_reason: str | None = None,
        refusal_category: str | None = None,
    ) -> Cost:
        """The cost of one request; `at` is when it was sent, for a batch item when its batch was created.

        ValueError for an `at` without a time zone. Whatever cannot be priced comes back unpriced, with the reason.
        """
        day = _utc_day(at)
        cost = self._cost_by_entry(model, usage, day) if usage.iterations else self._cost(model, usage, day)
        if stop_reason == "refusal" and cost.status == "priced":
            return _after_refusal(cost, usage, day, refusal_category)
        return cost

    def _cost(self, model: str, usage: Usage, day: date) -> Cost:
        tariff = self._tariff(model, usage, usage, day)
        if isinstance(tariff, str):
            return Cost("unpriced", None, None, False, tariff, ())
        charged = tariff.charge(usage)
        if usage.notes or usage.web_searches:
            return _priced(charged, charged * tariff.list_factor, usage, [tariff])
        cost_usd = charged * TRILLIONTH
        list_usd = cost_usd if tariff.list_factor == 1 else charged * tariff.list_factor * TRILLIONTH
        return Cost("priced", cost_usd, list_usd, bool(tariff.notes), tariff.reason, tariff.price_ids)

    def _cost_by_entry(self, model: str, usage: Usage, day: date) -> Cost:
        charged, listed, used = 0, 0, []
        for entry in usage.iterations:
            tariff = self._tariff(entry.model or model, entry.usage, usage, day)
            if isinstance(tariff, str):
                return Cost("unpriced", None, None, False, tariff, ())
            tokens = tariff.charge(entry.usage)
            charged += tokens
            listed += tokens * tariff.list_factor
            used.append(tariff)
        return _priced(charged, listed, usage, used)

    def _tariff(self, model: str, tokens: Usage, sent: Usage, day: date) -> _Tariff | str:
        name = self.aliases.get(model, model)
        if name not in self._by_model:
            return f"No price is known for the model {shown(model)}."
        tariffs = self._tariffs(name, sent.speed, sent.service_tier, sent.inference_geo)
        if isinstance(tariffs, str):
            return tariffs
        prompt = tokens.prompt_tokens
        for tariff in tariffs:
            if tariff.from_day <= day < tariff.to_day and tariff.prompt_over < prompt <= tariff.prompt_up_to:
                return tariff
        return _why_none([tariff.price for tariff in tariffs], day, prompt)

    def _find_tariffs(
        self, model: str, speed: str | None, service_tier: str | None, geo: str | None
    ) -> tuple[_Tariff, ...] | str:
        speed = speed or "standard"
        if service_tier not in (None, "standard", "batch", "priority"):
            return f"No price is known for the service tier {shown(service_tier)}."
        if speed == "fast" and service_tier == "batch":
            return "Fast mode in a batch has no price: the Batches API refuses it."
        at_speed = [row for row in self._by_model[model] if row.speed == speed]
        if not at_speed:
            return f"{model} has no price for the speed {shown(speed)}."
        return tuple(_tariff(row, batch=service_tier == "batch", geo=geo, tier=service_tier) for row in at_speed)


def _utc_day(at: datetime) -> date:
    if at.tzinfo is UTC:
        return at.date()
    if at.tzinfo is None:
        raise ValueError(f"'{at.isoformat()}' has no time zone, so the day of its price is not known")
    return at.astimezone(UTC).date()


def _tariff(price: Price, *, batch: bool, geo: str | None, tier: str | None) -> _Tariff:
    factor = (BATCH_SHARE if batch else 1) * (US_FACTOR if geo == "us" else 1)
    notes = []
    if geo != "us" and geo not in GLOBAL_GEOS:
        notes.append(f"what inference in {shown(geo)} adds is not known")
    if tier == "priority":
        notes.append("the priority tier is priced as the standard one")
    half = ", half price in a batch" if batch else ""
    in_the_us = f", {US_FACTOR} times in the US" if geo == "us" else ""
    description = f"{price.name}{half}{in_the_us}"
    return _Tariff(
        price=price,
        from_day=price.from_day,
        to_day=price.to_day or date.max,
        prompt_over=-1 if price.prompt_over is None else price.prompt_over,
        prompt_up_to=sys.maxsize if price.prompt_up_to is None else price.prompt_up_to,
        rates=tuple(int(rate * _PER_MTOK * factor) for rate in price.rates),
        list_factor=int(1 / BATCH_SHARE) if batch else 1,
        description=description,
        notes=tuple(notes),
        reason=_sentence(f"List price of {description}", notes),
        price_ids=(price.price_id,),
    )


def _priced(charged: int, listed: int, usage: Usage, used: list[_Tariff]) -> Cost:
    fees = usage.web_searches * _SEARCH
    described = " and ".join(dict.fromkeys(tariff.description for tariff in used))
    by_entry = ", entry by entry," if usage.iterations else ""
    plural = "" if usage.web_searches == 1 else "es"
    searches = f", plus {usage.web_searches:,} web search{plural}" if usage.web_searches else ""
    notes = list(dict.fromkeys(note for tariff in used for note in tariff.notes))
    notes += usage.notes
    if _has_declined_hop(usage):
        notes.append("an attempt that a fallback replaced is charged, which depends on why it was declined")
    return Cost(
        "priced",
        (charged + fees) * TRILLIONTH,
        (listed + fees) * TRILLIONTH,
        bool(notes),
        _sentence(f"List price{by_entry} of {described}{searches}", notes),
        tuple(dict.fromkeys(tariff.price.price_id for tariff in used)),
    )


def _sentence(what: str, notes: Iterable[str]) -> str:
    doubts = "; ".join(notes)
    return f"{what}; estimated: {doubts}." if doubts else f"{what}."


def _has_declined_hop(usage: Usage) -> bool:
    # The fallback's own earlier steps are messages too, so it need not be the next entry.
    return any(
        entry.type == "message"
        and entry.usage.output_tokens == 0
        and any(later.type == "fallback_message" for later in usage.iterations[n + 1 :])
        for n, entry in enumerate(usage.iterations)
    )


def _after_refusal(cost: Cost, usage: Usage, day: date, category: str | None) -> Cost:
    outputs = [entry.usage.output_tokens for entry in usage.iterations] or [usage.output_tokens]
    if outputs[-1]:
        return cost
    refused = "refused before any output" + ("" if category is None else f" as {shown(category)}")
    if any(outputs):
        return _doubted(cost, f"{refused}, after other entries with output")
    if _has_declined_hop(usage):
        return _doubted(cost, "every model refused, and the usage does not say for which reason each of them did")
    if category in FREE_REFUSALS or (category in CHARGED_REFUSALS and day < REFUSALS_CHARGED_FROM):
        return _free(cost, f"Not billed: {refused}.")
    if category == CATEGORY_NOT_GIVEN:
        return _doubted(
            _free(cost, f"Not billed: {refused}."), "the response does not say why, and some reasons are billed"
        )
    if category in CHARGED_REFUSALS:
        return replace(cost, reason=f"{cost.reason[:-1]}; {refused}, which is billed since {REFUSALS_CHARGED_FROM}.")
    return _doubted(cost, f"whether it is billed is not known: {refused}")


def _free(cost: Cost, reason: str) -> Cost:
    return replace(cost, cost_usd=Decimal(0), list_usd=Decimal(0), estimated=False, reason=reason)


def _doubted(cost: Cost, doubt: str) -> Cost:
    separator = "; " if cost.estimated else "; estimated: "
    return replace(cost, estimated=True, reason=f"{cost.reason[:-1]}{separator}{doubt}.")


def _why_none(rows: Sequence[Price], day: date, prompt_tokens: int) -> str:
    what = rows[0].model if rows[0].speed == "standard" else f"{rows[0].model} {rows[0].speed}"
    first = min(row.from_day for row in rows)
    if day < first:
        return f"{what} has no price on {day}: its first one starts on {first}."
    if any(row.in_force(day) for row in rows):
        return f"{what} has no price for a prompt of {prompt_tokens:,} tokens on {day}."
    last = max(row.to_day for row in rows if row.to_day and row.to_day <= day)
    return f"{what} has no price on {day}: the last one before ended on {last}."
