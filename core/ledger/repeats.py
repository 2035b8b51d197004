"""Finds the requests that were recorded more than once, so that each is counted once."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import duckdb

from core.ledger.lines import Lines
from core.ledger.store import count_rows, insert_rows, one_row, sql

NEAR = timedelta(days=3)
"""How far apart the times of two records of the same request can lie, unless an import dated one of them."""


def keep_fresh(connection: duckdb.DuckDBPyConnection, lines: Lines, now: datetime) -> bool:
    """Make `fresh`: of what is staged what the ledger is to hold, each request once.

    Where one takes the place of a row that the ledger has, that row is in `replaced`; True if there is any.
    """
    _view_near(connection)
    connection.execute(sql("ingest/find_met"))
    if not count_rows(connection, "met") and not _repeat_each_other(connection):
        connection.execute("create or replace temp view fresh as from staged")
        return False
    connection.execute("drop view if exists fresh")
    connection.execute(sql("ingest/keep_telling"))
    _note(connection, lines, now)
    return count_rows(connection, "replaced") > 0


def _view_near(connection: duckdb.DuckDBPyConnection) -> None:
    """The rows of the ledger that could be the same requests: recorders write at once, so days around are enough.

    An import may carry any time. That keeps a small ingest fast in a long history.
    """
    first, last, assumed = one_row(
        connection, "select min(sent_at), max(sent_at), bool_or(time_assumed) from staged"
    ) or (None, None, False)
    known = one_row(connection, "select assumed_requests from extent")
    near = "from requests"
    if not assumed:
        bounds = f"sent_at between '{(first - NEAR).isoformat()}' and '{(last + NEAR).isoformat()}'"
        near = f"from requests where {bounds}"
        if known and known[0]:
            near += f" union all from requests where time_assumed and not ({bounds})"
    connection.execute(f"create or replace temp view near_requests as {near}")


def _repeat_each_other(connection: duckdb.DuckDBPyConnection) -> bool:
    row = one_row(
        connection,
        """
        select
            count(*) > count(distinct request_id)
            or count(message_id) > count(distinct message_id)
            or count(*) filter (where custom_id is not null and batch_id is not null)
                > count(distinct (batch_id, custom_id)) filter (where custom_id is not null and batch_id is not null)
        from staged
        """,
    )
    return bool(row and row[0])


def _note(connection: duckdb.DuckDBPyConnection, lines: Lines, now: datetime) -> None:
    """Write down the repeats whose numbers differ."""
    rows = connection.execute(sql("ingest/differing_repeats")).fetchall()
    noted: list[dict[str, Any]] = []
    for row_number, *columns in rows:
        file, line = lines.place(row_number)
        names = ("request_id", "kept", "output_tokens", "cost_usd", "other_output_tokens", "other_cost_usd")
        noted.append(dict(zip(names, columns, strict=True)) | {"file": file, "line": line, "noticed_at": now})
    insert_rows(connection, "repeats", noted)
