"""The batches: how long they took, what came of their items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal

import streamlit as st

from core.completion import Curve, Observation, completion_curve, observe
from core.facts import Batch
from dashboard import charts, components, derived, formats, queries
from dashboard.formats import count, counted, duration, percent, usd

SHOWN = 1_000
"""Most batches in the table and most markers in the chart; the curve and the cards count all."""


def page() -> None:
    """Draw the page."""
    components.head("Batches")
    known, batches = queries.extent(), queries.batches()
    if not batches:
        components.no_batches() if known else components.empty_ledger()
        return
    if queries.open_batches():
        components.collector_note()
    now, zone = datetime.now(UTC), queries.zone()
    observed = {batch.batch_id: seen for batch in batches if (seen := observe(batch, now))}
    curve = completion_curve(list(observed.values()))
    _cards(batches, curve)
    with st.grid(2, min_column_width=400, key="times"):
        _completion(curve, list(observed.values()))
        _each(batches[:SHOWN], observed, zone)
    _table(batches, zone)
    if known:
        components.foot(known)


def _cards(batches: list[Batch], curve: Curve | None) -> None:
    items, median = derived.items(batches), derived.quantile(curve, 0.5)
    known = [batch for batch in batches if batch.has_cost]
    saved = sum((batch.saved_usd for batch in known), Decimal(0))
    at_list = sum((batch.list_usd for batch in known), Decimal(0))
    running = sum(batch.ended_at is None for batch in batches)
    lost = {"errored": items.errored, "canceled": items.canceled, "expired": items.expired}
    left, right = components.card_halves()
    with left:
        components.card("Batches", count(len(batches)), note=f"{running} running" if running else "all ended")
        components.card(
            "Items succeeded",
            percent(derived.share(items.succeeded, items.ended)),
            note=", ".join(f"{number:,} {what}" for what, number in lost.items() if number) or "none lost",
            help="Of the items of all ended batches. Only items that succeeded are billed.",
        )
    with right:
        components.card(
            "Median time",
            duration(median) if median else "Not yet",
            note="to the last result" if median else "not estimable from so few",
            help="Kaplan–Meier estimate: a batch still open or cut off counts for as long as it was seen.",
        )
        components.card(
            "Saved",
            usd(saved if known else None),
            note=f"{percent(derived.share(saved, at_list))} of list price" if at_list else "no results yet",
            help="List price − cost, over the batches whose results are all in and have a price.",
        )


def _completion(curve: Curve | None, observed: Sequence[Observation]) -> None:
    marks = {name: at for name, share in (("p50", 0.5), ("p90", 0.9)) if (at := derived.quantile(curve, share))}
    sentence = completion_sentence(curve, len(observed))
    with st.container(border=True, height="stretch", key="completion"):
        components.card_head("Time to completion")
        st.markdown(sentence)
        if curve is not None:
            st.plotly_chart(
                charts.completion(curve, observed, marks),
                key="completion-chart",
                config=charts.CONFIG,
                alt=f"Share of batches done over time. {sentence}",
            )


def completion_sentence(curve: Curve | None, n: int) -> str:
    """What the curve says, and from how many batches; what it cannot say yet is said too.

    >>> completion_sentence(None, 2)
    'Not estimable yet: no batch has run to its end (2 still open or cut off).'
    """
    if curve is None:
        return f"Not estimable yet: no batch has run to its end ({n} still open or cut off)."
    ended = curve.n - curve.censored
    sample = f"{counted(curve.n, 'batch', 'batches')} ({curve.censored:,} still open or cut off)"
    half, most = derived.quantile(curve, 0.5), derived.quantile(curve, 0.9)
    if half and most:
        return f"Half within {duration(half)}, 9 in 10 within {duration(most)}, from {sample}."
    missing = 0.9 if half else 0.5
    needed = derived.ENDED_BATCHES_NEEDED[missing]
    why = f"that takes {needed} ended ones, there are {ended}" if ended < needed else "too many are open or cut off"
    if half:
        return f"Half within {duration(half)}, from {sample}. 9 in 10 is not estimable yet: {why}."
    return f"Not estimable yet from {sample}: {why}."


def _each(batches: list[Batch], observed: Mapping[str, Observation], zone: str) -> None:
    times = [
        charts.BatchTime(batch.created_at, observed[batch.batch_id].seconds, derived.outcome(batch), batch.workload)
        for batch in batches
        if batch.batch_id in observed
    ]
    with st.container(border=True, height="stretch", key="each"):
        components.card_head("Each batch")
        st.markdown(
            "When it was created, and how long it took or has been open. At the dashed line, after 24 hours, "
            "the API lets what is left of it expire."
        )
        st.plotly_chart(
            charts.batch_times(times, zone),
            key="each-chart",
            config=charts.CONFIG,
            alt="Each batch by the day it was created and the time it took: ended, running, canceled or expired",
        )


def _table(batches: list[Batch], zone: str) -> None:
    with st.container(border=True, key="batches"):
        components.card_head(
            "All batches" if len(batches) <= SHOWN else f"Newest {SHOWN:,} of {len(batches):,} batches"
        )
        components.table(
            [_row(batch) for batch in batches[:SHOWN]],
            key="batches-table",
            alt="Every batch with its status, time, items by outcome, cost and savings",
            written={"Created": lambda at: formats.moment(at, zone), "Time taken": duration},
        )


def _row(batch: Batch) -> dict[str, object]:
    ended, status = batch.ended_at, derived.outcome(batch)
    counts = (batch.succeeded, batch.errored, batch.canceled, batch.expired)
    return {
        "Status": f"ended ({status})" if status in ("canceled", "expired") else batch.status,
        "Workload": batch.workload,
        "Model": batch.model or formats.NOTHING,
        "Created": batch.created_at,
        "Time taken": (ended - batch.created_at).total_seconds() if ended else None,
        "Requests": batch.requests,
        **dict(zip(("Succeeded", "Errored", "Canceled", "Expired"), counts if ended else [None] * 4, strict=True)),
        "Cost": batch.cost_usd if batch.has_cost else None,
        "Saved": batch.saved_usd if batch.has_cost else None,
        "Batch": batch.batch_id,
    }
