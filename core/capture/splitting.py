"""Splits a body into lines as its bytes come."""

from __future__ import annotations


class Lines:
    """The lines of one body, each once it is whole; only a newline ends one."""

    def __init__(self) -> None:
        self._begun: list[bytes] = []

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that these bytes complete, without their newline.

        >>> lines = Lines()
        >>> lines.feed(b"a"), lines.feed(b"b\\nc\\nd"), lines.rest
        ([], [b'ab', b'c'], b'd')
        """
        first, *others = data.split(b"\n")
        self._begun.append(first)
        if not others:  # kept in pieces: a line of many megabytes must not be copied with each of them
            return []
        lines = [b"".join(self._begun), *others[:-1]]
        self._begun = [others[-1]]
        return lines

    @property
    def rest(self) -> bytes:
        """What came after the last newline."""
        return b"".join(self._begun)
