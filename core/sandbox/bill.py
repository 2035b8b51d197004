"""What the sandbox charges, in an arithmetic of its own.

It shares no code and no price with the rest of Halfprice, so that a ledger that ends at the same amount has proved
something. Whole numbers only. Prices of November 2026: platform.claude.com/docs/en/about-claude/pricing
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from core.sandbox.cache import Tokens

PICO_PER_USD = 10**12
PICO_PER_NANO = 1_000
SEARCH_PICO_USD = PICO_PER_USD // 100
"""One web search, in a batch too; one that failed is free."""

# Billionths of a dollar per token, which is thousandths of a dollar per million tokens:
# uncached input, 5-minute write, 1-hour write, cache read, output.
RATES = {
    "claude-fable-5-2": (8_000, 10_000, 16_000, 200, 40_000),
    "claude-opus-5-5": (4_000, 5_000, 8_000, 200, 20_000),
    "claude-opus-5": (5_000, 6_250, 10_000, 500, 25_000),
    "claude-opus-4-8": (5_000, 6_250, 10_000, 500, 25_000),
    "claude-opus-4-1-20250805": (15_000, 18_750, 30_000, 1_500, 75_000),
    "claude-sonnet-5-5": (2_000, 2_500, 4_000, 100, 10_000),
    "claude-sonnet-5": (2_000, 2_500, 4_000, 200, 10_000),
    "claude-sonnet-4-6": (3_000, 3_750, 6_000, 300, 15_000),
    "claude-sonnet-4-5-20250929": (3_000, 3_750, 6_000, 300, 15_000),
    "claude-haiku-5-5": (100, 125, 200, 10, 500),
    "claude-haiku-4-5-20251001": (1_000, 1_250, 2_000, 100, 5_000),
}
LONG_PROMPT = 100_000
LONG_PROMPT_RATES = {"claude-haiku-5-5": (500, 625, 1_000, 50, 2_500)}
"""Prices of a whole step where its prompt, cached parts included, is longer than LONG_PROMPT."""
FREE_REFUSALS = (None, "cyber", "general_harms")
"""Refused before any output, these cost nothing: …/build-with-claude/refusals-and-fallback."""

_USD = re.compile(r"(\d{1,12})(?:\.(\d{1,12}))?")


@dataclass(frozen=True, slots=True)
class Step:
    """One sampling step inside an answer, in tokens.

    `kind` is the API's word: message, compaction, advisor_message or fallback_message. `free` is a refusal before any
    output that is not charged. `credited` of the written tokens are charged as if they had been read.
    """

    kind: str
    model: str
    tokens: Tokens
    output: int = 0
    free: bool = False
    credited: int = 0


@dataclass(frozen=True, slots=True)
class Sale:
    """One answer as it is charged: for `model`, in `workspace`, at a time; `searches` are those with a fee."""

    model: str
    steps: tuple[Step, ...]
    at: datetime
    workspace: str
    batch: bool = False
    fast: bool = False
    us: bool = False
    searches: int = 0


@dataclass(slots=True)
class Account:
    """What was billed of one model; amounts are picodollars."""

    pico_usd: int = 0
    requests: int = 0
    batch_items: int = 0
    web_searches: int = 0
    tokens: dict[str, int] = field(default_factory=dict)


class Bill:
    """The sum of everything that was answered; an answer whose delivery failed is in it, too."""

    def __init__(self) -> None:
        self._accounts: dict[str, Account] = {}
        self._months: dict[tuple[int, int], int] = {}
        self._workspaces: dict[str, int] = {}
        self.pico_usd = 0

    def add(self, sale: Sale) -> None:
        """Charge one answer: each step to its model, the searches to the model that answered."""
        account = self._account(sale.model)
        account.batch_items += sale.batch
        account.requests += not sale.batch
        account.web_searches += sale.searches
        self._charge(account, SEARCH_PICO_USD * sale.searches, sale)
        for step in sale.steps:
            account = self._account(step.model)
            self._charge(account, step_pico_usd(step, batch=sale.batch, fast=sale.fast, us=sale.us), sale)
            for kind, tokens in zip(_KINDS, _counts(step), strict=True):
                account.tokens[kind] = account.tokens.get(kind, 0) + tokens

    def month_pico_usd(self, at: datetime) -> int:
        """What was charged in the UTC month of a time."""
        return self._months.get((at.year, at.month), 0)

    def report(self) -> dict[str, Any]:
        """The bill as `GET /sandbox/bill` answers it; amounts are exact decimal text."""
        accounts = self._accounts.values()
        return {
            "sandbox": True,
            "total_usd": usd_text(self.pico_usd),
            "requests": sum(account.requests for account in accounts),
            "batch_items": sum(account.batch_items for account in accounts),
            "by_model": {name: _row(account) for name, account in sorted(self._accounts.items())},
            "by_workspace": {name: usd_text(pico) for name, pico in sorted(self._workspaces.items())},
            "by_month": {f"{year}-{month:02}": usd_text(pico) for (year, month), pico in sorted(self._months.items())},
        }

    def _account(self, model: str) -> Account:
        return self._accounts.setdefault(model, Account())

    def _charge(self, account: Account, pico: int, sale: Sale) -> None:
        month = sale.at.year, sale.at.month
        account.pico_usd += pico
        self.pico_usd += pico
        self._months[month] = self._months.get(month, 0) + pico
        self._workspaces[sale.workspace] = self._workspaces.get(sale.workspace, 0) + pico


_KINDS = ("input", "cache_write_5m", "cache_write_1h", "cache_read", "output")


def step_pico_usd(step: Step, *, batch: bool = False, fast: bool = False, us: bool = False) -> int:
    """The price of one step in picodollars.

    >>> usd_text(step_pico_usd(Step("message", "claude-sonnet-5-5", Tokens(1_000), 200), batch=True))
    '0.002'
    """
    if step.free:
        return 0
    rates = RATES[step.model]
    if step.tokens.prompt > LONG_PROMPT:
        rates = LONG_PROMPT_RATES.get(step.model, rates)
    pico = sum(count * rate for count, rate in zip(_charged(step), rates, strict=True)) * PICO_PER_NANO
    pico *= 2 if fast else 1
    pico = pico * 11 // 10 if us else pico
    return pico // 2 if batch else pico


def _counts(step: Step) -> tuple[int, int, int, int, int]:
    tokens = step.tokens
    return tokens.uncached, tokens.written_5m, tokens.written_1h, tokens.read, step.output


def _charged(step: Step) -> tuple[int, int, int, int, int]:
    uncached, written_5m, written_1h, read, output = _counts(step)
    of_5m = min(step.credited, written_5m)
    of_1h = min(step.credited - of_5m, written_1h)
    return uncached, written_5m - of_5m, written_1h - of_1h, read + of_5m + of_1h, output


def usd_text(pico: int) -> str:
    """An amount as plain decimal text.

    >>> usd_text(0), usd_text(2 * PICO_PER_USD), usd_text(1), usd_text(10_500_000_000)
    ('0', '2', '0.000000000001', '0.0105')
    """
    dollars, rest = divmod(pico, PICO_PER_USD)
    return f"{dollars}.{rest:012d}".rstrip("0").rstrip(".")


def read_usd(text: str) -> int:
    """Picodollars of an amount in plain decimal text; ValueError for anything else.

    >>> read_usd("0.0105"), read_usd("500") == 500 * PICO_PER_USD
    (10500000000, True)
    """
    found = _USD.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not an amount in USD")
    return int(found[1]) * PICO_PER_USD + int((found[2] or "").ljust(12, "0"))


def total_tokens(steps: Iterable[Step]) -> Tokens:
    """The prompt tokens of some steps together."""
    return sum((step.tokens for step in steps), Tokens(0))


def _row(account: Account) -> dict[str, Any]:
    row = asdict(account)
    return {"total_usd": usd_text(row.pop("pico_usd")), **row}
