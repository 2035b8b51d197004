"""The price book as SQL sees it."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Any

import duckdb
import pyarrow as pa

from core.ledger.store import sql
from core.pricetable import Price
from core.pricing import BATCH_SHARE, US_FACTOR, WEB_SEARCH_USD, PriceBook

FAR_FUTURE = datetime(9999, 1, 1, tzinfo=UTC)
ANY_LENGTH = 2**62
MTOK = 1_000_000


def load_prices(connection: duckdb.DuckDBPyConnection, book: PriceBook) -> None:
    """Make the book known to this connection as `price_ranges`, and its arithmetic as the macros of pricing.sql."""
    connection.register("book_rows", _price_table(book))
    connection.execute("create or replace temp table price_ranges as select * from book_rows")
    connection.unregister("book_rows")
    for name, value in (("batch_share", BATCH_SHARE), ("us_factor", US_FACTOR), ("web_search_usd", WEB_SEARCH_USD)):
        connection.execute(f"set variable {name} = {value}")
    connection.execute(sql("pricing"))


def keep_new_prices(connection: duckdb.DuckDBPyConnection) -> None:
    """Store the rows of the loaded book that the ledger has not met, for good."""
    connection.execute(sql("ingest/keep_new_prices"))


def _price_table(book: PriceBook) -> pa.Table:
    """One row per price and per name that its model goes by, rates in USD per token."""
    names: dict[str, list[str]] = {}
    for alias, model in book.aliases.items():
        names.setdefault(model, []).append(alias)
    return pa.Table.from_pylist(
        [
            {**_price_row(price), "model": name, "is_alias": name != price.model}
            for price in book.rows
            for name in (price.model, *names.get(price.model, ()))
        ]
    )


def _price_row(price: Price) -> dict[str, Any]:
    return {
        "price_id": price.price_id,
        "from_day": price.from_day,
        "to_day": price.to_day,
        "from_at": datetime.combine(price.from_day, time(), UTC),
        "to_at": datetime.combine(price.to_day, time(), UTC) if price.to_day else FAR_FUTURE,
        "prompt_over": -1 if price.prompt_over is None else price.prompt_over,
        "prompt_up_to": ANY_LENGTH if price.prompt_up_to is None else price.prompt_up_to,
        "speed": price.speed,
        "input_usd": price.input / MTOK,
        "cache_write_5m_usd": price.cache_write_5m / MTOK,
        "cache_write_1h_usd": price.cache_write_1h / MTOK,
        "cache_read_usd": price.cache_read / MTOK,
        "output_usd": price.output / MTOK,
        "source": price.source,
        "checked_day": price.checked,
    }
