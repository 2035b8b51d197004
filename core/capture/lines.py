"""Journal lines as every recorder writes them; `core.journal` says what each field means and reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

VERSION = 1
NO_WORKLOAD = "unlabelled"
NO_MODEL = "unknown"
"""The model of a failed batch item for which nothing names one; such an item costs nothing."""


def instant_text(at: datetime) -> str:
    """The instant as ISO 8601 in UTC with `Z`.

    >>> instant_text(datetime(2026, 11, 1, tzinfo=UTC))
    '2026-11-01T00:00:00Z'
    """
    return (at if at.tzinfo is UTC else at.astimezone(UTC)).isoformat().removesuffix("+00:00") + "Z"


def request_line(
    *,
    request_id: str,
    sent_at: datetime,
    ended_at: datetime | None,
    route: str,
    workload: str,
    model: str,
    status: str,
    source: str,
    usage: Mapping[str, Any] | None = None,
    stop_reason: str | None = None,
    refusal_category: str | None = None,
    error_type: str | None = None,
    batch_id: str | None = None,
    custom_id: str | None = None,
    api_request_id: str | None = None,
    message_id: str | None = None,
    attempts: int | None = None,
    attempt_statuses: Sequence[int] | None = None,
    streamed: bool | None = None,
    incomplete: bool = False,
    time_assumed: bool = False,
    tags: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """One request as a line; what is not known or does not apply is left out.

    >>> at = datetime(2026, 11, 1, tzinfo=UTC)
    >>> request_line(request_id="id", sent_at=at, ended_at=None, route="sync", workload="w", model="m",
    ...              status="errored", source="test", error_type="api_error")["error_type"]
    'api_error'
    """
    fields = {
        "v": VERSION,
        "kind": "request",
        "request_id": request_id,
        "sent_at": instant_text(sent_at),
        "ended_at": instant_text(ended_at) if ended_at else None,
        "route": route,
        "workload": workload,
        "model": model,
        "status": status,
        "stop_reason": stop_reason,
        "refusal_category": refusal_category,
        "error_type": error_type,
        "batch_id": batch_id,
        "custom_id": custom_id,
        "api_request_id": api_request_id,
        "message_id": message_id,
        "attempts": attempts,
        "attempt_statuses": list(attempt_statuses) if attempt_statuses else None,
        "streamed": streamed,
        "incomplete": incomplete or None,
        "time_assumed": time_assumed or None,
        "source": source,
        "tags": dict(tags) if tags else None,
        "usage": usage,
    }
    return {name: value for name, value in fields.items() if value is not None}


def batch_line(
    *,
    batch_id: str,
    workload: str,
    model: str | None,
    status: str,
    created_at: datetime,
    ended_at: datetime | None,
    expires_at: datetime,
    cancel_initiated_at: datetime | None,
    requests: int,
    succeeded: int,
    errored: int,
    canceled: int,
    expired: int,
    observed_at: datetime,
    results_path: str | None = None,
) -> dict[str, Any]:
    """One observation of a batch as a line; what is not known is left out."""
    fields = {
        "v": VERSION,
        "kind": "batch",
        "batch_id": batch_id,
        "workload": workload,
        "model": model,
        "status": status,
        "created_at": instant_text(created_at),
        "ended_at": instant_text(ended_at) if ended_at else None,
        "expires_at": instant_text(expires_at),
        "cancel_initiated_at": instant_text(cancel_initiated_at) if cancel_initiated_at else None,
        "requests": requests,
        "succeeded": succeeded,
        "errored": errored,
        "canceled": canceled,
        "expired": expired,
        "results_path": results_path,
        "observed_at": instant_text(observed_at),
    }
    return {name: value for name, value in fields.items() if value is not None}
