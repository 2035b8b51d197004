"""What a request costs at the list price of its day, as an exact amount.

Costs come from the usage block of the answer alone. Container hours, session hours and the share that a cloud partner
adds are not in it, so they are not in any cost here. Sources: platform.claude.com/docs/en/about-claude/pricing,
…/build-with-claude/batch-processing, …/build-with-claude/refusals-and-fallback; the rates are in `prices.toml`.
"""

from __future__ import annotations

import hashlib
import re
import sys
import tomllib
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from itertools import combinations
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from core.errors import HalfpriceError
from core.money import plain_usd
from core.usage import Usage, shown

PRICES_FILE = Path(__file__).with_name("prices.toml")

BATCH_SHARE = Decimal("0.5")
US_FACTOR = Decimal("1.1")
WEB_SEARCH_USD = Decimal("0.01")
# None: the response does not say where it ran, which is how answers from before data residency look.
GLOBAL_GEOS = frozenset({None, "global", "not_available"})

# Refused before any output: some categories are free, others cost since a day, any other is not documented.
FREE_REFUSALS = frozenset({None, "cyber", "general_harms"})
CHARGED_REFUSALS = frozenset({"bio", "frontier_llm", "reasoning_extraction"})
REFUSALS_CHARGED_FROM = date(2026, 9, 24)

RATES = ("input", "cache_write_5m", "cache_write_1h", "cache_read", "output")
CONDITIONS = frozenset({"from_day", "to_day", "prompt_over", "prompt_up_to", "speed"})

# Money is counted in trillionths of a USD. With four decimals a rate in USD per million tokens is a multiple of 100 of
# them per token, so that half of it, and 1.1 times that, are whole numbers too.
TRILLIONTH = Decimal("1E-12")
_PER_MTOK = 1_000_000  # trillionths per token in one USD per million tokens
_SEARCH = int(WEB_SEARCH_USD / TRILLIONTH)
_RATE = re.compile(r"[0-9]{1,3}(\.[0-9]{1,4})?")
# Five counts of at most a billion tokens at these rates, 1.1 times, stay under the million USD of DECIMAL(18, 12).
_MOST_RATES_USD = 900


class BadPrices(HalfpriceError):
    """A price table that cannot be used; the message names the file and the row."""


@dataclass(frozen=True, slots=True)
class Price:
    """One row of the price table: five rates in USD per million tokens, synchronous and with global routing.

    In force on UTC days from `from_day` (included) to `to_day` (excluded; None: still in force) for prompts of more
    than `prompt_over` and up to `prompt_up_to` tokens (None: no bound), for the whole request. `price_id` is a short
    key that stays when the row is closed and changes with any rate.
    """

    model: str
    from_day: date
    to_day: date | None
    prompt_over: int | None
    prompt_up_to: int | None
    speed: str
    input: Decimal
    cache_write_5m: Decimal
    cache_write_1h: Decimal
    cache_read: Decimal
    output: Decimal
    source: str
    checked: date
    price_id: str = field(init=False)

    def __post_init__(self) -> None:
        rates = "/".join(plain_usd(rate) for rate in self.rates)
        tier = "" if self.prompt_over is None else f">{self.prompt_over}"
        speed = "" if self.speed == "standard" else f"/{self.speed}"
        digest = hashlib.sha256(f"{self.prompt_up_to} {rates}".encode()).hexdigest()[:8]
        object.__setattr__(self, "price_id", f"{self.model}{speed}@{self.from_day}{tier}#{digest}")

    @property
    def rates(self) -> tuple[Decimal, Decimal, Decimal, Decimal, Decimal]:
        """Input, 5-minute cache write, 1-hour cache write, cache read and output, in USD per million tokens."""
        return self.input, self.cache_write_5m, self.cache_write_1h, self.cache_read, self.output

    @property
    def name(self) -> str:
        """The row in words.

        >>> PriceBook.load().price_for("claude-haiku-5-5", date(2026, 11, 1), 100_001).name
        'claude-haiku-5-5 from 2026-10-07 for prompts over 100,000 tokens'
        """
        speed = "" if self.speed == "standard" else f" {self.speed}"
        over = None if self.prompt_over is None else f"over {self.prompt_over:,}"
        up_to = None if self.prompt_up_to is None else f"up to {self.prompt_up_to:,}"
        bounds = " and ".join(bound for bound in (over, up_to) if bound)
        return f"{self.model}{speed} from {self.from_day}" + (f" for prompts {bounds} tokens" if bounds else "")

    def covers(self, day: date, prompt_tokens: int) -> bool:
        """Whether this row holds for a prompt of that size on that UTC day."""
        return (
            self.in_force(day)
            and (self.prompt_over is None or prompt_tokens > self.prompt_over)
            and (self.prompt_up_to is None or prompt_tokens <= self.prompt_up_to)
        )

    def in_force(self, day: date) -> bool:
        """Whether this row holds on that UTC day for some size of prompt."""
        return self.from_day <= day and (self.to_day is None or day < self.to_day)

    def overlaps(self, other: Price) -> bool:
        """Whether a day and a size of prompt exist for which both rows hold."""
        day = max(self.from_day, other.from_day)
        # A bound is excluded below, so the smallest prompt above both of them decides.
        prompt = max(row.prompt_over or 0 for row in (self, other)) + 1
        return self.covers(day, prompt) and other.covers(day, prompt)


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
        try:
            table = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise BadPrices(f"The price table {path} cannot be read: {error}.") from error
        entries = table.get("price")
        if not isinstance(entries, list) or not entries:
            raise BadPrices(f"{path.name} has no [[price]] rows.")
        rows = [_price(entry, f"{path.name}, row {n}") for n, entry in enumerate(entries, start=1)]
        _refuse_overlaps(rows, path.name)
        return cls(rows, _aliases(table.get("aliases", {}), rows, path.name))

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
    if category in FREE_REFUSALS or (category in CHARGED_REFUSALS and day < REFUSALS_CHARGED_FROM):
        nothing = Decimal(0)
        return replace(cost, cost_usd=nothing, list_usd=nothing, estimated=False, reason=f"Not billed: {refused}.")
    if category in CHARGED_REFUSALS:
        return replace(cost, reason=f"{cost.reason[:-1]}; {refused}, which is billed since {REFUSALS_CHARGED_FROM}.")
    return _doubted(cost, f"whether it is billed is not known: {refused}")


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


def _price(entry: object, where: str) -> Price:
    row = _table(entry, {"model", "when", "rates", "source", "checked"}, where)
    model = _word(row.get("model"), f"{where}: model")
    where = f"{where} ({model})"
    when = _table(row.get("when"), CONDITIONS, f"{where}: when")
    rates = _table(row.get("rates"), set(RATES), f"{where}: rates")
    price = Price(
        model=model,
        from_day=_day(when.get("from_day"), f"{where}: from_day"),
        to_day=_day(when["to_day"], f"{where}: to_day") if "to_day" in when else None,
        prompt_over=_bound(when, "prompt_over", where),
        prompt_up_to=_bound(when, "prompt_up_to", where),
        speed=_word(when.get("speed", "standard"), f"{where}: speed"),
        source=_word(row.get("source"), f"{where}: source"),
        checked=_day(row.get("checked"), f"{where}: checked"),
        **{name: _rate(rates.get(name), f"{where}: {name}") for name in RATES},
    )
    _refuse_impossible(price, where)
    return price


def _refuse_impossible(price: Price, where: str) -> None:
    if price.to_day is not None and price.to_day <= price.from_day:
        raise BadPrices(f"{where}: to_day {price.to_day} is not after from_day {price.from_day}.")
    if price.prompt_up_to is not None and price.prompt_up_to <= (price.prompt_over or 0):
        raise BadPrices(f"{where}: prompt_up_to {price.prompt_up_to} is not above prompt_over {price.prompt_over}.")
    if sum(price.rates) > _MOST_RATES_USD:
        raise BadPrices(f"{where}: the rates are {sum(price.rates)} USD together, more than {_MOST_RATES_USD}.")


def _refuse_overlaps(rows: Sequence[Price], file: str) -> None:
    for one, other in combinations(rows, 2):
        if (one.model, one.speed) == (other.model, other.speed) and one.overlaps(other):
            raise BadPrices(f"{file}: two rows hold at the same time: {one.name} and {other.name}.")


def _aliases(table: object, rows: Sequence[Price], file: str) -> dict[str, str]:
    models = {row.model for row in rows}
    if not isinstance(table, dict):
        raise BadPrices(f"{file}: aliases is not a table.")
    for alias, model in table.items():
        if model not in models:
            raise BadPrices(f"{file}: the alias {alias} stands for {shown(model)}, which has no price.")
        if alias in models:
            raise BadPrices(f"{file}: {alias} is an alias and has a price of its own.")
    return table


def _table(value: object, keys: Set[str], where: str) -> dict[str, Any]:
    if not isinstance(value, dict) or not value.keys() <= keys:
        raise BadPrices(f"{where} is not a table of {', '.join(sorted(keys))}.")
    return value


def _word(value: object, where: str) -> str:
    if isinstance(value, str) and value:
        return value
    raise BadPrices(f"{where} is {shown(value)}, not text.")


def _day(value: object, where: str) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    raise BadPrices(f"{where} is {shown(value)}, not a day such as 2026-11-22.")


def _bound(when: Mapping[str, Any], key: str, where: str) -> int | None:
    value = when.get(key)
    if value is None or (type(value) is int and value > 0):
        return value
    raise BadPrices(f"{where}: {key} is {shown(value)}, not a number of tokens.")


def _rate(value: object, where: str) -> Decimal:
    if isinstance(value, str) and _RATE.fullmatch(value):
        return Decimal(value)
    raise BadPrices(
        f'{where} is {shown(value)}, not USD per million tokens as text with at most four decimals, such as "0.125".'
    )
