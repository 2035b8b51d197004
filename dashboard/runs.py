"""What is on disk of a launch: how far it is, its outcome, its answers."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from core.answers import summed
from core.facts import Batch
from core.pricing import PriceBook
from core.submissions import Submission, Submissions

OUTCOMES = ("succeeded", "errored", "canceled", "expired")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the requests of a finished launch.

    `cost_usd` is None while the ledger does not hold the results, and where not one of them has a price;
    `other_usd` is what the same answers would have cost by the other route.
    """

    counts: dict[str, int]
    cost_usd: Decimal | None
    other_usd: Decimal | None

    @property
    def reconciled(self) -> int:
        """How many requests have an outcome."""
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True)
class Answered:
    """One request with what came of it: the answer, or the error in words."""

    custom_id: str
    outcome: str
    answer: str
    prompt: str


@dataclass(frozen=True, slots=True)
class Found:
    """The first answers that hold a text, of how many that do."""

    shown: list[Answered]
    matches: int


def results_file(home: Path, run: Submission) -> Path:
    """Where the answers of a finished launch are."""
    return home / run.results_path


def answered_so_far(home: Path, run: Submission) -> int:
    """How many answers of a synchronous launch are on disk."""
    path = Submissions(home).answers_file(run.submission_id)
    if not path.exists():
        return 0
    with path.open("rb") as file:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1 << 20), b""))


def outcome(home: Path, run: Submission, batches: Sequence[Batch], book: PriceBook) -> Outcome:
    """The outcome of a finished launch, a batch's from the ledger."""
    if run.route == "sync":
        return _sync_outcome(home, run, book)
    counts = Counter(entry["result"]["type"] for entry in _entries(results_file(home, run)))
    batch = next((batch for batch in batches if batch.batch_id == run.batch_id), None)
    held = batch is not None and batch.ended_at is not None and batch.unpriced_requests < batch.requests
    cost, other = (batch.cost_usd, batch.list_usd) if batch is not None and held else (None, None)
    return Outcome({name: counts[name] for name in OUTCOMES}, cost, other)


def find_answers(home: Path, run: Submission, text: str, most: int) -> Found:
    """Answers whose custom_id or text holds `text`, in whatever case; all of them if it is empty."""
    wanted = text.casefold()
    first: list[tuple[str, str, str]] = []
    matches = 0
    for entry in _entries(results_file(home, run)):
        custom_id, kind, answer = entry["custom_id"], entry["result"]["type"], _words(entry["result"])
        if wanted in custom_id.casefold() or wanted in answer.casefold():
            matches += 1
            if len(first) < most:
                first.append((custom_id, kind, answer))
    prompts = _prompts(home, run, {custom_id for custom_id, _, _ in first})
    return Found([Answered(*found, prompts.get(found[0], "")) for found in first], matches)


def prompt_text(params: dict[str, Any]) -> str:
    """What a request says to the model, without the system prompt.

    >>> prompt_text({"messages": [{"role": "user", "content": [{"type": "text", "text": "Hello"}]}]})
    'Hello'
    """
    return "\n\n".join(_text(message.get("content")) for message in params.get("messages", ()) if message)


def _sync_outcome(home: Path, run: Submission, book: PriceBook) -> Outcome:
    sent = summed(list(_entries(Submissions(home).answers_file(run.submission_id))), book)
    priced = sent.unpriced < sent.succeeded or not sent.succeeded
    counts = {"succeeded": sent.succeeded, "errored": sent.errored, "canceled": 0, "expired": 0}
    return Outcome(counts, sent.cost_usd if priced else None, sent.batch_usd if priced else None)


def _entries(path: Path) -> Iterator[dict[str, Any]]:
    if path.exists():
        with path.open(encoding="utf-8") as file:
            yield from map(json.loads, file)


def _prompts(home: Path, run: Submission, custom_ids: set[str]) -> dict[str, str]:
    requests = _entries(Submissions(home).requests_file(run.submission_id))
    return {entry["custom_id"]: prompt_text(entry["params"]) for entry in requests if entry["custom_id"] in custom_ids}


def _words(result: dict[str, Any]) -> str:
    if result["type"] == "succeeded":
        return _text(result["message"]["content"])
    error = (result.get("error") or {}).get("error") or {}
    return str(error.get("message") or result["type"])


def _text(content: object) -> str:
    """The text of a message; what is not text is named."""
    if isinstance(content, str):
        return content
    blocks = content if isinstance(content, list) else []
    texts = [block.get("text") or f"[{block.get('type')}]" for block in blocks if isinstance(block, dict)]
    return "\n\n".join(map(str, texts))
