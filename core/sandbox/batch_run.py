"""Runs the items of a batch whose time has come."""

from __future__ import annotations

import asyncio
import json
import time
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any

from core.sandbox.errors import ApiError
from core.sandbox.fates import ERROR_STATUS
from core.sandbox.intake import BatchIntake
from core.sandbox.messages import Messages, Sent
from core.sandbox.spool import Spool

LANES = 8
"""Items of a batch that run at the same time; they do not share what they write into the prompt cache."""
SLICE_SECONDS = 0.02
"""How long the other requests of the sandbox wait while items run."""


@dataclass(frozen=True, slots=True)
class Timing:
    """When a batch began, would end, was canceled (None: it was not) and expires."""

    created_at: datetime
    duration: timedelta
    cancel_initiated_at: datetime | None
    expires_at: datetime


class BatchRun:
    """The items of one batch, and their result lines once they have ended.

    They run one after the other through LANES lanes, each for its share of the duration, and the batch ends when the
    last one does.
    """

    def __init__(self, batch_id: str, intake: BatchIntake, version: str, betas: str, workspace: str) -> None:
        self.size = len(intake.items)
        self.never_end = frozenset(intake.never_end)
        self._batch_id = batch_id
        self._items: Spool | None = intake.items
        self._lines = Spool()
        self._order = array("L")
        self._counts: Counter[str] = Counter()
        self._sent_with = version, betas, workspace

    async def finish(self, messages: Messages, timing: Timing, fated: Mapping[int, str]) -> Counter[str]:
        """End every item; how many of them did so in each way. Other requests are served meanwhile.

        Doing it again goes on where it was left, or changes nothing.
        """
        items, pause_at = self._items or (), time.monotonic() + SLICE_SECONDS
        for n in range(len(self._lines), len(items)):
            item = json.loads(items[n])
            result = self._result(n, item["params"], messages, timing, fated)
            line = json.dumps({"custom_id": item["custom_id"], "result": result})
            self._lines.append(line.encode() + b"\n")
            self._counts[result["type"]] += 1
            if time.monotonic() >= pause_at:
                await asyncio.sleep(0)
                pause_at = time.monotonic() + SLICE_SECONDS
        self._items = None
        self._order = array("L", _reordered(self.size, self._batch_id))
        return self._counts

    def lines(self) -> Iterator[bytes]:
        """The result lines of the ended items, in an order of their own."""
        return (self._lines[n] for n in self._order)

    def _result(
        self, n: int, params: dict[str, Any], messages: Messages, timing: Timing, fated: Mapping[int, str]
    ) -> dict[str, Any]:
        """The result of one item; it ends at its share of the duration and began LANES items before."""
        step = timing.duration / self.size
        ended_at = timing.created_at + step * (n + 1)
        began_at = max(ended_at - step * LANES, timing.created_at)
        never = n in self.never_end or fated.get(n) == "expired"
        canceled_at = timing.cancel_initiated_at
        if canceled_at and (never or ended_at > canceled_at) and (never or began_at > canceled_at or n % 2 == 0):
            return {"type": "canceled"}  # of those in flight every second one still finishes
        if never or ended_at > timing.expires_at:
            return {"type": "expired"}
        number = f"{self._batch_id.removeprefix('msgbatch_sandbox_')}_{n + 1:06d}"
        version, betas, workspace = self._sent_with
        sent = Sent(f"msg_sandbox_{number}", version, began_at, ended_at, workspace, betas, batch=True)
        try:
            if n in fated:
                raise ApiError(ERROR_STATUS[fated[n]], "A fate that the sandbox was told to give", fated[n])
            return {"type": "succeeded", "message": messages.create(params, sent).message}
        except ApiError as error:
            return {"type": "errored", "error": error.body(f"req_sandbox_{number}")}


def _reordered(size: int, seed: str) -> list[int]:
    """The positions in another order, always the same for a batch."""
    mixed = list(range(size))
    Random(seed).shuffle(mixed)  # noqa: S311 (an order, not a secret)
    return mixed[::-1] if mixed == sorted(mixed) else mixed
