"""Follows submitted batches until their results are on disk and in the ledger."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from core.capture.journal import Journal
from core.client import ApiError, BatchState, Client
from core.dispatch import SOURCE, record_batch, submit_batch
from core.errors import HalfpriceError
from core.files import put_in_place
from core.journal import VERSION
from core.periods import instant_text
from core.responses import refusal_category
from core.submissions import Submission, Submissions, moved_on

POLL_S = 60.0
"""Seconds between two looks at a batch. Source: platform.claude.com/docs/en/build-with-claude/batch-processing"""
SLOW_POLL_S = 300.0
"""The same once the batch is older than an hour."""
LOCAL_POLL_S = 1.0
"""The same against a sandbox on this machine."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One look at one batch: its state, or why it could not be looked at; `collected` when its results are in."""

    submission: Submission
    state: BatchState | None
    collected: bool
    problem: str | None = None


class Collector:
    """The one process or thread that collects for a home; others find it taken."""

    def __init__(self, home: Path, client: Client) -> None:
        self._home = home
        self._client = client
        self._submissions = Submissions(home)

    def open_submissions(self, batch_id: str | None = None) -> list[Submission]:
        """Batches whose results are not in yet, oldest first; only the one if `batch_id` names it."""
        return [
            submission
            for submission in reversed(self._submissions.all())
            if submission.route == "batch" and submission.stage == "sent" and batch_id in (None, submission.batch_id)
        ]

    def look(self, batch_id: str | None = None) -> Iterator[Seen]:
        """Look at every open batch once and collect those that ended; one that fails does not stop the others."""
        for submission in self.open_submissions(batch_id):
            try:
                yield self._look_at(submission)
            except (ApiError, OSError) as error:
                yield Seen(submission, None, collected=False, problem=str(error))

    def pause(self, now: datetime) -> float:
        """Seconds until the next look is due."""
        if self._client.is_local:
            return LOCAL_POLL_S
        young = any(now - submission.begun_at < timedelta(hours=1) for submission in self.open_submissions())
        return POLL_S if young else SLOW_POLL_S

    def _look_at(self, submission: Submission) -> Seen:
        batch_id = submission.batch_id or ""
        state = self._client.retrieve_batch(batch_id)
        models = {item.custom_id: item.params["model"] for item in self._submissions.items(submission.submission_id)}
        model = next(iter(models.values())) if len(set(models.values())) == 1 else None
        if state.status != "ended" or not state.has_results:
            record_batch(self._home, submission, state, model=model)
            return Seen(submission, state, collected=False)
        path = self._home / submission.results_path
        _fetch(self._client, batch_id, path, set(models))
        journal = Journal(self._home)
        try:
            journal.append_all(_records(path, submission, state, models))
        finally:
            journal.close()
        record_batch(self._home, submission, state, model=model, results=True)
        self._submissions.save(moved_on(submission, "finished"))
        return Seen(submission, state, collected=True)


@contextmanager
def collecting(home: Path) -> Iterator[bool]:
    """Be the home's collector, of which there is one at a time; False if another process is."""
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    fd = os.open(home / "collector.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(fd)


def resume_lost(home: Path, client: Client) -> list[Seen]:
    """Settle submissions whose process died while the batch was being created; nothing is ever sent again here."""
    submissions = Submissions(home)
    settled = []
    for submission in submissions.all():
        if submission.route == "batch" and submission.stage == "sending":
            try:
                with submissions.locked(submission.submission_id):
                    settled.append(Seen(submit_batch(home, client, submission), None, collected=False))
            except HalfpriceError as error:
                settled.append(Seen(submission, None, collected=False, problem=str(error)))
    return settled


def _fetch(client: Client, batch_id: str, path: Path, sent: set[str]) -> None:
    """Bring the results into a file that is whole: one line for each item that was sent, or no file."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    missing = set(sent)
    with os.fdopen(fd, "w", encoding="utf-8") as file, client.result_lines(batch_id) as lines:
        for line in filter(None, lines):
            custom_id = _custom_id(line)
            if custom_id not in missing:
                what = "twice" if custom_id in sent else "that was not sent"
                raise ApiError(f"The results of {batch_id} name the item {custom_id} {what}.", "bad_results")
            missing.discard(custom_id)
            file.write(line + "\n")
        file.flush()
        os.fsync(file.fileno())
    if missing:
        raise ApiError(
            f"The results of {batch_id} broke off: {len(missing):,} of {len(sent):,} items are missing.", "bad_results"
        )
    put_in_place(beside, path)


def _custom_id(line: str) -> str:
    try:
        return str(json.loads(line)["custom_id"])
    except (json.JSONDecodeError, KeyError, TypeError):
        raise ApiError(f"A line of results is not whole: {line[:60]!r}.", "bad_results") from None


def _records(path: Path, submission: Submission, state: BatchState, models: dict[str, str]) -> Iterator[dict[str, Any]]:
    common = {
        "v": VERSION,
        "kind": "request",
        "sent_at": instant_text(state.created_at),
        "ended_at": instant_text(state.ended_at) if state.ended_at else None,
        "route": "batch",
        "workload": submission.workload,
        "batch_id": state.batch_id,
        "source": SOURCE,
    }
    with path.open(encoding="utf-8") as file:
        for line in file:
            entry = json.loads(line)
            custom_id = entry["custom_id"]
            request_id = item_id(state.batch_id, custom_id, state.created_at)
            own = {"request_id": request_id, "custom_id": custom_id}
            yield common | own | _outcome(entry["result"], models[custom_id])


def _outcome(result: dict[str, Any], model: str) -> dict[str, Any]:
    status = result["type"]
    if status != "succeeded":
        error = (result.get("error") or {}).get("error") or {}
        return {"status": status, "model": model, "error_type": error.get("type"), "usage": None}
    message = result["message"]
    return {
        "status": status,
        "model": message["model"],
        "message_id": message["id"],
        "stop_reason": message.get("stop_reason"),
        "refusal_category": refusal_category(message),
        "usage": message["usage"],
    }


def item_id(batch_id: str, custom_id: str, created_at: datetime) -> str:
    """The request id of a batch item: a UUIDv7 of the batch's creation that is the same however often it is collected.

    >>> item_id("msgbatch_1", "a", datetime.fromisoformat("2026-11-01T00:00:00Z"))
    '01a19467-e800-79d4-9429-fa2bf696f397'
    """
    digest = int.from_bytes(hashlib.sha256(f"{batch_id}/{custom_id}".encode()).digest()[:16])
    milliseconds = int(created_at.timestamp() * 1_000)
    random_a, random_b = digest >> 116, digest & (1 << 62) - 1
    return str(UUID(int=milliseconds << 80 | 0x7 << 76 | random_a << 64 | 0b10 << 62 | random_b))
