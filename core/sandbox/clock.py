"""The sandbox's own time, which can run fast or be moved forward."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta


class Clock:
    """Aware UTC time from `start` on, `speed` times as fast as the machine's clock.

    >>> clock = Clock(datetime(2026, 11, 23, tzinfo=UTC), speed=60, elapsed=lambda: 0.0)
    >>> clock.advance(90)
    >>> clock.now().isoformat()
    '2026-11-23T00:01:30+00:00'
    """

    def __init__(
        self, start: datetime | None = None, speed: float = 1.0, elapsed: Callable[[], float] = time.monotonic
    ) -> None:
        self.speed = speed
        self._start = start or datetime.now(UTC)
        self._elapsed = elapsed
        self._zero = elapsed()

    def now(self) -> datetime:
        """The time in the sandbox."""
        return self._start + timedelta(seconds=(self._elapsed() - self._zero) * self.speed)

    def advance(self, seconds: float) -> None:
        """Move the time forward; the sandbox never goes back."""
        self._start += timedelta(seconds=seconds)


def iso(moment: datetime | None) -> str | None:
    """A moment as the API writes it.

    >>> iso(datetime(2026, 11, 23, 9, 30, tzinfo=UTC))
    '2026-11-23T09:30:00.000000Z'
    """
    return None if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
