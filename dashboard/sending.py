"""Sends from threads of the dashboard's server, so that no page has to stay open for it."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from core.errors import HalfpriceError
from core.plan import Plan, make_plan
from core.prepare import BadRequests, canonical
from core.pricing import PriceBook
from core.submissions import Submission, Submissions, submission_id
from core.workloads import Workload


@dataclass(frozen=True, slots=True)
class Job:
    """One sending of this process: how many requests of how many have an answer, and what stopped it if something did.

    `done` stays 0 while a batch is created.
    """

    plan: Plan
    again: bool
    running: bool = True
    done: int = 0
    problem: str | None = None


class Stopped(HalfpriceError):
    """The server ends while it sends."""


class Sender:
    """The sendings of this process; each run of a submission is begun once, whoever asks for it how often."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._jobs: dict[tuple[Path, str], Job] = {}
        self._ending = threading.Event()

    def job(self, home: Path, run_id: str) -> Job | None:
        """The sending of that run, if this process began one."""
        with self._lock:
            return self._jobs.get((home, run_id))

    def start(self, home: Path, run_id: str, plan: Plan, *, again: bool, then: Callable[[], None]) -> None:
        """Begin to send, unless that is under way or done; `then` is called when it has ended."""
        with self._lock:
            known = self._jobs.get((home, run_id))
            if known is not None and (known.running or known.problem is None):
                return
            self._jobs[home, run_id] = Job(plan, again)
        threading.Thread(target=self._run, args=(home, run_id, then), name=f"send {run_id}", daemon=True).start()

    def end(self) -> None:
        """Let what is being sent stop at the next answer; what is on disk stays."""
        self._ending.set()

    def _run(self, home: Path, run_id: str, then: Callable[[], None]) -> None:
        job = self._jobs[home, run_id]
        problem: str | None = "Halfprice met an error of its own: the details are in the terminal in which it runs."
        try:
            self._send(home, run_id, job)
            problem = None
        except HalfpriceError as error:
            problem = str(error)
        except OSError as error:
            problem = f"{error.filename or home} cannot be written: {error.strerror}."
        finally:
            self._change(home, run_id, running=False, problem=problem)
            then()

    def _send(self, home: Path, run_id: str, job: Job) -> None:
        from core.client import Client  # the SDK takes a second to import
        from core.launch import check_api, launch

        def progress(done: int, _total: int) -> None:
            if self._ending.is_set():
                raise Stopped("Halfprice was stopped while it sent.")
            self._change(home, run_id, done=done)

        if problems := check_api(home, Client(patient=False), job.plan.prepared.items):
            raise BadRequests(job.plan.name, problems)
        launch(home, Client(), job.plan, PriceBook.load(), datetime.now(UTC), again=job.again, progress=progress)

    def _change(
        self, home: Path, run_id: str, *, running: bool = True, done: int | None = None, problem: str | None = None
    ) -> None:
        with self._lock:
            job = self._jobs[home, run_id]
            self._jobs[home, run_id] = replace(
                job, running=running, done=job.done if done is None else done, problem=problem
            )


SENDER = Sender()


def earlier_run(home: Path, plan: Plan) -> Submission | None:
    """The last time that these requests of this workload were sent, or were begun to be."""
    runs = Submissions(home).runs(plan.name, plan.prepared.digest)
    return runs[-1] if runs else None


def run_id(home: Path, plan: Plan, *, again: bool) -> str:
    """What the next sending will be called: the unfinished run that it goes on with, or a new one."""
    runs = Submissions(home).runs(plan.name, plan.prepared.digest)
    if runs and runs[-1].stage in ("prepared", "sending") and not again:
        return runs[-1].submission_id
    return submission_id(plan.name, plan.prepared.digest, len(runs) + 1)


def first_alone(plan: Plan) -> Plan:
    """The dry run of a plan: its first request as a synchronous run of its own."""
    first, has_own_ids = plan.prepared.items[0], plan.prepared.without_id < len(plan.prepared.items)
    line = canonical({"custom_id": first.custom_id if has_own_ids else None, "params": first.params})
    return make_plan(io.BytesIO(line), plan.workload, plan.name, "sync", PriceBook.load(), datetime.now(UTC))


def first_stored(home: Path, run: Submission, workload: Workload) -> Plan:
    """The dry run of a launch, from its requests as its home keeps them."""
    with Submissions(home).requests_file(run.submission_id).open("rb") as file:
        line = io.BytesIO(file.readline())
    return make_plan(line, workload, run.workload, "sync", PriceBook.load(), datetime.now(UTC))
