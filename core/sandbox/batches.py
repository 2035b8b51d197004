"""Message batches from their creation to the end of their retention, on the sandbox clock."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import sha256
from statistics import NormalDist
from typing import Any

from core.sandbox.batch_run import BatchRun, Timing
from core.sandbox.clock import iso
from core.sandbox.errors import ApiError, invalid
from core.sandbox.fates import Fate, Fates, read_fate
from core.sandbox.intake import BatchIntake
from core.sandbox.messages import Messages

LIFETIME = timedelta(hours=24)
RETENTION = timedelta(days=29)
"""How long after `created_at` results can be read."""
CANCELING = timedelta(seconds=30)
"""The longest that a cancellation takes."""

# Public measurements give a median near ten minutes and one batch in ten above an hour: a lognormal tail.
TYPICAL_SECONDS = 600.0
_TAIL = 1.4
_FASTEST_SECONDS = 20.0
_SPREAD = 0.25

_OUTCOMES = ("succeeded", "errored", "canceled", "expired")


@dataclass(slots=True)
class Batch:
    """One batch of `size` items; `run` has them until they have ended, and then their result lines."""

    id: str
    workspace: str
    created_at: datetime
    duration: timedelta
    fate: Fate
    run: BatchRun
    cancel_initiated_at: datetime | None = None
    settled: bool = False
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_OUTCOMES, 0))

    @property
    def size(self) -> int:
        """How many items it has."""
        return self.run.size

    @property
    def expires_at(self) -> datetime:
        """When whatever has not ended expires."""
        return self.created_at + LIFETIME

    @property
    def ends_at(self) -> datetime:
        """When the batch ends as things stand."""
        never = self.fate.expire > 0 or self.run.never_end
        natural = self.expires_at if never else min(self.created_at + self.duration, self.expires_at)
        if self.cancel_initiated_at is None:
            return natural
        takes = min(self.duration / 20, CANCELING)
        if self.fate.cancel_seconds is not None:
            takes = timedelta(seconds=self.fate.cancel_seconds)
        return min(natural, self.cancel_initiated_at + takes)

    def status(self, now: datetime) -> str:
        """`in_progress`, `canceling` or `ended`."""
        if now >= self.ends_at:
            return "ended"
        return "in_progress" if self.cancel_initiated_at is None else "canceling"

    def show(self, now: datetime, base_url: str) -> dict[str, Any]:
        """The batch as the API answers it: every count but `processing` stays 0 until the end."""
        status = self.status(now)
        archived_at = self.created_at + RETENTION
        has_results = status == "ended" and now < archived_at
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
            "results_url": f"{base_url}/v1/messages/batches/{self.id}/results" if has_results else None,
        }


class Batches:
    """The Message Batches API without its transport; a batch of another workspace is none."""

    def __init__(self, messages: Messages, seed: str, batch_seconds: float | None, fates: Fates) -> None:
        self.fates = fates
        self._messages = messages
        self._seed = seed
        self._batch_seconds = batch_seconds
        self._batches: dict[str, Batch] = {}  # oldest first
        self._created = 0
        self._settling = asyncio.Lock()

    def create(self, intake: BatchIntake, workspace: str, version: str, betas: str, now: datetime) -> Batch:
        """Accept a batch; its parameters are checked when it runs."""
        self._created += 1
        batch_id = f"msgbatch_sandbox_{self._seed}_{self._created:06d}"
        fate = self.fates.take(workspace, intake.first_id)
        run = BatchRun(batch_id, intake, version, betas, workspace)
        batch = Batch(batch_id, workspace, now, self._duration(batch_id, fate), fate, run)
        self._batches[batch_id] = batch
        return batch

    async def get(self, batch_id: str, workspace: str, now: datetime) -> Batch:
        """One batch as it is now."""
        batch = self._batches.get(batch_id)
        if batch is None or batch.workspace != workspace or _not_yet(batch.fate.missing_seconds, batch, now):
            raise ApiError(404, f"Message batch {batch_id} not found")
        await self._settle(batch, now)
        return batch

    async def newest_first(self, workspace: str, now: datetime) -> list[Batch]:
        """Every batch of a workspace as it is now, the newest first."""
        await self.settle(now)
        return [
            batch
            for batch in reversed(self._batches.values())
            if batch.workspace == workspace and not _not_yet(batch.fate.unlisted_seconds, batch, now)
        ]

    async def everywhere(self, now: datetime) -> list[Batch]:
        """Every batch of every workspace, listed or not, the oldest first."""
        await self.settle(now)
        return list(self._batches.values())

    async def settle(self, now: datetime) -> None:
        """Run, and bill, the items of every batch that has ended by now."""
        for batch in list(self._batches.values()):
            await self._settle(batch, now)

    def waiting(self, now: datetime) -> int:
        """Items in the processing queue, over all workspaces."""
        return sum(batch.size for batch in self._batches.values() if now < batch.ends_at)

    async def results(self, batch_id: str, workspace: str, now: datetime) -> Iterator[bytes]:
        """The result lines of an ended batch, in an order of their own."""
        batch = await self.get(batch_id, workspace, now)
        if now >= batch.created_at + RETENTION:
            raise ApiError(404, f"The results of {batch_id} are no longer available: 29 days have passed")
        if not batch.settled:
            raise ApiError(404, f"{batch_id} has no results yet: it has not ended")
        return batch.run.lines()

    async def cancel(self, batch_id: str, workspace: str, now: datetime) -> Batch:
        """Stop a batch soon; asking twice changes nothing."""
        batch = await self.get(batch_id, workspace, now)
        if batch.status(now) == "ended":
            raise invalid(f"{batch_id} has already ended")
        batch.cancel_initiated_at = batch.cancel_initiated_at or now
        return batch

    async def delete(self, batch_id: str, workspace: str, now: datetime) -> None:
        """Forget a batch that has ended."""
        batch = await self.get(batch_id, workspace, now)
        if batch.status(now) != "ended":
            raise invalid(f"{batch_id} cannot be deleted before it has ended; cancel it first")
        del self._batches[batch_id]

    def script(self, document: dict[str, Any], now: datetime) -> int:
        """Script the fate of the next batches or, with an `id`, of one that still runs; returns how many wait."""
        rest = {name: value for name, value in document.items() if name != "id"}
        fate = read_fate(rest)
        if "id" not in document:
            return self.fates.add(fate)
        batch = self._batches.get(document["id"])
        if batch is None or batch.status(now) == "ended":
            raise invalid(f"batches: {document['id']!r} is no batch that still runs")
        batch.fate = replace(batch.fate, **rest)
        batch.duration = self._duration(batch.id, batch.fate)
        return 0

    def _duration(self, batch_id: str, fate: Fate) -> timedelta:
        if fate.seconds is not None:
            return timedelta(seconds=fate.seconds)
        chance = (int.from_bytes(sha256(batch_id.encode()).digest()[:6], "big") + 0.5) / 2**48
        if self._batch_seconds is not None:
            return timedelta(seconds=self._batch_seconds * (1 + _SPREAD * (2 * chance - 1)))
        tail = math.exp(_TAIL * NormalDist().inv_cdf(chance))
        return timedelta(seconds=max(TYPICAL_SECONDS * tail, _FASTEST_SECONDS))

    async def _settle(self, batch: Batch, now: datetime) -> None:
        if batch.settled or batch.status(now) != "ended":
            return
        async with self._settling:  # one after the other, so that they share the prompt cache in one order
            timing = Timing(batch.created_at, batch.duration, batch.cancel_initiated_at, batch.expires_at)
            fated = batch.fate.outcomes(batch.id, batch.size)
            batch.counts |= await batch.run.finish(self._messages, timing, fated)
            batch.settled = True


def _not_yet(seconds: float, batch: Batch, now: datetime) -> bool:
    return seconds > 0 and now < batch.created_at + timedelta(seconds=seconds)
