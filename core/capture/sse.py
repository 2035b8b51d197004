"""Reads server-sent events from the bytes of a body as they come.

Only those by name that the caller wants: most of a stream is text that nobody here looks at.
Format: html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from .splitting import Lines


class Events:
    """The events of one stream."""

    def __init__(self, wanted: Collection[bytes]) -> None:
        self._wanted = wanted
        self._lines = Lines()
        self._name = b""
        self._data: list[bytes] = []

    def feed(self, data: bytes) -> Iterator[tuple[str, bytes]]:
        """Name and data of the wanted events that these bytes complete.

        >>> events = Events([b"ping"])
        >>> list(events.feed(b"event: ping\\ndata: {}")), list(events.feed(b"\\n\\nevent: other\\ndata: 1\\n\\n"))
        ([], [('ping', b'{}')])
        """
        for line in self._lines.feed(data):
            if line.startswith(b"data:"):
                if self._name in self._wanted:
                    self._data.append(line[5:].strip())
            elif line.startswith(b"event:"):
                self._name = line[6:].strip()
            elif not line.rstrip(b"\r"):
                if self._data:
                    yield self._name.decode(), b"\n".join(self._data)
                self._name, self._data = b"", []
