"""The checklist: a workload's answers, and the decision as they are given."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import streamlit as st

from core.errors import HalfpriceError
from core.pricing import PriceBook
from core.routing import CHECKLIST, AtLeast, YesNo, decide
from core.settings import find_home
from core.workloads import FLAGS, KEYS, MOST, MOST_HOURS, Workload
from dashboard import components, decision_form, queries, state, workload_files
from dashboard.formats import md

YES, NO, OPEN = "Yes", "No", "Not answered"
_FLAGS = {True: YES, False: NO, None: OPEN}
_ANSWERS = {label: answer for answer, label in _FLAGS.items()}

COUNTS = {
    "runs_per_month": "Runs a month",
    "input_tokens": "Own input tokens of a request",
    "shared_prefix_tokens": "Tokens that all prompts share",
    "output_tokens": "Output tokens, with thinking",
}


def page() -> None:
    """Draw the page."""
    controls = components.head("Workloads")
    home = find_home()
    with controls:
        name = _picker(home)
    if name is None:
        _nothing_chosen()
        return
    saved = workload_files.load(home, name)
    if st.session_state.get(state.OPENED) != name:
        _fill(saved)
    book = PriceBook.load()
    with st.grid(2, min_column_width=400, key="checklist-and-decision"):
        workload = _questions(name, book)
        decision = decide(workload, book, datetime.now(UTC).date())
        with st.container():
            decision_form.verdict(decision)
            decision_form.money(decision.money)
    _keep(home, workload, saved)


def _picker(home: Path) -> str | None:
    names = workload_files.names(home, queries.workloads())
    chosen = st.selectbox(
        "Workload",
        names,
        index=None,
        key=state.WORKLOAD,
        bind="query-params",
        accept_new_options=True,
        placeholder="Choose one or name a new one",
        label_visibility="collapsed",
        width=280,
    )
    return str(chosen).strip() or None if chosen else None


def _nothing_chosen() -> None:
    with st.container(border=True, key="empty"):
        st.header("Can it go as a batch?", anchor=False)
        st.markdown(
            "A batch costs half and takes up to 24 hours. Choose a workload above or type a new name, answer what you "
            "know, and the decision with its reasons and its price stands beside your answers. "
            "Nothing is sent from this page."
        )


def _fill(workload: Workload) -> None:
    """Put the answers of a workload into the widgets."""
    hours = workload.deadline_hours
    values = asdict(workload) | {"deadline_hours": None if hours is None else float(hours)}
    for key, value in values.items():
        st.session_state[state.answer(key)] = _FLAGS[value] if key in FLAGS else value
    st.session_state[state.OPENED] = workload.name


def _questions(name: str, book: PriceBook) -> Workload:
    """The checklist with its widgets; what they answer now."""
    with st.container(border=True, height="stretch", key="questions"):
        components.card_head("Checklist")
        for question in CHECKLIST:
            _ask(question)
        st.markdown("**For the price**")
        _ask_model(book)
        with st.grid(2, min_column_width=200, vertical_alignment="bottom", key="counts"):
            for key, label in COUNTS.items():
                _ask_count(key, label)
    answers: dict[str, Any] = {"name": name}
    for key in KEYS[1:]:
        said = st.session_state[state.answer(key)]
        answers[key] = _ANSWERS[said] if key in FLAGS else said
    return Workload(**answers)


def _ask(question: YesNo | AtLeast) -> None:
    if isinstance(question, YesNo):
        st.segmented_control(
            question.text,
            list(_ANSWERS),
            required=True,
            key=state.answer(question.id),
            persist_state="session",
        )
    elif question.id == "deadline_hours":
        st.number_input(
            question.text,
            min_value=0.0,
            max_value=float(MOST_HOURS),
            value=None,
            step=1.0,
            format="%g",
            placeholder=OPEN,
            key=state.answer(question.id),
            persist_state="session",
        )
    else:
        _ask_count(question.id, question.text)


def _ask_count(key: str, label: str) -> None:
    st.number_input(
        label,
        min_value=0,
        max_value=MOST,
        value=None,
        step=1,
        placeholder=OPEN,
        key=state.answer(key),
        persist_state="session",
    )


def _ask_model(book: PriceBook) -> None:
    st.selectbox(
        "Which model answers?",
        sorted({price.model for price in book.rows}),
        index=None,
        accept_new_options=True,
        placeholder=OPEN,
        key=state.answer("model"),
        persist_state="session",
    )


def _keep(home: Path, workload: Workload, saved: Workload) -> None:
    """Save, take back, go on to Launch."""
    changed = workload != saved
    with st.container(horizontal=True, vertical_alignment="center", key="keep"):
        st.button(
            "**Save answers**",
            key="save",
            disabled=not changed and workload_files.is_saved(home, workload.name or ""),
            on_click=_save,
            args=(home, workload),
        )
        st.button("Undo changes", key="undo", disabled=not changed, on_click=_fill, args=(saved,))
        components.link_to("launch", "Launch", icon=":material/send:")
        st.caption(_where(home, workload, changed))


def _save(home: Path, workload: Workload) -> None:
    try:
        workload_files.save(home, workload)
    except HalfpriceError as error:
        st.toast(md(str(error)), icon=":material/error:")
    else:
        st.toast("Saved.", icon=":material/check:")


def _where(home: Path, workload: Workload, changed: bool) -> str:
    if changed:
        return "Changes are not saved yet. Nothing is sent from this page."
    if workload_files.is_saved(home, workload.name or ""):
        return f"Saved in {md(f'workloads/{workload.name}.toml')} of your data folder. Nothing is sent from this page."
    return "Not saved yet. Nothing is sent from this page."
