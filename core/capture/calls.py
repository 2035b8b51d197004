"""One request of the program, from its first attempt to its outcome."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

import httpx2

from .failures import failure_type
from .home import SANDBOX_HEADER, Kind
from .ids import new_request_id
from .jsontext import read_json
from .labels import Labels
from .lines import NO_WORKLOAD, request_line
from .messages import error_type
from .sink import Line, Noted

SOURCE = "capture"
LONGEST_PAUSE_S = 60.0
"""After that long without another attempt a failed call is over; the SDK waits at most 8 s unless it is told longer."""


class Call:
    """A Messages request that may be tried several times; its labels are those of the moment in which it began."""

    __slots__ = (
        "_error_type", "_refusal", "api_request_id", "kind", "labels", "model", "request_id", "sent_at", "statuses",
        "streamed",
    )  # fmt: skip

    def __init__(self, labels: Labels, model: str, *, streamed: bool) -> None:
        self.request_id = new_request_id()
        self.sent_at = datetime.now(UTC)
        self.labels = labels
        self.model = model
        self.streamed = streamed
        self.statuses: list[int] = []
        self.kind: Kind | None = None
        self.api_request_id: str | None = None
        self._error_type: str | None = None
        self._refusal: httpx2.Response | None = None

    def answered(self, response: httpx2.Response) -> None:
        """Note the answer to one attempt, whatever its status."""
        self.statuses.append(response.status_code)
        self.kind = kind_of(response)
        self.api_request_id = response.headers.get("request-id")
        self._refusal = response  # its body, which names the error, may not have been read yet

    def unanswered(self, error: BaseException) -> None:
        """Note an attempt that got no answer."""
        self.statuses.append(0)
        self.api_request_id, self._refusal = None, None
        self._error_type = failure_type(error)

    def failure(self) -> Noted:
        """The record of a call whose last attempt failed."""
        name = self._error_type if self._refusal is None else _refusal_type(self._refusal)
        return Noted([self.line(status="errored", model=self.model, error_type=name)], self.kind)

    def line(self, **outcome: Any) -> Line:
        """The journal line with this outcome, as of now."""
        return request_line(
            request_id=self.request_id,
            sent_at=self.sent_at,
            ended_at=datetime.now(UTC),
            route="sync",
            workload=self.labels.workload or NO_WORKLOAD,
            api_request_id=self.api_request_id,
            attempts=len(self.statuses),
            attempt_statuses=self.statuses,
            streamed=self.streamed,
            source=SOURCE,
            tags=self.labels.tags,
            **outcome,
        )


class Slot:
    """The call that is under way inside one `request` of a recorded client; None once it has its outcome."""

    __slots__ = ("call", "owner")

    def __init__(self, owner: object) -> None:
        self.owner = owner
        self.call: Call | None = None


current_slot: ContextVar[Slot | None] = ContextVar("halfprice_slot", default=None)


class Waiting:
    """Failed calls that the SDK may try again, where nothing says when it gives up; by idempotency key.

    Threads share it; every step on the dictionary is atomic, and no lock survives a fork.
    """

    def __init__(self) -> None:
        self._calls: dict[str, tuple[Call, float]] = {}

    def __bool__(self) -> bool:
        return bool(self._calls)

    def put(self, key: str, call: Call, pause_s: float) -> None:
        """Keep a call until its next attempt, or until there will be none."""
        self._calls[key] = call, time.monotonic() + pause_s + LONGEST_PAUSE_S

    def take(self, key: str) -> Call | None:
        """The call that this attempt goes on with."""
        call, _ = self._calls.pop(key, (None, 0.0))
        return call

    def overdue(self, begins: str | None) -> Noted:
        """The records of the calls that were not tried again in time, and of one whose key begins another call."""
        now = time.monotonic()
        over = [key for key, (_, until) in list(self._calls.items()) if until < now or key == begins]
        return _together([self.take(key) for key in over])

    def abandon(self) -> Noted:
        """The records of all of them, at the end of the program."""
        return _together([self.take(key) for key in list(self._calls)])


def _together(calls: Iterable[Call | None]) -> Noted:
    failures = [call.failure() for call in calls if call is not None]
    kinds = [failure.kind for failure in failures if failure.kind]
    return Noted([line for failure in failures for line in failure.lines], kinds[0] if kinds else None)


def kind_of(response: httpx2.Response) -> Kind:
    """Whose answer this is."""
    return "sandbox" if SANDBOX_HEADER in response.headers else "real"


def _refusal_type(response: httpx2.Response) -> str:
    said = error_type(read_json(response.content)) if response.is_stream_consumed else None
    return said or f"http_{response.status_code}"


def requested_model(body: object) -> str | None:
    """The model that a request asks for, as far as its body says."""
    model = body.get("model") if isinstance(body, dict) else None
    return model if isinstance(model, str) and model else None
