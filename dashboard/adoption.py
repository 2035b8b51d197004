"""Halfprice's five points before a workload becomes a batch, ticked by what was really done or seen.

They are ours, from documented behaviour of the API.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from core.prepare import MOST_BYTES, MOST_REQUESTS
from core.routing import BATCH_HOURS
from dashboard.formats import counted, exact_usd
from dashboard.runs import Outcome

MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that holds, or that is still open."""

    holds: bool
    text: str


@dataclass(frozen=True, slots=True)
class Point:
    """One of the five points with its facts."""

    title: str
    facts: tuple[Fact, ...]

    @property
    def holds(self) -> bool:
        """Whether nothing of it is open."""
        return all(fact.holds for fact in self.facts)


@dataclass(frozen=True, slots=True)
class Known:
    """What was done or seen so far; None is not yet, or not any more.

    `size` is the requests' in bytes, `without_id` how many came without a custom_id, `batch_usd` the estimate;
    `collected` says whether somebody fetches the results of what is under way.
    """

    requests: int
    size: int
    without_id: int | None
    deadline_hours: float | None
    batch_usd: Decimal | None
    collected: bool
    dry_run: Outcome | None = None
    outcome: Outcome | None = None


def points(known: Known) -> tuple[Point, ...]:
    """The five points."""
    return (
        Point("Dry-run one request", (_dry_run(known.dry_run),)),
        Point("Unique custom_ids, written down before sending", _ids(known)),
        Point("Four outcomes, reconciled", (_outcomes(known),)),
        Point("Late, and then gone", _lateness(known)),
        Point("Budget and limits", _limits(known)),
    )


def _dry_run(outcome: Outcome | None) -> Fact:
    if outcome is None:
        return Fact(False, "A batch checks its parameters only while it runs; one synchronous request checks them now.")
    if not outcome.counts["succeeded"]:
        return Fact(False, "The first request was sent synchronously and failed: see it under Launches.")
    return Fact(True, f"The first request was answered synchronously, for {exact_usd(outcome.cost_usd)}.")


def _ids(known: Known) -> tuple[Fact, ...]:
    unique = Fact(True, f"{counted(known.requests, 'custom_id')}, no two alike.")
    if known.without_id:
        unique = Fact(
            False,
            f"{counted(known.without_id, 'request')} came without one. Each got one that is unique, but it is another "
            "one when you send again.",
        )
    return unique, Fact(True, "Requests and intent are written to disk before anything goes out.")


def _outcomes(known: Known) -> Fact:
    if known.outcome is None:
        return Fact(False, "Told when it has ended: sent = succeeded + errored + canceled + expired.")
    parts = " + ".join(f"{number:,} {name}" for name, number in known.outcome.counts.items())
    return Fact(known.outcome.reconciled == known.requests, f"{known.requests:,} sent = {parts}.")


def _lateness(known: Known) -> tuple[Fact, ...]:
    hours = known.deadline_hours
    if hours is None:
        deadline = Fact(False, "You have not said when the answers are needed; a batch may take 24 hours.")
    elif hours < BATCH_HOURS:
        deadline = Fact(False, f"The answers are needed within {hours:g} hours, but a batch may take 24.")
    else:
        deadline = Fact(True, f"{hours:g} hours are soon enough; what has not run after 24 expires and is not billed.")
    return deadline, _kept(known)


def _kept(known: Known) -> Fact:
    if known.outcome is not None:
        return Fact(True, "The results are on this computer; the API keeps them 29 days.")
    if known.collected:
        return Fact(True, "Results are fetched to this computer as soon as they are there; the API keeps them 29 days.")
    return Fact(False, "Nobody fetches results at present. The API keeps them 29 days: halfprice batch watch.")


def _limits(known: Known) -> tuple[Fact, ...]:
    most, size = Decimal(MOST_BYTES) / MEGABYTE, Decimal(known.size) / MEGABYTE
    fits = known.requests <= MOST_REQUESTS and known.size <= MOST_BYTES
    estimated = (
        Fact(False, "No amount could be estimated: a model has no price.")
        if known.batch_usd is None
        else Fact(True, f"Estimated before sending: {exact_usd(known.batch_usd)} as a batch.")
    )
    return (
        Fact(fits, f"{known.requests:,} of at most {MOST_REQUESTS:,} requests, {size:.1f} of {most:.0f} MB."),
        estimated,
        Fact(False, "Your workspace's spend limit and queue limit cannot be seen from here: see the Console."),
    )
