"""What the journal keeps of an answer: everything about it but its content."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .lines import NO_MODEL

CATEGORY_NOT_GIVEN = "not given"
"""Stands for the category of a refusal whose response has no `stop_details`."""
UNREADABLE = "unreadable"
"""The error type of an answer that is none: of a shape that the API does not have."""


def message_fields(message: Mapping[str, Any], model: str = NO_MODEL) -> dict[str, Any]:
    """The fields of a journal line for a message that succeeded, its usage block as the API sent it.

    `model` is the one that was asked for, in case the message does not say which one answered.

    >>> message_fields({"id": "msg_1", "model": "m", "stop_reason": "end_turn", "usage": {"input_tokens": 1}})["usage"]
    {'input_tokens': 1}
    """
    return {
        "status": "succeeded",
        "model": text_or_none(message.get("model")) or model,
        "message_id": text_or_none(message.get("id")),
        "stop_reason": text_or_none(message.get("stop_reason")),
        "refusal_category": refusal_category(message),
        "usage": message["usage"],
    }


def answer_fields(message: object, model: str) -> dict[str, Any]:
    """The same for whatever came with status 200; a document without usage is errored as `unreadable`.

    >>> answer_fields("<html>", "claude-opus-5-5")["error_type"]
    'unreadable'
    """
    if isinstance(message, dict) and isinstance(message.get("usage"), dict):
        return message_fields(message, model)
    return {"status": "errored", "model": model, "error_type": UNREADABLE, "usage": None}


def result_fields(result: object, model: str) -> dict[str, Any]:
    """What became of a batch item that was meant for that model; a result of an unknown shape is `unreadable`."""
    found = result if isinstance(result, dict) else {}
    status, message = found.get("type"), found.get("message")
    if status not in ("errored", "canceled", "expired"):
        return answer_fields(message if status == "succeeded" else None, model)
    return {"status": status, "model": model, "error_type": error_type(found.get("error")), "usage": None}


def error_type(body: object) -> str | None:
    """The API's word for what went wrong in an error document, if it is one.

    >>> error_type({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}})
    'overloaded_error'
    """
    inner = body.get("error") if isinstance(body, dict) else None
    return text_or_none(inner.get("type")) if isinstance(inner, dict) else None


def refusal_category(message: Mapping[str, Any]) -> str | None:
    """The category of a refused message: None where the API names none, `not given` where it does not say at all.

    >>> refusal_category({"stop_reason": "refusal", "stop_details": {"type": "refusal", "category": None}})
    >>> refusal_category({"stop_reason": "refusal"})
    'not given'
    """
    if message.get("stop_reason") != "refusal":
        return None
    details = message.get("stop_details")
    if not isinstance(details, dict) or "category" not in details:
        return CATEGORY_NOT_GIVEN
    return text_or_none(details["category"])


def text_or_none(value: object) -> str | None:
    """The value if it is text, else None."""
    return value if isinstance(value, str) and value else None
