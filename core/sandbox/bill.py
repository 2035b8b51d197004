"""What the sandbox charges, in an arithmetic of its own.

It shares no code and no price with the rest of Halfprice, so that a ledger that ends at the same amount has proved
something. Whole numbers only. Prices of November 2026: platform.claude.com/docs/en/about-claude/pricing
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

PICO_PER_USD = 10**12
PICO_PER_NANO = 1_000

# Billionths of a dollar per token, which is thousandths of a dollar per million tokens:
# uncached input, 5-minute write, 1-hour write, cache read, output.
RATES = {
    "claude-fable-5-2": (8_000, 10_000, 16_000, 200, 40_000),
    "claude-opus-5-5": (4_000, 5_000, 8_000, 200, 20_000),
    "claude-opus-5": (5_000, 6_250, 10_000, 500, 25_000),
    "claude-opus-4-8": (5_000, 6_250, 10_000, 500, 25_000),
    "claude-sonnet-5-5": (2_000, 2_500, 4_000, 100, 10_000),
    "claude-sonnet-5": (2_000, 2_500, 4_000, 200, 10_000),
    "claude-sonnet-4-6": (3_000, 3_750, 6_000, 300, 15_000),
    "claude-sonnet-4-5-20250929": (3_000, 3_750, 6_000, 300, 15_000),
    "claude-haiku-5-5": (100, 125, 200, 10, 500),
    "claude-haiku-4-5-20251001": (1_000, 1_250, 2_000, 100, 5_000),
}
LONG_PROMPT = 100_000
LONG_PROMPT_RATES = {"claude-haiku-5-5": (500, 625, 1_000, 50, 2_500)}
"""Prices of the whole request where its prompt, cached parts included, is longer than LONG_PROMPT."""
FREE_REFUSALS = (None, "cyber", "general_harms")
"""Refused before any output, these cost nothing: …/build-with-claude/refusals-and-fallback."""


@dataclass(slots=True)
class Account:
    """What was billed of one model; amounts are picodollars."""

    pico_usd: int = 0
    requests: int = 0
    batch_items: int = 0
    tokens: dict[str, int] = field(default_factory=dict)


class Bill:
    """The sum of everything that was answered; an answer whose delivery failed is in it, too."""

    def __init__(self) -> None:
        self._accounts: dict[str, Account] = {}

    def add(self, message: Mapping[str, Any]) -> None:
        """Charge one answer."""
        account = self._accounts.setdefault(message["model"], Account())
        account.pico_usd += price_pico_usd(message)
        if message["usage"]["service_tier"] == "batch":
            account.batch_items += 1
        else:
            account.requests += 1
        for kind, tokens in zip(_KINDS, _tokens(message["usage"]), strict=True):
            account.tokens[kind] = account.tokens.get(kind, 0) + tokens

    def report(self) -> dict[str, Any]:
        """The bill as `GET /sandbox/bill` answers it; amounts are exact decimal text."""
        accounts = self._accounts.values()
        return {
            "sandbox": True,
            "total_usd": usd_text(sum(account.pico_usd for account in accounts)),
            "requests": sum(account.requests for account in accounts),
            "batch_items": sum(account.batch_items for account in accounts),
            "by_model": {name: _row(account) for name, account in sorted(self._accounts.items())},
        }


_KINDS = ("input", "cache_write_5m", "cache_write_1h", "cache_read", "output")


def price_pico_usd(message: Mapping[str, Any]) -> int:
    """The price of one answer in picodollars.

    >>> usage = {"input_tokens": 1_000, "output_tokens": 200, "service_tier": "batch"}
    >>> usd_text(price_pico_usd({"model": "claude-sonnet-5-5", "usage": usage}))
    '0.002'
    """
    usage = message["usage"]
    details = message.get("stop_details")
    if details and details["category"] in FREE_REFUSALS and usage["output_tokens"] == 0:
        return 0
    tokens = _tokens(usage)
    rates = RATES[message["model"]]
    if sum(tokens[:4]) > LONG_PROMPT:
        rates = LONG_PROMPT_RATES.get(message["model"], rates)
    nano = sum(count * rate for count, rate in zip(tokens, rates, strict=True))
    return _with_modifiers(nano * PICO_PER_NANO, usage)


def _with_modifiers(pico: int, usage: Mapping[str, Any]) -> int:
    if usage.get("speed") == "fast":
        pico *= 2
    if usage.get("inference_geo") == "us":
        pico = pico * 11 // 10
    return pico // 2 if usage["service_tier"] == "batch" else pico


def _tokens(usage: Mapping[str, Any]) -> tuple[int, int, int, int, int]:
    split = usage.get("cache_creation") or {}
    return (
        usage["input_tokens"],
        split.get("ephemeral_5m_input_tokens", 0),
        split.get("ephemeral_1h_input_tokens", 0),
        usage.get("cache_read_input_tokens") or 0,
        usage["output_tokens"],
    )


def usd_text(pico: int) -> str:
    """An amount as plain decimal text.

    >>> usd_text(0), usd_text(2 * PICO_PER_USD), usd_text(1), usd_text(10_500_000_000)
    ('0', '2', '0.000000000001', '0.0105')
    """
    dollars, rest = divmod(pico, PICO_PER_USD)
    return f"{dollars}.{rest:012d}".rstrip("0").rstrip(".")


def _row(account: Account) -> dict[str, Any]:
    row = asdict(account)
    return {"total_usd": usd_text(row.pop("pico_usd")), **row}
