"""The workloads that a person can choose from, and their answers in files."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path

from core.errors import HalfpriceError
from core.files import write_whole
from core.journal import NO_WORKLOAD
from core.plan import find_workload, workload_file
from core.workloads import Workload, examples, read_workload


def names(home: Path, recorded: Iterable[str]) -> list[str]:
    """Every workload there is something to choose of: saved in the home, recorded in the ledger, or an example."""
    saved = {path.stem for path in (home / "workloads").glob("*.toml")}
    known = {name for name in recorded if name != NO_WORKLOAD and _can_be_saved(home, name)}
    return sorted(saved | known | {example.name for example in examples()})


def load(home: Path, name: str) -> Workload:
    """The answers known of a workload: those saved, else those of the example of that name, else none."""
    requests_files = [example.requests_file for example in examples() if example.name == name]
    return replace(find_workload(home, name, requests_files[0] if requests_files else None), name=name)


def is_saved(home: Path, name: str) -> bool:
    """Whether the home keeps answers about that workload."""
    return workload_file(home, name).exists()


def save(home: Path, workload: Workload) -> None:
    """Keep the answers; HalfpriceError if they or the name cannot be kept."""
    path = workload_file(home, workload.name or "")
    try:
        write_whole(path, toml(workload).encode())
    except OSError as error:
        raise HalfpriceError(f"{path} cannot be written: {error.strerror}.") from None


def toml(workload: Workload) -> str:
    """The answers as TOML, which reads back as the same workload; a question without an answer is left out.

    >>> print(toml(Workload(name="nightly", chained=False, deadline_hours=24)), end="")
    name = "nightly"
    chained = false
    deadline_hours = 24
    """
    given = {key: value for key, value in asdict(workload).items() if value is not None}
    text = "".join(f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in given.items())
    read_workload(text or "# nothing is answered", workload.name or "The workload")
    return text


def _can_be_saved(home: Path, name: str) -> bool:
    try:
        workload_file(home, name)
    except HalfpriceError:
        return False
    return True
