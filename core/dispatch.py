"""Sends prepared requests, one by one or as a batch, so that a crash loses no answer and sends nothing twice."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from core.answers import Sent as Sent
from core.answers import summed
from core.capture.ids import new_request_id
from core.capture.journal import Journal
from core.client import ApiError, BatchState, CannotSend, Client, NoAnswer
from core.files import put_in_place
from core.journal import VERSION
from core.periods import instant_text
from core.prepare import Item
from core.pricing import PriceBook
from core.responses import refusal_category
from core.submissions import Submission, Submissions, moved_on

SOURCE = "run"
AT_ONCE = 8
"""Synchronous requests under way at the same time."""
CLOCK_DIFFERENCE = timedelta(minutes=5)
"""How far this machine's clock and the API's may differ when a lost batch is looked for."""

Progress = Callable[[int, int], None]
"""Told how many requests of how many have an answer."""


def no_progress(_done: int, _total: int) -> None:
    """For callers that show none."""


def has_answers(submissions: Submissions, submission: Submission) -> bool:
    """Whether a synchronous run has an answer to any of its requests."""
    return submissions.answers_file(submission.submission_id).exists()


def send_sync(home: Path, client: Client, submission: Submission, book: PriceBook, progress: Progress) -> Sent:
    """Send what has no answer yet, record each answer, and write them in the order of the requests.

    Every answer is on disk before it counts. CannotSend stops the run; sending the same requests again goes on there.
    """
    submissions = Submissions(home)
    items = submissions.items(submission.submission_id)
    journal = Journal(home)
    answers = _Answers(submissions.answers_file(submission.submission_id))
    try:
        journal.append_all(answer["record"] for answer in answers.stored.values())
        missing = [item for item in items if item.custom_id not in answers.stored]
        progress(len(items) - len(missing), len(items))
        for answer in _each_answer(client, missing, submission.workload):
            answers.keep(answer)
            journal.append(answer["record"])
            progress(len(answers.stored), len(items))
    finally:
        journal.close()
        answers.close()
    _write_results(home / submission.results_path, [answers.stored[item.custom_id]["result"] for item in items])
    submissions.save(moved_on(submission, "finished"))
    return summed([answers.stored[item.custom_id] for item in items], book)


def submit_batch(home: Path, client: Client, submission: Submission) -> Submission:
    """Create the batch of a submission once; NoAnswer when nobody can tell whether it exists.

    The intent is on disk before the request goes out. If no answer came, the batch list is searched, and only a batch
    that is certainly this one is taken for it.
    """
    submissions = Submissions(home)
    items = submissions.items(submission.submission_id)
    if submission.stage == "sending":
        state = _find_lost(client, submissions, submission)
    else:
        submissions.save(submission := moved_on(submission, "sending"))
        try:
            state = client.create_batch([{"custom_id": item.custom_id, "params": item.params} for item in items])
        except NoAnswer as error:
            if error.error_type == "not_connected":
                submissions.save(moved_on(submission, "prepared"))
                raise
            state = _find_lost(client, submissions, submission)
        except ApiError:
            submissions.save(moved_on(submission, "prepared"))
            raise
    sent = moved_on(submission, "sent", state.batch_id)
    submissions.save(sent)
    models = {item.params["model"] for item in items}
    record_batch(home, sent, state, model=models.pop() if len(models) == 1 else None)
    return sent


def record_batch(
    home: Path, submission: Submission, state: BatchState, *, model: str | None, results: bool = False
) -> None:
    """Write what was just seen of a batch to the journal."""
    journal = Journal(home)
    journal.append(
        {
            "v": VERSION,
            "kind": "batch",
            "batch_id": state.batch_id,
            "workload": submission.workload,
            "model": model,
            "status": state.status,
            "created_at": instant_text(state.created_at),
            "ended_at": instant_text(state.ended_at) if state.ended_at else None,
            "expires_at": instant_text(state.expires_at),
            "cancel_initiated_at": instant_text(state.cancel_initiated_at) if state.cancel_initiated_at else None,
            "requests": state.requests,
            "succeeded": state.succeeded,
            "errored": state.errored,
            "canceled": state.canceled,
            "expired": state.expired,
            "results_path": submission.results_path if results else None,
            "observed_at": instant_text(datetime.now(UTC)),
        }
    )
    journal.close()


def _find_lost(client: Client, submissions: Submissions, submission: Submission) -> BatchState:
    """The batch that an unanswered request created, if it is certain which one that is."""
    known = {other.batch_id for other in submissions.all()}
    found = [
        state
        for state in client.newest_batches(100)
        if state.created_at >= submission.begun_at - CLOCK_DIFFERENCE
        and state.requests == submission.requests
        and state.batch_id not in known
    ]
    if len(found) == 1:
        return found[0]
    which = ", ".join(state.batch_id for state in found) or "none that could be it"
    raise NoAnswer(
        f"The API did not say whether it took the batch, and its list shows {which}. Look at the batches in the "
        "Console; if it is not there, send it anew with --again.",
        "uncertain",
    )


class _Answers:
    """The answers of one run on disk, each with its journal record, so that a crash repeats nothing."""

    def __init__(self, path: Path) -> None:
        content = path.read_bytes() if path.exists() else b""
        whole = content[: content.rfind(b"\n") + 1]
        entries = [json.loads(line) for line in whole.splitlines()]
        self.stored: dict[str, dict[str, Any]] = {entry["record"]["custom_id"]: entry for entry in entries}
        self._file = path.open("r+b" if path.exists() else "x+b")
        self._file.truncate(len(whole))
        self._file.seek(len(whole))

    def keep(self, answer: dict[str, Any]) -> None:
        self._file.write(json.dumps(answer, ensure_ascii=False).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        self.stored[answer["record"]["custom_id"]] = answer

    def close(self) -> None:
        self._file.close()


def _each_answer(client: Client, items: Sequence[Item], workload: str) -> Iterator[dict[str, Any]]:
    """Answers as they come, a bounded number under way; after CannotSend nothing more is begun."""
    queue = iter(items)
    stop: CannotSend | None = None
    with ThreadPoolExecutor(AT_ONCE) as pool:
        running: set[Future[dict[str, Any]]] = set()
        while True:
            while stop is None and len(running) < AT_ONCE and (item := next(queue, None)) is not None:
                running.add(pool.submit(_answer, client, item, workload))
            if not running:
                break
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                try:
                    yield future.result()
                except CannotSend as error:
                    stop = error
    if stop is not None:
        raise stop


def _answer(client: Client, item: Item, workload: str) -> dict[str, Any]:
    """Send one request; what comes back as a result line and as a journal record."""
    record = {
        "v": VERSION,
        "kind": "request",
        "request_id": new_request_id(),
        "sent_at": instant_text(datetime.now(UTC)),
        "route": "sync",
        "workload": workload,
        "model": item.params["model"],
        "custom_id": item.custom_id,
        "source": SOURCE,
    }
    try:
        answer = client.send(item.params)
    except CannotSend:
        raise
    except ApiError as error:
        ended = {"status": "errored", "error_type": error.error_type, "attempts": error.attempts, "usage": None}
        failure = {"type": "error", "error": {"type": error.error_type, "message": str(error)}}
        result: dict[str, Any] = {"type": "errored", "error": failure}
        return _kept(record, ended | {"api_request_id": error.api_request_id}, item, result)
    ended = {
        "status": "succeeded",
        "model": answer.message["model"],
        "message_id": answer.message["id"],
        "stop_reason": answer.message.get("stop_reason"),
        "refusal_category": refusal_category(answer.message),
        "api_request_id": answer.api_request_id,
        "attempts": answer.attempts,
        "usage": answer.message["usage"],
    }
    return _kept(record, ended, item, {"type": "succeeded", "message": answer.message})


def _kept(record: dict[str, Any], ended: Mapping[str, Any], item: Item, result: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "record": {**record, "ended_at": instant_text(datetime.now(UTC)), **ended},
        "result": {"custom_id": item.custom_id, "result": result},
    }


def _write_results(path: Path, results: Sequence[Mapping[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "w", encoding="utf-8") as file:
        for result in results:
            file.write(json.dumps(result, ensure_ascii=False) + "\n")
        file.flush()
        os.fsync(file.fileno())
    put_in_place(beside, path)
