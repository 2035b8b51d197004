"""Requests to send, read from JSON lines with every problem found before anything is sent."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from core.capture.ids import new_request_id
from core.errors import HalfpriceError
from core.responses import BadResponse, json_texts, parse_line
from core.usage import MOST_TOKENS, shown

MOST_REQUESTS = 100_000
MOST_BYTES = 256_000_000
"""Limits of one batch. Source: platform.claude.com/docs/en/build-with-claude/batch-processing"""
MOST_SHOWN = 20

_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9@:._/-]{0,199}")
_TEXTS = ("speed", "inference_geo", "service_tier")
_CUSTOM_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_REFUSED = {
    "stream": "answers are collected, not streamed: leave stream out",
    "temperature": "the API refuses it since version 2026-10-21: leave it out",
    "top_p": "the API refuses it since version 2026-10-21: leave it out",
    "top_k": "the API refuses it since version 2026-10-21: leave it out",
}
_REFUSED_IN_BATCH = {"speed": "batches refuse fast mode: leave speed out"}


@dataclass(frozen=True, slots=True)
class Item:
    """One request to send: `custom_id` is the user's, or a fresh request id where the line has none."""

    custom_id: str
    params: Mapping[str, Any]
    line: int


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong on one line of the input, from 1; line 0 is the whole input."""

    line: int
    what: str


@dataclass(frozen=True, slots=True)
class Prepared:
    """The requests of one input and what is wrong with it; `digest` is the same for the same requests.

    `without_id` is how many came without a custom_id and were given a fresh one.
    """

    items: tuple[Item, ...]
    problems: tuple[Problem, ...]
    digest: str
    without_id: int


class BadRequests(HalfpriceError):
    """Requests that cannot be sent as they are; names every line, up to a screenful."""

    def __init__(self, name: str, problems: Iterable[Problem]) -> None:
        found = sorted(problems, key=lambda problem: problem.line)
        lines = [f"{name}, line {p.line}: {p.what}." if p.line else f"{name}: {p.what}." for p in found[:MOST_SHOWN]]
        if len(found) > MOST_SHOWN:
            lines.append(f"… and {len(found) - MOST_SHOWN:,} more problems.")
        super().__init__("\n".join([*lines, "Nothing was sent."]))


def prepare(stream: BinaryIO) -> Prepared:
    """Read `{"custom_id"?, "params"}` lines; whatever is wrong comes back as problems, all at once."""
    items: list[Item] = []
    problems: list[Problem] = []
    first_line: dict[str, int] = {}
    digest = hashlib.sha256()
    without_id = 0
    for number, text in json_texts(stream):
        try:
            entry = parse_line(text)
        except BadResponse as error:
            problems.append(Problem(number, str(error).rstrip(".")))
            continue
        found = _problems(entry)
        if not isinstance(entry, dict) or found:
            problems += [Problem(number, what) for what in found]
            continue
        custom_id = entry.get("custom_id")
        if custom_id is not None and first_line.setdefault(custom_id, number) != number:
            problems.append(
                Problem(number, f"custom_id {shown(custom_id)} is that of line {first_line[custom_id]} already")
            )
        without_id += custom_id is None
        digest.update(canonical([custom_id, entry["params"]]))
        items.append(Item(custom_id or new_request_id(), entry["params"], number))
    if not items and not problems:
        problems.append(Problem(0, "it holds no requests"))
    return Prepared(tuple(items), tuple(problems), digest.hexdigest(), without_id)


def batch_problems(items: Iterable[Item]) -> list[Problem]:
    """What keeps requests that could be sent one by one out of a batch."""
    problems: list[Problem] = []
    size = count = 0
    for item in items:
        count += 1
        size += len(canonical({"custom_id": item.custom_id, "params": item.params})) + 1
        problems += [
            Problem(item.line, f"params.{name}: {why}")
            for name, why in _REFUSED_IN_BATCH.items()
            if name in item.params
        ]
    if count > MOST_REQUESTS:
        problems.append(Problem(0, f"it holds {count:,} requests; a batch takes {MOST_REQUESTS:,}. Split the file"))
    if size > MOST_BYTES:
        problems.append(Problem(0, f"its requests have {size:,} bytes; a batch takes {MOST_BYTES:,}. Split the file"))
    return problems


def canonical(value: object) -> bytes:
    """The value as JSON that is the same for equal values.

    >>> canonical({"b": 1, "a": "é"})
    b'{"a":"\\xc3\\xa9","b":1}'
    """
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def _problems(entry: object) -> list[str]:
    if not isinstance(entry, dict):
        return [f'a request is an object {{"custom_id", "params"}}, not {shown(entry)}']
    found = [f"there is no key {shown(key)} beside custom_id and params" for key in entry if key not in _KEYS]
    custom_id = entry.get("custom_id")
    if custom_id is not None and not (isinstance(custom_id, str) and _CUSTOM_ID.fullmatch(custom_id)):
        found.append(f"custom_id {shown(custom_id)} is not 1 to 64 of a-z, A-Z, 0-9, _ and -")
    params = entry.get("params")
    if not isinstance(params, dict):
        return [*found, "params is missing" if params is None else f"params is {shown(params)}, not an object"]
    return found + _param_problems(params)


_KEYS = frozenset({"custom_id", "params"})


def _param_problems(params: Mapping[str, Any]) -> list[str]:
    found = [f"params.{name}: {why}" for name, why in _REFUSED.items() if name in params]
    found += [
        f"params.{name} is {shown(params[name])}, not text"
        for name in _TEXTS
        if name in params and not isinstance(params[name], str)
    ]
    if not _can_be_sent(params):
        found.append("params holds a number or a character that JSON in UTF-8 cannot carry")
    model, most, messages = params.get("model"), params.get("max_tokens"), params.get("messages")
    if not isinstance(model, str) or not _MODEL.fullmatch(model):
        found.append("params.model is missing" if model is None else f"params.model is {shown(model)}, no model's name")
    if not isinstance(most, int) or isinstance(most, bool) or not 1 <= most <= MOST_TOKENS:
        what = "is missing" if most is None else f"is {shown(most)}, not a whole number from 1 to {MOST_TOKENS:,}"
        found.append(f"params.max_tokens {what}")
    if not isinstance(messages, list) or not messages:
        found.append("params.messages is missing or empty")
    return found


def _can_be_sent(params: Mapping[str, Any]) -> bool:
    try:
        json.dumps(params, ensure_ascii=False, allow_nan=False).encode()
    except ValueError:  # a UnicodeEncodeError is one, too
        return False
    return True
