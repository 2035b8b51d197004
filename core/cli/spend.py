"""`halfprice spend`: what a month cost."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime
from decimal import Decimal

from core.cli.text import lacking, printable
from core.facts import QuarantinedLine, SpendRow
from core.ledger import Ledger
from core.money import plain_usd
from core.periods import Period, find_zone, instant_text, local_day, month_of, parse_month
from core.settings import find_home

_ZERO = Decimal(0)


def add_arguments(parser: argparse.ArgumentParser, _name: str) -> None:
    """Describe the command's options."""
    parser.add_argument("--month", metavar="YYYY-MM", help="the month; default the current one")
    parser.add_argument("--by", choices=("model", "workload", "route", "day"), default="model", help="default model")
    parser.add_argument("--tz", metavar="ZONE", help="cut days and months in this zone, for this answer only")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of a table")


def run(args: argparse.Namespace) -> int:
    """Print the spend of one month."""
    now = datetime.now(UTC)
    asked = parse_month(args.month) if args.month else None
    if args.tz:
        find_zone(args.tz)
    ledger = Ledger(find_home())
    ledger.sync(now)
    with ledger.read() as reader:
        zone = args.tz or reader.zone
        month = asked or month_of(local_day(now, zone))
        rows = reader.spend_by(month, args.by, args.tz)
        quarantined, gone = reader.quarantine(), reader.gone()
    _tell(quarantined)
    if gone:
        print(f"halfprice: {lacking(gone)}", file=sys.stderr)
    if args.json:
        print(json.dumps(_document(month, zone, rows)))
    else:
        print(_table(month, zone, args.by, rows))
    return 0


def _document(month: Period, zone: str, rows: list[SpendRow]) -> dict[str, object]:
    return {
        "since": instant_text(month.since(zone)),
        "until": instant_text(month.until(zone)),
        "total_usd": _usd_or_none(rows),
        "requests": sum(row.spend.requests for row in rows),
        "unpriced_requests": sum(row.spend.unpriced_requests for row in rows),
        "rows": [
            {
                "key": row.key,
                "requests": row.spend.requests,
                "input_tokens": row.spend.input_tokens,
                "output_tokens": row.spend.output_tokens,
                "cache_read_tokens": row.spend.cache_read_tokens,
                "cache_write_tokens": row.spend.cache_write_tokens,
                "cost_usd": plain_usd(row.spend.cost_usd) if row.spend.has_price else None,
            }
            for row in rows
        ],
    }


def _table(month: Period, zone: str, by: str, rows: list[SpendRow]) -> str:
    title = f"{month.first:%B %Y} ({zone}), list price"
    if not rows:
        return f"{title}\nNo requests in this month. Bring some in with: halfprice import jsonl FILE"
    width = max(len("total"), len(by), *(len(printable(row.key)) for row in rows))
    requests = sum(row.spend.requests for row in rows)
    lines = [title, f"{by:<{width}}  {'requests':>10}  {'cost USD':>14}  {'saved USD':>14}"]
    for row in rows:
        lines.append(_row(f"{printable(row.key):<{width}}", row.spend.requests, [row]))
    lines.append(_row(f"{'total':<{width}}", requests, rows))
    if unpriced := sum(row.spend.unpriced_requests for row in rows):
        what = (
            "1 request has no known price: it is"
            if unpriced == 1
            else f"{unpriced:,} requests have no known price: they are"
        )
        lines.append(f"{what} counted, and the amounts leave {'it' if unpriced == 1 else 'them'} out (*).")
    return "\n".join(lines)


def _row(name: str, requests: int, rows: list[SpendRow]) -> str:
    """One line; a star says that requests without a price are left out of its amounts."""
    cost = sum((row.spend.cost_usd for row in rows), start=_ZERO)
    saved = sum((row.spend.saved_usd for row in rows), start=_ZERO)
    star = "*" if any(row.spend.unpriced_requests for row in rows) else ""
    if _usd_or_none(rows) is None:
        return f"{name}  {requests:>10,}  {'unpriced*':>14}"
    return f"{name}  {requests:>10,}  {cost:>14,.6f}  {saved:>14,.6f}{star}"


def _usd_or_none(rows: list[SpendRow]) -> str | None:
    """The exact cost of the rows; None when there are requests and not one of them has a price."""
    if rows and not any(row.spend.has_price for row in rows):
        return None
    return plain_usd(sum((row.spend.cost_usd for row in rows), start=_ZERO))


def _tell(quarantined: list[QuarantinedLine]) -> None:
    """Name the journal lines that are counted nowhere, so that nobody takes the amounts for all there is."""
    for line in quarantined[:5]:
        print(
            f"halfprice: {line.file}, line {line.line}: {line.reason.rstrip('.')}. It is not counted.", file=sys.stderr
        )
    if len(quarantined) > 5:
        print(f"halfprice: … and {len(quarantined) - 5:,} more lines that are not counted.", file=sys.stderr)
