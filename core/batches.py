"""Follows submitted batches until their results are on disk and in the ledger."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from core.capture.ids import item_id
from core.capture.journal import Journal
from core.capture.lines import request_line
from core.capture.messages import result_fields
from core.client import ApiError, BatchState, Client
from core.dispatch import SOURCE, record_batch, submit_batch
from core.errors import HalfpriceError
from core.files import write_parts
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
    """Looks at the open batches of a home and collects what ended; hold `collecting` meanwhile."""

    def __init__(self, home: Path, client: Client) -> None:
        self._home = home
        self._client = client
        self._submissions = Submissions(home)
        self._recorded: dict[str, BatchState] = {}

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
        if state.status != "ended" or not state.has_results:
            if self._recorded.get(batch_id) != state:  # a look that saw nothing new is no journal line
                record_batch(self._home, submission, state)
                self._recorded[batch_id] = state
            return Seen(submission, state, collected=False)
        path = self._home / submission.results_path
        items = self._submissions.items(submission.submission_id)
        models = {item.custom_id: item.params["model"] for item in items}
        with self._client.result_lines(batch_id) as lines:
            write_parts(path, _checked(lines, batch_id, set(models)))
        journal = Journal(self._home)
        try:
            journal.append_all(_records(path, submission, state, models))
        finally:
            journal.close()
        record_batch(self._home, submission, state, results=True)
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


def _checked(lines: Iterator[bytes], batch_id: str, sent: set[str]) -> Iterator[bytes]:
    """The lines of the items that were sent, each once; ApiError at the end if one of them is missing.

    A line for an item that was not sent, or a second one for the same item, is left out: it is not this batch's.
    """
    missing = set(sent)
    for line in lines:
        custom_id = _custom_id(line)
        if custom_id in missing:
            missing.discard(custom_id)
            yield line + b"\n"
    if missing:
        what = f"The results of {batch_id} are not whole: {len(missing):,} of {len(sent):,} items are missing."
        raise ApiError(what, "bad_results")


def _custom_id(line: bytes) -> str | None:
    """The item that a line of results is about; None for a line that is none."""
    try:
        return str(json.loads(line)["custom_id"])
    except (ValueError, KeyError, TypeError):
        return None


def _records(path: Path, submission: Submission, state: BatchState, models: dict[str, str]) -> Iterator[dict[str, Any]]:
    with path.open("rb") as file:
        for line in file:
            entry = json.loads(line)
            custom_id = entry["custom_id"]
            yield request_line(
                request_id=item_id(state.batch_id, custom_id, state.created_at),
                sent_at=state.created_at,
                ended_at=state.ended_at,
                route="batch",
                workload=submission.workload,
                batch_id=state.batch_id,
                custom_id=custom_id,
                source=SOURCE,
                **result_fields(entry.get("result"), models[custom_id]),
            )
