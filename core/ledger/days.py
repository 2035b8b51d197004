"""Requests added up by local day, for the roll-up and for answers in another zone."""

from __future__ import annotations

from datetime import date, timedelta

import duckdb
import pyarrow as pa

from core.ledger.store import one_row, sql
from core.periods import day_start, local_day


def view_daily(connection: duckdb.DuckDBPyConnection, requests: str, zone: str) -> None:
    """Make `daily_to_add`, a temporary view with the columns of `daily`, from a query for rows of `requests`."""
    connection.execute(f"create or replace temp view to_add as {requests}")
    first, last = one_row(connection, "select min(sent_at), max(sent_at) from to_add") or (None, None)
    days = _days(local_day(first, zone), local_day(last, zone)) if first is not None else []
    starts = [day_start(day, zone) for day in [*days, days[-1] + timedelta(days=1)]] if days else [None]
    moment = pa.timestamp("us", tz="UTC")
    table = pa.table(
        {
            "day": pa.array(days, pa.date32()),
            "since_at": pa.array(starts[:-1], moment),
            "until_at": pa.array(starts[1:], moment),
        }
    )
    connection.register("days_of_zone", table)
    connection.execute("create or replace temp table local_days as select * from days_of_zone")
    connection.unregister("days_of_zone")
    connection.execute(sql("daily_to_add"))


def _days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]
