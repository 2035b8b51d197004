"""A client of the SDK that records its requests."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, TypeVar, cast

import anthropic

from .calls import Slot, current_slot
from .labels import make_labels
from .middleware import Recording
from .sink import written

Client = TypeVar("Client", bound=anthropic.Anthropic | anthropic.AsyncAnthropic)


def recorded(
    client: Client, *, workload: str | None = None, tags: Mapping[str, str] | None = None, durable: bool = True
) -> Client:
    """A client like this one that records every Messages request and message batch, and its copies do, too.

    Each request leaves one line in the journal of `HALFPRICE_HOME` before the program has the answer: usage, model,
    outcome, attempts, the `workload` and the `tags`; never a prompt, an answer or a key. A `workload` block around a
    call goes before the client's. The record survives a power cut, unless `durable` is false. Nothing that goes wrong
    with recording reaches the program; the logger `halfprice` warns once. Recording a recorded client changes its
    labels. TypeError for what is no client or cannot be a label, ValueError for an empty workload.
    """
    if not isinstance(client, anthropic.Anthropic | anthropic.AsyncAnthropic):
        raise TypeError(
            f"recorded() takes an Anthropic or AsyncAnthropic client, not a {type(client).__name__}. For any other "
            "client of the SDK there is middleware=[recording()]"
        )
    labels = make_labels(workload, tags)
    before = [each for each in client.middleware if isinstance(each, Recording)]
    for each in before:
        labels = each.labels.under(labels)
    others = [each for each in client.middleware if not isinstance(each, Recording)]
    copy = client.copy(middleware=[*others, Recording(labels, durable=durable)])
    return cast("Client", _watched(copy))


def _watched(client: anthropic.Anthropic | anthropic.AsyncAnthropic) -> anthropic.Anthropic | anthropic.AsyncAnthropic:
    """Make the client's own `request`, and that of its copies, say when a call is over.

    A middleware sees attempts; only here is it certain which one was the last, whatever made the SDK stop.
    """
    owner = next((each for each in client.middleware if isinstance(each, Recording)), None)
    if owner is not None and not hasattr(client.request, "halfprice"):
        changed: Any = client
        wrap = _watched_async if isinstance(client, anthropic.AsyncAnthropic) else _watched_sync
        copy = client.copy

        @functools.wraps(copy)
        def copied(*words: Any, **options: Any) -> Any:
            return _watched(copy(*words, **options))

        changed.request = wrap(client.request, owner)
        changed.request.halfprice = True
        changed.copy = changed.with_options = copied
    return client


def _watched_sync(request: Any, owner: Recording) -> Any:
    @functools.wraps(request)
    def watched(*words: Any, **options: Any) -> Any:
        slot = Slot(owner)
        token = current_slot.set(slot)
        try:
            return request(*words, **options)
        finally:
            current_slot.reset(token)
            if slot.call is not None:
                owner.find_sink().write(owner.returned(slot))

    return watched


def _watched_async(request: Any, owner: Recording) -> Any:
    @functools.wraps(request)
    async def watched(*words: Any, **options: Any) -> Any:
        slot = Slot(owner)
        token = current_slot.set(slot)
        may_wait = True
        try:
            return await request(*words, **options)
        except BaseException as error:
            may_wait = isinstance(error, Exception)  # who is being cancelled or closed must not wait
            raise
        finally:
            current_slot.reset(token)
            if slot.call is not None:
                posted = owner.find_sink().post(owner.returned(slot))
                if may_wait:
                    await written(posted)

    return watched
