"""Reads journal lines into the table `staged`, priced, and those that are no requests into rows.

Plain requests are read and priced by DuckDB in bulk; every other line goes through `core.journal` and `core.pricing`
one by one.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb

from core.journal import (
    CLOCK_SLACK,
    FIRST_DAY,
    LINE_BYTES,
    NO_WORKLOAD,
    BadLine,
    BatchLine,
    NotYet,
    RequestLine,
    read_line,
)
from core.ledger.rows import request_row
from core.ledger.sources import Source
from core.ledger.store import count_rows, insert_rows, sql
from core.pricing import PriceBook
from core.usage import MOST_SEARCHES, BadUsage

WHOLE_CONTENT = 100_000
"""Up to this many characters a quarantined line is kept whole, so that it can be judged again."""
SHORT_CONTENT = 300
NO_FACT = b"{}\n"
_NO_ID = "00000000-0000-0000-0000-000000000000"
_UUID = re.compile("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@dataclass(slots=True)
class Lines:
    """What was read and is not stored yet: requests in the table `staged`, everything else here as rows.

    Every line has a row number, counted through all `sources`; `starts` says at which one each source begins.
    `facts` counts the batches and decisions of each journal file.
    """

    sources: list[Source] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    count: int = 0
    batches: list[dict[str, Any]] = field(default_factory=list)
    decisions: list[dict[str, Any]] = field(default_factory=list)
    quarantined: list[dict[str, Any]] = field(default_factory=list)
    facts: Counter[str] = field(default_factory=Counter)

    def add(self, source: Source) -> None:
        """Give the lines of a source their numbers."""
        self.sources.append(source)
        self.starts.append(self.count)
        self.count += source.lines

    def place(self, row_number: int) -> tuple[str, int]:
        """The journal file and the line that a row came from."""
        n = bisect_right(self.starts, row_number) - 1
        return self.sources[n].file, self.sources[n].first + row_number - self.starts[n]


class Reading:
    """Reads into one connection, on one price book, at one moment; `lines` is what waits to be stored."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, book: PriceBook, now: datetime) -> None:
        self.lines = Lines()
        self._connection = connection
        self._book = book
        self._now = now
        connection.execute(sql("ingest/macros"))
        self.forget()

    def forget(self) -> None:
        """Begin anew, with nothing waiting."""
        self.lines = Lines()
        for name in ("staged", "replaced"):
            self._connection.execute(
                f"create or replace temp table {name} as select 0::bigint as row_number, * from requests limit 0"
            )

    def read(self, group: Sequence[Source]) -> None:
        """Add the lines of some sources; none is lost, whatever stands in it."""
        base = self.lines.count
        for source in group:
            self.lines.add(source)
        if self._stage([source.path for source in group], base):
            self._judge(group, base, self._not_staged(base))
            return
        start = base
        for source in group:
            self._read_odd(source, start)
            start += source.lines

    def judge_again(self, file: str, number: int, content: str) -> None:
        """Add one line that was quarantined."""
        line = content.encode()
        self.lines.add(Source(file, Path(), number, 1, len(line), None))
        requests: list[dict[str, Any]] = []
        self._judge_line(line, self.lines.count - 1, requests)
        insert_rows(self._connection, "staged", requests)

    def _stage(self, paths: Iterable[Path], base: int) -> bool:
        """Read and price the plain requests of some files; False, and nothing is staged, if a line is in the way."""
        try:
            self._connection.execute(
                sql("ingest/read_lines"),
                {"files": [str(path) for path in paths], "longest": LINE_BYTES, "no_workload": NO_WORKLOAD},
            )
        except duckdb.InvalidInputException:
            return False
        self._connection.execute(
            sql("ingest/stage_plain_requests"),
            {
                "base": base,
                "first_day": FIRST_DAY,
                "last_moment": self._now + CLOCK_SLACK,
                "most_searches": MOST_SEARCHES,
            },
        )
        return True

    def _not_staged(self, base: int) -> Collection[int]:
        """The numbers of the lines last read that are no plain requests."""
        read = count_rows(self._connection, "lines")
        if read == count_rows(self._connection, f"staged where row_number >= {base}"):
            return ()
        rows = self._connection.execute(
            "select rowid + $base as row_number from lines anti join staged on staged.row_number = lines.rowid + $base",
            {"base": base},
        ).fetchall()
        return {number for (number,) in rows}

    def _read_odd(self, source: Source, start: int) -> None:
        """Read a source that DuckDB does not take as it is: from a copy in which odd lines are empty objects."""
        with TemporaryDirectory(prefix="halfprice-") as folder:
            regular = Path(folder) / source.file
            with regular.open("wb") as copy:
                copy.writelines(line + b"\n" if _is_regular(line) else NO_FACT for line in source.each())
            staged = self._stage([regular], start)
        self._judge([source], start, self._not_staged(start) if staged else range(start, start + source.lines))

    def _judge(self, group: Sequence[Source], base: int, wanted: Collection[int]) -> None:
        """Read the lines with these numbers one by one."""
        requests: list[dict[str, Any]] = []
        start = base
        for source in group:
            if any(number in wanted for number in range(start, start + source.lines)):
                for row_number, line in enumerate(source.each(), start=start):
                    if row_number in wanted and line.strip():
                        self._judge_line(line, row_number, requests)
            start += source.lines
        insert_rows(self._connection, "staged", requests)

    def _judge_line(self, line: bytes, row_number: int, requests: list[dict[str, Any]]) -> None:
        file, number = self.lines.place(row_number)
        try:
            fact = read_line(line, self._now)
            if isinstance(fact, RequestLine):
                requests.append({"row_number": row_number, **request_row(fact, self._book)})
            elif isinstance(fact, BatchLine):
                self.lines.batches.append({"row_number": row_number, **asdict(fact)})
                self.lines.facts[file] += 1
            else:
                self.lines.decisions.append(asdict(fact))
                self.lines.facts[file] += 1
        except (BadLine, BadUsage) as error:
            self.lines.quarantined.append(
                {
                    "file": file,
                    "line": number,
                    "reason": str(error),
                    "content": _content(line),
                    "noticed_at": self._now,
                    "retry_at": error.at - CLOCK_SLACK if isinstance(error, NotYet) else None,
                }
            )


def _content(line: bytes) -> str:
    whole = line[: 4 * WHOLE_CONTENT].decode(errors="replace")
    return whole if len(line) <= WHOLE_CONTENT else whole[:SHORT_CONTENT]


def _is_regular(line: bytes) -> bool:
    """Whether DuckDB reads the line as an object with the fields it expects."""
    if len(line) > LINE_BYTES or b"\\u" in line:
        return False
    try:
        found = json.loads(line.decode(), object_pairs_hook=_unique_keys)
    except (ValueError, RecursionError):  # a UnicodeDecodeError is a ValueError
        return False
    if not isinstance(found, dict) or not _UUID.fullmatch(str(found.get("request_id", _NO_ID))):
        return False
    usage = found.get("usage")
    if not isinstance(usage, dict):
        return usage is None
    return all(isinstance(usage.get(name), dict | None) for name in ("cache_creation", "server_tool_use"))


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key appears twice")
    return found
