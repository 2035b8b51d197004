"""Byte strings kept in order, on disk once they are many."""

from __future__ import annotations

import weakref
from array import array
from collections.abc import Iterator
from tempfile import SpooledTemporaryFile

IN_MEMORY_BYTES = 1024 * 1024
"""Up to here they stay in memory, so that a small batch needs no file."""


class Spool:
    """A list of byte strings that can only grow; its file goes when nobody refers to it any more.

    >>> spool = Spool()
    >>> spool.append(b"one"), spool.append(b"three")
    (None, None)
    >>> spool[1], len(spool), list(spool)
    (b'three', 2, [b'one', b'three'])
    """

    def __init__(self) -> None:
        self._file = SpooledTemporaryFile(max_size=IN_MEMORY_BYTES)  # noqa: SIM115 (closed with this object)
        self._ends = array("Q", (0,))
        self._at = 0  # where the file stands; a seek that changes nothing would still empty its buffer
        weakref.finalize(self, self._file.close)

    def append(self, piece: bytes) -> None:
        """Add a byte string at the end."""
        self._go_to(self._ends[-1])
        self._file.write(piece)
        self._at += len(piece)
        self._ends.append(self._at)

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, n: int) -> bytes:
        start, end = self._ends[n], self._ends[n + 1]
        self._go_to(start)
        self._at = end
        return self._file.read(end - start)

    def __iter__(self) -> Iterator[bytes]:
        return (self[n] for n in range(len(self)))

    def _go_to(self, position: int) -> None:
        if self._at != position:
            self._file.seek(position)
            self._at = position
