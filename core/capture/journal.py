"""Appends records to a journal file that belongs to this process alone.

The recipe was measured: one `write` to an `O_APPEND` file and `fdatasync` lose nothing that was acknowledged when the
process is killed or the power fails, and no recorder ever waits for another one or for the ledger.
"""

from __future__ import annotations

import json
import os
import threading
import time
import uuid
import weakref
from collections.abc import Iterable, Mapping
from pathlib import Path

from .files import flush_folder as flush_folder

try:
    import fcntl
except ImportError:  # Windows
    raise ImportError("Halfprice runs on Linux and macOS. On Windows run your program inside WSL.") from None

ROTATE_BYTES = 8_000_000
BLOCK_BYTES = 1_000_000
LOOK_S = 0.1
"""How often it is looked whether the file is still there; looking takes nearly as long as writing."""

_encode = json.JSONEncoder(
    separators=(",", ":"), ensure_ascii=False, allow_nan=False, check_circular=False
).encode  # no record holds itself, and looking for that takes a third of the time
_flush = getattr(os, "fdatasync", os.fsync)  # macOS has no fdatasync


class Journal:
    """One process's journal under a home; threads may share it, and a forked child starts a file of its own."""

    def __init__(self, home: Path, *, durable: bool = True, rotate_bytes: int = ROTATE_BYTES) -> None:
        self._folder = home / "journal"
        self._durable = durable
        self._rotate_bytes = rotate_bytes
        # Reentrant: the garbage collector may close a recorded stream, and so write, in the midst of a write.
        self._lock = threading.RLock()
        self._fd = -1
        self._written = 0
        self._looked = 0.0
        self.files: list[Path] = []
        forget = weakref.WeakMethod(self._forget)
        os.register_at_fork(after_in_child=lambda: (alive := forget()) and alive())

    def append(self, record: Mapping[str, object]) -> None:
        """Write one record; when this returns it survives a crash. OSError if it could not be written."""
        self.append_all([record])

    def append_all(self, records: Iterable[Mapping[str, object]]) -> None:
        """Write many records in blocks; when this returns all of them survive a crash. OSError if not."""
        self.append_lines(map(journal_line, records))

    def append_lines(self, lines: Iterable[bytes]) -> None:
        """The same for lines that `journal_line` made."""
        block: list[bytes] = []
        size = 0
        for line in lines:
            block.append(line)
            size += len(line)
            if size >= BLOCK_BYTES:
                self._write(b"".join(block))
                block, size = [], 0
        if block:
            self._write(b"".join(block))

    def close(self) -> None:
        """Release the file; a later append starts another one."""
        with self._lock:
            self._release()

    def _write(self, lines: bytes) -> None:
        with self._lock:
            if self._written >= self._rotate_bytes or self._is_gone():
                self._release()
            if self._fd < 0:
                self._start_file()
            if os.write(self._fd, lines) != len(lines):
                # A torn line may only ever be a file's last one, so the whole block goes to a fresh file;
                # lines of it that did get through are the same records again, which the ledger counts once.
                self._release()
                self._start_file()
                if os.write(self._fd, lines) != len(lines):
                    self._release()
                    raise OSError(f"the journal in {self._folder} took only a part of a record: is the disk full?")
            if self._durable:
                _flush(self._fd)
            self._written += len(lines)

    def _start_file(self) -> None:
        """Create a file, lock it, and only then give it the name that the ledger looks for.

        The ledger may remove a consumed file that nobody has locked, so the lock must be there before the name is.
        """
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        name = f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{os.getpid()}-{uuid.uuid4().hex[:12]}"
        unnamed = self._folder / f".{name}"
        fd = os.open(unnamed, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        final = self._folder / f"{name}.jsonl"
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            unnamed.rename(final)
            if self._durable:
                flush_folder(self._folder)
        except OSError:  # else the next record would go where nobody reads it
            os.close(fd)
            raise
        self._fd = fd
        self._written = 0
        self.files.append(final)

    def _is_gone(self) -> bool:
        """Whether somebody deleted the file that is written to, so that nobody would ever read it."""
        now = time.monotonic()
        if self._fd < 0 or now - self._looked < LOOK_S:
            return False
        self._looked = now
        return os.fstat(self._fd).st_nlink == 0

    def _forget(self) -> None:
        """In a forked child: leave the file to the parent; a thread that held the lock there does not exist here."""
        self._lock = threading.RLock()
        self._release()

    def _release(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def journal_line(record: Mapping[str, object]) -> bytes:
    """The record as it stands in a file; ValueError for what JSON in UTF-8 cannot hold."""
    return _encode(record).encode() + b"\n"
