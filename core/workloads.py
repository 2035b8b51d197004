"""A workload as its owner describes it: the answers that routing needs."""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from core.errors import HalfpriceError, UsageError
from core.usage import shown

EXAMPLES_FOLDER = Path(__file__).with_name("sample_data") / "workloads"

MOST = 1_000_000_000
"""The largest count of requests, runs or tokens that is taken for meant."""
MOST_HOURS = 1_000_000
LONGEST_TEXT = 200
LARGEST_FILE = 1_000_000


class BadWorkload(HalfpriceError):
    """A description that is not a workload; the message names the file and every key that is wrong in it."""


@dataclass(frozen=True, slots=True)
class Workload:
    """One kind of job; None is a question without an answer.

    Tokens are of one request. `input_tokens` is the request's own input and leaves out `shared_prefix_tokens`, the
    start that every request repeats (system prompt, tools, examples), as the API counts input beside cached input. So
    the prompt is both together, and a prefix left out is none. `output_tokens` includes thinking. `deadline_hours`
    counts from the moment of sending.
    """

    name: str | None = None
    model: str | None = None
    person_waits: bool | None = None
    streams_to_ui: bool | None = None
    one_off: bool | None = None
    chained: bool | None = None
    deadline_hours: float | None = None
    requests_per_run: int | None = None
    runs_per_month: int | None = None
    retry_safe: bool | None = None
    zero_retention: bool | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    shared_prefix_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Example:
    """A synthetic workload that comes with Halfprice: its answers and the requests of one run."""

    name: str
    workload_file: Path
    requests_file: Path


KEYS = tuple(field.name for field in fields(Workload))
TEXTS = frozenset({"name", "model"})
FLAGS = frozenset({"person_waits", "streams_to_ui", "one_off", "chained", "retry_safe", "zero_retention"})


def read_workload(source: str | Mapping[str, Any], where: str = "The workload") -> Workload:
    r"""The workload in TOML or JSON text or in a mapping; BadWorkload lists everything that is wrong with `where`.

    A value of None (null in JSON) is a question without an answer.

    >>> read_workload('chained = false\nrequests_per_run = 1_000').requests_per_run
    1000
    >>> read_workload('{"one_of": true}', "reviews.json")
    Traceback (most recent call last):
    core.workloads.BadWorkload: reviews.json: 'one_of' is no key of a workload (did you mean one_off?).
    """
    found = _parsed(source, where) if isinstance(source, str) else source
    problems = [problem for key, value in found.items() if (problem := _problem(key, value))]
    if problems:
        raise BadWorkload(f"{where}: {'; '.join(problems)}.")
    return Workload(**found)


def load_workload(file: str | Path) -> Workload:
    """The workload in a TOML or JSON file, `-` for standard input; UsageError if it cannot be opened."""
    name = "<stdin>" if str(file) == "-" else str(file)
    try:
        if name == "<stdin>":
            data = sys.stdin.buffer.read(LARGEST_FILE + 1)
        else:
            with Path(file).open("rb") as stream:
                data = stream.read(LARGEST_FILE + 1)
    except OSError as error:
        raise UsageError(f"{name} cannot be read: {error.strerror}.") from None
    if len(data) > LARGEST_FILE:
        raise BadWorkload(f"{name} has more than {LARGEST_FILE:,} bytes, so it is no description of a workload.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadWorkload(f"{name}: byte {error.start + 1} is not UTF-8. Write the workload as TOML or JSON.") from None
    return read_workload(text, name)


def examples() -> tuple[Example, ...]:
    """The synthetic example workloads, by name."""
    return tuple(
        Example(file.stem, file, file.with_suffix(".jsonl")) for file in sorted(EXAMPLES_FOLDER.glob("*.toml"))
    )


def _parsed(text: str, where: str) -> Mapping[str, Any]:
    if not text.strip():
        raise BadWorkload(f"{where} is empty. Write the answers as TOML or JSON, for example: requests_per_run = 200")
    # A TOML document cannot start with a brace.
    is_json = text.lstrip().startswith("{")
    try:
        # The line end lets tomllib name the line also of an error in the last one.
        found: Mapping[str, Any] = _json_object(text) if is_json else tomllib.loads(f"{text}\n")
    except json.JSONDecodeError as error:
        what = "a second document follows the first" if error.msg == "Extra data" else error.msg
        raise BadWorkload(f"{where}, line {error.lineno}: {what}. A workload is one JSON object.") from None
    except tomllib.TOMLDecodeError as error:
        raise BadWorkload(f"{where} is not TOML: {error}. A workload is TOML or one JSON object.") from None
    except RecursionError:
        raise BadWorkload(f"{where} is nested too deeply. A workload is a flat list of keys.") from None
    except ValueError as error:  # a number with thousands of digits, or what _json_object refuses
        raise BadWorkload(f"{where}: {error}.") from None
    return found


def _json_object(text: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(text, object_pairs_hook=_unique_keys)
    return found


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {shown(twice)} appears twice")
    return found


def _problem(key: str, value: object) -> str | None:
    """What is wrong with one key, None if nothing is."""
    if key not in KEYS:
        near = get_close_matches(key, KEYS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(KEYS)}"
        return f"{shown(key)} is no key of a workload ({hint})"
    expected, fits = _rule(key, value)
    return None if value is None or fits else f"{key} must be {expected}, not {shown(value)}"


def _rule(key: str, value: object) -> tuple[str, bool]:
    if key in FLAGS:
        return "true or false", isinstance(value, bool)
    if key in TEXTS:
        fits = isinstance(value, str) and 0 < len(value) <= LONGEST_TEXT and value.isprintable()
        return f"a name of 1 to {LONGEST_TEXT} printable characters", fits
    # bool is a kind of int in Python
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if key == "deadline_hours":
        return f"a number of hours from 0 to {MOST_HOURS:,}", is_number and 0 <= value <= MOST_HOURS  # type: ignore[operator]
    return f"a whole number from 0 to {MOST:,}", is_number and isinstance(value, int) and 0 <= value <= MOST
