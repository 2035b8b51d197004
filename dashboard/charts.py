"""Figures drawn from the ledger's rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from html import escape
from typing import Literal
from zlib import crc32

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from core.completion import Curve, Observation
from core.facts import DailySpend
from core.periods import Period, find_zone
from dashboard import derived, formats

SERIES = 8
"""Most series in one chart; the rest is drawn together as `OTHER`."""
OTHER = "Other"

CONFIG = {"displayModeBar": False}
"""What `st.plotly_chart` takes with every figure."""

# The browser swaps these for the categorical colours of the theme in use (an internal habit of Streamlit's, held by a
# browser test), so a series keeps its place in the palette in light and in dark. The ninth is the palette's grey.
_PALETTE = tuple(f"#00000{number}" for number in range(1, SERIES + 1))
_GREY = "#000009"
_NEUTRAL = "#8A8378"  # readable on both backgrounds
_DAY_OR_HOUR = [
    {"dtickrange": [None, 12 * 3_600_000], "value": "%-d %b<br>%H:%M"},
    {"dtickrange": [24 * 3_600_000, None], "value": "%-d %b"},
]
_LIMIT_LINE = {"color": _NEUTRAL, "width": 1.5, "dash": "dash"}
_BAND = "rgba(138, 131, 120, 0.2)"

MINUTE = 60
LIMIT = 24 * 60 * MINUTE
_TICKS = {
    1: "1 s",
    10: "10 s",
    60: "1 min",
    300: "5 min",
    900: "15 min",
    3600: "1 h",
    14_400: "4 h",
    43_200: "12 h",
    86_400: "24 h",
}


@dataclass(frozen=True, slots=True)
class BatchTime:
    """One batch as a marker: how it stands and how long it took, or has been seen to take."""

    created_at: datetime
    seconds: float
    outcome: derived.Outcome
    label: str


# Each outcome's place in the palette with its marker: told apart without colour too.
_OUTCOMES: dict[derived.Outcome, tuple[str, str]] = {
    "ended": (_PALETTE[1], "circle"),
    "running": (_PALETTE[0], "circle-open"),
    "canceled": (_GREY, "x"),
    "expired": (_PALETTE[3], "triangle-up"),
}


def series_colors(shown: Sequence[str], ranking: Sequence[str]) -> dict[str, str]:
    """The colour of each series shown, the same in every chart and month.

    A name has a place of its own in the palette; where two would share one, the name that comes first in `ranking`
    (every name there is, dearest first) keeps it.

    >>> both, alone = series_colors(["chat", "news"], ["chat", "news"]), series_colors(["news"], ["chat", "news"])
    >>> both["news"] == alone["news"] != both["chat"]
    True
    """
    places: dict[str, int] = {}
    for name in ranking[:SERIES]:
        places[name] = _free_place(name, places)
    used = {name: places[name] for name in shown if name in places}
    for name in shown:
        if name not in used:
            used[name] = _free_place(name, used)
    return {name: _PALETTE[place] for name, place in used.items()}


def daily_spend(rows: Sequence[DailySpend], period: Period, ranking: Sequence[str]) -> go.Figure:
    """Spend of each day of a period, stacked by series."""
    days = derived.each_day(period)
    series, other = _series(rows)
    colors = series_colors([name for name, _ in series], ranking)
    figure = go.Figure()
    for name, costs in [*series, *other]:
        figure.add_bar(
            x=days,
            y=[round(costs.get(day, 0.0), 6) for day in days],
            name=escape(name),
            marker={"color": colors.get(name, _GREY), "line": {"width": 0}},
            customdata=[formats.usd(costs.get(day, 0.0)) for day in days],
            hovertemplate="%{customdata}",
        )
    if len(series) > 1:
        totals = [sum(costs.get(day, 0.0) for _, costs in [*series, *other]) for day in days]
        _add_total(figure, days, totals)
    figure.update_layout(
        barmode="stack",
        bargap=0.25,
        height=340,
        hovermode="x unified",
        xaxis={"tickformat": "%-d %b", "hoverformat": "%a %-d %b", "showgrid": False, "nticks": 8},
        yaxis={"tickprefix": "$", "tickformat": ",", "nticks": 5, "rangemode": "tozero", "fixedrange": True},
        **_frame(),
    )
    figure.update_xaxes(range=[_noon_before(days[0]), _noon_before(period.end)], fixedrange=True)
    return figure


def completion(curve: Curve, observed: Sequence[Observation], marks: Mapping[str, float]) -> go.Figure:
    """Share of batches done within a time, with its 95% band and, marked on it, what was seen only in part.

    `marks` are seconds by the name of a quantile.
    """
    figure = go.Figure()
    seconds, share_done, low, high = _drawn(curve, max(seen.seconds for seen in observed))
    edge = {"mode": "lines", "line": {"width": 0, "shape": "hv"}, "hoverinfo": "skip"}
    figure.add_scatter(x=seconds, y=high, showlegend=False, **edge)
    figure.add_scatter(x=seconds, y=low, name="95% band", fill="tonexty", fillcolor=_BAND, legendrank=1001, **edge)
    figure.add_scatter(
        x=seconds,
        y=share_done,
        name="Share done",
        mode="lines",
        line={"shape": "hv", "width": 2.5, "color": _PALETTE[1]},
        customdata=[formats.duration(at) for at in seconds],
        hovertemplate="%{y:.0%} done within %{customdata}<extra></extra>",
    )
    _add_censored(figure, curve, [seen.seconds for seen in observed if not seen.done])
    for name, second in marks.items():
        figure.add_vline(x=second, line={"color": _NEUTRAL, "width": 1, "dash": "dot"})
        _write(figure, second, f"{name}<br>{formats.duration(second)}", to_the="right")
    figure.add_vline(x=LIMIT, line=_LIMIT_LINE)
    _write(figure, LIMIT, "24 h<br>limit", to_the="left")
    figure.update_layout(
        height=340,
        hovermode="closest",
        xaxis=_time_axis(min(seen.seconds for seen in observed)) | {"showgrid": False},
        yaxis={"tickformat": ".0%", "range": [0, 1.02], "tickvals": [0, 0.25, 0.5, 0.75, 1], "fixedrange": True},
        **_frame(),
    )
    return figure


def batch_times(times: Sequence[BatchTime], zone: str) -> go.Figure:
    """Each batch by when it was created and how long it took; what has not ended is marked as such."""
    figure = go.Figure()
    for outcome, (fill, symbol) in _OUTCOMES.items():
        of_kind = [time for time in times if time.outcome == outcome]
        if of_kind:
            figure.add_scatter(
                x=[time.created_at.astimezone(find_zone(zone)).replace(tzinfo=None) for time in of_kind],
                y=[max(time.seconds, 1.0) for time in of_kind],
                name=outcome.capitalize(),
                mode="markers",
                marker={"color": fill, "symbol": symbol, "size": 9, "line": {"width": 2, "color": fill}},
                customdata=[
                    [escape(time.label), formats.moment(time.created_at, zone), formats.duration(time.seconds)]
                    for time in of_kind
                ],
                hovertemplate="%{customdata[0]}<br>%{customdata[1]}: %{customdata[2]}<extra></extra>",
            )
    figure.add_hline(y=LIMIT, line=_LIMIT_LINE)
    figure.update_layout(
        height=340,
        hovermode="closest",
        showlegend=True,
        xaxis={"tickformatstops": _DAY_OR_HOUR, "nticks": 6, "showgrid": False, "fixedrange": True},
        yaxis=_time_axis(min(time.seconds for time in times)),
        **_frame(),
    )
    return figure


def _free_place(name: str, taken: Mapping[str, int]) -> int:
    """The first free place in the palette, starting from the name's own."""
    own = crc32(name.encode())
    return next(place % SERIES for place in range(own, own + SERIES) if place % SERIES not in taken.values())


_Numbers = NDArray[np.float64]
_Series = list[tuple[str, dict[date, float]]]


def _series(rows: Iterable[DailySpend]) -> tuple[_Series, _Series]:
    """Costs by name and day, dearest name first, then what is beyond `SERIES` names added up.

    A name without any cost has nothing to draw: its requests are free or have no price.
    """
    costs: dict[str, dict[date, float]] = defaultdict(dict)
    for row in rows:
        if row.cost_usd:
            costs[row.key][row.day] = float(row.cost_usd)
    ranked = sorted(costs, key=lambda name: (-sum(costs[name].values()), name))
    other: dict[date, float] = defaultdict(float)
    for name in ranked[SERIES:]:
        for day, cost in costs[name].items():
            other[day] += cost
    return [(name, costs[name]) for name in ranked[:SERIES]], [(OTHER, other)] if other else []


def _noon_before(day: date) -> str:
    return f"{day - timedelta(days=1)} 12:00"


def _add_total(figure: go.Figure, days: Sequence[date], totals: Sequence[float]) -> None:
    """One more line in the hover box, nothing to see in the chart."""
    figure.add_scatter(
        x=days,
        y=totals,
        name="<b>Total</b>",
        mode="markers",
        marker={"opacity": 0, "color": _NEUTRAL},
        showlegend=False,
        customdata=[formats.usd(total) for total in totals],
        hovertemplate="<b>%{customdata}</b>",
    )


def _add_censored(figure: go.Figure, curve: Curve, times: Sequence[float]) -> None:
    """A tick on the curve where a batch was last seen, not done."""
    if not times:
        return
    places = np.searchsorted(curve.seconds, times, side="right")
    figure.add_scatter(
        x=times,
        y=np.concatenate([[0.0], curve.share_done])[places],
        name="Still open or cut off",
        mode="markers",
        marker={"symbol": "cross-thin", "size": 9, "line": {"width": 2, "color": _PALETTE[0]}},
        legendrank=1002,
        customdata=[formats.duration(second) for second in times],
        hovertemplate="seen for %{customdata}, not done<extra></extra>",
    )


def _drawn(curve: Curve, seen_until: float) -> tuple[_Numbers, _Numbers, _Numbers, _Numbers]:
    """The curve from nothing done to the last moment seen, thinned to what a screen can show."""
    keep = np.unique(np.linspace(0, len(curve.seconds) - 1, 400).astype(int))
    start, end = min(1.0, curve.seconds[0] / 2), max(seen_until, curve.seconds[-1])
    parts = (curve.share_done, curve.low, curve.high)
    share_done, low, high = (np.concatenate([[0.0], part[keep], part[-1:]]) for part in parts)
    return np.concatenate([[start], curve.seconds[keep], [end]]), share_done, low, high


def _time_axis(fastest: float) -> dict[str, object]:
    """A minute to a day, or from the fastest on if that is less."""
    return {
        "type": "log",
        "tickvals": list(_TICKS),
        "ticktext": list(_TICKS.values()),
        "range": [np.log10(max(1.0, min(MINUTE, fastest * 0.8))), np.log10(LIMIT * 1.25)],
        "fixedrange": True,
        "zeroline": False,
    }


def _write(figure: go.Figure, second: float, text: str, to_the: Literal["left", "right"]) -> None:
    """Two short lines beside a vertical line, above the time axis."""
    figure.add_annotation(
        x=np.log10(second),
        y=0,
        xanchor="left" if to_the == "right" else "right",
        yanchor="bottom",
        xshift=4 if to_the == "right" else -4,
        text=text,
        align="left" if to_the == "right" else "right",
        showarrow=False,
        font={"size": 11},
    )


def _frame() -> dict[str, object]:
    return {
        "margin": {"l": 0, "r": 0, "t": 8, "b": 0},
        "legend": {
            "orientation": "h",
            "x": 0,
            "y": 1.02,
            "yanchor": "bottom",
            "traceorder": "normal",
            "title": {"text": ""},
        },
    }
