"""Turns journal lines into ledger rows, each exactly once.

A chunk of whole lines enters DuckDB as one Arrow column. Plain requests are read and priced there in bulk; every other
line goes through `core.journal` and `core.pricing` one by one. The new rows, the roll-up and how far the file has been
read are stored in one transaction, so a process that dies here leaves nothing half-counted.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO

import duckdb
import pyarrow as pa

from core.journal import CLOCK_SLACK, FIRST_DAY, LINE_BYTES, NO_WORKLOAD, BadLine, BatchLine, RequestLine, read_line
from core.ledger.days import view_daily
from core.ledger.store import LedgerError, one_row, sql, transaction
from core.pricetable import Price
from core.pricing import BATCH_SHARE, US_FACTOR, WEB_SEARCH_USD, Cost, PriceBook
from core.usage import BadUsage, Usage, read_usage

CHUNK_BYTES = 32_000_000
FAR_FUTURE = datetime(9999, 1, 1, tzinfo=UTC)
ANY_LENGTH = 2**62
MTOK = 1_000_000
BROKEN_OFF = "the stream broke off, so it is a lower bound"


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


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Whole lines of one journal file; `first` is the number of the first one, from 1."""

    file: str
    end: int
    first: int
    lines: list[bytes]


def journal_sizes(home: Path) -> dict[str, int]:
    """Bytes in each journal file of the home by file name; LedgerError if the folder cannot be read.

    Files still without their final name are left out, as is whatever is not a file.
    """
    try:
        with os.scandir(home / "journal") as entries:
            return {
                entry.name: entry.stat().st_size
                for entry in entries
                if entry.name.endswith(".jsonl") and not entry.name.startswith(".") and entry.is_file()
            }
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise LedgerError(f"{home / 'journal'} cannot be read: {error.strerror}.") from None


def read_offsets(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Bytes already ingested of each journal file by file name."""
    return dict(connection.execute("select file, bytes from journal_files").fetchall())


def ingest_journals(
    connection: duckdb.DuckDBPyConnection, home: Path, book: PriceBook, zone: str, now: datetime
) -> Ingested:
    """Bring every whole new journal line into the ledger; running it again changes nothing."""
    load_prices(connection, book)
    connection.execute(sql("ingest/macros"))
    done = Ingested()
    offsets = read_offsets(connection)
    for name, size in sorted(journal_sizes(home).items()):
        if size > offsets.get(name, 0):
            for chunk in _chunks(connection, home / "journal" / name):
                done += _ingest_chunk(connection, chunk, book, zone, now)
    return done


def rebuild_daily(connection: duckdb.DuckDBPyConnection, zone: str) -> None:
    """Cut the roll-up anew in another zone, from the requests; runs inside the caller's transaction."""
    connection.execute("delete from daily")
    _add_to_daily(connection, "requests", zone)


def load_prices(connection: duckdb.DuckDBPyConnection, book: PriceBook) -> None:
    """Make the price book known to SQL: its new rows for good, its ranges for this connection."""
    connection.register("book_rows", _price_table(book))
    connection.execute("create or replace temp table price_ranges as select * from book_rows")
    connection.unregister("book_rows")
    connection.execute(sql("ingest/keep_new_prices"))


def _chunks(connection: duckdb.DuckDBPyConnection, path: Path) -> Iterator[_Chunk]:
    """The whole lines not read yet, in pieces; a torn last line waits until its newline is there."""
    row = connection.execute(
        "select bytes, lines from journal_files where file = $file", {"file": path.name}
    ).fetchone()
    end, count = row or (0, 0)
    with _open(path) as file:
        file.seek(end)
        while True:
            block = file.read(CHUNK_BYTES)
            if len(block) == CHUNK_BYTES and b"\n" not in block:
                block += file.readline()
            whole = block[: block.rfind(b"\n") + 1]
            if not whole:
                return
            end += len(whole)
            lines = whole[:-1].split(b"\n")
            yield _Chunk(path.name, end, count + 1, lines)
            count += len(lines)
            file.seek(end)


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise LedgerError(f"The journal file {path} cannot be read: {error.strerror}.") from None


def _ingest_chunk(
    connection: duckdb.DuckDBPyConnection, chunk: _Chunk, book: PriceBook, zone: str, now: datetime
) -> Ingested:
    connection.execute("delete from staged")
    _stage_plain_requests(connection, chunk, now)
    others = _read_others(connection, chunk, book, now)
    _insert(connection, "staged", others.requests)
    connection.execute(sql("ingest/keep_new_requests"))
    staged, fresh = _count(connection, "staged"), _count(connection, "fresh")
    facts = fresh + len(others.batches) + len(others.decisions)
    with transaction(connection):
        connection.execute(sql("ingest/store_requests"))
        _add_to_daily(connection, "fresh", zone)
        _store_batches(connection, others.batches)
        _store_decisions(connection, others.decisions)
        _insert(connection, "quarantine", others.quarantined)
        _advance(connection, chunk, added=facts, duplicates=staged - fresh)
    return Ingested(facts, staged - fresh, len(others.quarantined))


def _stage_plain_requests(connection: duckdb.DuckDBPyConnection, chunk: _Chunk, now: datetime) -> None:
    connection.register("incoming", _line_table(chunk))
    connection.execute(sql("ingest/read_lines"), {"longest": LINE_BYTES})
    connection.unregister("incoming")
    connection.execute(
        sql("ingest/stage_plain_requests"),
        {
            "first_day": FIRST_DAY,
            "last_moment": now + CLOCK_SLACK,
            "no_workload": NO_WORKLOAD,
            "batch_share": BATCH_SHARE,
            "us_factor": US_FACTOR,
            "web_search_usd": WEB_SEARCH_USD,
        },
    )


def _line_table(chunk: _Chunk) -> pa.Table:
    numbers = pa.array(range(chunk.first, chunk.first + len(chunk.lines)), pa.int64())
    try:
        text = pa.array(chunk.lines, pa.binary()).cast(pa.string())
    except pa.ArrowInvalid:  # somewhere a byte is not UTF-8; those lines go empty here and are judged in Python
        text = pa.array([_decodable(line) for line in chunk.lines], pa.string())
    return pa.table({"line_number": numbers, "line": text})


def _decodable(line: bytes) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError:
        return ""


@dataclass(frozen=True, slots=True)
class _Others:
    """What the bulk path left: rows for the tables, as mappings from column to value."""

    requests: list[dict[str, Any]]
    batches: list[dict[str, Any]]
    decisions: list[dict[str, Any]]
    quarantined: list[dict[str, Any]]


def _read_others(connection: duckdb.DuckDBPyConnection, chunk: _Chunk, book: PriceBook, now: datetime) -> _Others:
    left = connection.execute(
        "select line_number from lines anti join staged using (line_number) order by line_number"
    ).fetchall()
    others = _Others([], [], [], [])
    for (number,) in left:
        line = chunk.lines[number - chunk.first]
        if not line.strip():
            continue
        try:
            fact = read_line(line, now)
            if isinstance(fact, RequestLine):
                others.requests.append({"line_number": number, **_priced_row(fact, book)})
            elif isinstance(fact, BatchLine):
                others.batches.append({"line_number": number, **asdict(fact)})
            else:
                others.decisions.append(asdict(fact))
        except (BadLine, BadUsage) as error:
            others.quarantined.append(_quarantined(chunk.file, number, line, str(error), now))
    return others


def _quarantined(file: str, number: int, line: bytes, reason: str, now: datetime) -> dict[str, Any]:
    content = line[:1200].decode(errors="replace")[:300]
    return {"file": file, "line": number, "reason": reason, "content": content, "noticed_at": now}


def _priced_row(line: RequestLine, book: PriceBook) -> dict[str, Any]:
    usage = _usage_that_ran(line)
    cost = _cost(line, usage, book)
    is_plain = cost.status == "priced" and cost.cost_usd and not cost.estimated
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
        "raw_usage": json.dumps(line.usage) if line.usage is not None else None,
        "price_status": cost.status,
        "estimated": cost.estimated,
        "reason": None if is_plain else cost.reason,
        "price_id": "+".join(cost.price_ids) or None,
        "cost_usd": cost.cost_usd,
        "list_usd": cost.list_usd,
    }


def _usage_that_ran(line: RequestLine) -> Usage:
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


def _add_to_daily(connection: duckdb.DuckDBPyConnection, source: str, zone: str) -> None:
    view_daily(connection, f"select * from {source}", zone)
    connection.execute(sql("ingest/add_to_daily"))


def _store_batches(connection: duckdb.DuckDBPyConnection, rows: list[dict[str, Any]]) -> None:
    """Keep the newest observation of each batch."""
    if not rows:
        return
    connection.execute(
        "create or replace temp table observed as select 0::bigint as line_number, * from batches limit 0"
    )
    _insert(connection, "observed", rows)
    connection.execute(
        "insert into observed by name select 0 as line_number, * from batches "
        "where batch_id in (select batch_id from observed)"
    )
    connection.execute("delete from batches where batch_id in (select batch_id from observed)")
    connection.execute(
        "insert into batches by name select * exclude (line_number) from observed "
        "qualify row_number() over (partition by batch_id order by observed_at desc, line_number desc) = 1"
    )


def _store_decisions(connection: duckdb.DuckDBPyConnection, rows: list[dict[str, Any]]) -> None:
    if not rows:
        return
    connection.execute("create or replace temp table decided as select * from decisions limit 0")
    _insert(connection, "decided", rows)
    connection.execute("insert into decisions select distinct * from decided anti join decisions using (decision_id)")


def _advance(connection: duckdb.DuckDBPyConnection, chunk: _Chunk, *, added: int, duplicates: int) -> None:
    last = chunk.first + len(chunk.lines) - 1
    connection.execute(
        "insert into journal_files by name select $file as file, $end as bytes, $last as lines, "
        "$added + coalesce(sum(added), 0) as added, $duplicates + coalesce(sum(duplicates), 0) as duplicates "
        "from journal_files where file = $file",
        {"file": chunk.file, "end": chunk.end, "last": last, "added": added, "duplicates": duplicates},
    )
    connection.execute(
        "delete from journal_files where file = $file and bytes < $end", {"file": chunk.file, "end": chunk.end}
    )


def _insert(connection: duckdb.DuckDBPyConnection, table: str, rows: list[dict[str, Any]]) -> None:
    """Append rows to one of the ledger's own tables by column name."""
    if not rows:
        return
    connection.register("new_rows", pa.Table.from_pylist(rows))
    connection.execute(f"insert into {table} by name select * from new_rows")
    connection.unregister("new_rows")


def _count(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    row = one_row(connection, f"select count(*) from {table}")
    return int(row[0]) if row else 0


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
