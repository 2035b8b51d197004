"""What was submitted, kept in the home so that a process that dies neither loses it nor sends it twice."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Literal

from core.errors import HalfpriceError
from core.files import write_whole
from core.periods import instant_text, parse_instant
from core.prepare import Item, canonical

Stage = Literal["prepared", "sending", "sent", "finished", "abandoned"]
"""How far a submission is.

`sending`: the request to create the batch is out and nobody has heard back; then it is never sent again blindly.
`abandoned`: unfinished when the user sent the same requests anew.
"""


@dataclass(frozen=True, slots=True)
class Submission:
    """One run of one workload's requests; runs of the same requests differ only in the end of `submission_id`.

    `model` is that of all its requests, None when they differ; `sending_at` is when the batch was asked for.
    """

    submission_id: str
    workload: str
    route: Literal["sync", "batch"]
    requests: int
    stage: Stage
    begun_at: datetime
    batch_id: str | None
    estimate_usd: str | None
    results_path: str
    model: str | None = None
    sending_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        """Whether there is a batch of it whose results are not in yet, or may be one."""
        return self.route == "batch" and self.stage in ("sending", "sent")


_TIMES = ("begun_at", "sending_at")


class Submissions:
    """The submissions of one home, each a folder with its requests and its state."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._folder = home / "submissions"

    def folder(self, submission_id: str) -> Path:
        """Where a submission keeps its files."""
        return self._folder / submission_id

    @contextmanager
    def locked(self, submission_id: str) -> Iterator[None]:
        """Hold every run of the same requests for this process; HalfpriceError if another one has them."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        requests = submission_id.partition("-")[0]
        fd = os.open(self._folder / f"{requests}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise HalfpriceError("These requests are being sent by another process right now.") from None
            yield
        finally:
            os.close(fd)

    def create(self, submission: Submission, items: Sequence[Item]) -> None:
        """Store the requests and the state, durably, before anything is sent."""
        folder = self.folder(submission.submission_id)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lines = [canonical({"custom_id": item.custom_id, "params": item.params}) + b"\n" for item in items]
        write_whole(self.requests_file(submission.submission_id), b"".join(lines))
        self.save(submission)

    def save(self, submission: Submission) -> None:
        """Store the state, durably."""
        times = {name: instant_text(at) if (at := getattr(submission, name)) else None for name in _TIMES}
        state = asdict(submission) | times
        write_whole(self.folder(submission.submission_id) / "state.json", json.dumps(state, indent=1).encode() + b"\n")

    def find(self, submission_id: str) -> Submission | None:
        """The state of a submission; None if there is none."""
        try:
            state = json.loads((self.folder(submission_id) / "state.json").read_bytes())
        except FileNotFoundError:
            return None
        times = {name: parse_instant(text) if (text := state.get(name)) else None for name in _TIMES}
        return Submission(**(state | times))

    def all(self) -> list[Submission]:
        """Every submission, newest first."""
        names = [path.parent.name for path in self._folder.glob("*/state.json")]
        found = [submission for name in names if (submission := self.find(name))]
        return sorted(found, key=lambda submission: submission.begun_at, reverse=True)

    def any_open(self) -> bool:
        """Whether there is anything to collect."""
        return any(submission.is_open for submission in self.all())

    def runs(self, workload: str, digest: str) -> list[Submission]:
        """Every submission of the same workload and requests, oldest first."""
        found: list[Submission] = []
        while (submission := self.find(submission_id(workload, digest, len(found) + 1))) is not None:
            found.append(submission)
        return found

    def requests_file(self, submission_id: str) -> Path:
        """Where a submission keeps its requests, one a line in their order."""
        return self.folder(submission_id) / "requests.jsonl"

    def answers_file(self, submission_id: str) -> Path:
        """Where a synchronous run keeps its answers, one a line as they come, each with its journal record."""
        return self.folder(submission_id) / "answers.jsonl"

    def items(self, submission_id: str) -> list[Item]:
        """The requests as they were, or will be, sent; `line` is the place among them, from 1."""
        with self.requests_file(submission_id).open("rb") as file:
            entries = [json.loads(line) for line in file]
        return [Item(entry["custom_id"], entry["params"], place) for place, entry in enumerate(entries, start=1)]


def submission_id(workload: str, digest: str, run: int = 1) -> str:
    """The id of the n-th run of the same workload and requests.

    >>> submission_id("app-reviews", "ab" * 32), submission_id("app-reviews", "ab" * 32, run=2)
    ('993401a935d5d6c9', '993401a935d5d6c9-2')
    """
    name = hashlib.sha256(canonical([workload, digest])).hexdigest()[:16]
    return name if run == 1 else f"{name}-{run}"


def moved_on(submission: Submission, stage: Stage, batch_id: str | None = None) -> Submission:
    """The submission at a later stage."""
    return replace(submission, stage=stage, batch_id=batch_id or submission.batch_id)
