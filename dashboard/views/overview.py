"""The month: what it cost, what batching saved, where it went."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import streamlit as st

from core.facts import Spend
from core.periods import Period, month_before
from dashboard import charts, components, derived, formats, queries, state
from dashboard.formats import count, counted, md, percent, usd

LISTED = 5
"""Most models without a price that are named one by one."""


def page() -> None:
    """Draw the page."""
    controls = components.head("Overview")
    known = queries.extent()
    if known is None:
        components.empty_ledger()
        components.quarantine_notice()
        return
    with controls:
        period = components.month_picker(known)
    month = queries.month(period, known)
    _cards(month, derived.until(period, max(known.today, known.newest_day)))
    st.caption(_comparison(month, period, known))
    _unpriced_notice(month)
    _daily(month, period)
    if month.total.requests:
        _workloads(month, derived.until(period, max(known.today, known.newest_day)))
        _models(month)
    components.quarantine_notice()
    components.foot(known, month.total.estimated_requests)


def _cards(month: queries.Month, days: Period) -> None:
    total = month.total
    sums = derived.by_day(month.daily["route"], days)
    left, right = components.card_halves()
    with left:
        components.card(
            "Spend",
            usd(total.cost_usd if total.has_price else None),
            note=f"{usd(total.list_usd if total.has_price else None)} without batching",
            change=_change(month, lambda spend: spend.cost_usd),
            against=_against(month),
            color="inverse",
            chart=[float(day.cost_usd) for day in sums],
            help="At list price; requests without a price are left out.",
        )
        components.card(
            "Saved by batching",
            usd(total.saved_usd if total.has_price else None),
            note=f"{percent(derived.share(total.saved_usd, total.list_usd))} of list price",
            change=_change(month, lambda spend: spend.saved_usd),
            against=_against(month),
            chart=[float(day.saved_usd) for day in sums],
            help="List price − cost: the same tokens at the synchronous price, less what they cost.",
        )
    with right:
        components.card(
            "Requests",
            count(total.requests),
            note=f"{percent(derived.share(total.batch_requests, total.requests))} batched",
            change=_change(month, lambda spend: Decimal(spend.requests)),
            against=_against(month),
            color="off",
            chart=[day.requests for day in sums],
            help="Every request that was sent, also those that failed or have no price.",
        )
        components.card(
            "Cost per 1,000 requests",
            usd(derived.per_thousand_usd(total)),
            note=f"{usd(derived.per_thousand_usd(total, at_list=True))} without batching",
            change=_change(month, derived.per_thousand_usd),
            against=_against(month),
            color="inverse",
            chart=[float(day.cost_usd) * 1000 / max(day.requests, 1) for day in sums],
        )


def _change(month: queries.Month, of: Callable[[Spend], Decimal | None]) -> str | None:
    compared = month.compared
    return formats.change(derived.change(of(compared.spend), of(compared.spend_before))) if compared else None


def _against(month: queries.Month) -> str:
    return f"vs {formats.day_span(month.compared.before)}" if month.compared else ""


def _comparison(month: queries.Month, period: Period, known: queries.Extent) -> str:
    """Which days stand against which, and whether the month is over."""
    so_far = (
        "" if known.today >= period.end else f"Month to date, {formats.day_span(derived.until(period, known.today))}. "
    )
    if month.compared is None:
        cut_off = known.first_day > month_before(period).first
        why = f"the ledger starts on {formats.day_name(known.first_day)}" if cut_off else "no day is complete"
        return f"{so_far}Nothing to compare with yet: {why}."
    days, before = formats.day_span(month.compared.period), formats.day_span(month.compared.before)
    return f"{so_far}Changes compare only complete days: {days} vs {before}."


def _unpriced_notice(month: queries.Month) -> None:
    if not month.total.unpriced_requests:
        return
    rows = [f"{md(row.model)}: {counted(row.requests, 'request')}. {md(row.reason)}" for row in month.unpriced]
    if len(rows) > LISTED:
        rows[LISTED:] = [f"and {counted(len(rows) - LISTED, 'more model')}"]
    st.warning(
        "  \n".join(["Counted, not priced: the total leaves them out.", *rows]),
        title=f"{counted(month.total.unpriced_requests, 'request')} without a price",
    )


def _daily(month: queries.Month, period: Period) -> None:
    with st.container(border=True, key="daily"):
        with components.card_head("Daily spend"):
            group = st.segmented_control(
                "Split by",
                queries.GROUPS,
                default=queries.GROUPS[0],
                required=True,
                format_func=str.capitalize,
                key=state.GROUP,
                bind="query-params",
                label_visibility="collapsed",
            )
        if not month.total.cost_usd:
            st.caption("No request of this month has a cost." if month.total.requests else "No requests in this month.")
            return
        st.plotly_chart(
            charts.daily_spend(month.daily[group], period, month.ranking[group]),
            key="daily-chart",
            config=charts.CONFIG,
            alt=f"Daily spend by {group} in {formats.month_name(period.first)}, {usd(month.total.cost_usd)} in all",
        )


def _workloads(month: queries.Month, days: Period) -> None:
    rows = [
        {
            "Workload": row.key,
            **_costs(row.spend, month.total),
            "Batched": derived.share(row.spend.batch_requests, row.spend.requests),
            "Saved": row.spend.saved_usd if row.spend.has_price else None,
            "Per 1,000": derived.per_thousand_usd(row.spend),
            "By day": [float(day.cost_usd) for day in derived.by_day(month.daily["workload"], days, row.key)],
        }
        for row in month.spend_by["workload"]
    ]
    with st.container(border=True, key="workloads"):
        components.card_head("Workloads")
        components.table(
            rows,
            key="workloads-table",
            alt="Cost, requests and savings of each workload in the month",
            columns={"By day": st.column_config.BarChartColumn(y_min=0, width="medium")},
        )


def _models(month: queries.Month) -> None:
    rows = [
        {
            "Model": row.key,
            **_costs(row.spend, month.total),
            "Input tokens": row.spend.input_tokens,
            "Cache reads": row.spend.cache_read_tokens,
            "Cache writes": row.spend.cache_write_tokens,
            "Output tokens": row.spend.output_tokens,
        }
        for row in month.spend_by["model"]
    ]
    with st.container(border=True, key="models"):
        components.card_head("Models")
        components.table(rows, key="models-table", alt="Cost, requests and tokens of each model in the month")


def _costs(spend: Spend, total: Spend) -> dict[str, object]:
    """The columns that both tables begin with; a row without a single price has no cost to show."""
    unpriced = {"Unpriced": spend.unpriced_requests} if total.unpriced_requests else {}
    return {
        "Cost": spend.cost_usd if spend.has_price else None,
        "Share": derived.share(spend.cost_usd, total.cost_usd) if spend.has_price else None,
        "Requests": spend.requests,
        **unpriced,
    }
