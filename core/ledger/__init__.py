"""The DuckDB file with every request, batch and price of one home."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import available_timezones

import duckdb

from core.ledger.ingest import Ingested, ingest_journals, journal_sizes, read_offsets, rebuild_daily
from core.ledger.reader import Reader, Split
from core.ledger.store import (
    LedgerError,
    newest_schema,
    one_row,
    open_to_read,
    open_to_write,
    schema_version,
    transaction,
)
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
        done = self._write(now or datetime.now(UTC)) if self._is_behind() else Ingested()
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

    def _is_behind(self) -> bool:
        if not (self.home / "ledger.duckdb").exists():
            return True
        with open_to_read(self.home) as connection:
            if schema_version(connection) < newest_schema():
                return True
            if _settled_zone(connection, load_settings(self.home).time_zone) is None:
                return True
            offsets = read_offsets(connection)
        return any(size > offsets.get(name, 0) for name, size in journal_sizes(self.home).items())

    def _write(self, now: datetime) -> Ingested:
        with open_to_write(self.home) as connection:
            zone = self._settle_zone(connection)
            return ingest_journals(connection, self.home, self._book or PriceBook.load(), zone, now)

    def _settle_zone(self, connection: duckdb.DuckDBPyConnection) -> str:
        """The zone in which days are cut; when the setting was changed the roll-up is cut anew."""
        chosen = load_settings(self.home).time_zone
        if settled := _settled_zone(connection, chosen):
            return settled
        zone = chosen or _machine_zone()
        with transaction(connection):
            connection.execute("delete from ledger_meta where name in ('time_zone', 'time_zone_from')")
            origin = "settings" if chosen else "machine"
            connection.execute(
                "insert into ledger_meta values ('time_zone', $zone), ('time_zone_from', $origin)",
                {"zone": zone, "origin": origin},
            )
            rebuild_daily(connection, zone)
        return zone


def _settled_zone(connection: duckdb.DuckDBPyConnection, chosen: str | None) -> str | None:
    """The ledger's zone if it is the one chosen, or the machine's at its beginning where none is; else None."""
    known = dict(connection.execute("select name, value from ledger_meta").fetchall())
    if chosen is None:
        return known.get("time_zone") if known.get("time_zone_from") == "machine" else None
    return chosen if known.get("time_zone") == chosen and known.get("time_zone_from") == "settings" else None


def _zone(connection: duckdb.DuckDBPyConnection) -> str:
    known = one_row(connection, "select value from ledger_meta where name = 'time_zone'")
    return str(known[0]) if known else "UTC"


def _machine_zone() -> str:
    """The machine's zone by its IANA name, as DuckDB's ICU finds it."""
    with duckdb.connect(":memory:") as connection:
        known = one_row(connection, "select current_setting('TimeZone')")
    zone = str(known[0]) if known else "UTC"
    return zone if zone in available_timezones() and zone != "Etc/UTC" else "UTC"
