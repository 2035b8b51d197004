"""Message batches from their creation to the end of their retention, on the sandbox clock."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from random import Random
from statistics import NormalDist
from typing import Any

from core.sandbox.clock import iso
from core.sandbox.errors import ApiError, invalid
from core.sandbox.messages import Messages, Sent

MOST_REQUESTS = 100_000
LIFETIME = timedelta(hours=24)
RETENTION = timedelta(days=29)
"""How long after `created_at` results can be read."""
LANES = 8
"""Items of a batch that run at the same time; they do not share what they write into the prompt cache."""
CANCELING = timedelta(seconds=30)
"""The longest that a cancellation takes."""

# Public measurements give a median near ten minutes and one batch in ten above an hour: a lognormal tail.
TYPICAL_SECONDS = 600.0
_TAIL = 1.4
_FASTEST_SECONDS = 20.0
_SPREAD = 0.25

_CUSTOM_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_OUTCOMES = ("succeeded", "errored", "canceled", "expired")


@dataclass(slots=True)
class Batch:
    """One batch; its items run one after the other through LANES lanes, and it ends when the last one does."""

    id: str
    version: str
    created_at: datetime
    duration: timedelta
    requests: list[dict[str, Any]]
    size: int
    cancel_initiated_at: datetime | None = None
    lines: list[bytes] | None = None
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_OUTCOMES, 0))

    @property
    def expires_at(self) -> datetime:
        """When whatever has not ended expires."""
        return self.created_at + LIFETIME

    @property
    def ends_at(self) -> datetime:
        """When the batch ends as things stand."""
        natural = min(self.created_at + self.duration, self.expires_at)
        if self.cancel_initiated_at is None:
            return natural
        return min(natural, self.cancel_initiated_at + min(self.duration / 20, CANCELING))

    def status(self, now: datetime) -> str:
        """`in_progress`, `canceling` or `ended`."""
        if now >= self.ends_at:
            return "ended"
        return "in_progress" if self.cancel_initiated_at is None else "canceling"

    def show(self, now: datetime, base_url: str) -> dict[str, Any]:
        """The batch as the API answers it: every count but `processing` stays 0 until the end."""
        status = self.status(now)
        archived_at = self.created_at + RETENTION
        return {
            "id": self.id,
            "type": "message_batch",
            "processing_status": status,
            "request_counts": {"processing": 0 if status == "ended" else self.size, **self.counts},
            "created_at": iso(self.created_at),
            "expires_at": iso(self.expires_at),
            "ended_at": iso(self.ends_at) if status == "ended" else None,
            "cancel_initiated_at": iso(self.cancel_initiated_at),
            "archived_at": iso(archived_at) if now >= archived_at else None,
            "results_url": f"{base_url}/v1/messages/batches/{self.id}/results" if status == "ended" else None,
        }


class Batches:
    """The Message Batches API without its transport."""

    def __init__(self, messages: Messages, seed: str, batch_seconds: float | None) -> None:
        self._messages = messages
        self._seed = seed
        self._batch_seconds = batch_seconds
        self._batches: dict[str, Batch] = {}  # oldest first
        self._created = 0

    def create(self, body: Mapping[str, Any], version: str, now: datetime) -> Batch:
        """Accept a batch; only its envelope is checked, its parameters when it runs."""
        requests = _check_envelope(body)
        self._created += 1
        batch_id = f"msgbatch_sandbox_{self._seed}_{self._created:06d}"
        batch = Batch(batch_id, version, now, self._duration(batch_id), requests, len(requests))
        self._batches[batch_id] = batch
        return batch

    def get(self, batch_id: str, now: datetime) -> Batch:
        """One batch as it is now."""
        batch = self._batches.get(batch_id)
        if batch is None:
            raise ApiError(404, f"Message batch {batch_id} not found")
        self._settle(batch, now)
        return batch

    def newest_first(self, now: datetime) -> list[Batch]:
        """Every batch as it is now, the newest first."""
        self.settle(now)
        return list(reversed(self._batches.values()))

    def settle(self, now: datetime) -> None:
        """Run, and bill, the items of every batch that has ended by now."""
        for batch in self._batches.values():
            self._settle(batch, now)

    def results(self, batch_id: str, now: datetime) -> list[bytes]:
        """The result lines of an ended batch, in an order of their own."""
        batch = self.get(batch_id, now)
        if now >= batch.created_at + RETENTION:
            raise ApiError(404, f"The results of {batch_id} are no longer available: 29 days have passed")
        if batch.lines is None:
            raise ApiError(404, f"{batch_id} has no results yet: it has not ended")
        return batch.lines

    def cancel(self, batch_id: str, now: datetime) -> Batch:
        """Stop a batch soon; asking twice changes nothing."""
        batch = self.get(batch_id, now)
        if batch.status(now) == "ended":
            raise invalid(f"{batch_id} has already ended")
        batch.cancel_initiated_at = batch.cancel_initiated_at or now
        return batch

    def delete(self, batch_id: str, now: datetime) -> None:
        """Forget a batch that has ended."""
        batch = self.get(batch_id, now)
        if batch.status(now) != "ended":
            raise invalid(f"{batch_id} cannot be deleted before it has ended; cancel it first")
        del self._batches[batch_id]

    def _duration(self, batch_id: str) -> timedelta:
        chance = (int.from_bytes(sha256(batch_id.encode()).digest()[:6], "big") + 0.5) / 2**48
        if self._batch_seconds is not None:
            return timedelta(seconds=self._batch_seconds * (1 + _SPREAD * (2 * chance - 1)))
        tail = math.exp(_TAIL * NormalDist().inv_cdf(chance))
        return timedelta(seconds=max(TYPICAL_SECONDS * tail, _FASTEST_SECONDS))

    def _settle(self, batch: Batch, now: datetime) -> None:
        if batch.lines is not None or batch.status(now) != "ended":
            return
        results = [(request["custom_id"], self._run(batch, n)) for n, request in enumerate(batch.requests)]
        for _, result in results:
            batch.counts[result["type"]] += 1
        lines = [json.dumps({"custom_id": name, "result": result}).encode() + b"\n" for name, result in results]
        batch.lines = _reordered(lines, batch.id)
        batch.requests = []

    def _run(self, batch: Batch, n: int) -> dict[str, Any]:
        """The result of one item; it ends at its share of the duration and began LANES items before."""
        step = batch.duration / batch.size
        ended_at = batch.created_at + step * (n + 1)
        began_at = max(ended_at - step * LANES, batch.created_at)
        canceled_at = batch.cancel_initiated_at
        if canceled_at and ended_at > canceled_at and (began_at > canceled_at or n % 2 == 0):
            return {"type": "canceled"}  # of those in flight every second one still finishes
        if ended_at > batch.expires_at:
            return {"type": "expired"}
        message_id = f"msg_sandbox_{batch.id.removeprefix('msgbatch_sandbox_')}_{n + 1:06d}"
        try:
            sent = Sent(message_id, batch.version, began_at, ended_at, batch=True)
            return {"type": "succeeded", "message": self._messages.create(batch.requests[n]["params"], sent)}
        except ApiError as error:
            return {"type": "errored", "error": error.body(f"req_sandbox_{message_id.removeprefix('msg_sandbox_')}")}


def _check_envelope(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    for name in body:
        if name != "requests":
            raise invalid(f"{name}: Extra inputs are not permitted")
    requests = body.get("requests")
    if not isinstance(requests, list):
        raise invalid("requests: Field required" if requests is None else "requests: Input should be a valid list")
    if not requests:
        raise invalid("requests: List should have at least 1 item after validation, not 0")
    if len(requests) > MOST_REQUESTS:
        raise invalid(f"requests: List should have at most {MOST_REQUESTS} items after validation, not {len(requests)}")
    seen: set[str] = set()
    for custom_id in map(_check_item, range(len(requests)), requests):
        if custom_id in seen:
            raise invalid(f"requests: custom_id must be unique, '{custom_id}' is not")
        seen.add(custom_id)
    return requests


def _check_item(n: int, item: object) -> str:
    if not isinstance(item, dict):
        raise invalid(f"requests.{n}: Input should be a valid dictionary")
    custom_id = item.get("custom_id")
    if not isinstance(custom_id, str) or not _CUSTOM_ID.fullmatch(custom_id):
        raise invalid(f"requests.{n}.custom_id: String should match pattern '^[a-zA-Z0-9_-]{{1,64}}$'")
    if not isinstance(item.get("params"), dict):
        raise invalid(f"requests.{n}.params: Input should be a valid dictionary")
    for name in item:
        if name not in ("custom_id", "params"):
            raise invalid(f"requests.{n}.{name}: Extra inputs are not permitted")
    return custom_id


def _reordered(lines: list[bytes], seed: str) -> list[bytes]:
    """The lines in another order, always the same for a batch."""
    mixed = list(lines)
    Random(seed).shuffle(mixed)  # noqa: S311 (an order, not a secret)
    return mixed[::-1] if mixed == lines else mixed
