"""The DuckDB file with every request, batch and price of one home."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import available_timezones

import duckdb

from core.ledger.ingest import Ingested, ingest_journals, is_due
from core.ledger.reader import Reader, Split
from core.ledger.rollups import rebuild_daily
from core.ledger.sources import journal_sizes, read_marks
from core.ledger.store import (
    LedgerError,
    newest_schema,
    one_row,
    open_to_read,
    open_to_write,
    read_meta,
    schema_version,
    transaction,
    write_meta,
)
from core.ledger.upkeep import gone_lines, remove_consumed
from core.periods import instant_text
from core.pricing import PriceBook
from core.settings import load_settings

__all__ = ["Ingested", "Ledger", "LedgerError", "Reader", "Split"]


class Ledger:
    """The ledger of one home; nothing stays open between calls, so any number of processes and threads may use it."""

    def __init__(self, home: Path, book: PriceBook | None = None) -> None:
        self.home = home
        self._book = book
        self._synced: object = None

    def sync(self, now: datetime | None = None) -> Ingested:
        """Bring in what recorders have written since; cheap when that is nothing. LedgerError if it cannot."""
        state = (journal_sizes(self.home), load_settings(self.home).time_zone, self.stamp())
        if state == self._synced:
            return Ingested()
        now = now or datetime.now(UTC)
        done = self._write(now) if self._is_behind(now) else Ingested()
        self._synced = (*state[:2], self.stamp())
        return done

    def stamp(self) -> str:
        """Text that changes whenever an answer may have changed; empty before there is a ledger."""
        try:
            status = (self.home / "ledger.duckdb").stat()
        except OSError:
            return ""
        return f"{status.st_ino}-{status.st_mtime_ns}-{status.st_size}"

    @contextmanager
    def read(self) -> Iterator[Reader]:
        """A reader on one state of the ledger as last synced.

        Keep the block short, the ingest waits for it, and neither sync nor read again inside it: that would wait for
        itself.
        """
        if not (self.home / "ledger.duckdb").exists():
            self.sync()
        with open_to_read(self.home) as connection:
            yield Reader(connection, _zone(connection))

    def _is_behind(self, now: datetime) -> bool:
        if not (self.home / "ledger.duckdb").exists():
            return True
        with open_to_read(self.home) as connection:
            if schema_version(connection) < newest_schema():
                return True
            if _settled_zone(connection, load_settings(self.home).time_zone) is None:
                return True
            if is_due(connection, now):
                return True
            ends = {file: mark.end for file, mark in read_marks(connection).items()}
        return any(size != ends.get(name, 0) for name, size in journal_sizes(self.home).items())

    def _write(self, now: datetime) -> Ingested:
        is_new = not (self.home / "ledger.duckdb").exists()
        with open_to_write(self.home) as connection:
            if is_new and (gone := gone_lines(self.home)):
                write_meta(connection, {"gone_lines": str(gone.lines), "gone_until": instant_text(gone.until)})
            zone = self._settle_zone(connection)
            done = ingest_journals(connection, self.home, self._book or PriceBook.load(), zone, now)
            connection.execute("checkpoint")
            remove_consumed(connection, self.home, now)
            return done

    def _settle_zone(self, connection: duckdb.DuckDBPyConnection) -> str:
        """The zone in which days are cut; when the setting was changed the roll-up is cut anew."""
        chosen = load_settings(self.home).time_zone
        if settled := _settled_zone(connection, chosen):
            return settled
        zone = chosen or _machine_zone()
        with transaction(connection):
            write_meta(connection, {"time_zone": zone, "time_zone_from": "settings" if chosen else "machine"})
            rebuild_daily(connection, zone)
        return zone


def _settled_zone(connection: duckdb.DuckDBPyConnection, chosen: str | None) -> str | None:
    """The ledger's zone if it is the one chosen, or the machine's at its beginning where none is; else None."""
    known = read_meta(connection)
    if chosen is None:
        return known.get("time_zone") if known.get("time_zone_from") == "machine" else None
    return chosen if known.get("time_zone") == chosen and known.get("time_zone_from") == "settings" else None


def _zone(connection: duckdb.DuckDBPyConnection) -> str:
    return read_meta(connection).get("time_zone", "UTC")


def _machine_zone() -> str:
    """The machine's zone by its IANA name, as DuckDB's ICU finds it."""
    with duckdb.connect(":memory:") as connection:
        known = one_row(connection, "select current_setting('TimeZone')")
    zone = str(known[0]) if known else "UTC"
    return zone if zone in available_timezones() and zone != "Etc/UTC" else "UTC"
