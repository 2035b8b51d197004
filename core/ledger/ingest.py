"""Turns journal lines into ledger rows, each exactly once.

The new rows, the roll-ups and how far each file has been read are stored in one transaction, so a process that dies
here leaves nothing half-counted. Rows are stored many at a time: that is faster, and DuckDB packs them better.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from core import __version__
from core.capture.lines import NO_WORKLOAD
from core.ledger.lines import Lines, Reading
from core.ledger.prices import keep_new_prices, load_prices
from core.ledger.repeats import keep_fresh
from core.ledger.rollups import add_to_rollups
from core.ledger.sources import read_marks, unread
from core.ledger.store import count_rows, insert_rows, one_row, read_meta, sql, transaction, write_meta
from core.pricing import PriceBook

ROWS_AT_ONCE = 240_000
"""About how many requests are stored in one transaction: two of DuckDB's row groups."""


@dataclass(frozen=True, slots=True)
class Ingested:
    """Journal lines read by one ingest: those that became facts, those known before, those quarantined."""

    added: int = 0
    duplicates: int = 0
    quarantined: int = 0

    def __add__(self, other: Ingested) -> Ingested:
        return Ingested(
            self.added + other.added, self.duplicates + other.duplicates, self.quarantined + other.quarantined
        )


def is_due(connection: duckdb.DuckDBPyConnection, now: datetime) -> bool:
    """Whether quarantined lines are to be judged again: their time has come, or this is another Halfprice."""
    if read_meta(connection).get("read_by") != __version__:
        return True
    return one_row(connection, "select 1 from quarantine where retry_at <= $now limit 1", now=now) is not None


def ingest_journals(
    connection: duckdb.DuckDBPyConnection, home: Path, book: PriceBook, zone: str, now: datetime
) -> Ingested:
    """Bring every whole new journal line into the ledger; running it again changes nothing."""
    load_prices(connection, book)
    keep_new_prices(connection)
    reading = Reading(connection, book, now)
    done = Ingested()
    if is_due(connection, now):
        done += _judge_again(connection, reading, zone, now)
    with unread(home, read_marks(connection)) as groups:
        for group in groups:
            reading.read(group)
            if count_rows(connection, "staged") >= ROWS_AT_ONCE:
                done += _store(connection, reading, zone, now)
    return done + _store(connection, reading, zone, now)


def _judge_again(connection: duckdb.DuckDBPyConnection, reading: Reading, zone: str, now: datetime) -> Ingested:
    """Give quarantined lines another chance; what is still wrong goes back."""
    is_another = read_meta(connection).get("read_by") != __version__
    which, values = ("true", {}) if is_another else ("retry_at <= $now", {"now": now})
    rows = connection.execute(
        f"select file, line, content from quarantine where {which} order by all", values
    ).fetchall()
    for file, line, content in rows:
        reading.judge_again(file, line, content)
    with transaction(connection):
        connection.execute(f"delete from quarantine where {which}", values)
        write_meta(connection, {"read_by": __version__})
        done = _store_lines(connection, reading.lines, zone, now)
    reading.forget()
    return replace(done, quarantined=done.quarantined - len(rows))


def _store(connection: duckdb.DuckDBPyConnection, reading: Reading, zone: str, now: datetime) -> Ingested:
    if not reading.lines.count:
        return Ingested()
    with transaction(connection):
        done = _store_lines(connection, reading.lines, zone, now)
    reading.forget()
    return done


def _store_lines(connection: duckdb.DuckDBPyConnection, lines: Lines, zone: str, now: datetime) -> Ingested:
    """Store all that was read; runs inside the caller's transaction."""
    staged, new = Counter[str](), Counter[str]()
    if count_rows(connection, "staged"):
        _store_requests(connection, lines, zone, now)
        staged = _count_by_file(connection, lines, "staged")
        new = _count_by_file(connection, lines, "(from fresh anti join replaced using (request_id))")
    _store_batches(connection, lines.batches)
    _store_decisions(connection, lines.decisions)
    insert_rows(connection, "quarantine", lines.quarantined)
    added, duplicates = new + lines.facts, staged - new
    _advance(connection, lines, added, duplicates)
    return Ingested(added.total(), duplicates.total(), len(lines.quarantined))


def _store_requests(connection: duckdb.DuckDBPyConnection, lines: Lines, zone: str, now: datetime) -> None:
    changes = "select *, 1 as sign from fresh"
    if keep_fresh(connection, lines, now):
        changes += " union all by name select *, -1 as sign from replaced"
        connection.execute("delete from requests where request_id in (select request_id from replaced)")
    connection.execute("insert into requests by name select * exclude (row_number) from fresh")
    add_to_rollups(connection, changes, zone)


def _count_by_file(connection: duckdb.DuckDBPyConnection, lines: Lines, source: str) -> Counter[str]:
    """How many of some staged requests came from each journal file."""
    if len(lines.sources) == 1:
        return Counter({lines.sources[0].file: count_rows(connection, source)})
    connection.register("starts", pa.table({"file": [each.file for each in lines.sources], "start": lines.starts}))
    rows = connection.execute(
        f"select file, count(*) from {source} as counted asof join starts on row_number >= start group by 1"
    ).fetchall()
    connection.unregister("starts")
    return Counter(dict(rows))


def _store_batches(connection: duckdb.DuckDBPyConnection, rows: list[dict[str, Any]]) -> None:
    """Keep the newest observation of each batch, and what only an earlier one knew.

    Who looks at a batch that another program sent knows neither its workload nor its model nor where its results are.
    """
    if not rows:
        return
    connection.execute(
        "create or replace temp table observed as select 0::bigint as row_number, * from batches limit 0"
    )
    insert_rows(connection, "observed", rows)
    connection.execute(
        "insert into observed by name select 0 as row_number, * from batches "
        "where batch_id in (select batch_id from observed)"
    )
    connection.execute("delete from batches where batch_id in (select batch_id from observed)")
    connection.execute(sql("ingest/newest_batches"), {"no_workload": NO_WORKLOAD})


def _store_decisions(connection: duckdb.DuckDBPyConnection, rows: list[dict[str, Any]]) -> None:
    if not rows:
        return
    connection.execute("create or replace temp table decided as select * from decisions limit 0")
    insert_rows(connection, "decided", rows)
    connection.execute("insert into decisions select distinct * from decided anti join decisions using (decision_id)")


def _advance(
    connection: duckdb.DuckDBPyConnection, lines: Lines, added: Counter[str], duplicates: Counter[str]
) -> None:
    """Remember how far each journal file has been read, and what came of its lines."""
    marks = {source.file: source.mark for source in lines.sources if source.mark is not None}
    if not marks:
        return
    read = [
        {
            "file": file,
            "bytes": mark.end,
            "lines": mark.lines,
            "tail": mark.tail,
            "added": added[file],
            "duplicates": duplicates[file],
        }
        for file, mark in marks.items()
    ]
    connection.execute("create or replace temp table advanced as from journal_files limit 0")
    insert_rows(connection, "advanced", read)
    connection.execute(
        "insert into advanced by name select file, 0 as bytes, 0 as lines, added, duplicates from journal_files "
        "where file in (select file from advanced)"
    )
    connection.execute("delete from journal_files where file in (select file from advanced)")
    connection.execute(
        "insert into journal_files by name select file, max(bytes) as bytes, max(lines) as lines, "
        "max_by(tail, bytes) as tail, sum(added) as added, sum(duplicates) as duplicates from advanced group by file"
    )
