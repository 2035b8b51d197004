"""One HTTP attempt at something that is recorded, and what comes of it."""

from __future__ import annotations

from typing import Protocol

import anthropic
import httpx2

from .batches import BatchResults, BatchState, KnownBatches, sent_models
from .calls import Call, Slot, Waiting, kind_of, requested_model
from .endpoints import Endpoint
from .failures import was_tried
from .labels import Labels
from .lines import NO_MODEL
from .readers import Reader, StreamedMessage, WholeMessage
from .sink import NOTHING, Noted

RETRIED = frozenset({408, 409, 429})
"""Statuses below 500 that the SDK tries again. Source: anthropic 2.12.0, _base_client.py, `_should_retry`"""


class Attempt(Protocol):
    """An attempt that is under way."""

    def succeeded(self, response: httpx2.Response) -> Reader:
        """What reads the body of this answer."""

    def refused(self, response: httpx2.Response) -> Noted:
        """What to record now of an answer with an error status."""

    def failed(self, error: BaseException) -> Noted:
        """What to record now of an attempt without an answer."""


class MessageAttempt:
    """An attempt at a Messages request; its call is over with the first answer that succeeds."""

    __slots__ = ("_call", "_patience")

    def __init__(self, call: Call, patience: Patience) -> None:
        self._call = call
        self._patience = patience

    def succeeded(self, response: httpx2.Response) -> Reader:
        """A reader that makes the one record of the call, with all its attempts."""
        self._patience.over()
        self._call.answered(response)
        is_stream = self._call.streamed and "event-stream" in response.headers.get("content-type", "")
        return StreamedMessage(self._call) if is_stream else WholeMessage(self._call)

    def refused(self, response: httpx2.Response) -> Noted:
        """The record of the call if there will be no other attempt."""
        self._call.answered(response)
        return self._patience.after(self._call, _retries(response), _pause_s(response))

    def failed(self, error: BaseException) -> Noted:
        """The record of the call if there will be no other attempt; none if nothing was ever sent."""
        if was_tried(error):
            self._call.unanswered(error)
        if not self._call.statuses:
            self._patience.over()
            return NOTHING
        return self._patience.after(self._call, isinstance(error, anthropic.APIConnectionError), 0.0)


class Patience(Protocol):
    """Knows whether a failed call will be tried again."""

    def over(self) -> None:
        """The call has its outcome."""

    def after(self, call: Call, may_be_retried: bool, pause_s: float) -> Noted:
        """The record of a call whose attempt just failed, or nothing as long as it is not certain to be its last."""


class UntilReturn:
    """Inside the `request` of a recorded client: the call is over when that returns, which `Slot` waits for."""

    __slots__ = ("_slot",)

    def __init__(self, slot: Slot) -> None:
        self._slot = slot

    def over(self) -> None:
        """Leave nothing to record at the return."""
        self._slot.call = None

    def after(self, _call: Call, _may_be_retried: bool, _pause_s: float) -> Noted:
        """Nothing yet."""
        return NOTHING


class AsTheSdk:
    """Without a recorded client: foretell what the SDK will do, from its rules and the number of retries it has."""

    def __init__(self, waiting: Waiting, key: str | None, retries_left: int) -> None:
        self._waiting = waiting
        self._key = key
        self._retries_left = retries_left

    def over(self) -> None:
        """Nothing waits: the call was taken out for this attempt."""

    def after(self, call: Call, may_be_retried: bool, pause_s: float) -> Noted:
        """The record of the call, unless there are retries left for it."""
        if self._key is None or not may_be_retried or self._retries_left <= 0:
            return call.failure()
        self._waiting.put(self._key, call, pause_s)
        return NOTHING


class BatchAttempt:
    """An attempt at a request about a batch; one that fails is no request of a batch, and leaves no record."""

    def __init__(self, batches: KnownBatches, endpoint: Endpoint, labels: Labels, body: object) -> None:
        self._batches = batches
        self._endpoint = endpoint
        self._labels = labels
        self._body = body

    def succeeded(self, response: httpx2.Response) -> Reader:
        """A reader for the batch's state or for its results."""
        kind = kind_of(response)
        if self._endpoint.about == "results":
            return BatchResults(self._batches, self._endpoint.batch_id, self._labels, kind)
        models = sent_models(self._body) if self._endpoint.creates else {}
        return BatchState(self._batches, self._labels, models, kind)

    def refused(self, _response: httpx2.Response) -> Noted:
        """Nothing."""
        return NOTHING

    def failed(self, _error: BaseException) -> Noted:
        """Nothing."""
        return NOTHING


def new_call(request: anthropic.APIRequest, labels: Labels) -> Call:
    """A call that begins with this request."""
    return Call(labels, requested_model(request.json) or NO_MODEL, streamed=request.stream)


def _retries(response: httpx2.Response) -> bool:
    said = response.headers.get("x-should-retry")
    if said in ("true", "false"):
        return bool(said == "true")
    return response.status_code in RETRIED or response.status_code >= 500


def _pause_s(response: httpx2.Response) -> float:
    """How long the answer asks to wait, in seconds; 0 if it does not say, or gives a date."""
    for name, unit in (("retry-after-ms", 1_000.0), ("retry-after", 1.0)):
        text = response.headers.get(name, "")
        if text.replace(".", "", 1).isdigit():
            return float(text) / unit
    return 0.0
