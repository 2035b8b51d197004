"""The decision as a form: the verdict, its reasons, what would change it, what each way costs."""

from __future__ import annotations

import streamlit as st

from core.costmodel import Comparison, Way, WayId, percent, span
from core.routing import Answer, Check, Decision, Route
from core.workloads import FLAGS
from dashboard import components, formats
from dashboard.formats import md

VERDICTS: dict[Route, str] = {"batch": "Batch", "sync": "Synchronous", "undecided": "Undecided"}
WAYS: dict[WayId, str] = {
    "sync": "Synchronous",
    "sync_cache": "Synchronous + cache",
    "batch": "Batch",
    "batch_cache": "Batch + cache",
}
FEW = 2
"""Up to so many possible changes are written out at once; more are a list to open."""

_GROUPS = {
    False: ":material/cancel: **Against a batch**",
    None: ":material/help: **Open**",
    True: ":material/check_circle: **For a batch**",
}
_UNITS = {"deadline_hours": " hours", "requests_per_run": " requests", "shared_prefix_tokens": " tokens"}


def verdict(decision: Decision) -> None:
    """The route with its recommendation and the reasons, in a card."""
    with st.container(border=True, height="stretch", key="decision"):
        components.card_head(f"Decision: {VERDICTS[decision.route]}")
        st.markdown(md(decision.recommendation))
        for passed, title in _GROUPS.items():
            lines = [_line(check) for check in decision.checks if check.passed is passed]
            if lines:
                st.markdown("\n".join([title, "", *lines]))
        _flips(decision)


def money(comparison: Comparison) -> None:
    """The four ways side by side, in a card."""
    with st.container(border=True, key="money"):
        components.card_head("What a month costs")
        if comparison.reason:
            st.markdown(md(comparison.reason))
        left, right = components.card_halves("ways")
        for half, ways in ((left, comparison.ways[:2]), (right, comparison.ways[2:])):
            with half:
                for way in ways:
                    _way(way, comparison)
        st.markdown(_break_even(comparison))


def _line(check: Check) -> str:
    return f"- {md(check.question)} **{_answer(check)}.** {md(check.why)}"


def _answer(check: Check) -> str:
    return "Not answered" if check.answer is None else md(_words(check.id, check.answer))


def _words(key: str, answer: Answer) -> str:
    if key in FLAGS:
        return "Yes" if answer else "No"
    number = f"{answer:,g}" if isinstance(answer, float) else f"{answer:,}"
    return f"{number}{_UNITS.get(key, '')}"


def _flips(decision: Decision) -> None:
    """The single changes that would lead to another route."""
    sentences = "\n".join(f"- {md(flip.sentence)}" for flip in decision.flips)
    if len(decision.flips) > FEW:
        with st.expander(f"What would change it: any of {len(decision.flips)}"):
            st.markdown(sentences)
    elif decision.flips:
        st.markdown(f"**What would change it**\n\n{sentences}")


def _way(way: Way, comparison: Comparison) -> None:
    """One way as a card; unlike a metric, its amounts may take two lines."""
    with st.container(border=True, height="stretch", gap="xsmall", key=f"way-{way.id}"):
        st.markdown(WAYS[way.id])
        st.subheader(formats.plain(_month(way, comparison)), anchor=False)
        st.caption(formats.plain(_note(way)))


def _month(way: Way, comparison: Comparison) -> str:
    if way.request_usd is None and comparison.way("sync").request_usd is not None:
        return formats.NOTHING
    return formats.span_usd(way.month_usd)


def _note(way: Way) -> str:
    hits = f", hit rate {span(way.hit_rate, percent)}" if way.hit_rate else ""
    each = f"{formats.span_usd(way.request_usd)} a request{hits}" if way.request_usd else ""
    return "; ".join(filter(None, (each, md(way.note))))


def _break_even(comparison: Comparison) -> str:
    """From which hit rate the cache beats the batch, and the other way round."""
    sync, batch = comparison.sync_break_even, comparison.batch_break_even
    parts = [
        f"**Break-even:** from a hit rate of {percent(sync)} on, cached synchronous requests cost less than a batch "
        "without the cache."
        if sync is not None
        else f"**Break-even hit rate:** {_why_none(comparison)}."
    ]
    if batch is not None:
        parts.append(f"A cached batch costs less than they do from {percent(batch)} of its own requests on.")
    return " ".join([*parts, "List prices, not an invoice."])


def _why_none(comparison: Comparison) -> str:
    if comparison.way("sync").request_usd is None:
        return "unknown"
    if comparison.way("sync_cache").request_usd is None:
        return "none, because no prefix would surely be cached"
    return "none, because no hit rate makes cached synchronous requests cheaper than a batch without the cache"
