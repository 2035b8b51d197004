"""`halfprice run`: send a file of requests by the route that fits."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from core.answers import Sent
from core.client import ApiError, Client
from core.errors import UsageError
from core.launch import Launched, check_api, launch
from core.money import plain_usd
from core.plan import Plan, find_workload, make_plan
from core.prepare import BadRequests, Problem
from core.pricing import PriceBook
from core.settings import find_home


def add_arguments(parser: argparse.ArgumentParser, _name: str) -> None:
    """Describe the command's options."""
    parser.add_argument("file", metavar="FILE.jsonl", type=Path, help='lines {"custom_id"?, "params": {…}}')
    parser.add_argument("--workload", metavar="NAME", required=True, help="the workload that the requests belong to")
    parser.add_argument(
        "--route", choices=("auto", "sync", "batch"), default="auto", help="default auto: the checklist"
    )
    parser.add_argument("--yes", action="store_true", help="do not ask before sending; undecided goes synchronously")
    parser.add_argument("--again", action="store_true", help="send requests that were sent already, and pay again")
    parser.add_argument("--out", metavar="FILE", type=Path, help="where the answers go; default in the home's results")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of text")


def run(args: argparse.Namespace) -> int:
    """Plan, ask, send; 0 when everything sent so far succeeded."""
    home, book, now = find_home(), PriceBook.load(), datetime.now(UTC)
    workload = find_workload(home, args.workload, args.file)
    try:
        with args.file.open("rb") as stream:
            plan = make_plan(stream, workload, args.workload, args.route, book, now)
    except OSError as error:
        raise UsageError(f"{args.file} cannot be read: {error.strerror}.") from None
    client = _checked_client(home, args.file, plan)
    _say(_summary(plan, args.file))
    agreed = plan if args.yes else _agreed(plan)
    if agreed is None:
        _say("Nothing was sent.")
        return 1
    try:
        launched = launch(home, client, agreed, book, now, again=args.again, out=args.out, progress=_progress)
    except KeyboardInterrupt:
        _say("Interrupted. What was answered is kept; the same command goes on from there.")
        raise
    document = _document(home, launched)
    print(json.dumps(document) if args.json else _told(document))
    if launched.sent is not None:
        _remark(agreed, launched.sent)
    return 1 if document["errored"] else 0


def _remark(plan: Plan, sent: Sent) -> None:
    if sent.unpriced:
        _say(f"{sent.unpriced:,} answers have no price; the others cost ${plain_usd(sent.cost_usd)}.")
    elif plan.route == "undecided":
        as_batch = plain_usd(sent.batch_usd)
        _say(f"Sent synchronously because questions are open; as a batch it would have cost ${as_batch}.")
    if sent.errored:
        _say(f"{sent.errored:,} errored. The same command sends those again whose reason may pass.")


def _checked_client(home: Path, file: Path, plan: Plan) -> Client:
    """The API, ready to take the plan; everything wrong with the file, the key and the models is said at once."""
    problems = list(plan.problems)
    try:
        client = Client(patient=False)
        problems += check_api(home, client, plan.prepared.items)
    except ApiError as error:
        if not problems:
            raise
        problems.append(Problem(0, str(error).rstrip(".")))
    if problems:
        raise BadRequests(str(file), problems)
    return Client()


def _summary(plan: Plan, file: Path) -> str:
    estimate = plan.estimate
    both = [
        f"{route} about ${amount:,.4f}" if amount is not None else f"{route} unknown"
        for route, amount in (("sync", estimate.sync_usd), ("batch", estimate.batch_usd))
    ]
    bound = "" if estimate.output_known else ", if every answer is as long as max_tokens allows"
    lines = [f"{file}: {estimate.requests:,} requests of {plan.name}. {', '.join(both)}{bound}."]
    if estimate.unpriced_models:
        lines.append(f"No price is known for {', '.join(estimate.unpriced_models)}.")
    as_asked = "" if plan.route == plan.decision.route else ", as asked. The checklist says"
    lines.append(f"Route: {plan.route}{as_asked}: {plan.decision.recommendation}")
    return "\n".join(lines)


def _agreed(plan: Plan) -> Plan | None:
    """The plan as the person wants it; None if it should not be sent."""
    if not sys.stdin.isatty():
        raise UsageError("Nobody is there to confirm. Say --yes to send without being asked.")
    if plan.route == "undecided":
        chosen = _ask("Send them [s]ynchronously, as a [b]atch, or [n]ot at all? [s/b/N] ")
        return {"s": replace(plan, route="sync"), "b": replace(plan, route="batch")}.get(chosen[:1])
    return plan if _ask(f"Send them by the {plan.route} route? [y/N] ") in ("y", "yes") else None


def _ask(question: str) -> str:
    print(question, end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower()


def _progress(done: int, total: int) -> None:
    if sys.stderr.isatty():
        filled = 30 * done // max(total, 1)
        end = "\n" if done == total else ""
        print(f"\r[{'#' * filled}{'.' * (30 - filled)}] {done:,} of {total:,}", end=end, file=sys.stderr, flush=True)


def _document(home: Path, launched: Launched) -> dict[str, Any]:
    submission, sent = launched.submission, launched.sent
    return {
        "route": submission.route,
        "batch_ids": [submission.batch_id] if submission.batch_id else [],
        "requests": submission.requests,
        "succeeded": sent.succeeded if sent else 0,
        "errored": sent.errored if sent else 0,
        "estimate_usd": submission.estimate_usd,
        "cost_usd": None if sent is None or sent.unpriced else plain_usd(sent.cost_usd),
        "results_path": str(home / submission.results_path),
    }


def _told(document: dict[str, Any]) -> str:
    if document["batch_ids"]:
        batch_id = document["batch_ids"][0]
        return (
            f"Batch {batch_id} with {document['requests']:,} requests is under way. "
            f"Its answers come with: halfprice batch watch (they go to {document['results_path']})"
        )
    cost = "unknown" if document["cost_usd"] is None else f"${document['cost_usd']}"
    return (
        f"{document['succeeded']:,} succeeded, {document['errored']:,} errored, synchronously. "
        f"Cost: {cost}. Answers: {document['results_path']}"
    )


def _say(text: str) -> None:
    print(text, file=sys.stderr)
