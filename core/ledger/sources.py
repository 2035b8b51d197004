"""What of each journal file has not been read yet, as files that DuckDB can read.

A file that no recorder holds any more, and of which nothing was read, is read where it lies. Of any other one the whole
new lines are copied first: a recorder may be appending to it, and a torn last line waits until its newline is there.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from core.ledger.store import LedgerError

GROUP_BYTES = 96_000_000
"""About how many bytes are read at a time."""
BLOCK_BYTES = 4_000_000
TAIL_BYTES = 4_000


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a journal file has been read: bytes and lines, and a digest of what stands just before."""

    end: int
    lines: int
    tail: str | None


NOTHING_READ = Mark(0, 0, None)


@dataclass(frozen=True, slots=True)
class Source:
    """Whole lines of one journal file, in a file of their own or the journal file itself.

    `first` is the number of the first line, from 1; `lines` how many line ends there are, in `size` bytes; `mark` how
    far the journal file has been read with them, None for a line that does not come from there.
    """

    file: str
    path: Path
    first: int
    lines: int
    size: int
    mark: Mark | None

    def each(self) -> Iterator[bytes]:
        """Every line without its end."""
        with self.path.open("rb") as stream:
            for line in islice(stream, self.lines):
                yield line.removesuffix(b"\n")


def read_marks(connection: duckdb.DuckDBPyConnection) -> dict[str, Mark]:
    """How far each journal file has been read, by file name."""
    rows = connection.execute("select file, bytes, lines, tail from journal_files").fetchall()
    return {file: Mark(*mark) for file, *mark in rows}


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


@contextmanager
def unread(home: Path, marks: Mapping[str, Mark]) -> Iterator[Iterator[list[Source]]]:
    """The new lines of every journal file in the order of the files' names, some files at a time.

    What is handed out is gone once more is asked for.
    """
    with TemporaryDirectory(prefix="halfprice-") as folder:
        yield _groups(home, marks, Path(folder))


def _groups(home: Path, marks: Mapping[str, Mark], folder: Path) -> Iterator[list[Source]]:
    group: list[Source] = []
    size = 0
    for source in _sources(home, marks, folder):
        group.append(source)
        size += source.size
        if size >= GROUP_BYTES:
            yield group
            for copy in folder.iterdir():
                copy.unlink()
            group, size = [], 0
    if group:
        yield group


def _sources(home: Path, marks: Mapping[str, Mark], folder: Path) -> Iterator[Source]:
    for name, size in sorted(journal_sizes(home).items()):
        mark = marks.get(name, NOTHING_READ)
        path = home / "journal" / name
        if size == mark.end:
            continue
        try:
            yield from _of_file(path, size, mark, folder)
        except FileNotFoundError:
            continue  # removed by hand meanwhile
        except OSError as error:
            raise LedgerError(f"The journal file {path} cannot be read: {error.strerror}.") from None


def _of_file(path: Path, size: int, mark: Mark, folder: Path) -> Iterator[Source]:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if mark.end and not _still_holds(fd, size, mark):
            mark = NOTHING_READ  # cut or replaced by hand; what was counted before is recognised by its ids
        if not mark.end and size <= GROUP_BYTES and _is_let_go(fd) and (whole := _whole(fd, path)):
            yield whole
            return
        while copied := _copied(fd, path.name, mark, folder / f"{mark.end}-{path.name}"):
            source, mark = copied
            yield source
    finally:
        os.close(fd)


def _still_holds(fd: int, size: int, mark: Mark) -> bool:
    """Whether the file still begins with what was read of it."""
    return mark.end <= size and mark.tail in (None, _tail(fd, mark.end))


def _tail(fd: int, end: int) -> str:
    begin = max(end - TAIL_BYTES, 0)
    return hashlib.sha256(os.pread(fd, end - begin, begin)).hexdigest()[:16]


def _is_let_go(fd: int) -> bool:
    """Whether no recorder appends to it any more: a recorder holds its lock for life."""
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _whole(fd: int, path: Path) -> Source | None:
    """The file as it lies there; None if its last line is torn."""
    lines, size, last = 0, 0, b""
    while block := os.pread(fd, BLOCK_BYTES, size):
        lines += block.count(b"\n")
        size += len(block)
        last = block[-1:]
    if last != b"\n":
        return None
    return Source(path.name, path, 1, lines, size, Mark(size, lines, _tail(fd, size)))


def _copied(fd: int, name: str, mark: Mark, copy: Path) -> tuple[Source, Mark] | None:
    """The next whole lines, copied, and how far the file is read with them; None if there is no line end."""
    lines, size, whole = 0, 0, 0
    with copy.open("wb") as target:
        while whole == 0 or size + BLOCK_BYTES <= GROUP_BYTES:
            block = os.pread(fd, BLOCK_BYTES, mark.end + size)
            if not block:
                break
            target.write(block)
            if (place := block.rfind(b"\n")) >= 0:
                whole = size + place + 1
            lines += block.count(b"\n")
            size += len(block)
        target.truncate(whole)
    if not whole:
        return None
    after = Mark(mark.end + whole, mark.lines + lines, _tail(fd, mark.end + whole))
    return Source(name, copy, mark.lines + 1, lines, whole, after), after
