"""Recorded API answers, one JSON text after another, as journal records."""

from __future__ import annotations

import hashlib
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from core.capture.journal import journal_line
from core.capture.lines import NO_MODEL, request_line
from core.errors import UsageError
from core.journal import CLOCK_SLACK, FIRST_DAY, LINE_BYTES, NO_WORKLOAD
from core.periods import instant_text
from core.responses import BadResponse, Response, json_texts, parse_line, read_response
from core.usage import BadUsage, read_usage

SOURCE = "import jsonl"

_NAMESPACE = uuid.UUID("6f1d0c56-5b5e-5c0e-9d6c-6b1f0a2a7c11")


@dataclass(frozen=True, slots=True)
class Rejected:
    """A text that is no recorded answer; `line` is its first line in the file, from 1."""

    line: int
    reason: str


def read_answers(
    path: Path, *, now: datetime, at: datetime | None, workload: str | None
) -> Iterator[dict[str, Any] | Rejected]:
    """The answers in a file as journal records, each text that is none as Rejected; UsageError if it cannot be opened.

    An answer without a time of its own is dated `at`, or `now` if that is None; one without a workload belongs to
    `workload`. Reading the same file again gives records of the same identity.
    """
    try:
        stream = path.open("rb")
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from None
    return _answers(stream, path, now, at, workload)


def _answers(
    stream: BinaryIO, path: Path, now: datetime, at: datetime | None, workload: str | None
) -> Iterator[dict[str, Any] | Rejected]:
    seen: Counter[bytes] = Counter()
    with stream:
        for number, text in _texts(stream, path):
            try:
                response = _checked(read_response(parse_line(text), default_at=at or now), now)
            except (BadResponse, BadUsage) as error:
                yield Rejected(number, str(error))
                continue
            digest = hashlib.sha256(text.strip()).digest()
            seen[digest] += 1
            record = _record(response, _request_id(digest, seen[digest]), workload)
            reason = _unwritable(record)
            yield Rejected(number, reason) if reason else record


def _texts(stream: BinaryIO, path: Path) -> Iterator[tuple[int, bytes]]:
    try:
        yield from json_texts(stream)
    except OSError as error:
        raise UsageError(f"{path} cannot be read to its end: {error.strerror}.") from None


def _checked(response: Response, now: datetime) -> Response:
    if response.usage is not None:
        read_usage(response.usage)
    if not FIRST_DAY <= response.at <= now + CLOCK_SLACK:
        raise BadResponse(f"at is {instant_text(response.at)}, before the API opened or in the future.")
    return response


def _unwritable(record: Mapping[str, object]) -> str | None:
    """Why a record cannot be a journal line: what its usage holds beside the tokens may be anything."""
    try:
        size = len(journal_line(record))
    except (ValueError, UnicodeEncodeError):
        return "usage holds a number or a character that cannot be written down."
    return f"usage has {size:,} bytes, more than any usage block." if size > LINE_BYTES else None


def _request_id(digest: bytes, copy: int) -> str:
    """The same for the same text; the second of two equal texts in one file is a request of its own."""
    return str(uuid.uuid5(_NAMESPACE, f"{digest.hex()} {copy}"))


def _record(response: Response, request_id: str, workload: str | None) -> dict[str, Any]:
    return request_line(
        request_id=request_id,
        sent_at=response.at,
        ended_at=None,
        time_assumed=response.time_assumed,
        route=_route(response),
        workload=response.workload or workload or NO_WORKLOAD,
        model=response.model or NO_MODEL,
        status=response.status,
        stop_reason=response.stop_reason,
        refusal_category=response.refusal_category,
        error_type=response.error_type,
        batch_id=response.batch_id,
        custom_id=response.custom_id,
        api_request_id=response.api_request_id,
        message_id=response.message_id or None,
        source=SOURCE,
        usage=response.usage,
    )


def _route(response: Response) -> str:
    """What the usage says; for a failed item, which has none, whether it has the marks of a batch item."""
    if response.usage is not None:
        return "batch" if response.usage.get("service_tier") == "batch" else "sync"
    return "batch" if response.batch_id or response.custom_id else "sync"
