"""What would be sent and what it would cost, read and decided without touching the API."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import BinaryIO, Literal

from core.errors import HalfpriceError
from core.estimate import Estimate, estimate
from core.prepare import Prepared, Problem, batch_problems, prepare
from core.pricing import PriceBook
from core.routing import Decision, Route, decide
from core.workloads import Workload, load_workload

Asked = Literal["auto", "sync", "batch"]


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be sent and what it would cost; `route` is the one asked for, or the decision's."""

    workload: Workload
    name: str
    prepared: Prepared
    decision: Decision
    estimate: Estimate
    route: Route

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Everything that keeps these requests from being sent by this route."""
        in_batch = batch_problems(self.prepared.items) if self.route == "batch" else []
        return (*self.prepared.problems, *in_batch)

    @property
    def estimate_usd(self) -> Decimal | None:
        """What the route is estimated to cost; undecided requests would go synchronously."""
        return self.estimate.batch_usd if self.route == "batch" else self.estimate.sync_usd


def make_plan(
    stream: BinaryIO,
    workload: Workload,
    name: str,
    asked: Asked,
    book: PriceBook,
    now: datetime,
) -> Plan:
    """Read the requests and decide about this run of the workload; what is wrong with them is in the plan."""
    prepared = prepare(stream)
    items = prepared.items
    models = {item.params["model"] for item in items}
    asked_about = replace(
        workload,
        name=name,
        requests_per_run=len(items),
        model=workload.model or (models.pop() if len(models) == 1 else None),
    )
    decision = decide(asked_about, book, now.date())
    return Plan(
        workload=asked_about,
        name=name,
        prepared=prepared,
        decision=decision,
        estimate=estimate(items, book, now, workload.output_tokens),
        route=decision.route if asked == "auto" else asked,
    )


def find_workload(home: Path, name: str, requests_file: Path | None = None) -> Workload:
    """The answers known of a workload: saved in the home, or in a TOML file beside the requests; else none."""
    saved = workload_file(home, name)
    beside = requests_file.with_suffix(".toml") if requests_file and requests_file.is_file() else None
    for path in (saved, beside):
        if path is not None and path.exists():
            return load_workload(path)
    return Workload(name=name)


def workload_file(home: Path, name: str) -> Path:
    """Where a home keeps the answers about a workload."""
    if (
        not name
        or len(name) > 100
        or not all(letter.isalnum() or letter in "._- " for letter in name)
        or name[0] == "."
    ):
        raise HalfpriceError(f"'{name}' is no name for a workload. Use letters, digits, spaces, '.', '_' and '-'.")
    return home / "workloads" / f"{name}.toml"
