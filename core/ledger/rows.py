"""One journal line's facts as rows of the ledger's tables."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from decimal import Decimal
from typing import Any

from core.journal import RequestLine
from core.pricing import Cost, PriceBook
from core.usage import Usage, read_usage

BROKEN_OFF = "the stream broke off, so it is a lower bound"


def request_row(line: RequestLine, book: PriceBook) -> dict[str, Any]:
    """The row of `requests` for one line, priced; BadUsage for a usage block that cannot be billed from."""
    usage = usage_that_ran(line)
    cost = _cost(line, usage, book)
    entries = [entry.usage for entry in usage.iterations] or [usage]
    fields = asdict(line)
    return {
        **{name: fields[name] for name in fields if name not in ("usage", "tags", "attempt_statuses")},
        "tags": json.dumps(dict(line.tags), ensure_ascii=False) if line.tags else None,
        "attempt_statuses": json.dumps(line.attempt_statuses) if line.attempt_statuses not in ((), (200,)) else None,
        "route": "batch" if usage.service_tier == "batch" else line.route,
        "input_tokens": sum(entry.input_tokens for entry in entries),
        "output_tokens": sum(entry.output_tokens for entry in entries),
        "cache_read_tokens": sum(entry.cache_read_tokens for entry in entries),
        "cache_write_5m_tokens": sum(entry.cache_write_5m_tokens for entry in entries),
        "cache_write_1h_tokens": sum(entry.cache_write_1h_tokens for entry in entries),
        "web_searches": usage.web_searches,
        "speed": usage.speed or "standard",
        "service_tier": usage.service_tier or "standard",
        "inference_geo": usage.inference_geo or "global",
        "raw_usage": json.dumps(line.usage) if usage.iterations or usage.notes else None,
        **price_columns(cost),
    }


def price_columns(cost: Cost) -> dict[str, Any]:
    """The columns of `requests` that follow from its price; a plain price needs no reason."""
    is_plain = cost.status == "priced" and cost.cost_usd and not cost.estimated
    return {
        "price_status": cost.status,
        "estimated": cost.estimated,
        "reason": None if is_plain else cost.reason,
        "price_id": "+".join(cost.price_ids) or None,
        "cost_usd": cost.cost_usd,
    }


def usage_that_ran(line: RequestLine) -> Usage:
    """The usage of the response; a batch item whose usage names no tier was served by the batch tier."""
    if line.usage is None:
        return Usage(service_tier="batch" if line.route == "batch" else "standard")
    usage = read_usage(line.usage)
    if line.route == "batch" and line.usage.get("service_tier") is None:
        usage = replace(usage, service_tier="batch")
    return replace(usage, notes=(*usage.notes, BROKEN_OFF)) if line.incomplete else usage


def _cost(line: RequestLine, usage: Usage, book: PriceBook) -> Cost:
    if line.status != "succeeded" and line.usage is None:
        return Cost("priced", Decimal(0), Decimal(0), False, f"{line.status} requests are not billed", ())
    return book.cost(
        line.model, usage, line.sent_at, stop_reason=line.stop_reason, refusal_category=line.refusal_category
    )
