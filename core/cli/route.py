"""`halfprice route`: whether a workload goes as a batch, and why."""

from __future__ import annotations

import argparse
import json
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation

from core.capture.journal import Journal
from core.costmodel import HitRates, Range, Way, dollars, percent, span
from core.errors import HalfpriceError, UsageError
from core.money import plain_usd
from core.pricing import PriceBook
from core.routing import Check, Decision, check_rows, decide, decision_record
from core.settings import find_home
from core.workloads import Workload, load_workload

_MARKS = {True: "+", False: "-", None: "?"}
_WAYS = {
    "sync": "synchronous",
    "sync_cache": "synchronous, cached",
    "batch": "batch",
    "batch_cache": "batch, cached",
}


def add_arguments(parser: argparse.ArgumentParser, _name: str) -> None:
    """Describe the command's options."""
    parser.add_argument(
        "file", nargs="?", default="-", metavar="FILE", help="a workload as TOML or JSON; - or nothing: standard input"
    )
    parser.add_argument(
        "--sync-hit-rate", metavar="RATE", help="share of synchronous requests that read the cache, such as 0.95"
    )
    parser.add_argument(
        "--batch-hit-rate", metavar="RATE", help="the same in a batch, such as 0.6 or 0.4-0.8; default 0.3-0.98"
    )
    parser.add_argument("--record", action="store_true", help="keep the decision in the ledger")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of text")


def run(args: argparse.Namespace) -> int:
    """Print the route of one workload with its reasons."""
    now = datetime.now(UTC)
    workload = load_workload(args.file)
    decision = decide(workload, PriceBook.load(), now.date(), _hit_rates(args))
    if args.record:
        _record(workload, decision, now)
    print(json.dumps(_document(decision)) if args.json else _text(workload, decision, now.date()))
    return 0


def _hit_rates(args: argparse.Namespace) -> HitRates:
    sync = None if args.sync_hit_rate is None else _shares(args.sync_hit_rate, "--sync-hit-rate", most=1)[0]
    if args.batch_hit_rate is None:
        return HitRates(sync)
    band = _shares(args.batch_hit_rate, "--batch-hit-rate", most=2)
    return HitRates(sync, Range(min(band), max(band)))


def _shares(text: str, option: str, most: int) -> list[Decimal]:
    """The numbers from 0 to 1 in `0.4` or `0.4-0.8`."""
    try:
        shares = [Decimal(part) for part in text.split("-")]
    except InvalidOperation:
        shares = []
    if 0 < len(shares) <= most and all(share.is_finite() and 0 <= share <= 1 for share in shares):
        return shares
    raise UsageError(f"{option} {text} is not a share from 0 to 1, such as 0.95.")


def _record(workload: Workload, decision: Decision, now: datetime) -> None:
    home = find_home()
    journal = Journal(home)
    try:
        journal.append(decision_record(workload, decision, now))
    except OSError as error:
        raise HalfpriceError(f"{home} cannot be written: {error.strerror or error}. Nothing was recorded.") from None
    finally:
        journal.close()


def _document(decision: Decision) -> dict[str, object]:
    saving = decision.saving_usd_month
    return {
        "route": decision.route,
        "checks": check_rows(decision),
        "flips": [flip.sentence for flip in decision.flips],
        "saving_usd_month": None if saving is None else plain_usd(saving),
    }


def _text(workload: Workload, decision: Decision, day: date) -> str:
    lines = [f"{workload.name or 'This workload'}: {decision.route}", decision.recommendation, "", "Checklist"]
    for check in decision.checks:
        lines.append(f"  {_MARKS[check.passed]} {check.question} {_answer(check)}")
        lines.append(f"      {check.why}")
    if decision.flips:
        lines += ["", "What would change it", *(f"  {flip.sentence}" for flip in decision.flips)]
    lines += ["", f"Cost in USD at the list prices of {day}{f', {workload.model}' if workload.model else ''}"]
    if decision.money.verdict == "unknown":
        lines.append(f"  {decision.money.reason}")
    else:
        lines += [_way(way) for way in decision.money.ways]
        lines += [f"  {decision.money.reason}"] if decision.money.reason else []
    return "\n".join(lines)


def _answer(check: Check) -> str:
    if check.answer is None:
        return "not answered"
    if isinstance(check.answer, bool):
        return "yes" if check.answer else "no"
    return f"{check.answer:,.10g}"


def _way(way: Way) -> str:
    label = f"  {_WAYS[way.id]:<20}"
    if way.request_usd is None:
        return f"{label} {way.note}"
    hits = f" at hit rates of {span(way.hit_rate, percent)} ({way.note})" if way.hit_rate else ""
    month = f", {span(way.month_usd, dollars)} a month" if way.month_usd else ""
    return f"{label} {span(way.request_usd, dollars)} a request{month}{hits}"
