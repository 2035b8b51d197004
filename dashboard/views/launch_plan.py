"""What would be sent: its price both ways, the decision, what is wrong, the five points, the requests."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from core.estimate import count_tokens
from core.plan import Plan
from core.prepare import Item
from dashboard import adoption, components, decision_form, derived, formats, queries, sending
from dashboard.api_check import CHECKS, ApiState
from dashboard.collector import COLLECTOR
from dashboard.formats import counted, exact_usd, md, percent, tokens
from dashboard.runs import prompt_text
from dashboard.sending import SENDER
from dashboard.views import launch_confirm, launch_points

PROBLEMS = 20
REQUESTS = 8
"""How many are shown one by one."""
START = 60
"""Characters of a prompt in the table."""
LOOK_S = 0.5


def show(home: Path, plan: Plan, content: bytes) -> None:
    """Draw the plan, with the button that asks before it sends."""
    if plan.problems:
        _problems(plan)
    if not plan.prepared.items:
        return
    _cards(plan)
    if not plan.problems:
        _to_the_api(home, plan)
    with st.grid(2, min_column_width=400, key="why"):
        decision_form.verdict(plan.decision)
        _points(home, plan, content)
    _requests(plan)


def _problems(plan: Plan) -> None:
    found = sorted(plan.problems, key=lambda problem: problem.line)
    lines = [f"Line {found.line}: {md(found.what)}" if found.line else md(found.what) for found in found[:PROBLEMS]]
    if len(found) > PROBLEMS:
        lines.append(f"and {counted(len(found) - PROBLEMS, 'more problem')}")
    st.error(
        "  \n".join(["Mend the input; nothing can be sent before.", *lines]),
        title=counted(len(found), "problem"),
    )


def _cards(plan: Plan) -> None:
    estimate, bound = plan.estimate, "" if plan.estimate.output_known else "at most, if answers fill max\\_tokens"
    left, right = components.card_halves()
    with left:
        components.card(
            "Requests",
            formats.count(estimate.requests),
            note=f"about {tokens(estimate.input_tokens)} input tokens",
        )
        components.card(
            "Route",
            decision_form.VERDICTS[plan.route],
            note=_why_route(plan),
        )
    with right:
        components.card("Synchronous", exact_usd(estimate.sync_usd), note=bound or "estimated from the texts")
        components.card("Batch", exact_usd(estimate.batch_usd), note=_saved(plan) or bound)


def _why_route(plan: Plan) -> str:
    if plan.route == "undecided":
        return "goes synchronously until it is decided"
    return "as the checklist decides" if plan.route == plan.decision.route else "chosen by you"


def _saved(plan: Plan) -> str:
    sync, batch = plan.estimate.sync_usd, plan.estimate.batch_usd
    if sync is None or batch is None:
        return "no price known for " + md(", ".join(plan.estimate.unpriced_models))
    return f"{percent(derived.share(sync - batch, sync))} less: saves {exact_usd(sync - batch)}"


def _to_the_api(home: Path, plan: Plan) -> None:
    """The state of the API with the button to send."""
    state = CHECKS.state(home, plan.prepared)
    if state.problem or state.unknown_models:
        _not_ready(home, plan, state)
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", key="send-row"):
        if state.checking:
            st.fragment(_wait_for_check, run_every=LOOK_S)(home, plan)
        else:
            st.markdown(_where_to(state))
        way = "as a batch" if plan.route == "batch" else "synchronously"
        label = f"**Send {counted(len(plan.prepared.items), 'request')} {way} …**"
        # Not a primary button: white on the dark theme's accent does not reach a contrast of 4.5.
        if st.button(label, icon=":material/send:", key="send", disabled=not state.ready):
            launch_confirm.confirm(home, plan, state)


def _wait_for_check(home: Path, plan: Plan) -> None:
    if not CHECKS.state(home, plan.prepared).checking:
        st.rerun()
    st.markdown("Checking the key and the models …")


def _where_to(state: ApiState) -> str:
    if not state.ready:
        return "Nothing can be sent now."
    if state.kind == "sandbox":
        return "Ready. They go to the **sandbox** on this computer: no real money."
    return "Ready. They go to the **real API** and are billed to your account."


def _not_ready(home: Path, plan: Plan, state: ApiState) -> None:
    with st.container(key="not-ready", width="stretch"):
        lines = [f"Line {found.line}: {md(found.what)}." for found in state.unknown_models[:PROBLEMS]]
        if state.problem:
            lines.append(md(state.problem))
            lines.append(
                "The key is read from the environment of the process that runs Halfprice, and never typed in here: "
                "`ANTHROPIC_API_KEY=… halfprice dashboard`."
            )
        st.warning("  \n".join(lines), title="The API would not take them")
        st.button("Check again", key="check-again", on_click=CHECKS.forget, args=(home, plan.prepared))


def _points(home: Path, plan: Plan, content: bytes) -> None:
    first = sending.first_alone(plan)
    known = adoption.Known(
        requests=len(plan.prepared.items),
        size=len(content),
        without_id=plan.prepared.without_id,
        deadline_hours=plan.workload.deadline_hours,
        batch_usd=plan.estimate.batch_usd,
        collected=COLLECTOR.status.alive,
        dry_run=queries.dry_run(home, first),
    )
    with launch_points.card(known):
        if known.dry_run is None:
            _dry_run_button(home, plan, first)


def _dry_run_button(home: Path, plan: Plan, first: Plan) -> None:
    run_id = sending.run_id(home, first, again=False)
    job = SENDER.job(home, run_id)
    if job is not None and job.problem:
        st.warning(md(job.problem), title="The dry run failed")
    st.button(
        formats.plain(f"Dry run: send the first request now ({exact_usd(first.estimate.sync_usd)})"),
        key="dry-run",
        disabled=bool(plan.problems) or not CHECKS.state(home, plan.prepared).ready or bool(job and job.running),
        on_click=SENDER.start,
        args=(home, run_id, first),
        kwargs={"again": False, "then": COLLECTOR.look_now},
    )


def _requests(plan: Plan) -> None:
    items = plan.prepared.items
    with st.container(border=True, key="requests"):
        shown = (
            f"First {REQUESTS} of {len(items):,} requests" if len(items) > REQUESTS else counted(len(items), "request")
        )
        components.card_head(shown)
        components.table(
            [_row(item) for item in items[:REQUESTS]],
            key="requests-table",
            alt="The first requests with their custom_id, model, max_tokens, estimated tokens and start of the prompt",
            written={"max_tokens": formats.count, "Est. tokens": formats.count},
        )


def _row(item: Item) -> dict[str, object]:
    prompt = " ".join(prompt_text(dict(item.params)).split())
    return {
        "custom_id": item.custom_id,
        "Model": item.params["model"],
        "max_tokens": item.params["max_tokens"],
        "Est. tokens": count_tokens(item.params),
        "Prompt": prompt if len(prompt) <= START else f"{prompt[:START]} …",
    }
