"""What a program shows of its message batches: their states, and the results that it reads."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from .calls import SOURCE, requested_model
from .home import Kind
from .ids import item_id
from .jsontext import read_json
from .labels import Labels
from .lines import NO_MODEL, NO_WORKLOAD, batch_line, request_line
from .messages import result_fields, text_or_none
from .readers import How
from .sink import Line, Sink
from .splitting import Lines
from .trouble import warn_once

MOST_KNOWN = 1_000
"""Batches that are remembered; the one not seen for longest is forgotten."""
COUNTS = ("succeeded", "errored", "canceled", "expired")


@dataclass(frozen=True, slots=True)
class KnownBatch:
    """What this process knows of a batch; `models` by custom_id where its items were sent to several ones."""

    created_at: datetime
    labels: Labels
    model: str | None = None
    models: Mapping[str, str] = field(default_factory=dict)
    ended_at: datetime | None = None
    results_url: str | None = None
    state: tuple[object, ...] = ()


class KnownBatches:
    """The batches that this process has created or looked at; threads share it, and no lock survives a fork."""

    def __init__(self) -> None:
        self._batches: dict[str, KnownBatch] = {}

    def get(self, batch_id: str) -> KnownBatch | None:
        """What is known of that batch."""
        return self._batches.get(batch_id)

    def find_results(self, url: str) -> str | None:
        """The id of the batch whose results are at that address."""
        return next((name for name, batch in list(self._batches.items()) if batch.results_url == url), None)

    def observe(self, document: object, labels: Labels, models: Mapping[str, str]) -> list[Line]:
        """The line about a batch as the API described it; none if it says nothing new, or is no batch.

        The labels of its creation stay; `models` are those of the items that were sent with this request, if any.
        """
        found = _read_batch(document)
        if found is None or not isinstance(document, dict):
            return []
        known = self._batches.pop(found["batch_id"], None)
        if known is None or known.created_at != found["created_at"]:
            names = set(models.values())
            one = names.pop() if len(names) == 1 else None
            known = KnownBatch(found["created_at"], labels, one, {} if one else models)
        state = tuple(found.values())
        self._batches[found["batch_id"]] = replace(
            known,
            ended_at=found["ended_at"],
            labels=labels.under(known.labels),
            results_url=text_or_none(document.get("results_url")),
            state=state,
        )
        for oldest in list(self._batches)[:-MOST_KNOWN]:
            self._batches.pop(oldest, None)
        if state == known.state:
            return []
        workload = labels.under(known.labels).workload or NO_WORKLOAD
        return [batch_line(**found, workload=workload, model=known.model, observed_at=datetime.now(UTC))]


_known: weakref.WeakKeyDictionary[Sink, KnownBatches] = weakref.WeakKeyDictionary()


def known_batches(sink: Sink) -> KnownBatches:
    """What this process knows of the batches that are recorded there, whichever client showed them."""
    return _known.setdefault(sink, KnownBatches())


class BatchState:
    """Reads the answer to a request about one batch."""

    def __init__(self, batches: KnownBatches, labels: Labels, models: Mapping[str, str], kind: Kind) -> None:
        self.kind: Kind | None = kind
        self._batches = batches
        self._labels = labels
        self._models = models
        self._parts: list[bytes] = []

    def feed(self, data: bytes) -> list[Line]:
        """Keep the bytes until the document is whole."""
        self._parts.append(data)
        return []

    def end(self, how: How, _error: BaseException | None) -> list[Line]:
        """The line about the batch."""
        if how != "read":
            return []
        return self._batches.observe(read_json(b"".join(self._parts)), self._labels, self._models)


class BatchResults:
    """Reads the results of a batch; each item is a request of its own, recorded before the program has it."""

    def __init__(self, batches: KnownBatches, batch_id: str, labels: Labels, kind: Kind) -> None:
        self.kind: Kind | None = kind
        self._batch_id = batch_id
        self._batch = batches.get(batch_id)
        self._labels = labels.under(self._batch.labels) if self._batch else labels
        self._lines = Lines()
        if self._batch is None:
            warn_once(
                ("results", batch_id),
                f"The results of {batch_id} are not recorded, because this program never looked at the batch itself, "
                "so it is not known when it was created. `halfprice batch backfill` records them.",
            )

    def feed(self, data: bytes) -> list[Line]:
        """The items that these bytes complete."""
        if self._batch is None:
            return []
        return [record for line in self._lines.feed(data) for record in self._record(line, self._batch)]

    def end(self, how: How, _error: BaseException | None) -> list[Line]:
        """The last item, if no newline follows it."""
        return list(self._record(self._lines.rest, self._batch)) if how == "read" and self._batch else []

    def _record(self, line: bytes, batch: KnownBatch) -> Iterator[Line]:
        entry = read_json(line)
        custom_id = text_or_none(entry.get("custom_id")) if isinstance(entry, dict) else None
        if custom_id is None or not isinstance(entry, dict):
            return
        yield request_line(
            request_id=item_id(self._batch_id, custom_id, batch.created_at),
            sent_at=batch.created_at,
            ended_at=batch.ended_at,
            route="batch",
            workload=self._labels.workload or NO_WORKLOAD,
            batch_id=self._batch_id,
            custom_id=custom_id,
            source=SOURCE,
            tags=self._labels.tags,
            **result_fields(entry.get("result"), batch.models.get(custom_id) or batch.model or NO_MODEL),
        )


def sent_models(body: object) -> dict[str, str]:
    """The models of the items in the body of a request that creates a batch, by custom_id."""
    requests = body.get("requests") if isinstance(body, dict) else None
    items = [item for item in requests if isinstance(item, dict)] if isinstance(requests, list) else []
    named = [(item.get("custom_id"), requested_model(item.get("params"))) for item in items]
    return {custom_id: model for custom_id, model in named if isinstance(custom_id, str) and model}


def _read_batch(document: object) -> dict[str, Any] | None:
    """The fields of a batch line that the API's object says; None if it is not of that shape."""
    if not isinstance(document, dict) or document.get("type") != "message_batch":
        return None
    batch_id, status = text_or_none(document.get("id")), text_or_none(document.get("processing_status"))
    counts = document.get("request_counts")
    created_at, expires_at = _instant(document.get("created_at")), _instant(document.get("expires_at"))
    if not batch_id or not status or not created_at or not expires_at or not isinstance(counts, dict):
        return None
    numbers = {name: counts.get(name) for name in ("processing", *COUNTS)}
    if not all(type(number) is int for number in numbers.values()):
        return None
    return {
        "batch_id": batch_id,
        "status": status,
        "created_at": created_at,
        "ended_at": _instant(document.get("ended_at")),
        "expires_at": expires_at,
        "cancel_initiated_at": _instant(document.get("cancel_initiated_at")),
        "requests": sum(numbers.values()),
        **{name: numbers[name] for name in COUNTS},
    }


def _instant(value: object) -> datetime | None:
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return at.astimezone(UTC) if at and at.tzinfo else None
