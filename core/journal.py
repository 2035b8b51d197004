"""The lines that every recorder appends and the ledger ingests.

A line is one JSON object with `v` (1) and `kind`. Times are ISO 8601 in UTC with `Z`.

`request`: `request_id` (UUID), `sent_at` (for a batch item the batch's `created_at`), `ended_at`, `route`
(`sync` | `batch`), `workload`, `model`, `status` (`succeeded` | `errored` | `canceled` | `expired`), `stop_reason`,
`refusal_category`, `error_type`, `batch_id`, `custom_id`, `api_request_id`, `message_id`, `attempts`, `source`,
`attempt_statuses` (HTTP statuses of its attempts in order, 0 for one without an answer), `streamed` (true | false),
`incomplete` (true when the stream broke off, so that the usage is a lower bound), `tags` (object of text), `usage` (the
raw usage block of the response), `time_assumed` (true when `sent_at` is not the request's own time). A field that is
not known or does not apply is null or absent.

`batch`: `batch_id`, `workload`, `model`, `status` (`in_progress` | `canceling` | `ended`), `created_at`, `ended_at`,
`expires_at`, `cancel_initiated_at`, `requests`, `succeeded`, `errored`, `canceled`, `expired`, `results_path`,
`observed_at`. A later observation replaces an earlier one; a workload, model or results_path that it leaves out stays.

`decision`: `decision_id` (UUID), `decided_at`, `workload`, `route` (`sync` | `batch` | `undecided`), `answers`,
`checks`, `price_ids` (JSON as the router gives it).

Never a cost: the ledger prices on ingest. Never a prompt, never an answer.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from core.capture.lines import NO_WORKLOAD as NO_WORKLOAD
from core.capture.lines import VERSION as VERSION
from core.errors import HalfpriceError
from core.periods import parse_instant
from core.usage import is_text, shown

LINE_BYTES = 1_000_000
"""Longest line that is read; a journal line holds no prompt and no answer, so a longer one is not ours."""
FIRST_DAY = datetime(2023, 3, 14, tzinfo=UTC)
"""The day on which the Claude API opened; no request is older."""
CLOCK_SLACK = timedelta(days=2)
"""How far ahead of now a time may lie before it is taken for a broken clock."""

ROUTES = ("sync", "batch")
OUTCOMES = ("succeeded", "errored", "canceled", "expired")
BATCH_STATUSES = ("in_progress", "canceling", "ended")


class BadLine(HalfpriceError):
    """A journal line that cannot become a fact; the message says why, without file and line."""


class NotYet(BadLine):
    """A line that only the clock speaks against: what it tells lies in the future, `at`."""

    def __init__(self, message: str, at: datetime) -> None:
        super().__init__(message)
        self.at = at


@dataclass(frozen=True, slots=True)
class RequestLine:
    """One request as its recorder saw it; `usage` is the raw block, None without an answer."""

    request_id: str
    sent_at: datetime
    ended_at: datetime | None
    route: str
    workload: str
    model: str
    status: str
    stop_reason: str | None
    refusal_category: str | None
    error_type: str | None
    batch_id: str | None
    custom_id: str | None
    api_request_id: str | None
    message_id: str | None
    attempts: int | None
    attempt_statuses: tuple[int, ...]
    streamed: bool | None
    incomplete: bool
    source: str
    tags: Mapping[str, str]
    usage: Mapping[str, Any] | None
    time_assumed: bool


@dataclass(frozen=True, slots=True)
class BatchLine:
    """One observation of a batch; counts are items."""

    batch_id: str
    workload: str
    model: str | None
    status: str
    created_at: datetime
    ended_at: datetime | None
    expires_at: datetime
    cancel_initiated_at: datetime | None
    requests: int
    succeeded: int
    errored: int
    canceled: int
    expired: int
    results_path: str | None
    observed_at: datetime


@dataclass(frozen=True, slots=True)
class DecisionLine:
    """One routing decision; `answers`, `checks` and `price_ids` are JSON text."""

    decision_id: str
    decided_at: datetime
    workload: str
    route: str
    answers: str
    checks: str
    price_ids: str


def read_line(line: bytes, now: datetime) -> RequestLine | BatchLine | DecisionLine:
    """The fact on one journal line; BadLine says what is wrong with it.

    >>> read_line(b'{"v":2}', datetime(2026, 11, 23, tzinfo=UTC))
    Traceback (most recent call last):
    core.journal.BadLine: v is 2; this Halfprice reads journal version 1. Upgrade Halfprice
    """
    fields = _Fields(_parsed(line), now)
    version = fields.found.get("v")
    if version != VERSION or isinstance(version, bool):
        raise BadLine(f"v is {shown(version)}; this Halfprice reads journal version {VERSION}. Upgrade Halfprice")
    kind = fields.one_of("kind", ("request", "batch", "decision"))
    if kind == "request":
        return _request(fields)
    return _batch(fields) if kind == "batch" else _decision(fields)


def _parsed(line: bytes) -> dict[str, Any]:
    if len(line) > LINE_BYTES:
        raise BadLine(f"the line has {len(line):,} bytes, more than the {LINE_BYTES:,} that a journal line may have")
    try:
        found = json.loads(line.decode())
    except UnicodeDecodeError as error:
        raise BadLine(f"byte {error.start + 1} is not UTF-8") from None
    except (ValueError, RecursionError) as error:  # also a number of more than 4,300 digits
        raise BadLine(f"not JSON: {error}") from None
    if not isinstance(found, dict):
        raise BadLine(f"a JSON object was expected, not {shown(found)}")
    return found


def _request(fields: _Fields) -> RequestLine:
    usage = fields.found.get("usage")
    if usage is not None and not isinstance(usage, dict):
        raise BadLine(f"usage must be an object or null, not {shown(usage)}")
    status = fields.one_of("status", OUTCOMES)
    if usage is None and status == "succeeded":
        raise BadLine("a succeeded request has no usage")
    return RequestLine(
        request_id=fields.unique_id("request_id"),
        sent_at=fields.instant("sent_at"),
        ended_at=fields.instant_or_none("ended_at"),
        route=fields.one_of("route", ROUTES),
        workload=fields.text_or_none("workload") or NO_WORKLOAD,
        model=fields.text("model"),
        status=status,
        stop_reason=fields.text_or_none("stop_reason"),
        refusal_category=fields.text_or_none("refusal_category"),
        error_type=fields.text_or_none("error_type"),
        batch_id=fields.text_or_none("batch_id"),
        custom_id=fields.text_or_none("custom_id"),
        api_request_id=fields.text_or_none("api_request_id"),
        message_id=fields.text_or_none("message_id"),
        attempts=fields.count("attempts") if fields.found.get("attempts") is not None else None,
        attempt_statuses=fields.statuses(),
        streamed=fields.flag("streamed") if fields.found.get("streamed") is not None else None,
        incomplete=fields.flag("incomplete"),
        source=fields.text("source"),
        tags=fields.tags(),
        usage=usage,
        time_assumed=fields.flag("time_assumed"),
    )


def _batch(fields: _Fields) -> BatchLine:
    return BatchLine(
        batch_id=fields.text("batch_id"),
        workload=fields.text_or_none("workload") or NO_WORKLOAD,
        model=fields.text_or_none("model"),
        status=fields.one_of("status", BATCH_STATUSES),
        created_at=fields.instant("created_at"),
        ended_at=fields.instant_or_none("ended_at"),
        expires_at=fields.instant("expires_at"),
        cancel_initiated_at=fields.instant_or_none("cancel_initiated_at"),
        requests=fields.count("requests"),
        succeeded=fields.count("succeeded"),
        errored=fields.count("errored"),
        canceled=fields.count("canceled"),
        expired=fields.count("expired"),
        results_path=fields.text_or_none("results_path"),
        observed_at=fields.instant("observed_at"),
    )


def _decision(fields: _Fields) -> DecisionLine:
    return DecisionLine(
        decision_id=fields.unique_id("decision_id"),
        decided_at=fields.instant("decided_at"),
        workload=fields.text("workload"),
        route=fields.one_of("route", (*ROUTES, "undecided")),
        answers=json.dumps(fields.found.get("answers")),
        checks=json.dumps(fields.found.get("checks")),
        price_ids=json.dumps(fields.found.get("price_ids")),
    )


class _Fields:
    """The fields of one line, taken out with their type checked."""

    def __init__(self, found: dict[str, Any], now: datetime) -> None:
        self.found = found
        self._now = now

    def text(self, name: str) -> str:
        value = self.text_or_none(name)
        if not value:
            raise BadLine(f"{name} is missing")
        return value

    def text_or_none(self, name: str) -> str | None:
        value = self.found.get(name)
        if value is not None and not (isinstance(value, str) and is_text(value)):
            raise BadLine(f"{name} must be text, not {shown(value)}")
        return value or None

    def one_of(self, name: str, allowed: tuple[str, ...]) -> str:
        value = self.text(name)
        if value not in allowed:
            raise BadLine(f"{name} is {shown(value)}; it must be one of {', '.join(allowed)}")
        return value

    def count(self, name: str) -> int:
        value = self.found.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 1_000_000_000:
            raise BadLine(f"{name} must be a whole number from 0 on, not {shown(value)}")
        return value

    def flag(self, name: str) -> bool:
        value = self.found.get(name)
        if value is not None and not isinstance(value, bool):
            raise BadLine(f"{name} must be true or false, not {shown(value)}")
        return bool(value)

    def statuses(self) -> tuple[int, ...]:
        value = self.found.get("attempt_statuses") or []
        if not isinstance(value, list) or not all(type(status) is int and 0 <= status <= 599 for status in value):
            raise BadLine(f"attempt_statuses must be a list of HTTP statuses, not {shown(value)}")
        return tuple(value)

    def unique_id(self, name: str) -> str:
        try:
            return str(uuid.UUID(self.text(name)))
        except ValueError:
            raise BadLine(f"{name} must be a UUID, not {shown(self.found[name])}") from None

    def tags(self) -> Mapping[str, str]:
        value = self.found.get("tags") or {}
        if not isinstance(value, dict) or not all(
            isinstance(label, str) and is_text(name + label) for name, label in value.items()
        ):
            raise BadLine(f"tags must be an object of text, not {shown(value)}")
        return value

    def instant(self, name: str) -> datetime:
        value = self.text(name)
        try:
            at = parse_instant(value)
        except (ValueError, OverflowError) as error:
            raise BadLine(f"{name} is not a time: {error}") from None
        if at < FIRST_DAY:
            raise BadLine(f"{name} is {value}, which is before the API opened: was the clock right?")
        if at > self._now + CLOCK_SLACK:
            raise NotYet(f"{name} is {value}, which is in the future: is the clock right?", at)
        return at

    def instant_or_none(self, name: str) -> datetime | None:
        return None if self.found.get(name) is None else self.instant(name)
