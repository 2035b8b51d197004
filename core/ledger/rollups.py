"""The sums that are kept beside the requests, always in the transaction that changes these."""

from __future__ import annotations

import duckdb

from core.ledger.days import view_daily
from core.ledger.store import sql


def add_to_rollups(connection: duckdb.DuckDBPyConnection, changes: str, zone: str) -> None:
    """Bring the roll-ups up to changes of `requests`; see `view_daily`."""
    view_daily(connection, changes, zone)
    connection.execute(sql("rollups/daily"))
    connection.execute(sql("rollups/batch_sums"))
    connection.execute(sql("rollups/extent"))


def rebuild_daily(connection: duckdb.DuckDBPyConnection, zone: str) -> None:
    """Cut the daily roll-up anew in another zone, from the requests; runs inside the caller's transaction."""
    connection.execute("delete from daily")
    view_daily(connection, "select *, 1 as sign from requests", zone)
    connection.execute(sql("rollups/daily"))
