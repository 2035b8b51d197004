"""`halfprice batch`: the batches of this home."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import HalfpriceError
from core.facts import Batch
from core.ledger import Ledger
from core.money import plain_usd
from core.periods import instant_text
from core.settings import find_home, mark_home
from core.submissions import Submissions

if TYPE_CHECKING:
    from core.batches import Seen

PATIENCE = 5
"""Rounds in which no open batch could be looked at before `watch` gives up."""


def add_arguments(parser: argparse.ArgumentParser, _name: str) -> None:
    """Describe the command's options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    described = {
        "list": "every batch, newest first",
        "show": "one batch",
        "collect": "look at the open batches once and fetch the results of those that ended",
        "watch": "collect until no batch is open",
    }
    for name, summary in described.items():
        action = actions.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        action.add_argument("--json", action="store_true", help="JSON rows instead of text")
        if name in ("show", "collect"):
            action.add_argument("batch_id", metavar="ID", nargs="?" if name == "collect" else None)


def run(args: argparse.Namespace) -> int:
    """Run one action; 1 if a batch could not be looked at."""
    home = find_home()
    failed = 0
    if args.action in ("collect", "watch"):
        failed = _collect(home, getattr(args, "batch_id", None), until_done=args.action == "watch")
    ledger = Ledger(home)
    ledger.sync()
    with ledger.read() as reader:
        batches = reader.batches()
    if wanted := getattr(args, "batch_id", None):
        batches = [batch for batch in batches if batch.batch_id == wanted]
        if not batches:
            raise HalfpriceError(f"This home knows no batch {wanted}. See: halfprice batch list")
    _print(home, batches, as_json=args.json, one=args.action == "show")
    return 1 if failed else 0


def _collect(home: Path, batch_id: str | None, *, until_done: bool) -> int:
    """Collect once or until nothing is open; how many batches could not be looked at in the last round.

    While another process collects for this home, it does the work and this one only waits.
    """
    if not Submissions(home).any_open():
        return 0
    from core.batches import Collector, collecting, resume_lost  # they import the SDK, which takes a second
    from core.client import Client
    from core.launch import api_kind

    client = Client()
    mark_home(home, api_kind(client))
    collector = Collector(home, client)
    fruitless = 0
    while True:
        with collecting(home) as mine:
            failed = 0
            if mine:
                failed = _tell(resume_lost(home, client)) + _tell(collector.look(batch_id))
            elif not until_done:
                print("halfprice: another process, perhaps the dashboard, collects for this home.", file=sys.stderr)
        open_ones = len(collector.open_submissions(batch_id))
        fruitless = fruitless + 1 if failed >= open_ones > 0 else 0
        if not until_done or not open_ones or fruitless == PATIENCE:
            return failed
        time.sleep(collector.pause(datetime.now(UTC)))


def _tell(looks: Iterable[Seen]) -> int:
    failed = 0
    for seen in looks:
        name = seen.submission.batch_id or seen.submission.workload
        if seen.problem:
            failed += 1
            print(f"halfprice: {name}: {seen.problem}", file=sys.stderr)
        elif seen.collected:
            print(f"halfprice: {name} has ended, its results are in.", file=sys.stderr)
    return failed


def _print(home: Path, batches: list[Batch], *, as_json: bool, one: bool) -> None:
    rows = [_row(home, batch) for batch in batches]
    if as_json:
        print(json.dumps(rows[0] if one else rows))
    elif one:
        print("\n".join(f"{name}: {'-' if value is None else value}" for name, value in rows[0].items()))
    elif not rows:
        print("No batches yet. Send one with: halfprice run FILE.jsonl --workload NAME --route batch")
    else:
        print("\n".join(_line(row) for row in rows))


def _row(home: Path, batch: Batch) -> dict[str, object]:
    return {
        "batch_id": batch.batch_id,
        "workload": batch.workload,
        "status": batch.status,
        "created_at": instant_text(batch.created_at),
        "ended_at": instant_text(batch.ended_at) if batch.ended_at else None,
        "requests": batch.requests,
        "succeeded": batch.succeeded,
        "errored": batch.errored,
        "canceled": batch.canceled,
        "expired": batch.expired,
        "cost_usd": plain_usd(batch.cost_usd) if batch.has_cost else None,
        "saved_usd": plain_usd(batch.saved_usd) if batch.has_cost else None,
        "results_path": str(home / batch.results_path) if batch.results_path else None,
    }


def _line(row: dict[str, object]) -> str:
    outcome = (
        f"{row['succeeded']} succeeded of {row['requests']}"
        if row["status"] == "ended"
        else f"{row['requests']} requests"
    )
    cost = f", ${row['cost_usd']}" if row["cost_usd"] is not None else ""
    return f"{row['batch_id']}  {row['workload']}  {row['status']}  {row['created_at']}  {outcome}{cost}"
