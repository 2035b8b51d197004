"""Records every Messages request and every message batch that passes through a client of the SDK."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import anthropic
import httpx2

from .attempts import AsTheSdk, Attempt, BatchAttempt, MessageAttempt, UntilReturn, new_call
from .batches import known_batches
from .calls import Slot, Waiting, current_slot
from .endpoints import Endpoint, find_endpoint
from .home import HomeProblem, find_home
from .labels import Labels, current_labels, make_labels
from .sink import NOTHING, Noted, Sink, find_sink, written
from .tee import AsyncTee, Tee, Watch, find_decoder
from .trouble import QUIETLY, warn_once

Attach = Callable[[httpx2.Response, Watch], None]


def recording(
    *,
    workload: str | None = None,
    tags: Mapping[str, str] | None = None,
    durable: bool = True,
    max_retries: int = anthropic.DEFAULT_MAX_RETRIES,
) -> Recording:
    """The middleware that records, for a program that composes its own: `Anthropic(middleware=[..., recording()])`.

    Put it last, so that it sees what really goes out. A middleware does not learn when the SDK gives a request up, so
    `max_retries` must say how often that client tries again; with a wrong number failed requests are recorded late, or
    in two parts. `recorded(client)` needs no such number. TypeError or ValueError for what cannot be a label.
    """
    return Recording(make_labels(workload, tags), durable=durable, max_retries=max_retries)


class Recording(anthropic.Middleware):
    """What `recording` makes, for synchronous and asynchronous clients; several clients may share one."""

    def __init__(self, labels: Labels, *, durable: bool, max_retries: int = anthropic.DEFAULT_MAX_RETRIES) -> None:
        self.labels = labels
        self.durable = durable
        self._max_retries = max_retries
        self._sink: Sink | None = None
        self._waiting = Waiting()

    def handle(self, request: anthropic.APIRequest, call_next: anthropic.CallNext) -> anthropic.APIResponse[Any]:
        """Pass the request on, and record what comes of it before the program learns it."""
        attempt, sink = self._begin(request), self._sink
        if attempt is None or sink is None:
            return call_next(request)
        if self._waiting:
            sink.write(self._overdue(request))
        try:
            response = call_next(request)
        except BaseException as error:
            sink.write(_failed(attempt, error))
            raise
        sink.write(_answered(attempt, response, sink, _attach))
        return response

    async def handle_async(
        self, request: anthropic.APIRequest, call_next: anthropic.AsyncCallNext
    ) -> anthropic.AsyncAPIResponse[Any]:
        """The same; a task that is cancelled meanwhile still leaves its record."""
        attempt, sink = self._begin(request), self._sink
        if attempt is None or sink is None:
            return await call_next(request)
        if self._waiting:
            sink.post(self._overdue(request))
        try:
            response = await call_next(request)
        except BaseException as error:
            posted = sink.post(_failed(attempt, error))
            if isinstance(error, Exception):  # who is being cancelled or closed must not wait
                await written(posted)
            raise
        await written(sink.post(_answered(attempt, response, sink, _attach_async)))
        return response

    def returned(self, slot: Slot) -> Noted:
        """What to record when the `request` of a recorded client is over: a call that never succeeded."""
        with QUIETLY:
            if slot.call is not None and slot.call.statuses:
                return slot.call.failure()
        return NOTHING

    def find_sink(self) -> Sink:
        """Where the records go; `HALFPRICE_HOME` is read when the first one does."""
        if self._sink is None:
            self._sink = find_sink(find_home(), durable=self.durable)
            self._sink.watch(self._waiting)
        return self._sink

    def _overdue(self, request: anthropic.APIRequest) -> Noted:
        """The records of failed calls that the SDK has given up without a word."""
        with QUIETLY:
            return self._waiting.overdue(None if request.retries_taken else request.options.idempotency_key)
        return NOTHING

    def _begin(self, request: anthropic.APIRequest) -> Attempt | None:
        with QUIETLY:
            endpoint = find_endpoint(request.method, request.url)
            if endpoint is None and request.method.lower() == "get" and "://" in request.url and self._sink:
                # The API may keep results at an address of any form, which it told when it was asked for the batch.
                batch_id = known_batches(self._sink).find_results(request.url)
                endpoint = Endpoint("results", batch_id) if batch_id else None
            try:
                return self._attempt(endpoint, request) if endpoint else None
            except HomeProblem as problem:
                warn_once("home", f"Requests are not recorded: {problem}")
        return None

    def _attempt(self, endpoint: Endpoint, request: anthropic.APIRequest) -> Attempt:
        sink = self.find_sink()
        if endpoint.about != "message":
            return BatchAttempt(known_batches(sink), endpoint, self.labels.under(current_labels()), request.json)
        slot = current_slot.get()
        if slot is not None and slot.owner is self:
            if slot.call is None:
                slot.call = new_call(request, self.labels.under(current_labels()))
            return MessageAttempt(slot.call, UntilReturn(slot))
        key = request.options.idempotency_key
        call = self._waiting.take(key) if key and request.retries_taken else None
        most = request.max_retries if isinstance(request.max_retries, int) else self._max_retries
        return MessageAttempt(
            call or new_call(request, self.labels.under(current_labels())),
            AsTheSdk(self._waiting, key, most - request.retries_taken),
        )


def _failed(attempt: Attempt, error: BaseException) -> Noted:
    with QUIETLY:
        return attempt.failed(error)
    return NOTHING


def _answered(attempt: Attempt, answer: object, sink: Sink, attach: Attach) -> Noted:
    """What to record now; the rest of it is recorded while the program reads the body."""
    with QUIETLY:
        response = getattr(answer, "http_response", None)
        if not isinstance(response, httpx2.Response):  # another middleware made it up; nothing was sent
            return NOTHING
        if not 200 <= response.status_code < 300:
            return attempt.refused(response)
        reader = attempt.succeeded(response)
        if response.is_stream_consumed:
            return Noted([*reader.feed(response.content), *reader.end("read", None)], reader.kind)
        watch = Watch(reader, sink, find_decoder(response))
        if response.is_closed:
            return watch.ended("closed")
        attach(response, watch)
    return NOTHING


def _attach(response: httpx2.Response, watch: Watch) -> None:
    if not isinstance(response.stream, httpx2.SyncByteStream):
        raise TypeError("the body of an answer to a synchronous client is asynchronous")
    response.stream = Tee(response.stream, watch)


def _attach_async(response: httpx2.Response, watch: Watch) -> None:
    if not isinstance(response.stream, httpx2.AsyncByteStream):
        raise TypeError("the body of an answer to an asynchronous client is synchronous")
    response.stream = AsyncTee(response.stream, watch)
