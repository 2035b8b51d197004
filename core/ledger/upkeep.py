"""Removes journal files that the ledger has taken in, and remembers how much is gone with them."""

from __future__ import annotations

import fcntl
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from core.capture.journal import flush_folder
from core.facts import Gone
from core.files import write_whole
from core.ledger.sources import read_marks
from core.periods import instant_text, parse_instant

KEEP = timedelta(days=30)
"""How long a journal file is kept after its last line, so that a damaged or lost ledger can be made anew from it."""


def gone_lines(home: Path) -> Gone | None:
    """What the journals of a home do not hold any more; None if that is nothing."""
    try:
        said = json.loads(_note(home).read_bytes())
        return Gone(int(said["lines"]), parse_instant(said["until"]))
    except FileNotFoundError:
        return None


def remove_consumed(connection: duckdb.DuckDBPyConnection, home: Path, now: datetime) -> int:
    """Remove journal files that were taken in and last written a month ago; how many.

    The ledger has to be checkpointed: until then its own log is the only other place where their lines are.
    """
    removed = 0
    for name, mark in read_marks(connection).items():
        path = home / "journal" / name
        if _is_needless(path, mark.end, now - KEEP):
            _remove(home, path, mark.lines)
            connection.execute("delete from journal_files where file = $file", {"file": name})
            removed += 1
    return removed


def _is_needless(path: Path, end: int, before: datetime) -> bool:
    """Whether all of the file was taken in long enough ago, and no recorder holds it."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        status = os.fstat(fd)
        return status.st_size == end and datetime.fromtimestamp(status.st_mtime, UTC) < before
    except BlockingIOError:
        return False
    finally:
        os.close(fd)


def _remove(home: Path, path: Path, lines: int) -> None:
    written = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    before = gone_lines(home) or Gone(0, written)
    gone = {"lines": before.lines + lines, "until": instant_text(max(before.until, written))}
    write_whole(_note(home), json.dumps(gone).encode() + b"\n")
    path.unlink()
    flush_folder(path.parent)


def _note(home: Path) -> Path:
    return home / "journal" / "removed.json"
