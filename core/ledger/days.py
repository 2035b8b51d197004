"""Requests added up by local day, for the roll-up and for answers in another zone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa

from core.ledger.store import one_row, sql
from core.periods import find_zone

STEP = timedelta(hours=6)
"""How far apart two changes of a zone's offset are at the least."""


def view_daily(connection: duckdb.DuckDBPyConnection, changes: str, zone: str) -> None:
    """Make `daily_to_add`, a temporary view with the columns of `daily`.

    `changes` is a query for rows of `requests` with a `sign`: 1 for one that is added, -1 for one that is taken away.
    """
    connection.execute(f"create or replace temp view to_add as {changes}")
    first, last = one_row(connection, "select min(sent_at), max(sent_at) from to_add") or (None, None)
    spans = list(offset_spans(find_zone(zone), first, last)) if first is not None else []
    moment = pa.timestamp("us", tz="UTC")
    table = pa.table(
        {
            "since_at": pa.array([since for since, _, _ in spans], moment),
            "until_at": pa.array([until for _, until, _ in spans], moment),
            "offset_us": pa.array([offset // timedelta(microseconds=1) for _, _, offset in spans], pa.int64()),
        }
    )
    connection.register("spans_of_zone", table)
    connection.execute("create or replace temp table offset_spans as select * from spans_of_zone")
    connection.unregister("spans_of_zone")
    connection.execute(sql("daily_to_add"))


def offset_spans(zone: ZoneInfo, first: datetime, last: datetime) -> Iterator[tuple[datetime, datetime, timedelta]]:
    """The spans from `first` to `last`, half-open, in each of which a zone's offset from UTC is the same.

    >>> october, december = datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)
    >>> spans = offset_spans(ZoneInfo("America/New_York"), october, december)
    >>> [(since.isoformat(), str(offset)) for since, _, offset in spans]
    [('2026-10-01T00:00:00+00:00', '-1 day, 20:00:00'), ('2026-11-01T06:00:00+00:00', '-1 day, 19:00:00')]
    """
    since = at = first.astimezone(UTC)
    end = last.astimezone(UTC) + timedelta(seconds=1)
    while at < end:
        later = min(at + STEP, end)
        if _offset(zone, later) != _offset(zone, since):
            later = _change_between(zone, at, later)
            yield since, later, _offset(zone, since)
            since = later
        at = later
    yield since, end, _offset(zone, since)


def _offset(zone: ZoneInfo, at: datetime) -> timedelta:
    return at.astimezone(zone).utcoffset() or timedelta(0)


def _change_between(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """The first second from which the offset is that of `after`."""
    while after - before > timedelta(seconds=1):
        middle = before + ((after - before) // 2)
        if _offset(zone, middle) == _offset(zone, after):
            after = middle
        else:
            before = middle
    return after.replace(microsecond=0)
