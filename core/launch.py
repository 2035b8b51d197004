"""Sends a plan once, however often and from wherever it is asked for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Literal

from core.capture.journal import Journal
from core.client import Client
from core.dispatch import Progress, Sent, has_answers, no_progress, send_sync, submit_batch
from core.errors import HalfpriceError
from core.money import plain_usd
from core.plan import Plan as Plan
from core.plan import find_workload as find_workload
from core.plan import make_plan as make_plan
from core.plan import workload_file as workload_file
from core.prepare import BadRequests, Item, Problem
from core.pricing import PriceBook
from core.routing import decision_record
from core.settings import mark_home
from core.submissions import Submission, Submissions, submission_id

REPEAT_AFTER = timedelta(hours=24)
"""How long the same requests of a workload are taken for a mistake when they are sent once more."""

SentRoute = Literal["sync", "batch"]


@dataclass(frozen=True, slots=True)
class Launched:
    """What a launch did; `sent` is there for a synchronous run, which is then finished."""

    submission: Submission
    sent: Sent | None


def check_api(home: Path, client: Client, items: Iterable[Item]) -> list[Problem]:
    """Prove that the API takes these requests: the key, the home it belongs to, the models. ApiError if it does not."""
    mark_home(home, "sandbox" if client.check() else "real")
    first_line: dict[str, int] = {}
    for item in items:
        first_line.setdefault(item.params["model"], item.line)
    return [
        Problem(line, f"the API knows no model {model}")
        for model, line in first_line.items()
        if not client.knows_model(model)
    ]


def launch(
    home: Path,
    client: Client,
    plan: Plan,
    book: PriceBook,
    now: datetime,
    *,
    again: bool = False,
    out: Path | None = None,
    progress: Progress = no_progress,
) -> Launched:
    """Send the plan once: finish what an earlier process began, refuse what was sent in the last 24 hours."""
    if plan.problems:
        raise BadRequests(plan.name, plan.problems)
    submissions = Submissions(home)
    with submissions.locked(submission_id(plan.name, plan.prepared.digest)):
        submission = _begin(submissions, plan, now, again=again, out=out)
        if submission.route == "batch":
            return Launched(submit_batch(home, client, submission), None)
        return Launched(submission, send_sync(home, client, submission, book, progress))


def _begin(submissions: Submissions, plan: Plan, now: datetime, *, again: bool, out: Path | None) -> Submission:
    runs = submissions.runs(plan.name, plan.prepared.digest)
    last = runs[-1] if runs else None
    if last is not None and last.stage in ("prepared", "sending") and not again:
        return _resumed(submissions, last, plan)
    if last is not None and not again and (last.stage == "sent" or now - last.begun_at < REPEAT_AFTER):
        how = f"as {last.batch_id}" if last.batch_id else "synchronously"
        raise HalfpriceError(
            f"These requests of {plan.name} were sent {how} on {last.begun_at:%Y-%m-%d %H:%M} UTC. Nothing was sent; "
            "to pay for them once more say --again."
        )
    name = submission_id(plan.name, plan.prepared.digest, len(runs) + 1)
    submission = Submission(
        submission_id=name,
        workload=plan.name,
        route="batch" if plan.route == "batch" else "sync",
        requests=len(plan.prepared.items),
        stage="prepared",
        begun_at=now,
        batch_id=None,
        estimate_usd=_text(plan.estimate_usd),
        results_path=str(out.absolute()) if out else f"results/{name}.jsonl",
    )
    submissions.create(submission, plan.prepared.items)
    journal = Journal(submissions.home)
    journal.append(decision_record(plan.workload, plan.decision, now))
    journal.close()
    return submission


def _resumed(submissions: Submissions, last: Submission, plan: Plan) -> Submission:
    """The unfinished submission; it may still take the other route while nothing of it was sent."""
    route: SentRoute = "batch" if plan.route == "batch" else "sync"
    if last.route != route and last.stage == "prepared" and not has_answers(submissions, last):
        last = replace(last, route=route, estimate_usd=_text(plan.estimate_usd))
        submissions.save(last)
    return last


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else plain_usd(amount)
