"""Sends prepared requests, one by one or as a batch, so that a crash loses no answer and sends nothing twice."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from core.answers import Sent, summed
from core.capture.ids import new_request_id
from core.capture.journal import Journal
from core.capture.lines import batch_line, request_line
from core.capture.messages import message_fields
from core.client import ANSWER_S, ApiError, BatchState, CannotSend, Client, NoAnswer
from core.files import write_parts
from core.prepare import Item
from core.pricing import PriceBook
from core.submissions import Submission, Submissions, moved_on

SOURCE = "run"
AT_ONCE = 8
"""Synchronous requests under way at the same time."""
FINAL_ERRORS = frozenset({"invalid_request_error", "not_found_error", "request_too_large"})
"""Errors that the same request would meet again."""
CLOCK_DIFFERENCE = timedelta(minutes=5)
"""How far this machine's clock and the API's may differ when a lost batch is looked for."""

Progress = Callable[[int, int], None]
"""Told how many requests of how many have an answer."""


def no_progress(_done: int, _total: int) -> None:
    """For callers that show none."""


def has_answers(submissions: Submissions, submission: Submission) -> bool:
    """Whether a synchronous run has an answer to any of its requests."""
    return bool(_stored(submissions.answers_file(submission.submission_id)))


def has_failures(submissions: Submissions, submission: Submission) -> bool:
    """Whether sending a finished synchronous run again would send something: what failed for a passing reason."""
    answers = _stored(submissions.answers_file(submission.submission_id)).values()
    return any(_may_be_repeated(answer) for answer in answers)


def send_sync(home: Path, client: Client, submission: Submission, book: PriceBook, progress: Progress) -> Sent:
    """Send what has no answer yet or failed for a passing reason, and write all answers in the order of the requests.

    Every answer is on disk before it counts, whatever happens to this process meanwhile. CannotSend stops the run;
    sending the same requests again goes on there.
    """
    submissions = Submissions(home)
    items = submissions.items(submission.submission_id)
    journal = Journal(home)
    answers = _Answers(submissions.answers_file(submission.submission_id), journal)
    try:
        missing = [item for item in items if item.custom_id not in answers.stored]
        progress(len(items) - len(missing), len(items))
        for _ in _each_answer(client, missing, submission.workload, answers):
            progress(len(answers.stored), len(items))
    finally:
        answers.close()
        journal.close()
    ordered = [answers.stored[item.custom_id] for item in items]
    write_parts(home / submission.results_path, (_json_line(answer["result"]) for answer in ordered))
    submissions.save(moved_on(submission, "finished"))
    return summed(ordered, book)


def submit_batch(home: Path, client: Client, submission: Submission) -> Submission:
    """Create the batch of a submission once; NoAnswer when nobody can tell whether it exists.

    The intent is on disk before the request goes out. If no answer came, the batch list is searched, and a batch is
    taken for this one only if it was created then, has as many requests, and no other one of ours could be it.
    """
    submissions = Submissions(home)
    items = submissions.items(submission.submission_id)
    if submission.stage == "sending":
        state = _find_lost(client, submissions, submission)
    else:
        submission = replace(moved_on(submission, "sending"), sending_at=datetime.now(UTC))
        submissions.save(submission)
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
    record_batch(home, sent, state)
    return sent


def record_batch(home: Path, submission: Submission, state: BatchState, *, results: bool = False) -> None:
    """Write what was just seen of a batch to the journal."""
    journal = Journal(home)
    journal.append(
        batch_line(
            batch_id=state.batch_id,
            workload=submission.workload,
            model=submission.model,
            status=state.status,
            created_at=state.created_at,
            ended_at=state.ended_at,
            expires_at=state.expires_at,
            cancel_initiated_at=state.cancel_initiated_at,
            requests=state.requests,
            succeeded=state.succeeded,
            errored=state.errored,
            canceled=state.canceled,
            expired=state.expired,
            results_path=submission.results_path if results else None,
            observed_at=datetime.now(UTC),
        )
    )
    journal.close()


def _find_lost(client: Client, submissions: Submissions, submission: Submission) -> BatchState:
    """The batch that an unanswered request created, if it is certain which one that is."""
    others = [other for other in submissions.all() if other.submission_id != submission.submission_id]
    rivals = [other for other in others if other.stage == "sending" and other.requests == submission.requests]
    known = {other.batch_id for other in others}
    began = submission.sending_at or submission.begun_at
    found = [
        state
        for state in client.newest_batches(100)
        if began - CLOCK_DIFFERENCE <= state.created_at <= began + timedelta(seconds=ANSWER_S) + CLOCK_DIFFERENCE
        and state.requests == submission.requests
        and state.batch_id not in known
    ]
    if len(found) == 1 and not rivals:
        return found[0]
    which = ", ".join(state.batch_id for state in found) or "none that could be it"
    raise NoAnswer(
        f"The API did not say whether it took the batch, and its list shows {which}. Look at the batches in the "
        "Console; if it is not there, send it anew with --again.",
        "uncertain",
    )


class _Answers:
    """The answers of one run on disk, each with its journal record, so that a crash repeats nothing.

    What failed for a passing reason is left out when the run is taken up again, and so is sent again.
    """

    def __init__(self, path: Path, journal: Journal) -> None:
        self.stored = {name: kept for name, kept in _stored(path).items() if not _may_be_repeated(kept)}
        self._journal = journal
        self._lock = threading.Lock()
        write_parts(path, (_json_line(answer) for answer in self.stored.values()))
        self._file = path.open("ab")
        journal.append_all(answer["record"] for answer in self.stored.values())

    def keep(self, answer: dict[str, Any]) -> None:
        with self._lock:
            self._file.write(_json_line(answer))
            self._file.flush()
            os.fsync(self._file.fileno())
            self.stored[answer["record"]["custom_id"]] = answer
        self._journal.append(answer["record"])

    def close(self) -> None:
        self._file.close()


def _stored(path: Path) -> dict[str, dict[str, Any]]:
    """The answers in a file by custom_id; a torn last line is none."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return {}
    entries = [json.loads(line) for line in content[: content.rfind(b"\n") + 1].splitlines()]
    return {entry["record"]["custom_id"]: entry for entry in entries}


def _may_be_repeated(answer: Mapping[str, Any]) -> bool:
    record = answer["record"]
    return record["status"] == "errored" and record["error_type"] not in FINAL_ERRORS


def _each_answer(client: Client, items: Sequence[Item], workload: str, answers: _Answers) -> Iterator[None]:
    """One turn for each answer kept, a bounded number under way; after CannotSend nothing more is begun.

    The threads keep the answers themselves: what was paid for is kept also when this one is interrupted.
    """

    def send(item: Item) -> None:
        answers.keep(_answer(client, item, workload))

    queue = iter(items)
    stop: CannotSend | None = None
    with ThreadPoolExecutor(AT_ONCE) as pool:
        running: set[Future[None]] = set()
        while True:
            while stop is None and len(running) < AT_ONCE and (item := next(queue, None)) is not None:
                running.add(pool.submit(send, item))
            if not running:
                break
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                try:
                    future.result()
                except CannotSend as error:
                    stop = error
                else:
                    yield
    if stop is not None:
        kept = len(answers.stored)
        message = f"{stop} {kept:,} answers are kept; the same command goes on from there."
        raise CannotSend(message, stop.error_type) from None


def _answer(client: Client, item: Item, workload: str) -> dict[str, Any]:
    """Send one request; what comes back as a result line and as a journal record. CannotSend if nothing can be sent."""
    request_id, sent_at = new_request_id(), datetime.now(UTC)

    def kept(result: Mapping[str, Any], **ended: Any) -> dict[str, Any]:
        record = request_line(
            request_id=request_id,
            sent_at=sent_at,
            ended_at=datetime.now(UTC),
            route="sync",
            workload=workload,
            custom_id=item.custom_id,
            source=SOURCE,
            **ended,
        )
        return {"record": record, "result": {"custom_id": item.custom_id, "result": result}}

    try:
        answer = client.send(item.params)
    except ApiError as error:
        if isinstance(error, CannotSend):
            raise
        if error.error_type == "not_connected":
            raise CannotSend(str(error), error.error_type) from None
        failure = {"type": "error", "error": {"type": error.error_type, "message": str(error)}}
        return kept(
            {"type": "errored", "error": failure},
            status="errored",
            model=item.params["model"],
            error_type=error.error_type,
            attempts=error.attempts,
            api_request_id=error.api_request_id,
        )
    return kept(
        {"type": "succeeded", "message": answer.message},
        api_request_id=answer.api_request_id,
        attempts=answer.attempts,
        **message_fields(answer.message),
    )


def _json_line(value: Mapping[str, Any]) -> bytes:
    # ASCII, because an answer may hold half a surrogate pair, which UTF-8 cannot.
    return json.dumps(value).encode() + b"\n"
