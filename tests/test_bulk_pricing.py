"""Pricing in bulk, which is SQL, gives what `core.pricing` gives, to the last digit."""

from __future__ import annotations

import random
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from core.ledger import Ingested, Ledger
from core.periods import instant_text, parse_instant
from core.pricing import PriceBook
from core.usage import read_usage
from tests.conftest import Record
from tests.lines import NOW, request, usage

BOOK = PriceBook.load()
FIRST = datetime(2025, 6, 1, tzinfo=UTC)
EDGES = [datetime.combine(row.from_day, time(), UTC) for row in BOOK.rows if row.from_day >= FIRST.date()]
NAMES = sorted({row.model for row in BOOK.rows} | set(BOOK.aliases) | {"claude-unheard-of"})


def random_count(rng: random.Random) -> int:
    return rng.choice([0, rng.randrange(2_000), rng.randrange(99_990, 100_010), 200_001, rng.randrange(400_000_000)])


def random_usage(rng: random.Random) -> dict[str, Any]:
    """Mostly plain usage blocks, some with what only the line-by-line path understands."""
    block: dict[str, Any] = {"input_tokens": random_count(rng), "output_tokens": random_count(rng)}
    if rng.random() < 0.5:
        block["cache_read_input_tokens"] = rng.choice([None, random_count(rng)])
    if rng.random() < 0.5:
        split = {f"ephemeral_{time}_input_tokens": random_count(rng) for time in ("5m", "1h")}
        block["cache_creation"] = split
        block["cache_creation_input_tokens"] = sum(split.values()) + rng.choice([0, 0, 0, 17])
    if rng.random() < 0.3:
        block["server_tool_use"] = rng.choice([None, {"web_search_requests": rng.randrange(99)}])
    if rng.random() < 0.1:
        block["iterations"] = [{"type": "message", **usage(random_count(rng), 5)} for _ in range(rng.randrange(3))]
    block["service_tier"] = rng.choice([None, "standard", "standard", "batch", "batch", "priority"])
    block["inference_geo"] = rng.choice([None, "global", "us", "not_available", "eu"])
    block["speed"] = rng.choice([None, "standard", "standard", "fast"])
    return {name: value for name, value in block.items() if value is not None or rng.random() < 0.5}


def random_request(rng: random.Random) -> dict[str, Any]:
    block = random_usage(rng)
    return request(
        model=rng.choice(NAMES),
        usage=block,
        sent_at=instant_text(rng.choice([FIRST + (NOW - FIRST) * rng.random(), *EDGES])),
        route="batch" if block.get("service_tier") == "batch" else "sync",
        stop_reason=rng.choice(["end_turn", "end_turn", "refusal", None]),
    )


@pytest.mark.parametrize("seed", range(3))
def test_the_ledger_holds_the_cost_that_python_computes(ledger: Ledger, record: Record, seed: int) -> None:
    rng = random.Random(seed)
    lines = [random_request(rng) for _ in range(4_000)]
    assert record(*lines) == Ingested(added=len(lines))
    with duckdb.connect(ledger.home / "ledger.duckdb", read_only=True) as connection:
        rows = connection.execute(
            "select request_id::varchar, cost_usd, list_usd(cost_usd, service_tier, web_searches), "
            "price_status, estimated, price_id, raw_usage is null and price_status = 'priced' and not estimated "
            "from requests"
        ).fetchall()
    in_bulk = {row[0] for row in rows if row[-1]}
    assert 0.2 * len(lines) < len(in_bulk) < 0.8 * len(lines), "one of the two paths was hardly used"
    stored = {row[0]: row[1:6] for row in rows}
    for line in lines:
        assert stored[line["request_id"]] == expected(line), line


def expected(line: dict[str, Any]) -> tuple[Decimal | None, Decimal | None, str, bool, str | None]:
    cost = BOOK.cost(
        line["model"], read_usage(line["usage"]), parse_instant(line["sent_at"]), stop_reason=line["stop_reason"]
    )
    return cost.cost_usd, cost.list_usd, cost.status, cost.estimated, "+".join(cost.price_ids) or None
