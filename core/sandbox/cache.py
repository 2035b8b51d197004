"""The prompt cache: which part of a prompt is read, written or neither.

platform.claude.com/docs/en/build-with-claude/prompt-caching
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from core.sandbox.tokens import Prompt, Segment

LIFETIMES = {"5m": timedelta(minutes=5), "1h": timedelta(hours=1)}
LOOK_BACK = 20
"""How many blocks before a marked one are searched for an entry that an earlier request wrote."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """The prompt of one request in tokens, by how they are billed."""

    uncached: int
    read: int = 0
    written_5m: int = 0
    written_1h: int = 0

    def __add__(self, other: Tokens) -> Tokens:
        """The tokens of two steps together."""
        return Tokens(
            self.uncached + other.uncached,
            self.read + other.read,
            self.written_5m + other.written_5m,
            self.written_1h + other.written_1h,
        )

    def after(self, more: int) -> Tokens:
        """The prompt of the next step inside the same answer: what was cached is read, the rest has grown."""
        return Tokens(self.uncached + more, self.read + self.written_5m + self.written_1h)

    @property
    def prompt(self) -> int:
        """The size of the whole prompt."""
        return self.uncached + self.read + self.written_5m + self.written_1h


@dataclass(slots=True)
class _Entry:
    ready_at: datetime
    expires_at: datetime
    lifetime: timedelta


class PromptCache:
    """Prefixes by their hash, alive from the end of the request that wrote them until their lifetime has passed."""

    def __init__(self) -> None:
        self._entries: dict[bytes, _Entry] = {}

    def use(self, prompt: Prompt, apart: str, at: datetime, ready_at: datetime) -> Tokens:
        """Send a prompt at a time: read the longest known prefix, write the marked ones that are new.

        Prompts for another model, or with another `apart`, share nothing. What it writes can be read from `ready_at`
        on: requests that run at the same time do not share.
        """
        segments, sizes = prompt.segments, prompt.sizes
        marks = [n for n, segment in enumerate(segments) if segment.ttl and sizes[n] >= prompt.model.cache_from]
        if not marks:
            return Tokens(prompt.tokens)
        keys = _prefix_keys(segments, f"{prompt.model.id} {apart}")
        hit = self._longest_hit(keys, marks, at)
        read = sizes[hit] if hit is not None else 0
        written = {"5m": 0, "1h": 0}
        done = read
        for n in marks:
            ttl = segments[n].ttl or "5m"
            self._write(keys[n], LIFETIMES[ttl], at, ready_at)
            written[ttl] += max(sizes[n] - done, 0)
            done = max(done, sizes[n])
        return Tokens(prompt.tokens - done, read, written["5m"], written["1h"])

    def _longest_hit(self, keys: Sequence[bytes], marks: Sequence[int], at: datetime) -> int | None:
        for mark in reversed(marks):
            for n in range(mark, max(mark - LOOK_BACK, -1), -1):
                entry = self._entries.get(keys[n])
                if entry and entry.ready_at <= at < entry.expires_at:
                    entry.expires_at = max(entry.expires_at, at + entry.lifetime)
                    return n
        return None

    def _write(self, key: bytes, lifetime: timedelta, at: datetime, ready_at: datetime) -> None:
        entry = self._entries.get(key)
        if entry is None or entry.expires_at <= at:
            self._entries[key] = _Entry(ready_at, ready_at + lifetime, lifetime)
        elif entry.ready_at > at:  # written at the same time by a request that is still running
            entry.ready_at = min(entry.ready_at, ready_at)


def _prefix_keys(segments: Sequence[Segment], salt: str) -> list[bytes]:
    digest = hashlib.sha256(salt.encode())
    keys = []
    for segment in segments:
        piece = f"{len(segment.key)} {len(segment.text)} {segment.key}{segment.text}"
        digest.update(piece.encode("utf-8", "surrogatepass"))
        keys.append(digest.copy().digest())
    return keys
