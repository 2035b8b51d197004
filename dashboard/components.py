"""The pieces that every page is made of."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Literal

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.periods import Period, month_before, month_of
from dashboard import derived, formats, queries, state
from dashboard.collector import COLLECTOR
from dashboard.formats import counted, day_name, md, moment, month_name, short_month

WRITTEN: dict[str, Callable[[Any], str]] = {
    **dict.fromkeys(("Cost", "Saved", "Per 1,000"), formats.usd),
    **dict.fromkeys(("Share", "Batched"), formats.percent),
    **dict.fromkeys(("Requests", "Succeeded", "Errored", "Canceled", "Expired"), formats.count),
    **dict.fromkeys(("Input tokens", "Cache reads", "Cache writes", "Output tokens"), formats.tokens),
}
"""How the columns of all tables read; the cells keep their numbers, so they sort as numbers."""


def head(title: str) -> DeltaGenerator:
    """The first row of a page: its title, the badge of sample data, and room for its controls, which is returned."""
    row = st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center", key="page-head")
    left = row.container(horizontal=True, vertical_alignment="center", width="content", gap="small")
    left.title(title, anchor=False, width="content")
    if queries.is_sample():
        left.badge("Synthetic sample data", color="gray", help="Made up by a program; nothing here was measured.")
    return row.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center", width="content")


def sandbox_badge() -> None:
    """Said wherever sending could be mistaken for sending to the real API."""
    if queries.is_sample():
        st.badge("Sandbox: no real money", color="gray", help="A stand-in for the Claude API on this computer answers.")


def month_picker(known: queries.Extent) -> Period:
    """The month to show, at first the newest with data; its name is in the address."""
    months = derived.months_between(known.first_day, known.newest_day)
    names = [month_name(first) for first in months]
    if state.MONTH not in st.session_state and st.session_state.get(state.LAST_MONTH) in names:
        st.session_state[state.MONTH] = st.session_state[state.LAST_MONTH]
    earlier = st.container(width="content")
    chosen = st.selectbox("Month", names, key=state.MONTH, bind="query-params", label_visibility="collapsed", width=170)
    st.session_state[state.LAST_MONTH] = chosen
    place = names.index(chosen)
    month = month_of(months[place])
    with earlier:
        _step("previous-month", f"‹ {short_month(month_before(month).first)}", names[place + 1 : place + 2])
    _step("next-month", f"{short_month(month.end)} ›", names[place - 1 : place] if place else [])
    return month


def card_halves(key: str = "cards") -> list[DeltaGenerator]:
    """Room for four cards, two in each half: four in a row or two by two, never three and one."""
    with st.grid(2, min_column_width=330, key=key):
        return [st.grid(2, min_column_width=150, height="stretch") for _ in range(2)]


def card(
    label: str,
    value: str,
    *,
    note: str,
    change: str | None = None,
    against: str = "",
    color: Literal["normal", "inverse", "off"] = "normal",
    chart: Sequence[float] = (),
    help: str | None = None,
) -> None:
    """One number with its change, a line of small print and its course by day."""
    with st.container(border=True, height="stretch"):
        st.metric(
            label,
            value,
            0 if change == "0%" else change,  # the number is grey, any text has a direction
            delta_color=color,
            delta_description=against if change else None,
            help=help,
            chart_data=chart if any(chart) else None,
            chart_type="bar",
        )
        st.caption(formats.plain(note))


def card_head(title: str) -> DeltaGenerator:
    """The first row of a card: its title, and room for a control, which is returned."""
    row = st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center")
    row.header(title, anchor=False, width="content")
    return row.container(width="content")


def empty_ledger() -> None:
    """What to do first, said where the numbers will be."""
    with st.container(border=True, key="empty"):
        st.header("Nothing recorded yet", anchor=False)
        st.markdown("Halfprice shows what your own Claude requests cost. Bring some in, and this page fills by itself:")
        st.code("halfprice import jsonl FILE", language=None)
        st.markdown(
            "A line of the file is one API response, or an object with `model` and `usage`. "
            "Nothing at hand? Look around on sample data:"
        )
        st.code("halfprice demo", language=None)


def no_batches() -> None:
    """What to do when requests were recorded but no batch was."""
    with st.container(border=True, key="empty"):
        st.header("No batches yet", anchor=False)
        st.markdown(
            "A batch shows up here once it was sent from here, by Launch or by `halfprice run`. Answers that were "
            "imported are counted in the Overview, but they do not tell when their batch began and ended. To see what "
            "this page tells, look at the sample data:"
        )
        st.code("halfprice demo", language=None)


def link_to(url_path: str, label: str, *, icon: str | None = None, **address: str) -> None:
    """A link to one of our pages, which the page that shows it need not know."""
    target = st.Page(lambda: None, title=label, url_path=url_path)
    st.page_link(target, label=label, icon=icon, query_params=address)


def table(
    rows: Sequence[Mapping[str, object]],
    *,
    key: str,
    alt: str,
    written: Mapping[str, Callable[[Any], str]] = MappingProxyType({}),
    columns: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """Rows as a sortable table; `written` says how a column reads where `WRITTEN` does not."""
    frame = pd.DataFrame([{name: _plain(cell) for name, cell in row.items()} for row in rows])
    shown: dict[Any, Any] = {name: how for name, how in (WRITTEN | dict(written)).items() if name in frame}
    config = {frame.columns[0]: st.column_config.Column(pinned=True), **columns}
    styled = frame.style.format(shown, na_rep=formats.NOTHING)
    st.dataframe(styled, hide_index=True, key=key, alt=alt, placeholder=formats.NOTHING, column_config=config)


def collector_note() -> None:
    """What keeps the results of open batches from being fetched, if something does."""
    status = COLLECTOR.status
    if status.problem:
        st.warning(md(status.problem), title="The last look at the open batches failed; it is tried again")
    elif status.doing == "elsewhere":
        st.caption("Another process fetches the results for this data folder.")
    elif not status.alive:
        st.warning("Start Halfprice anew, or run: halfprice batch watch", title="Nobody fetches results at present")


def quarantine_notice() -> None:
    """Journal lines that could not be read, while there are any."""
    lines = queries.quarantine()
    if not lines:
        return
    with st.expander(f"{counted(len(lines), 'journal line')} could not be read and counted nowhere"):
        st.markdown("\n".join(f"- {md(line.file)}, line {line.line}: {md(line.reason)}" for line in lines[:20]))
        if len(lines) > 20:
            st.caption(f"and {len(lines) - 20:,} more")


def foot(known: queries.Extent, estimated: int = 0) -> None:
    """What every number rests on."""
    checked = queries.prices_checked()
    parts = [
        f"Newest data {moment(known.span.newest_at, known.zone)} ({md(known.zone)})",
        f"List price, not an invoice; prices checked {day_name(checked)} {checked.year}",
    ]
    if estimated:
        parts.append(f"{counted(estimated, 'request')} estimated, because the usage left something open")
    st.caption(" · ".join(parts))


def _step(key: str, label: str, target: Sequence[str]) -> None:
    st.button(label, key=key, disabled=not target, on_click=_choose_month, args=tuple(target))


def _choose_month(name: str) -> None:
    st.session_state[state.MONTH] = name


def _plain(cell: object) -> object:
    """A cell as a frame sorts it; without a value it is a missing number, so that its column stays one of numbers."""
    if cell is None:
        return math.nan
    return float(cell) if isinstance(cell, Decimal) else cell
