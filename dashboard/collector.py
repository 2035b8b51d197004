"""Fetches the results of batches beside the server, also while no page is open."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from core.errors import HalfpriceError
from core.ledger import Ledger
from core.settings import mark_home
from core.submissions import Submissions

if TYPE_CHECKING:
    from core.batches import Seen

Doing = Literal["off", "idle", "collecting", "elsewhere", "failed"]

IDLE_S = 2.0
"""How often a home without an open batch is looked at for a new one."""
AFTER_TROUBLE_S = 30.0
"""How long to wait when the API, its key or the disk was in the way, or another process collects."""
END_S = 5.0


@dataclass(frozen=True, slots=True)
class Status:
    """What the collector does: `elsewhere` is another process's work, `failed` an error of its own."""

    doing: Doing = "off"
    problem: str | None = None

    @property
    def alive(self) -> bool:
        """Whether a batch sent now would be collected."""
        return self.doing in ("idle", "collecting", "elsewhere")


class BackgroundCollector:
    """One thread that collects for a home as long as the server runs."""

    def __init__(self) -> None:
        self._status = Status()
        self._wake = threading.Event()
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def status(self) -> Status:
        """What it does now."""
        return self._status

    def start(self, home: Path) -> None:
        """Begin to collect for that home."""
        self._ending.clear()
        self._status = Status("idle")
        self._thread = threading.Thread(target=self._run, args=(home,), name="collector", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Stop after the look that is under way."""
        self._ending.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(END_S)

    def look_now(self) -> None:
        """Do not wait for the next round: something was sent."""
        self._wake.set()

    def _run(self, home: Path) -> None:
        try:
            while not self._ending.is_set():
                self._pause(self._round(home))
        finally:
            self._status = Status("off" if self._ending.is_set() else "failed")

    def _round(self, home: Path) -> float:
        """Collect until nothing is open; how long to wait then."""
        try:
            if not Submissions(home).any_open():
                self._status = Status("idle")
                return IDLE_S
            return self._collect(home)
        except HalfpriceError as error:
            problem = str(error)
        except OSError as error:
            problem = f"{error.filename or home}: {error.strerror}"
        self._status = Status("idle", problem)
        return AFTER_TROUBLE_S

    def _collect(self, home: Path) -> float:
        from core.batches import Collector, collecting, resume_lost  # they import the SDK, which takes a second
        from core.client import Client
        from core.launch import api_kind

        with collecting(home) as mine:
            if not mine:
                self._status = Status("elsewhere")
                return AFTER_TROUBLE_S
            client = Client()
            mark_home(home, api_kind(client))
            collector = Collector(home, client)
            self._status = Status("collecting", self._status.problem)
            problem = _problem(resume_lost(home, client))
            while collector.open_submissions() and problem is None and not self._ending.is_set():
                problem = _problem(collector.look())
                Ledger(home).sync()
                self._status = Status("collecting", problem)
                if problem is None and collector.open_submissions():
                    self._pause(collector.pause(datetime.now(UTC)))
        self._status = Status("idle", problem)
        return AFTER_TROUBLE_S if problem else IDLE_S

    def _pause(self, seconds: float) -> None:
        self._wake.wait(seconds)
        self._wake.clear()


def _problem(looks: Iterable[Seen]) -> str | None:
    """What was in the way of the last look that failed."""
    problem = None
    for seen in looks:
        problem = seen.problem or problem
    return problem


COLLECTOR = BackgroundCollector()
