"""Days and months in real zones."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import UsageError
from core.periods import Period, day_start, find_zone, local_day, month_before, month_of, parse_instant, parse_month

ZONES = ["UTC", "America/New_York", "Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe", "America/Santiago"]


@pytest.mark.parametrize(
    ("day", "zone", "hours"),
    [
        (date(2026, 3, 8), "America/New_York", 23),
        (date(2026, 11, 1), "America/New_York", 25),
        (date(2026, 10, 25), "Europe/Berlin", 25),
        (date(2026, 4, 5), "Australia/Lord_Howe", 24.5),
        (date(2026, 9, 6), "America/Santiago", 23),  # there midnight itself does not exist
    ],
)
def test_a_day_is_as_long_as_its_zone_makes_it(day: date, zone: str, hours: float) -> None:
    length = day_start(day + timedelta(days=1), zone) - day_start(day, zone)
    assert length == timedelta(hours=hours)


@given(st.integers(1_700_000_000, 2_100_000_000), st.sampled_from(ZONES))
def test_every_moment_is_inside_its_own_day_and_no_other(seconds: int, zone: str) -> None:
    at = datetime.fromtimestamp(seconds, UTC)
    day = local_day(at, zone)
    assert day_start(day, zone) <= at < day_start(day + timedelta(days=1), zone)


@given(st.dates(date(1990, 1, 1), date(2100, 1, 1)))
def test_months_follow_each_other_without_gap(day: date) -> None:
    month = month_of(day)
    assert month.first <= day < month.end
    assert month_before(month).end == month.first
    assert month_of(month.end).first == month.end


def test_a_period_tells_its_length_and_ends() -> None:
    february = parse_month("2028-02")
    assert (february.days, february.last) == (29, date(2028, 2, 29))
    assert Period(date(2026, 11, 1), date(2026, 11, 3)).until("Asia/Kolkata") == datetime(
        2026, 11, 2, 18, 30, tzinfo=UTC
    )


@pytest.mark.parametrize("text", ["2026-00", "2026-13", "26-11", "2026-11-01", "", "0000-01", "2026-1"])
def test_what_is_no_month_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="YYYY-MM"):
        parse_month(text)


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "/etc/passwd", "../UTC", "Europe"])
def test_what_is_no_zone_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="IANA"):
        find_zone(name)


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        parse_instant("2026-11-01T00:00:00")
