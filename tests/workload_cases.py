"""Workloads that several tests start from."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from core.costmodel import Range
from core.pricetable import Price
from core.pricing import PriceBook
from core.workloads import Workload

BOOK = PriceBook.load()
TODAY = date(2026, 11, 23)
ANSWERS = {
    "person_waits": (False, True),
    "streams_to_ui": (False, True),
    "chained": (False, True),
    "zero_retention": (False, True),
    "one_off": (False, True),
    "deadline_hours": (24, 23),
    "requests_per_run": (10, 9),
    "retry_safe": (True, False),
}
"""For each question an answer that allows a batch, and one that does not."""

BATCHABLE = Workload(**{key: answers[0] for key, answers in ANSWERS.items()})  # type: ignore[arg-type]
MONTH = replace(
    BATCHABLE,
    name="month",
    model="claude-sonnet-5-5",
    requests_per_run=1_000,
    runs_per_month=30,
    input_tokens=500,
    output_tokens=300,
    shared_prefix_tokens=8_000,
)
"""batch-statistics.md §5.3: 1,000 requests a day, 8,000 shared + 500 own + 300 out, Sonnet 5.5."""


def price(model: str, prompt_tokens: int = 0) -> Price:
    found = BOOK.price_for(model, TODAY, prompt_tokens)
    assert found is not None
    return found


def band(low: str, high: str | None = None) -> Range:
    return Range(Decimal(low), Decimal(high or low))


def changed(workload: Workload, **answers: Any) -> Workload:
    return replace(workload, **answers)
