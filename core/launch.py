"""Sends a plan once, however often and from wherever it is asked for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Literal

from core.answers import Sent
from core.capture.journal import Journal
from core.client import Client
from core.dispatch import Progress, has_answers, has_failures, no_progress, send_sync, submit_batch
from core.errors import HalfpriceError, UsageError
from core.files import write_whole
from core.money import plain_usd
from core.plan import Plan
from core.prepare import BadRequests, Item, Problem
from core.pricing import PriceBook
from core.routing import decision_record
from core.settings import Kind, mark_home, refuse_other_kind
from core.submissions import Submission, Submissions, moved_on, submission_id

REPEAT_AFTER = timedelta(hours=20)
"""How long the same requests of a workload are taken for a mistake when they are sent once more; less than a day, so
that a nightly job with the same requests is none."""

SentRoute = Literal["sync", "batch"]


@dataclass(frozen=True, slots=True)
class Launched:
    """What a launch did; `sent` is there for a synchronous run, which is then finished."""

    submission: Submission
    sent: Sent | None


def check_api(home: Path, client: Client, items: Iterable[Item]) -> list[Problem]:
    """Prove that the API takes these requests: the key, the home it belongs to, the models. ApiError if it does not."""
    refuse_other_kind(home, api_kind(client))
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
    """Send the plan once: finish what an earlier process began, refuse what was sent in the last 20 hours."""
    if plan.problems:
        raise BadRequests(plan.name, plan.problems)
    mark_home(home, api_kind(client))
    submissions = Submissions(home)
    with submissions.locked(submission_id(plan.name, plan.prepared.digest)):
        submission = _begin(submissions, plan, now, again=again, out=out)
        if submission.route == "batch":
            return Launched(submit_batch(home, client, submission), None)
        return Launched(submission, send_sync(home, client, submission, book, progress))


def api_kind(client: Client) -> Kind:
    """What answers: the sandbox, or the real API, which bills. ApiError if nothing does."""
    return "sandbox" if client.check() else "real"


def _begin(submissions: Submissions, plan: Plan, now: datetime, *, again: bool, out: Path | None) -> Submission:
    runs = submissions.runs(plan.name, plan.prepared.digest)
    last = runs[-1] if runs else None
    if last is not None and not again:
        if last.stage in ("prepared", "sending") or (last.route == "sync" and has_failures(submissions, last)):
            return _resumed(submissions, last, plan, out)
        if last.stage == "sent" or now - last.begun_at < REPEAT_AFTER:
            how = f"as {last.batch_id}" if last.batch_id else "synchronously"
            raise HalfpriceError(
                f"These requests of {plan.name} were sent {how} on {last.begun_at:%Y-%m-%d %H:%M} UTC. Nothing was "
                "sent; to pay for them once more say so (--again)."
            )
    for unfinished in runs:
        if unfinished.stage in ("prepared", "sending"):
            submissions.save(moved_on(unfinished, "abandoned"))
    return _begun(submissions, plan, now, submission_id(plan.name, plan.prepared.digest, len(runs) + 1), out)


def _begun(submissions: Submissions, plan: Plan, now: datetime, name: str, out: Path | None) -> Submission:
    models = {item.params["model"] for item in plan.prepared.items}
    submission = Submission(
        submission_id=name,
        workload=plan.name,
        route=_route(plan),
        requests=len(plan.prepared.items),
        stage="prepared",
        begun_at=now,
        batch_id=None,
        estimate_usd=_text(plan.estimate_usd),
        results_path=_results_path(out, name),
        model=models.pop() if len(models) == 1 else None,
    )
    journal = Journal(submissions.home)
    journal.append(decision_record(plan.workload, plan.decision, now))
    journal.close()
    submissions.create(submission, plan.prepared.items)
    return submission


def _resumed(submissions: Submissions, last: Submission, plan: Plan, out: Path | None) -> Submission:
    """The unfinished submission; it may still take the other route while nothing of it was sent."""
    route = _route(plan)
    if last.route != route and (last.stage != "prepared" or has_answers(submissions, last)):
        raise HalfpriceError(
            f"These requests of {plan.name} were begun by the {last.route} route and are not finished. Nothing was "
            f"sent; say --route {last.route} to go on, or --again to send all of them anew by the {route} route."
        )
    changed = replace(last, route=route, estimate_usd=_text(plan.estimate_usd))
    if out is not None:
        changed = replace(changed, results_path=_results_path(out, last.submission_id))
    submissions.save(changed)
    return changed


def _route(plan: Plan) -> SentRoute:
    return "batch" if plan.route == "batch" else "sync"


def _results_path(out: Path | None, name: str) -> str:
    """Where the answers will go; UsageError if they could not, before anything is paid for."""
    if out is None:
        return f"results/{name}.jsonl"
    path = out.absolute()
    if path.exists():
        raise UsageError(f"{out} exists already. Name a new file for the answers.")
    try:
        write_whole(path, b"")
        path.unlink()
    except OSError as error:
        raise UsageError(f"{out} cannot be written: {error.strerror}.") from None
    return str(path)


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else plain_usd(amount)
