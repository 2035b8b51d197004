"""Numbers that follow from the ledger's answers by one division or one choice of days."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Literal

from core.completion import Curve
from core.facts import Batch, DailySpend, Spend
from core.periods import Period, month_before


@dataclass(frozen=True, slots=True)
class Compared:
    """Spend of some days of a month beside the same days of the month before."""

    period: Period
    before: Period
    spend: Spend
    spend_before: Spend


@dataclass(frozen=True, slots=True)
class Items:
    """The items of all batches that have ended, by final outcome."""

    succeeded: int
    errored: int
    canceled: int
    expired: int

    @property
    def ended(self) -> int:
        """How many there are."""
        return self.succeeded + self.errored + self.canceled + self.expired


@dataclass(frozen=True, slots=True)
class DaySum:
    """Spend of one day over several keys."""

    day: date
    requests: int
    cost_usd: Decimal
    saved_usd: Decimal


Outcome = Literal["ended", "running", "canceled", "expired"]

ENDED_BATCHES_NEEDED = {0.5: 6, 0.9: 29}
"""From how many ended batches on a share of them has a finite upper 95% limit (the median two-sided, 9 in 10
one-sided); with fewer the next batch could overturn the number, so it is not shown."""


def comparable(month: Period, today: date, first_day: date, newest_day: date) -> tuple[Period, Period] | None:
    """The complete days of a month that have data, beside as many days of the month before.

    None while no day is complete, and where the ledger does not reach back to the start of the month before.

    >>> november, newest = Period(date(2026, 11, 1), date(2026, 12, 1)), date(2026, 11, 23)
    >>> now, before = comparable(november, newest, date(2026, 9, 1), newest)
    >>> now.last.isoformat(), before.first.isoformat(), before.last.isoformat()
    ('2026-11-22', '2026-10-01', '2026-10-22')
    """
    before = month_before(month)
    if first_day > before.first:
        return None
    if today >= month.end:
        return month, before
    days = min((min(today, newest_day + timedelta(days=1)) - month.first).days, before.days)
    if days < 1:
        return None
    whole = timedelta(days=days)
    return Period(month.first, month.first + whole), Period(before.first, before.first + whole)


def change(now: Decimal | int | None, before: Decimal | int | None) -> Decimal | None:
    """The relative change; None when there was nothing before.

    >>> change(110, 100), change(5, 0), change(None, 3)
    (Decimal('0.1'), None, None)
    """
    return Decimal(now) / Decimal(before) - 1 if now is not None and before else None


def share(part: Decimal | int, whole: Decimal | int) -> Decimal | None:
    """A part of a whole; None of nothing.

    >>> share(1, 4), share(0, 0)
    (Decimal('0.25'), None)
    """
    return Decimal(part) / Decimal(whole) if whole else None


def per_thousand_usd(spend: Spend, *, at_list: bool = False) -> Decimal | None:
    """What a thousand priced requests cost, or would at the synchronous price; None without a priced request."""
    priced = spend.requests - spend.unpriced_requests
    return (spend.list_usd if at_list else spend.cost_usd) * 1000 / priced if priced else None


def by_day(rows: Iterable[DailySpend], days: Period, key: str | None = None) -> list[DaySum]:
    """Every day of a period with the sum of its rows, of one key or of all; a day without requests is zero."""
    sums = {first: DaySum(first, 0, Decimal(0), Decimal(0)) for first in each_day(days)}
    for row in rows:
        if row.day in sums and key in (None, row.key):
            so_far = sums[row.day]
            sums[row.day] = DaySum(
                row.day,
                so_far.requests + row.requests,
                so_far.cost_usd + row.cost_usd,
                so_far.saved_usd + row.list_usd - row.cost_usd,
            )
    return list(sums.values())


def until(period: Period, last: date) -> Period:
    """The days of a period up to a day that is included; one day at least.

    >>> until(Period(date(2026, 11, 1), date(2026, 12, 1)), date(2026, 11, 23)).days
    23
    """
    return Period(period.first, min(period.end, max(last, period.first) + timedelta(days=1)))


def quantile(curve: Curve | None, share: float) -> float | None:
    """Seconds within which that share of batches is done; None while there is too little to tell."""
    if curve is None or curve.n - curve.censored < ENDED_BATCHES_NEEDED[share]:
        return None
    return curve.quantile(share)


def outcome(batch: Batch) -> Outcome:
    """How a batch stands, in one word."""
    if batch.ended_at is None:
        return "running"
    if batch.cancel_initiated_at is not None:
        return "canceled"
    return "expired" if batch.expired else "ended"


def items(batches: Sequence[Batch]) -> Items:
    """The items of the batches that have ended, by outcome."""
    ended = [batch for batch in batches if batch.ended_at is not None]
    return Items(
        sum(batch.succeeded for batch in ended),
        sum(batch.errored for batch in ended),
        sum(batch.canceled for batch in ended),
        sum(batch.expired for batch in ended),
    )


def months_between(first: date, last: date) -> list[date]:
    """The first day of every month from one day's to another's, newest first.

    >>> [day.isoformat() for day in months_between(date(2025, 12, 31), date(2026, 2, 1))]
    ['2026-02-01', '2026-01-01', '2025-12-01']
    """
    numbers = range(first.year * 12 + first.month - 1, last.year * 12 + last.month)
    return [date(number // 12, number % 12 + 1, 1) for number in reversed(numbers)]


def each_day(period: Period) -> list[date]:
    """The days of a period in order."""
    return [period.first + timedelta(days=number) for number in range(period.days)]
