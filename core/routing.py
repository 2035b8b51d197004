"""Whether a workload goes as a batch: the checklist as data, the reasons, and what would change the answer.

Batch when all conditions hold, sync when any reason for it holds; any beats all. The checklist is the article's, with
zero data retention beside it because the API documents that batches are not eligible for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

from core.capture.ids import new_request_id
from core.costmodel import Comparison, HitRates, Way, compare, dollars, percent, span
from core.journal import NO_WORKLOAD, VERSION
from core.periods import instant_text
from core.pricing import PriceBook
from core.workloads import Workload

Route = Literal["sync", "batch", "undecided"]
Answer = bool | int | float | None

BATCH_HOURS = 24
"""What the API promises: a batch has ended after this time."""
FEWEST_REQUESTS = 10
"""The article's rule of thumb; the discount itself starts with the first request."""
CACHE_CHECK = "shared_prefix_tokens"
"""The id of the check that stands below the checklist where the cache makes synchronous requests cheaper."""
PUBLIC_TIMES = (
    "Publicly reported times are shorter, half of the batches within 7 minutes and 90 % within 1 hour "
    "(OpenRouter, autumn 2026: several providers, only batches that completed), but that is no promise"
)


@dataclass(frozen=True, slots=True)
class YesNo:
    """A question of the checklist; any other answer than `passing` sends the workload synchronously.

    `hard`: a batch cannot do the work at all. `to_batch` and `to_sync` are conditions that a sentence can begin with.
    """

    id: str
    text: str
    passing: bool
    hard: bool
    passed: str
    failed: str
    to_batch: str
    to_sync: str

    def passes(self, answer: Answer) -> bool:
        """Whether an answer allows a batch."""
        return answer is self.passing

    def why(self, answer: Answer) -> str:
        """The reason in words."""
        if answer is None:
            return f"Not answered; {'no' if self.passing else 'yes'} would make it synchronous."
        return self.passed if self.passes(answer) else self.failed

    def change(self, _answer: Answer, *, passing: bool) -> tuple[Answer, str]:
        """The answer that passes or fails, with its condition."""
        return (self.passing, self.to_batch) if passing else (not self.passing, self.to_sync)


@dataclass(frozen=True, slots=True)
class AtLeast:
    """A question of the checklist that a number answers; below `least` the workload is sent synchronously.

    The conditions that begin with `unknown` are for a question without an answer.
    """

    id: str
    text: str
    least: int
    unit: str
    passed: str
    failed: str
    to_batch: str
    to_sync: str
    unknown_to_batch: str
    unknown_to_sync: str
    hard: bool = False

    def passes(self, answer: Answer) -> bool:
        """Whether an answer allows a batch."""
        return answer is not None and answer >= self.least

    def why(self, answer: Answer) -> str:
        """The reason in words."""
        if answer is None:
            return f"Not answered; less than {_counted(self.least, self.unit)} would make it synchronous."
        return (self.passed if self.passes(answer) else self.failed).format(given=_counted(answer, self.unit))

    def change(self, answer: Answer, *, passing: bool) -> tuple[Answer, str]:
        """The nearest whole number that passes or fails, with its condition."""
        nearest = self.least if passing else self.least - 1
        if answer is None:
            return nearest, self.unknown_to_batch if passing else self.unknown_to_sync
        if passing:
            return nearest, self.to_batch.format(more=_counted(nearest - answer, f"more {self.unit}"), in_all=nearest)
        return nearest, self.to_sync.format(fewer=_counted(answer - nearest, f"fewer {self.unit}"), in_all=nearest)


CHECKLIST: tuple[YesNo | AtLeast, ...] = (
    YesNo(
        id="person_waits",
        text="Does a person wait for the result?",
        passing=False,
        hard=True,
        passed="Nobody waits for it.",
        failed="A person waits, but a batch gives its results only when all of it has ended.",
        to_batch="If nobody waited for the result,",
        to_sync="If a person waited for the result,",
    ),
    YesNo(
        id="streams_to_ui",
        text="Is the output streamed to a screen?",
        passing=False,
        hard=True,
        passed="Nothing is streamed.",
        failed="A batch cannot stream: its results arrive together when it has ended.",
        to_batch="If the output were not streamed,",
        to_sync="If the output were streamed to a screen,",
    ),
    YesNo(
        id="chained",
        text="Does a request need the answer of an earlier one?",
        passing=False,
        hard=True,
        passed="No request needs the answer of another.",
        failed="Each step would be a batch of its own that has to end before the next one can start.",
        to_batch="If no request needed an earlier answer,",
        to_sync="If a request needed the answer of an earlier one,",
    ),
    YesNo(
        id="zero_retention",
        text="Does zero data retention have to apply?",
        passing=False,
        hard=True,
        passed="Results may be stored for a while.",
        failed="Batches are not eligible for zero data retention: their results are kept for up to 29 days.",
        to_batch="If zero data retention did not have to apply,",
        to_sync="If zero data retention had to apply,",
    ),
    YesNo(
        id="one_off",
        text="Is it a one-off?",
        passing=False,
        hard=False,
        passed="It runs again, so setting it up pays.",
        failed="Setting up a batch for a single run is seldom worth the effort; the price would still be half.",
        to_batch="If it ran regularly,",
        to_sync="If it were a one-off,",
    ),
    AtLeast(
        id="deadline_hours",
        text="After how many hours is the result needed?",
        least=BATCH_HOURS,
        unit="hour",
        passed="{given} is enough: a batch has ended after 24 hours.",
        failed=f"{{given}} is less than the 24 hours that the API promises. {PUBLIC_TIMES}.",
        to_batch="If 24 hours were soon enough,",
        to_sync="If the result were needed within 23 hours,",
        unknown_to_batch="If 24 hours were soon enough,",
        unknown_to_sync="If the result were needed sooner than in 24 hours,",
    ),
    AtLeast(
        id="requests_per_run",
        text="How many requests does a run send?",
        least=FEWEST_REQUESTS,
        unit="request",
        passed="{given} a run are worth a batch.",
        failed="{given} a run: fewer than 10, which is a rule of thumb. Even a batch of one costs half.",
        to_batch="With {more} a run ({in_all} in all)",
        to_sync="With {fewer} a run ({in_all} in all)",
        unknown_to_batch="With at least 10 requests a run",
        unknown_to_sync="With fewer than 10 requests a run",
    ),
    YesNo(
        id="retry_safe",
        text="Can a failed request be sent again without harm?",
        passing=True,
        hard=False,
        passed="What fails or expires can be sent again.",
        failed="Requests can fail or expire inside a batch that has ended; make sending them again harmless first.",
        to_batch="If failed requests could be sent again without harm,",
        to_sync="If sending a failed request again did harm,",
    ),
)


@dataclass(frozen=True, slots=True)
class Check:
    """One question with its answer; `passed` allows a batch, None is not answered. `hard`: a batch cannot do it."""

    id: str
    question: str
    answer: Answer
    passed: bool | None
    why: str
    hard: bool


@dataclass(frozen=True, slots=True)
class Flip:
    """A single change that changes the route: the answer it takes (a hit rate for a cache flip), and the sentence."""

    id: str
    answer: Answer | Decimal
    sentence: str


@dataclass(frozen=True, slots=True)
class Decision:
    """The route of a workload with its reasons.

    `saving_usd_month` is what a batch saves in a month against synchronous requests, both without the cache; None
    where a batch cannot do the work or the amounts are not known (`money.reason`). The route is `sync` also where the
    checklist allows a batch but `money` says that cached synchronous requests are cheaper; `checks` then ends with
    that reason.
    """

    route: Route
    checks: tuple[Check, ...]
    flips: tuple[Flip, ...]
    saving_usd_month: Decimal | None
    money: Comparison
    recommendation: str


def decide(workload: Workload, book: PriceBook, day: date, rates: HitRates | None = None) -> Decision:
    """Apply the checklist, then compare the money on the prices of a UTC day.

    >>> reviews = Workload(person_waits=False, streams_to_ui=False, one_off=False, chained=False, zero_retention=False,
    ...                    deadline_hours=24, requests_per_run=6, retry_safe=True)
    >>> decision = decide(reviews, PriceBook.load(), date(2026, 11, 23))
    >>> decision.route, decision.flips[0].sentence
    ('sync', 'With 4 more requests a run (10 in all) it could go as a batch.')
    """
    money = compare(workload, book, day, rates)
    checks = tuple(_check(question, workload) for question in CHECKLIST)
    if money.verdict == "cached_sync" and _route(checks) != "sync":
        checks += (_cache_check(workload, money),)
    route = _route(checks)
    hard = any(check.hard and check.passed is False for check in checks)
    return Decision(
        route=route,
        checks=checks,
        flips=(*_flips(checks, money), *_cache_flips(checks, money)),
        saving_usd_month=None if hard else money.saving_usd_month,
        money=money,
        recommendation=_recommendation(route, checks, money),
    )


def decision_record(workload: Workload, decision: Decision, at: datetime) -> dict[str, Any]:
    """The decision as a journal line: answers, reasons and the prices used."""
    return {
        "v": VERSION,
        "kind": "decision",
        "decision_id": new_request_id(),
        "decided_at": instant_text(at),
        "workload": workload.name or NO_WORKLOAD,
        "route": decision.route,
        "answers": asdict(workload),
        "checks": check_rows(decision),
        "price_ids": list(decision.money.price_ids),
    }


def check_rows(decision: Decision) -> list[dict[str, Any]]:
    """The checks as JSON rows: id, question, answer, passed, why."""
    return [
        {key: getattr(check, key) for key in ("id", "question", "answer", "passed", "why")} for check in decision.checks
    ]


def _check(question: YesNo | AtLeast, workload: Workload) -> Check:
    answer: Answer = getattr(workload, question.id)
    passed = None if answer is None else question.passes(answer)
    return Check(question.id, question.text, answer, passed, question.why(answer), question.hard)


def _cache_check(workload: Workload, money: Comparison) -> Check:
    why = f"At these hit rates the cache saves more than a batch: {_against_batch(money)}"
    return Check(CACHE_CHECK, "How many tokens do all prompts share?", workload.shared_prefix_tokens, False, why, False)


def _route(checks: Sequence[Check]) -> Route:
    if any(check.passed is False for check in checks):
        return "sync"
    return "undecided" if any(check.passed is None for check in checks) else "batch"


def _flips(checks: Sequence[Check], money: Comparison) -> list[Flip]:
    """The single answers that change the route; while questions are open, only answers to those."""
    failed = [check for check in checks if check.passed is False]
    unknown = [check for check in checks if check.passed is None]
    if money.verdict == "cached_sync" or len(failed) > 1:
        return []
    if failed:
        still = f", if {_counted(len(unknown), 'open question')} allow{'s' if len(unknown) == 1 else ''} it"
        return [_flip(failed[0], True, f"it could go as a batch{still if unknown else ''}")]
    away = [_flip(check, False, "it would be sent synchronously") for check in unknown or checks]
    if len(unknown) == 1:
        away.append(_flip(unknown[0], True, "it could go as a batch"))
    return away


def _flip(check: Check, passing: bool, outcome: str) -> Flip:
    question = next(question for question in CHECKLIST if question.id == check.id)
    answer, condition = question.change(check.answer, passing=passing)
    return Flip(check.id, answer, f"{condition} {outcome}.")


def _cache_flips(checks: Sequence[Check], money: Comparison) -> list[Flip]:
    """The batch's hit rate at which another way becomes the cheapest."""
    rate, sync = money.batch_break_even, money.way("sync_cache").hit_rate
    against_batch = {check.id for check in checks if check.passed is False} - {CACHE_CHECK}
    if rate is None or sync is None or against_batch or money.verdict not in ("cached_sync", "depends"):
        return []
    if money.verdict == "cached_sync":
        sentence = (
            f"If more than {percent(rate)} of a batch's requests found the prefix in the cache, it would be cheaper."
        )
    else:
        sentence = (
            f"If {percent(sync.low)} of the synchronous requests but less than {percent(rate)} of a batch's found the "
            f"prefix in the cache, it would be sent synchronously: {_against_batch(money)}"
        )
    return [Flip("batch_hit_rate", rate, sentence)]


def _recommendation(route: Route, checks: Sequence[Check], money: Comparison) -> str:
    failed = [check for check in checks if check.passed is False]
    if route == "batch":
        remark = f" Measure the hit rates: {_against_batch(money)}" if money.verdict == "depends" else ""
        return f"Send it as a batch: it {_saves(money)}.{remark}"
    if route == "undecided":
        unknown = [check for check in checks if check.passed is None]
        decide_it = f"{_counted(len(unknown), 'open question')} decide{'s' if len(unknown) == 1 else ''}"
        return f"{decide_it}: a batch {_saves(money)}. Until then send it synchronously."
    if failed[-1].id == CACHE_CHECK:
        return f"Send it synchronously with the prompt cache, whatever the checklist says. {failed[-1].why}"
    hard = [check.why for check in failed if check.hard]
    if hard:
        return f"Send it synchronously. {' '.join(hard)}"
    return f"Send it synchronously for now. {' '.join(check.why for check in failed)}"


def _saves(money: Comparison) -> str:
    saving = money.saving_usd_month
    if saving is None:
        return "costs half of what synchronous requests cost without the cache"
    return f"saves {dollars(saving)} a month against synchronous requests without the cache"


def _against_batch(money: Comparison) -> str:
    """Cached synchronous requests beside a batch, in one sentence with the amounts."""
    sync, batch, cached = (money.way(way_id) for way_id in ("sync_cache", "batch", "batch_cache"))
    period = "a request" if sync.month_usd is None else "a month"
    hits = "" if sync.hit_rate is None else f" at a hit rate of {percent(sync.hit_rate.low)}"
    between = "" if cached.hit_rate is None else f" at {span(cached.hit_rate, percent)}"
    return (
        f"with the cache, synchronous requests cost {_amount(sync)} {period}{hits}, while a batch costs "
        f"{_amount(batch)} without the cache and {_amount(cached)} with it{between}."
    )


def _amount(way: Way) -> str:
    usd = way.month_usd or way.request_usd
    return "nothing known" if usd is None else span(usd, dollars)


def _counted(number: float, noun: str) -> str:
    """A number with its noun.

    >>> _counted(1, "request"), _counted(1200, "request"), _counted(0.5, "hour"), _counted(24.0, "hour")
    ('1 request', '1,200 requests', '0.5 hours', '24 hours')
    """
    return f"{number:,.10g} {noun}{'' if number == 1 else 's'}"
