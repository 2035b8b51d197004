"""The DuckDB file of one home, opened by one process at a time.

DuckDB refuses a second process while one writes, so our own processes take turns: a reader holds a shared OS lock for
the length of its queries, the ingest an exclusive one. A second lock, the gate, is passed on the way in, so that a
stream of readers cannot keep the ingest waiting. A process that dies lets go of both.
"""

from __future__ import annotations

import fcntl
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from core.errors import HalfpriceError

FOREIGN_WAIT_S = 5.0
"""How long another program (not ours) may hold the ledger file before the user is told."""

MEMORY_LIMIT = "2GB"
"""What DuckDB may take in each process; by default it would take most of the machine."""


class LedgerError(HalfpriceError):
    """The ledger cannot be opened or written; the message says what to do."""


@contextmanager
def open_to_read(home: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A read-only connection while nobody writes; LedgerError if there is no usable ledger."""
    with _turn(home, fcntl.LOCK_SH), _connection(home / "ledger.duckdb", read_only=True) as connection:
        yield connection


@contextmanager
def open_to_write(home: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The only connection there is, on a ledger of the newest schema, checkpointed at the end."""
    with _turn(home, fcntl.LOCK_EX), _connection(home / "ledger.duckdb", read_only=False) as connection:
        _migrate(connection, home)
        yield connection
        # Damage to a write-ahead log goes unreported by DuckDB, damage to the file does not.
        connection.execute("checkpoint")


@contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """All that is written inside is stored together or not at all."""
    connection.execute("begin")
    stored = False
    try:
        yield
        connection.execute("commit")
        stored = True
    finally:
        if not stored:
            with suppress(duckdb.Error):  # the failure itself may have ended it
                connection.execute("rollback")


def one_row(connection: duckdb.DuckDBPyConnection, text: str, **values: object) -> tuple[Any, ...] | None:
    """The first row of a query; the result is read to its end, because an open one keeps the connection busy."""
    rows = connection.execute(text, values).fetchall()
    return rows[0] if rows else None


def count_rows(connection: duckdb.DuckDBPyConnection, source: str) -> int:
    """How many rows one of our own tables has, or what stands behind `from`."""
    row = one_row(connection, f"select count(*) from {source}")
    return int(row[0]) if row else 0


def insert_rows(connection: duckdb.DuckDBPyConnection, table: str, rows: list[dict[str, Any]]) -> None:
    """Append rows to one of our own tables by column name."""
    if not rows:
        return
    connection.register("new_rows", pa.Table.from_pylist(rows))
    connection.execute(f"insert into {table} by name select * from new_rows")
    connection.unregister("new_rows")


def read_meta(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Facts about the ledger itself, by name."""
    return dict(connection.execute("select name, value from ledger_meta").fetchall())


def write_meta(connection: duckdb.DuckDBPyConnection, facts: Mapping[str, str]) -> None:
    """Change facts about the ledger; runs inside the caller's transaction."""
    for name, value in facts.items():
        connection.execute("delete from ledger_meta where name = $name", {"name": name})
        connection.execute("insert into ledger_meta values ($name, $value)", {"name": name, "value": value})


def schema_version(connection: duckdb.DuckDBPyConnection) -> int:
    """The number of the newest schema file that was applied; 0 for an empty database."""
    try:
        newest = one_row(connection, "select max(version) from schema_versions")
    except duckdb.CatalogException:  # it has no such table yet; asking the catalogue first takes much longer
        return 0
    return int(newest[0]) if newest else 0


def newest_schema() -> int:
    """The schema version that this Halfprice writes."""
    return len(_schema_files())


@cache
def sql(name: str) -> str:
    """The text of one of the package's SQL files, named by its path under `core/sql` without the ending."""
    return (resources.files("core") / "sql" / f"{name}.sql").read_text(encoding="utf-8")


@contextmanager
def _turn(home: Path, mode: int) -> Iterator[None]:
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        gate = os.open(home / "ledger.gate", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _unwritable(home, error) from None
    try:
        lock = os.open(home / "ledger.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        os.close(gate)
        raise _unwritable(home, error) from None
    try:
        fcntl.flock(gate, fcntl.LOCK_EX)
        fcntl.flock(lock, mode)
        fcntl.flock(gate, fcntl.LOCK_UN)
        yield
    finally:
        os.close(lock)
        os.close(gate)


def _unwritable(home: Path, error: OSError) -> LedgerError:
    return LedgerError(
        f"{home} cannot be written: {error.strerror}. Set HALFPRICE_HOME to a folder that you can write to."
    )


@contextmanager
def _connection(path: Path, *, read_only: bool) -> Iterator[duckdb.DuckDBPyConnection]:
    connection = _connect(path, read_only=read_only)
    try:
        connection.execute("set TimeZone = 'UTC'")
        found = schema_version(connection)
        if found > newest_schema():
            raise LedgerError(
                f"{path} has schema version {found}; this Halfprice knows up to {newest_schema()}. "
                "Upgrade Halfprice, or set HALFPRICE_HOME to another folder."
            )
        yield connection
    except (duckdb.IOException, duckdb.TransactionException) as error:
        raise LedgerError(f"{path} could not be read or written: {_first_line(error)}") from error
    finally:
        connection.close()


def _connect(path: Path, *, read_only: bool) -> duckdb.DuckDBPyConnection:
    deadline = time.monotonic() + FOREIGN_WAIT_S
    while True:
        try:
            return duckdb.connect(path, read_only=read_only, config={"memory_limit": MEMORY_LIMIT})
        except duckdb.Error as error:
            if _puts_log_aside(path, error):
                continue
            if "Conflicting lock" not in str(error):
                raise _unusable(path, error) from None
            if time.monotonic() > deadline:
                holder = re.search(r"held in (.+?) \(PID (\d+)\)", str(error))
                who = f"{holder[1]} (process {holder[2]})" if holder else "another program"
                raise LedgerError(f"{path} is open in {who}. Close it there and try again.") from None
        time.sleep(0.05)


def _puts_log_aside(path: Path, error: duckdb.Error) -> bool:
    """Whether DuckDB's write-ahead log was in the way, damaged or of another file, and is now beside it.

    Nothing is lost: what stands in it is still in the journals, whose files are removed only after a checkpoint.
    """
    log = path.with_name(f"{path.name}.wal")
    if "WAL" not in str(error) or not log.exists():
        return False
    log.replace(path.with_name(f"{log.name}.damaged-{time.time_ns()}"))
    return True


def _unusable(path: Path, error: duckdb.Error) -> LedgerError:
    text = str(error)
    if "version number" in text:
        return LedgerError(f"{path} was written by a newer DuckDB. Upgrade Halfprice, or use another HALFPRICE_HOME.")
    if "not a valid DuckDB database" in text or "Corrupt" in text or "enough bytes" in text:
        return LedgerError(
            f"{path} is not a whole ledger: {_first_line(error)}. Move it away; the next command makes a new one "
            "from the journals beside it, or restore a backup first."
        )
    return LedgerError(f"{path} could not be opened: {_first_line(error)}")


def _first_line(error: duckdb.Error) -> str:
    return str(error).splitlines()[0].rstrip("!. ")


@cache
def _schema_files() -> list[tuple[int, str]]:
    folder = resources.files("core") / "sql"
    names = sorted(entry.name for entry in folder.iterdir() if re.fullmatch(r"\d{3}_\w+\.sql", entry.name))
    return [(int(name[:3]), (folder / name).read_text(encoding="utf-8")) for name in names]


def _migrate(connection: duckdb.DuckDBPyConnection, home: Path) -> None:
    """Apply the schema files that the ledger does not have yet, each in one transaction."""
    applied = schema_version(connection)
    for version, sql in _schema_files():
        if version > applied:
            with transaction(connection):
                connection.execute(
                    "create table if not exists schema_versions (version integer, applied_at timestamptz)"
                )
                connection.execute(sql)
                connection.execute("insert into schema_versions values ($version, now())", {"version": version})
    if applied == 0:
        (home / "ledger.duckdb").chmod(0o600)
