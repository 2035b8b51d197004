"""What the pages ask of the ledger, remembered until the ledger changes."""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Literal

import streamlit as st

from core.facts import Batch, DailySpend, QuarantinedLine, Span, Spend, SpendRow, Unpriced
from core.ledger import Ledger, Reader
from core.periods import Period, local_day
from core.plan import Asked, Plan, make_plan
from core.pricing import PriceBook
from core.settings import find_home, home_kind
from core.submissions import Submission, Submissions
from core.workloads import Workload
from dashboard import derived, runs

Group = Literal["model", "workload", "route"]
GROUPS: tuple[Group, ...] = ("model", "workload", "route")


@dataclass(frozen=True, slots=True)
class Version:
    """One state of one home's ledger; every remembered answer belongs to one."""

    home: str
    stamp: str


@dataclass(frozen=True, slots=True)
class Extent:
    """What the ledger covers, in days of its zone; `today` is the day now, which may lie beyond it."""

    zone: str
    span: Span
    first_day: date
    newest_day: date
    today: date


@dataclass(frozen=True, slots=True)
class Month:
    """All that the page of one month shows, from one state of the ledger."""

    total: Spend
    compared: derived.Compared | None
    spend_by: dict[Group, list[SpendRow]]
    daily: dict[Group, list[DailySpend]]
    ranking: dict[str, list[str]]
    unpriced: list[Unpriced]


def sync() -> str:
    """Bring in what recorders have written since; the stamp of what the ledger then holds."""
    ledger = _ledger(str(find_home()))
    ledger.sync()
    return ledger.stamp()


def is_sample() -> bool:
    """Whether the home holds synthetic data."""
    return home_kind(find_home()) == "sandbox"


def extent() -> Extent | None:
    """What the ledger covers; None while it is empty."""
    zone, span = _span(_version())
    if span is None:
        return None
    today = local_day(datetime.now(UTC), zone)
    return Extent(zone, span, local_day(span.first_at, zone), local_day(span.newest_at, zone), today)


def zone() -> str:
    """The zone in which the ledger cuts its days."""
    return _span(_version())[0]


def month(period: Period, known: Extent) -> Month:
    """One month of the ledger."""
    return _month(_version(), period, known)


def batches() -> list[Batch]:
    """Every batch, newest first."""
    return _batches(_version())


def workloads() -> list[str]:
    """Every workload that the ledger ever met, dearest first: a name keeps its colour in every month."""
    return _workloads(_version())


def quarantine() -> list[QuarantinedLine]:
    """Journal lines that are counted nowhere, newest first."""
    return _quarantine(_version())


def outcome(run: Submission) -> runs.Outcome:
    """What became of a finished launch."""
    return _outcome(_version(), run)


def open_batches() -> bool:
    """Whether results of a batch that was launched here have still to be fetched."""
    return any(run.route == "batch" and run.stage in ("sending", "sent") for run in Submissions(find_home()).all())


def dry_run(home: Path, first: Plan) -> runs.Outcome | None:
    """What became of a dry run, once it has ended."""
    done = [run for run in Submissions(home).runs(first.name, first.prepared.digest) if run.stage == "finished"]
    return outcome(done[-1]) if done else None


@st.cache_resource(max_entries=4, show_spinner="Reading the requests …")
def plan(content: bytes, workload: Workload, name: str, asked: Asked, _now: datetime, day: date) -> Plan:  # noqa: ARG001
    """The plan of sending that input; the same one for a day."""
    return make_plan(io.BytesIO(content), workload, name, asked, PriceBook.load(), _now)


@st.cache_data(max_entries=1, show_spinner=False)
def prices_checked() -> date:
    """The day on which the oldest price was last compared with its source."""
    return PriceBook.load().checked


@st.cache_resource(max_entries=4, show_spinner=False)
def _ledger(home: str) -> Ledger:
    return Ledger(Path(home))


def _version() -> Version:
    home = str(find_home())
    return Version(home, _ledger(home).stamp())


@st.cache_data(max_entries=4, show_spinner=False)
def _span(version: Version) -> tuple[str, Span | None]:
    with _ledger(version.home).read() as reader:
        return reader.zone, reader.span()


@st.cache_data(max_entries=48, show_spinner=False)
def _month(version: Version, period: Period, known: Extent) -> Month:
    with _ledger(version.home).read() as reader:
        total = reader.total(period)
        return Month(
            total=total,
            compared=_compared(reader, period, known),
            spend_by={group: reader.spend_by(period, group) for group in GROUPS},
            daily={group: reader.spend_by_day(period, group) for group in GROUPS},
            ranking=reader.rankings(),
            unpriced=reader.unpriced(period) if total.unpriced_requests else [],
        )


@st.cache_data(max_entries=4, show_spinner=False)
def _batches(version: Version) -> list[Batch]:
    with _ledger(version.home).read() as reader:
        return reader.batches()


@st.cache_data(max_entries=16, show_spinner=False)
def _outcome(version: Version, run: Submission) -> runs.Outcome:
    return runs.outcome(Path(version.home), run, _batches(version), PriceBook.load())


@st.cache_data(max_entries=4, show_spinner=False)
def _workloads(version: Version) -> list[str]:
    with _ledger(version.home).read() as reader:
        return reader.rankings()["workload"]


@st.cache_data(max_entries=4, show_spinner=False)
def _quarantine(version: Version) -> list[QuarantinedLine]:
    with _ledger(version.home).read() as reader:
        return reader.quarantine()


def _compared(reader: Reader, period: Period, known: Extent) -> derived.Compared | None:
    periods = derived.comparable(period, known.today, known.first_day, known.newest_day)
    if periods is None:
        return None
    now, before = periods
    return derived.Compared(now, before, reader.total(now), reader.total(before))
