"""Days and months, cut in one time zone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from core.capture.lines import instant_text as instant_text
from core.errors import UsageError


@dataclass(frozen=True, slots=True)
class Period:
    """A half-open span of whole local days: `first` is included, `end` is not."""

    first: date
    end: date

    @property
    def days(self) -> int:
        """How many local days the period holds."""
        return (self.end - self.first).days

    @property
    def last(self) -> date:
        """The last day that is inside."""
        return self.end - timedelta(days=1)

    def since(self, zone: str) -> datetime:
        """The first instant inside, aware UTC."""
        return day_start(self.first, zone)

    def until(self, zone: str) -> datetime:
        """The first instant after, aware UTC."""
        return day_start(self.end, zone)


def day_start(day: date, zone: str) -> datetime:
    """The first instant of a local day, aware UTC, also where midnight does not exist.

    >>> day_start(date(2026, 11, 1), "America/New_York").isoformat()
    '2026-11-01T04:00:00+00:00'
    """
    return datetime(day.year, day.month, day.day, tzinfo=find_zone(zone)).astimezone(UTC)


def local_day(at: datetime, zone: str) -> date:
    """The local day on which an instant falls.

    >>> local_day(datetime(2026, 11, 1, 3, 59, 59, tzinfo=UTC), "America/New_York")
    datetime.date(2026, 10, 31)
    """
    return at.astimezone(find_zone(zone)).date()


def month_of(day: date) -> Period:
    """The calendar month that holds `day`.

    >>> month_of(date(2026, 12, 31))
    Period(first=datetime.date(2026, 12, 1), end=datetime.date(2027, 1, 1))
    """
    first = day.replace(day=1)
    return Period(first, (first + timedelta(days=32)).replace(day=1))


def month_before(month: Period) -> Period:
    """The calendar month before.

    >>> month_before(month_of(date(2026, 1, 15))).first
    datetime.date(2025, 12, 1)
    """
    return month_of(month.first - timedelta(days=1))


def parse_month(text: str) -> Period:
    """The month written `YYYY-MM`; UsageError for anything else.

    >>> parse_month("2026-02").days
    28
    """
    if re.fullmatch(r"2[0-9]{3}-(0[1-9]|1[0-2])", text):
        return month_of(date.fromisoformat(f"{text}-01"))
    raise UsageError(f"'{text}' is not a month from 2000 on. Write it as YYYY-MM, for example 2026-11.")


def find_zone(name: str) -> ZoneInfo:
    """The zone with that IANA name; UsageError for an unknown one."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UsageError(f"'{name}' is not a time zone. Use an IANA name such as Europe/Berlin or UTC.") from None


def parse_instant(text: str) -> datetime:
    """The instant written in ISO 8601 with an offset or `Z`, aware UTC; ValueError without one.

    >>> parse_instant("2026-11-01T00:30:00+01:00").isoformat()
    '2026-10-31T23:30:00+00:00'
    """
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"'{text}' has no time zone; add Z or an offset such as +01:00")
    return at.astimezone(UTC)
