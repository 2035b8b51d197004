"""How numbers, times and outside text are written on screen."""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal

from core.costmodel import Range, dollars
from core.periods import Period, find_zone

NOTHING = "–"
UNKNOWN = "Unknown"
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July",
    "August", "September", "October", "November", "December",
)  # fmt: skip

_CENT = Decimal("0.01")
_DOLLAR = re.compile(r"(?<!\\)\$")
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~:$^&@/])")


def usd(amount: Decimal | float | None) -> str:
    """An amount in USD: whole dollars from $100, cents below.

    >>> usd(Decimal("564.849")), usd(Decimal("99.994")), usd(Decimal(0)), usd(None)
    ('$565', '$99.99', '$0.00', '–')
    >>> usd(Decimal("0.0034")), usd(Decimal("-12.5"))
    ('<$0.01', '−$12.50')
    """
    if amount is None:
        return NOTHING
    amount = Decimal(amount)
    cents = abs(amount).quantize(_CENT, ROUND_HALF_UP)
    if amount and not cents:
        return "<$0.01"
    sign = "−" if amount < 0 else ""
    return f"{sign}${cents:,.2f}" if cents < 100 else f"{sign}${abs(amount).quantize(Decimal(1), ROUND_HALF_UP):,}"


def exact_usd(amount: Decimal | None) -> str:
    """An amount that is about to be paid: cents, below a dollar three digits that count.

    >>> exact_usd(Decimal("155.52")), exact_usd(Decimal("0.002375")), exact_usd(None)
    ('$155.52', '$0.00238', 'Unknown')
    """
    return UNKNOWN if amount is None else dollars(amount)


def span_usd(amounts: Range | None) -> str:
    """The amounts between which something lies, one where both read the same.

    >>> span_usd(Range(Decimal("77.76"), Decimal("273.6"))), span_usd(Range(Decimal(2), Decimal(2))), span_usd(None)
    ('$77.76–$273.60', '$2.00', 'Unknown')
    """
    if amounts is None:
        return UNKNOWN
    low, high = dollars(amounts.low), dollars(amounts.high)
    return low if low == high else f"{low}–{high}"


def percent(share: Decimal | float | None) -> str:
    """A share of one; 0% and 100% are only said of none and all.

    >>> percent(Decimal("0.314")), percent(Decimal(0)), percent(Decimal(1)), percent(None)
    ('31%', '0%', '100%', '–')
    >>> percent(Decimal("0.0042")), percent(Decimal("0.9996")), percent(Decimal("0.0001"))
    ('0.4%', '99.9%', '<0.1%')
    """
    if share is None:
        return NOTHING
    hundredths = Decimal(share) * 100
    if 0 < hundredths < Decimal("0.1"):
        return "<0.1%"
    if 0 < hundredths < 1 or 99 < hundredths < 100:
        return f"{hundredths.quantize(Decimal('0.1'), ROUND_DOWN)}%"
    return f"{hundredths.quantize(Decimal(1), ROUND_HALF_UP)}%"


def change(share: Decimal | None) -> str | None:
    """A relative change with its sign, as a metric's delta takes it; None when there is none to tell.

    >>> change(Decimal("0.0842")), change(Decimal("-0.014")), change(Decimal("12.3")), change(None)
    ('+8.4%', '-1.4%', '+1,230%', None)
    >>> change(Decimal("-0.0004"))
    '0%'
    """
    if share is None:
        return None
    hundredths = share * 100
    if abs(hundredths) < Decimal("0.05"):
        return "0%"
    digits = 1 if abs(hundredths) < 100 else 0
    return f"{hundredths:+,.{digits}f}%"


def count(number: float) -> str:
    """A whole number with thousands set apart; a table hands it over as a float.

    >>> count(1026998), count(12.0)
    ('1,026,998', '12')
    """
    return f"{number:,.0f}"


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """A number with its noun in the right form.

    >>> counted(1, "request"), counted(1200, "request"), counted(2, "batch", "batches")
    ('1 request', '1,200 requests', '2 batches')
    """
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def tokens(number: int) -> str:
    """A number of tokens, three digits at most from ten thousand on.

    >>> tokens(0), tokens(9_876), tokens(12_345), tokens(4_200_000), tokens(1_250_000_000)
    ('0', '9,876', '12.3k', '4.20M', '1.25B')
    """
    for size, letter in ((10**9, "B"), (10**6, "M"), (10**3, "k")):
        if number >= size and number >= 10_000:
            scaled = number / size
            return f"{scaled:.{2 if scaled < 10 else 1 if scaled < 100 else 0}f}{letter}"
    return f"{number:,}"


def duration(seconds: float | None) -> str:
    """A time span in the two largest units that matter.

    >>> duration(42), duration(540), duration(7_800), duration(86_400), duration(3_599), duration(None)
    ('42 s', '9 min', '2 h 10 min', '24 h', '1 h', '–')
    """
    if seconds is None:
        return NOTHING
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    if not hours:
        return f"{minutes} min"
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def month_name(day: date) -> str:
    """The month that a day is in; also what the address of a page holds.

    >>> month_name(date(2026, 11, 23))
    'November 2026'
    """
    return f"{MONTHS[day.month - 1]} {day.year}"


def short_month(day: date) -> str:
    """The month that a day is in, in three letters.

    >>> short_month(date(2026, 11, 23))
    'Nov'
    """
    return MONTHS[day.month - 1][:3]


def day_name(day: date) -> str:
    """A day of a year that is plain from what stands around it.

    >>> day_name(date(2026, 11, 3))
    '3 Nov'
    """
    return f"{day.day} {short_month(day)}"


def day_span(period: Period) -> str:
    """The days of a period inside one month.

    >>> day_span(Period(date(2026, 11, 1), date(2026, 11, 23)))
    '1–22 Nov'
    >>> day_span(Period(date(2026, 11, 1), date(2026, 11, 2)))
    '1 Nov'
    """
    if period.days == 1:
        return day_name(period.first)
    return f"{period.first.day}–{day_name(period.last)}"


def moment(at: datetime, zone: str) -> str:
    """A moment in a zone, to the minute.

    >>> from datetime import UTC
    >>> moment(datetime(2026, 11, 23, 5, 52, tzinfo=UTC), "Europe/Berlin")
    '23 Nov 2026, 06:52'
    """
    local = at.astimezone(find_zone(zone))
    return f"{day_name(local)} {local.year}, {local:%H:%M}"


def plain(text: str) -> str:
    r"""Our own text with amounts in it for a place that reads Markdown, where a pair of dollar signs means math.

    >>> print(plain("sync $7.92 · batch $3.94"), plain(md("$5")))
    sync \$7.92 · batch \$3.94 \$5
    """
    return _DOLLAR.sub(r"\$", text)


def md(text: str) -> str:
    r"""Outside text made harmless for every place that reads Markdown: no image, link, math or colour.

    >>> print(md("![x](http://evil/x.png) $5"))
    \!\[x\]\(http\:\/\/evil\/x\.png\) \$5
    """
    return _MARKDOWN.sub(r"\\\1", " ".join(text.split()))
