"""How long batches take, from ended, running and cut-off ones together.

The curve is the Kaplan–Meier estimate (Kaplan, Meier 1958) with the log-log band of Kalbfleisch and Prentice. Batches
that still run, were cancelled or expired in part count for as long as they were seen: leaving them out would make
batches look faster than they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from core.facts import Batch

Z_95 = 1.959963984540054
"""The 97.5 % point of the standard normal: a two-sided 95 % band."""


@dataclass(frozen=True, slots=True)
class Observation:
    """One batch's time; `done` is False when it was only seen to take longer than `seconds`."""

    seconds: float
    done: bool


@dataclass(frozen=True, slots=True)
class Curve:
    """Share of batches done within a time, with its 95 % band, at each time at which one ended.

    `seconds` rises strictly; `share_done`, `low` and `high` are shares from 0 to 1 that hold from that time until the
    next. `n` counts all observations, `censored` those of them that were not seen to end.
    """

    seconds: NDArray[np.float64]
    share_done: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    n: int
    censored: int

    def quantile(self, share: float) -> float | None:
        """Seconds within which that share of batches is done; None if the curve does not get there."""
        reached = np.flatnonzero(self.share_done >= share - 1e-12)
        return float(self.seconds[reached[0]]) if len(reached) else None


def observe(batch: Batch, now: datetime) -> Observation | None:
    """What one batch tells about completion times; None when its times contradict each other.

    The time is that to full completion: a batch with expired items is cut off at its expiry, a cancelled one when the
    cancelling was asked for, a running one now.
    """
    ended = batch.ended_at
    if ended is not None and batch.cancel_initiated_at is None and batch.expired == 0:
        until, done = ended, True
    else:
        until, done = batch.cancel_initiated_at or min(batch.expires_at, now), False
    seconds = (until - batch.created_at).total_seconds()
    return Observation(seconds, done) if seconds >= 0 else None


def completion_curve(observations: Sequence[Observation]) -> Curve | None:
    """The completion-time curve; None when no batch was seen to end.

    >>> curve = completion_curve([Observation(60, True), Observation(120, True), Observation(90, False)])
    >>> curve.seconds.tolist(), curve.share_done.round(3).tolist(), curve.quantile(0.5)
    ([60.0, 120.0], [0.333, 1.0], 120.0)
    """
    times = np.array([seen.seconds for seen in observations], dtype=float)
    done = np.array([seen.done for seen in observations], dtype=bool)
    if not done.any():
        return None
    ends, counts = np.unique(times[done], return_counts=True)
    at_risk = len(times) - np.searchsorted(np.sort(times), ends, side="left")
    surviving = np.cumprod(1 - counts / at_risk, dtype=np.float64)
    low, high = _log_log_band(surviving, counts, at_risk)
    return Curve(ends, 1 - surviving, 1 - high, 1 - low, len(times), int((~done).sum()))


def _log_log_band(
    surviving: NDArray[np.float64], counts: NDArray[np.intp], at_risk: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """95 % limits of the surviving share; at its end, where it is 0, both limits are 0."""
    left = at_risk - counts
    open_end = surviving > 0
    spread = np.cumsum(np.divide(counts, at_risk * left, out=np.zeros(len(left)), where=left > 0))
    log_share = np.log(surviving, out=np.full(len(left), -1.0), where=open_end)
    width = Z_95 * np.sqrt(spread) / np.abs(log_share)
    low = np.where(open_end, surviving ** np.exp(width), 0.0)
    high = np.where(open_end, surviving ** np.exp(-width), 0.0)
    return low, high
