"""Launch: choose requests, see what they cost and why they go where, send them once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import streamlit as st

from core.errors import HalfpriceError
from core.plan import Asked, find_workload, workload_file
from core.settings import find_home, home_kind
from core.workloads import examples
from dashboard import components, queries, state
from dashboard.formats import md
from dashboard.views import launch_plan, launch_run

EXAMPLE, FILE, LINES = "Example", "File", "Pasted lines"
UPLOAD_MB = 50
MOST_CHARACTERS = 1_000_000
SAMPLE_LINE = (
    '{"custom_id": "r-1", "params": {"model": "claude-haiku-5-5", "max_tokens": 100, '
    '"messages": [{"role": "user", "content": "Hello"}]}}'
)
ROUTES: dict[Asked, str] = {"auto": "As decided", "sync": "Synchronous", "batch": "Batch"}


@dataclass(frozen=True, slots=True)
class Source:
    """Requests as they were handed over, with a name for their workload; `file` is where they lie, if anywhere."""

    content: bytes
    name: str
    file: Path | None = None


def page() -> None:
    """Draw the page."""
    with components.head("Launch"):
        components.sandbox_badge()
    home = find_home()
    if launch_run.page(home):
        return
    source, asked, name = _chooser(home)
    if source is not None:
        _plan(home, source, asked, name)
    launch_run.recent(home)


def _plan(home: Path, source: Source, asked: Asked, name: str) -> None:
    try:
        workload_file(home, name)
        workload = find_workload(home, name, source.file)
    except HalfpriceError as error:
        st.error(md(str(error)), title="This workload cannot be used")
        return
    now = datetime.now(UTC)
    plan = queries.plan(source.content, workload, name, asked, now, now.date())
    launch_plan.show(home, plan, source.content)


def _chooser(home: Path) -> tuple[Source | None, Asked, str]:
    with st.container(border=True, key="chooser"):
        components.card_head("Requests")
        kind = st.segmented_control(
            "Take them from",
            (EXAMPLE, FILE, LINES),
            default=EXAMPLE if home_kind(home) == "sandbox" else FILE,
            required=True,
            key=state.SOURCE,
            bind="query-params",
        )
        source = {EXAMPLE: _example, FILE: _upload, LINES: _pasted}[str(kind)]()
        default = source.name if source else ""
        with st.container(horizontal=True, key="how"):
            name = st.text_input("Workload", value=default, max_chars=100, key=f"name-{kind}-{default}", width=280)
            asked = st.segmented_control(
                "Route", get_args(Asked), default="auto", required=True, format_func=ROUTES.__getitem__, key=state.ROUTE
            )
    return source, asked, name.strip()


def _example() -> Source:
    known = {example.name: example for example in examples()}
    name: str = st.selectbox("Synthetic example", list(known), key=state.EXAMPLE, bind="query-params", width=280)
    file = known[name].requests_file
    return Source(file.read_bytes(), name, file)


def _upload() -> Source | None:
    given = st.file_uploader(
        'JSON lines: {"custom_id"?, "params": {…Messages parameters…}}',
        type=["jsonl", "json", "txt"],
        max_upload_size=UPLOAD_MB,
        key="upload",
    )
    return Source(given.getvalue(), Path(given.name).stem) if given else None


def _pasted() -> Source | None:
    text = st.text_area(
        "One request a line",
        max_chars=MOST_CHARACTERS,
        height=160,
        key="lines",
        placeholder=SAMPLE_LINE,
    )
    return Source(text.encode(), "pasted") if text and text.strip() else None
