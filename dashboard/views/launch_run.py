"""One launch, followed while it runs and read when it has ended; and the list of all launches."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import streamlit as st

from core.submissions import Submission, Submissions
from dashboard import adoption, components, formats, queries, runs, sending, state, workload_files
from dashboard.collector import COLLECTOR
from dashboard.formats import count, counted, duration, exact_usd, md
from dashboard.sending import SENDER, Job
from dashboard.views import launch_points

LOOK_S = 1
LISTED = 8
"""Launches in the list."""
ANSWERS = 10
"""Answers on screen."""
START = 90
"""Characters of an answer beside its custom_id."""

STAGES = {
    "prepared": "stopped before its end",
    "sending": "not heard back from the API",
    "sent": "under way",
    "finished": "ended",
    "abandoned": "replaced by a later launch",
}


def page(home: Path) -> bool:
    """Draw the launch that the address names; False if it names none."""
    run_id = st.query_params.get(state.RUN)
    if run_id is None:
        return False
    run, job = Submissions(home).find(run_id), SENDER.job(home, run_id)
    if run is None and job is None:
        st.query_params.pop(state.RUN)
        return False
    st.button("‹ New launch", key="new-launch", on_click=_close)
    if run is not None and run.stage == "finished" and not (job and job.running):
        _ended(home, run)
    else:
        st.fragment(_live, run_every=LOOK_S)(home, run_id)
    recent(home)
    return True


def recent(home: Path) -> None:
    """The newest launches, each with how far it is."""
    known = Submissions(home).all()[:LISTED]
    if not known:
        return
    zone = queries.zone()
    with st.container(border=True, key="launches"):
        components.card_head("Launches")
        for run in known:
            way = "batch" if run.route == "batch" else "synchronous"
            stage = STAGES[run.stage]
            label = f"{md(run.workload)}: {counted(run.requests, 'request')}, {way}, {stage}, "
            components.link_to("launch", label + formats.moment(run.begun_at, zone), **{state.RUN: run.submission_id})


def _live(home: Path, run_id: str) -> None:
    """What is known of it this second."""
    run, job = Submissions(home).find(run_id), SENDER.job(home, run_id)
    running = job is not None and job.running
    if run is not None and run.stage == "finished" and not running:
        st.rerun()
    with st.container(border=True, key="live"):
        components.card_head(_title(run, job))
        if job is not None and job.problem:
            _stopped(home, run_id, job)
        elif run is None or (running and run.stage != "sent" and run.route == "batch"):
            st.markdown("The key and the models are checked, then the batch is created …")
        elif run.route == "sync":
            _sync_progress(home, run, running=running)
        else:
            _batch_progress(run)


def _title(run: Submission | None, job: Job | None) -> str:
    if run is None:
        requests, workload = (len(job.plan.prepared.items), job.plan.name) if job else (0, "")
        return f"{md(workload)}: {counted(requests, 'request')}"
    return f"{md(run.workload)}: {counted(run.requests, 'request')}"


def _stopped(home: Path, run_id: str, job: Job) -> None:
    st.error(md(job.problem or ""), title="It stopped")
    st.button(
        "Try again: go on where it stopped",
        key="retry",
        on_click=SENDER.start,
        args=(home, run_id, job.plan),
        kwargs={"again": job.again, "then": COLLECTOR.look_now},
    )


def _sync_progress(home: Path, run: Submission, *, running: bool) -> None:
    done = runs.answered_so_far(home, run)
    st.progress(done / run.requests, f"{done:,} of {run.requests:,} answers are on disk")
    if not running:
        st.markdown(
            "This server is not sending it. If no other process is, choose the same requests again and send them: "
            "it goes on where it stopped and pays for nothing twice."
        )


def _batch_progress(run: Submission) -> None:
    if run.stage != "sent":
        st.markdown(
            "Nobody has heard yet whether the API took this batch. The batch list is searched for it; it is not sent "
            "again by itself."
        )
    else:
        batch = next((batch for batch in queries.batches() if batch.batch_id == run.batch_id), None)
        status = "ended, its results are being fetched" if batch and batch.ended_at else "in progress"
        open_for = duration((datetime.now(UTC) - run.begun_at).total_seconds())
        st.markdown(f"Batch {md(run.batch_id or '')}: **{status}**, open for **{open_for}**.")
        st.caption(
            "The API counts no items before the end, so there is no progress to show. You may close this page: the "
            "results are fetched as long as Halfprice runs."
        )
    components.collector_note()


def _ended(home: Path, run: Submission) -> None:
    outcome = queries.outcome(run)
    st.header(_title(run, None), anchor=False)
    _outcome_cards(run, outcome)
    if run.route == "batch":
        _points(home, run, outcome)
    _answers(home, run)


def _points(home: Path, run: Submission, outcome: runs.Outcome) -> None:
    requests = Submissions(home).requests_file(run.submission_id)
    workload = workload_files.load(home, run.workload)
    known = adoption.Known(
        requests=run.requests,
        size=requests.stat().st_size,
        without_id=None,
        deadline_hours=workload.deadline_hours,
        batch_usd=None if run.estimate_usd is None else Decimal(run.estimate_usd),
        collected=COLLECTOR.status.alive,
        dry_run=queries.dry_run(home, sending.first_stored(home, run, workload)),
        outcome=outcome,
    )
    launch_points.card(known)


def _outcome_cards(run: Submission, outcome: runs.Outcome) -> None:
    lost = {name: number for name, number in outcome.counts.items() if name != "succeeded" and number}
    batch = run.route == "batch"
    left, right = components.card_halves("outcome")
    with left:
        components.card("Sent", count(run.requests), note="as a batch" if batch else "synchronously")
        components.card(
            "Succeeded",
            count(outcome.counts["succeeded"]),
            note=", ".join(f"{number:,} {name}" for name, number in lost.items()) or "none lost",
        )
    with right:
        estimated = None if run.estimate_usd is None else Decimal(run.estimate_usd)
        components.card(
            "Cost",
            exact_usd(outcome.cost_usd),
            note=f"estimated before: {exact_usd(estimated)}",
            help="At list price, from the usage block of every answer.",
        )
        components.card(
            "Synchronous" if batch else "As a batch",
            exact_usd(outcome.other_usd),
            note="would the same answers have cost",
        )


def _answers(home: Path, run: Submission) -> None:
    with st.container(border=True, key="answers"):
        with components.card_head("Answers"):
            st.download_button(
                "Download JSONL",
                data=runs.results_file(home, run).read_bytes,
                file_name=f"{run.workload}-{run.submission_id}.jsonl",
                mime="application/jsonl",
                on_click="ignore",
                key="download",
            )
        text = st.text_input("Search in custom_ids and answers", key="search-answers")
        found = runs.find_answers(home, run, (text or "").strip(), ANSWERS)
        st.caption(f"First {len(found.shown)} of {found.matches:,}" if found.matches else "No answer holds that.")
        for answer in found.shown:
            _answer(answer)


def _answer(answer: runs.Answered) -> None:
    start = " ".join(answer.answer.split())
    shown = start if len(start) <= START else f"{start[:START]} …"
    with st.expander(f"{md(answer.custom_id)} · {md(answer.outcome)} · {md(shown)}"):
        st.caption("Prompt")
        st.text(answer.prompt)
        st.caption("Answer")
        st.text(answer.answer)


def _close() -> None:
    st.query_params.pop(state.RUN, None)
