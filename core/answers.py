"""Answers as they lie on disk after a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from core.periods import parse_instant
from core.pricing import PriceBook
from core.usage import BadUsage, Usage, read_usage


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of a synchronous run; the amounts leave out answers without a price, which are `unpriced`.

    `batch_usd` is what the same answers would have cost in a batch.
    """

    succeeded: int
    errored: int
    unpriced: int
    cost_usd: Decimal
    batch_usd: Decimal


def summed(answers: Sequence[Mapping[str, Any]], book: PriceBook) -> Sent:
    """The outcome of a synchronous run from its answers with their journal records."""
    cost, as_batch, unpriced, succeeded = Decimal(0), Decimal(0), 0, 0
    for record in (answer["record"] for answer in answers):
        if record["status"] != "succeeded":
            continue
        succeeded += 1
        alone, together = _both_ways(record, book)
        if alone is None or together is None:
            unpriced += 1
        else:
            cost += alone
            as_batch += together
    return Sent(succeeded, len(answers) - succeeded, unpriced, cost, as_batch)


def _both_ways(record: Mapping[str, Any], book: PriceBook) -> tuple[Decimal | None, Decimal | None]:
    """What the answer cost, and would have cost in a batch; None for what has no price or a usage nobody can read."""
    try:
        usage = read_usage(record["usage"])
    except BadUsage:
        return None, None
    return _cost_usd(record, usage, book), _cost_usd(record, replace(usage, service_tier="batch", speed=None), book)


def _cost_usd(record: Mapping[str, Any], usage: Usage, book: PriceBook) -> Decimal | None:
    refusal = {"stop_reason": record.get("stop_reason"), "refusal_category": record.get("refusal_category")}
    return book.cost(record["model"], usage, parse_instant(record["sent_at"]), **refusal).cost_usd
