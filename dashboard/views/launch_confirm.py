"""The question before anything is sent: the amount, the count, the model, the route, and whose money it is."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from core.plan import Plan
from core.submissions import Submission
from dashboard import formats, queries, sending, state
from dashboard.api_check import ApiState
from dashboard.collector import COLLECTOR
from dashboard.formats import exact_usd, md

_BEGUN = "begun"


@st.dialog("Send these requests?")
def confirm(home: Path, plan: Plan, api: ApiState) -> None:
    """Ask, and begin to send after a yes."""
    if st.session_state.pop(_BEGUN, False):
        st.rerun()
    st.markdown(summary(plan, api))
    earlier = sending.earlier_run(home, plan)
    again = _again(earlier)
    with st.container(horizontal=True, horizontal_alignment="right", key="answer"):
        if st.button("Cancel", key="cancel"):
            st.rerun()
        st.button(
            "**Send to the sandbox**" if api.kind == "sandbox" else "**Send and pay**",
            icon=":material/send:",
            key="confirm",
            disabled=earlier is not None and earlier.stage in ("sent", "finished") and not again,
            on_click=_send,
            args=(home, plan, sending.run_id(home, plan, again=again), again),
        )


def summary(plan: Plan, api: ApiState) -> str:
    """All that the person agrees to."""
    bound = "about" if plan.estimate.output_known else "at most"
    models = ", ".join(sorted({item.params["model"] for item in plan.prepared.items}))
    way = "one batch" if plan.route == "batch" else "synchronously, one by one"
    whose = (
        "the sandbox on this computer: **no real money**"
        if api.kind == "sandbox"
        else "the real API: **this spends real money**, and what was sent cannot be taken back"
    )
    rows = {
        "Amount": f"**{bound} {formats.plain(exact_usd(plan.estimate_usd))}**",
        "Requests": f"{len(plan.prepared.items):,}, of the workload {md(plan.name)}",
        "Model": md(models),
        "Route": way,
        "Goes to": whose,
    }
    return "\n".join(f"- {name}: {value}" for name, value in rows.items())


def _again(earlier: Submission | None) -> bool:
    """Whether the person wants to pay once more for what was sent before."""
    if earlier is None or earlier.stage == "prepared":
        return False
    when = formats.moment(earlier.begun_at, queries.zone())
    said = (
        f"These requests were sent on {when}."
        if earlier.stage != "sending"
        else f"On {when} the API did not say whether it took this batch. Look for it in the Console first."
    )
    st.warning(md(said), title="Sent before")
    return st.checkbox("Send them once more, and pay again", key=f"again-{earlier.submission_id}")


def _send(home: Path, plan: Plan, run_id: str, again: bool) -> None:
    sending.SENDER.start(home, run_id, plan, again=again, then=COLLECTOR.look_now)
    st.session_state[_BEGUN] = True
    st.query_params[state.RUN] = run_id
