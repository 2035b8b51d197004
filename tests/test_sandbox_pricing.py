"""The bill of the sandbox is what our own pricing says, although the two share no arithmetic and no price."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from core.capture.messages import refusal_category
from core.pricing import Cost, PriceBook
from core.sandbox.bill import RATES, Bill, usd_text
from core.sandbox.messages import Messages, Sent
from core.sandbox.models import CATALOGUE
from core.usage import read_usage

BOOK = PriceBook.load()
AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
BETAS = "server-side-fallback-2026-07-01,fallback-credit-2026-07-01,compact-2026-01-12,advisor-tool-2026-03-01"
CATEGORIES = ("", ":cyber", ":bio", ":frontier_llm", ":reasoning_extraction", ":general_harms")
SERVED = [model for model in CATALOGUE.values() if model.lifecycle(AT) != "retired"]
SEARCH = {"type": "web_search_20260318", "name": "web_search", "max_uses": 2}
CLIENT_TOOL = {"name": "look_up", "input_schema": {"type": "object", "properties": {"word": {"type": "string"}}}}
KINDS = ("plain", "thinking", "tool", "search", "refusal", "fallback", "compaction", "advisor", "priority")


class Till:
    """A sandbox without its transport, which knows what the last answer cost."""

    def __init__(self) -> None:
        self.bill = Bill()
        self._messages = Messages(self.bill)
        self._number = 0

    def sell(self, params: dict[str, Any], at: datetime, *, batch: bool = False, beta: bool = True) -> dict[str, Any]:
        self._number += 1
        sent = Sent(f"msg_{self._number}", "2026-10-21", at, at, "w", BETAS if beta else "", batch)
        before = self.bill.pico_usd
        message = self._messages.create(params, sent).message
        self.charged = Decimal(usd_text(self.bill.pico_usd - before))
        return message


def ours(message: dict[str, Any], at: datetime) -> Cost:
    return BOOK.cost(
        message["model"],
        read_usage(message["usage"]),
        at,
        stop_reason=message["stop_reason"],
        refusal_category=refusal_category(message),
    )


def request(chance: random.Random, kind: str, *, batch: bool) -> dict[str, Any]:
    """Parameters of one kind, with whatever else may vary."""
    model = chance.choice(SERVED)
    text = "word " * chance.choice((1, 40, 400, 90_000 if chance.random() < 0.05 else 4_000))
    if model.id == "claude-haiku-5-5" and chance.random() < 0.5:
        text = "word " * chance.choice((61_500, 61_600, 70_000))
    fields: dict[str, Any] = {"model": model.id, "max_tokens": chance.choice((3, 60, 4_000))}
    if chance.random() < 0.5:
        control = {"type": "ephemeral", "ttl": chance.choice(("5m", "1h"))}
        fields["system"] = [{"type": "text", "text": "rule " * chance.choice((1_200, 4_500)), "cache_control": control}]
    if model.geo and chance.random() < 0.3:
        fields["inference_geo"] = "us"
    if model.fast and not batch and kind not in ("fallback", "advisor") and chance.random() < 0.4:
        fields["speed"] = "fast"
    marker, more = special(chance, kind, geo="inference_geo" in fields)
    return {**fields, **more, "messages": [{"role": "user", "content": f"{marker} {chance.random()} {text}"}]}


def special(chance: random.Random, kind: str, *, geo: bool) -> tuple[str, dict[str, Any]]:
    helper = chance.choice([model.id for model in SERVED if model.geo or not geo])
    category = chance.choice(CATEGORIES)
    midway = chance.choice(("", ":midway"))
    pause = {"pause_after_compaction": chance.random() < 0.3}
    asked: dict[str, tuple[str, dict[str, Any]]] = {
        "plain": ("", {}),
        "thinking": (f"[sandbox:think:{chance.randrange(1, 900)}]", {"thinking": {"type": "adaptive"}}),
        "tool": ("[sandbox:tool]", {"tools": [CLIENT_TOOL]}),
        "search": (f"[sandbox:search:{chance.randrange(4)}]", {"tools": [SEARCH]}),
        "refusal": (f"[sandbox:refuse{category}{midway}]", {}),
        "fallback": (f"[sandbox:refuse{category}{midway}]", {"fallbacks": [{"model": helper}]}),
        "compaction": ("[sandbox:compact]", {"context_management": {"edits": [{"type": "compact_20260112", **pause}]}}),
        "advisor": (
            "[sandbox:advisor]",
            {"tools": [{"type": "advisor_20260301", "name": "advisor", "model": helper}]},
        ),
        "priority": ("[sandbox:priority]", {}),
    }
    return asked[kind]


def is_not_in_the_usage(message: dict[str, Any]) -> bool:
    """Whether what was charged depends on something that the usage does not say: why a model declined."""
    return any(
        entry["type"] == "message" and entry["output_tokens"] == 0 for entry in message["usage"].get("iterations", ())
    )


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_answer_costs_the_same_in_both(kind: str) -> None:
    chance, till, at = random.Random(kind), Till(), AT
    seen: Counter[str] = Counter()
    for _ in range(120):
        at += timedelta(seconds=chance.choice((1, 200, 2_000)))
        batch = kind != "fallback" and chance.random() < 0.4
        beta = kind in ("fallback", "compaction", "advisor") or chance.random() < 0.5
        message = till.sell(request(chance, kind, batch=batch), at, batch=batch, beta=beta)
        cost = ours(message, at)
        assert cost.status == "priced", cost.reason
        if is_not_in_the_usage(message):
            assert cost.estimated, cost.reason
            assert cost.cost_usd is not None
            assert cost.cost_usd >= till.charged
            seen["estimated"] += 1
        else:
            assert cost.cost_usd == till.charged, (message["usage"], cost.reason)
            assert cost.estimated == (message["usage"]["service_tier"] == "priority")
            seen["exact"] += 1
        seen[message["stop_reason"]] += 1
    assert seen["exact"] >= 30
    assert seen["estimated"] == 0 or kind == "fallback"


def test_a_redeemed_credit_lowers_the_bill_by_what_the_usage_does_not_say() -> None:
    till = Till()
    params = {
        "model": "claude-opus-5-5",
        "max_tokens": 50,
        "system": [{"type": "text", "text": "rule " * 3_000, "cache_control": {"type": "ephemeral"}}],
        "messages": [{"role": "user", "content": "[sandbox:refuse:cyber] please"}],
    }
    refused = till.sell(params, AT)
    assert till.charged == 0
    again = {**params, "model": "claude-opus-4-8"}
    token = refused["stop_details"]["fallback_credit_token"]
    retry = till.sell({**again, "fallback_credit_token": token}, AT + timedelta(minutes=1))
    assert retry["usage"]["fallback_credit"] == {"status": {"type": "redeemed"}}
    cost = ours(retry, AT)
    assert cost.estimated
    # 3,000 × 5 bytes × 1.3 / 4 = 4,875 tokens, written at 6.25 USD a million by the usage, read at 0.50 by the bill
    assert cost.cost_usd == till.charged + Decimal(4_875) * (Decimal("6.25") - Decimal("0.5")) / 10**6


def test_every_model_that_the_sandbox_knows_has_a_price_of_ours() -> None:
    assert set(RATES) == set(CATALOGUE)
    for name in CATALOGUE:
        assert BOOK.price_for(name, AT.date()) is not None
