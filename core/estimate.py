"""What requests will cost, judged from their text before they are sent."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from core.prepare import Item
from core.pricing import PriceBook
from core.usage import Usage

CHARACTERS_PER_TOKEN = 4
"""A rule of thumb for English text; other languages and code take more tokens."""
NEW_TOKENIZER = 1.3
"""Opus 4.7 and every model from 5 on make about 30 % more tokens of the same text.

Source: platform.claude.com/docs/en/about-claude/pricing.
"""
_OLD_TOKENIZER = re.compile(r"claude-(3|(opus|sonnet|haiku)-4(-[0-6])?(-\d{8})?$)")


@dataclass(frozen=True, slots=True)
class Estimate:
    """What requests would cost either way in USD, without caching; an amount is None when a model has no price.

    `input_tokens` is judged from the length of the text. `output_tokens` is the workload's own average where
    `output_known`, else the most that the requests allow, and the amounts are then upper bounds as far as output goes.
    """

    requests: int
    input_tokens: int
    output_tokens: int
    output_known: bool
    sync_usd: Decimal | None
    batch_usd: Decimal | None
    unpriced_models: tuple[str, ...]


def estimate(items: Sequence[Item], book: PriceBook, at: datetime, output_tokens: int | None = None) -> Estimate:
    """The cost of sending the items at that moment; `output_tokens` is the average output of one, if it is known."""
    input_total = output_total = 0
    sync, batch = Decimal(0), Decimal(0)
    unpriced: set[str] = set()
    for item in items:
        usage = Usage(
            input_tokens=count_tokens(item.params),
            output_tokens=min(output_tokens or item.params["max_tokens"], item.params["max_tokens"]),
            speed=item.params.get("speed"),
            inference_geo=item.params.get("inference_geo"),
        )
        input_total += usage.input_tokens
        output_total += usage.output_tokens
        model = item.params["model"]
        alone = book.cost(model, usage, at).cost_usd
        together = book.cost(model, replace(usage, speed=None, service_tier="batch"), at).cost_usd
        if alone is None or together is None:
            unpriced.add(model)
        else:
            sync += alone
            batch += together
    return Estimate(
        requests=len(items),
        input_tokens=input_total,
        output_tokens=output_total,
        output_known=output_tokens is not None,
        sync_usd=None if unpriced else sync,
        batch_usd=None if unpriced else batch,
        unpriced_models=tuple(sorted(unpriced)),
    )


def count_tokens(params: Mapping[str, Any]) -> int:
    """About how many input tokens a request has, at least 1.

    >>> count_tokens({"model": "claude-haiku-4-5", "messages": [{"role": "user", "content": "x" * 400}]})
    100
    """
    characters = sum(_characters(params.get(name)) for name in ("system", "messages", "tools"))
    factor = 1.0 if _OLD_TOKENIZER.match(str(params.get("model"))) else NEW_TOKENIZER
    return max(1, round(characters / CHARACTERS_PER_TOKEN * factor))


def _characters(value: object) -> int:
    if isinstance(value, str):
        return len(value)
    if isinstance(value, list):
        return sum(_characters(part) for part in value)
    if isinstance(value, dict):
        if "content" in value and "role" in value:
            return _characters(value["content"])
        return len(value["text"]) if isinstance(value.get("text"), str) else len(json.dumps(value, ensure_ascii=False))
    return 0
