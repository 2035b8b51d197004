"""The dated list prices, read from `prices.toml` and checked."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from itertools import combinations
from pathlib import Path
from typing import Any

from core.errors import HalfpriceError
from core.money import plain_usd
from core.usage import shown

PRICES_FILE = Path(__file__).with_name("prices.toml")
RATES = ("input", "cache_write_5m", "cache_write_1h", "cache_read", "output")
CONDITIONS = frozenset({"from_day", "to_day", "prompt_over", "prompt_up_to", "speed"})

# With four decimals at most, half of a rate and 1.1 times that have no more than 12 decimals a token.
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

        >>> read_prices(PRICES_FILE)[0][0].name
        'claude-fable-5-2 from 2026-11-09'
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


def read_prices(path: Path) -> tuple[list[Price], dict[str, str]]:
    """The rows and the aliases of a price table; BadPrices if it cannot be read or contradicts itself."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadPrices(f"The price table {path} cannot be read: {error}.") from error
    entries = table.get("price")
    if not isinstance(entries, list) or not entries:
        raise BadPrices(f"{path.name} has no [[price]] rows.")
    rows = [_price(entry, f"{path.name}, row {n}") for n, entry in enumerate(entries, start=1)]
    _refuse_overlaps(rows, path.name)
    return rows, _aliases(table.get("aliases", {}), rows, path.name)


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
