"""One line of recorded answers, whichever of the usual shapes it has.

A line is one JSON object: a response of the Messages API; `{model, usage}` alone; a line of a batch's results; or the
error body of a failed request. Beside them it may say `at` (ISO 8601 with `Z` or an offset), `workload`, `batch_id`,
`custom_id`, `stop_reason` and `stop_details`. Shapes: platform.claude.com/docs/en/api/messages and …/batches.
"""

from __future__ import annotations

import json
from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, BinaryIO, Literal, cast

from core.capture.messages import refusal_category
from core.errors import HalfpriceError
from core.periods import parse_instant
from core.usage import is_text, shown

Status = Literal["succeeded", "errored", "canceled", "expired"]
NOT_BILLED = frozenset({"errored", "canceled", "expired"})

# A line is held in memory while it is read, so it has a bound in bytes; the API itself takes 32 MB.
LONGEST_LINE = 100_000_000


class BadResponse(HalfpriceError):
    """A line that is not a recorded answer; the message is one sentence about what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Response:
    """What one line says about one request.

    `usage` is the raw block, and like `model` it is there exactly when `status` is `succeeded`. `at` is aware UTC;
    `time_assumed` when the line does not say it. The rest is None where the line is silent.
    """

    model: str | None
    usage: Mapping[str, Any] | None
    at: datetime
    time_assumed: bool
    status: Status
    stop_reason: str | None = None
    refusal_category: str | None = None
    message_id: str | None = None
    custom_id: str | None = None
    batch_id: str | None = None
    api_request_id: str | None = None
    workload: str | None = None
    error_type: str | None = None


def json_texts(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """The JSON texts in a stream, each with the number of its first line as soon as it is complete.

    A text is a line, or an indented object: from a lone `{` over indented lines to a lone `}`. A text that is longer
    than the bound comes out cut, but still longer than the bound.
    """
    begun, held = 0, bytearray()
    for number, line in _lines(stream):
        closes = line.rstrip() == b"}"
        if held and (closes or not line.strip() or line[:1].isspace()):
            held += line if len(held) <= LONGEST_LINE else b""
            if closes:
                yield begun, bytes(held)
                held.clear()
            continue
        if held:
            yield begun, bytes(held)
            held.clear()
        if line.strip() == b"{":
            begun, held = number, bytearray(line)
        elif line.strip():
            yield number, line
    if held:
        yield begun, bytes(held)


def parse_line(raw: bytes) -> object:
    """The JSON value of a line in UTF-8; BadResponse where two programs could read it differently.

    >>> parse_line(b'{"model": "claude-opus-5-5"}')
    {'model': 'claude-opus-5-5'}
    """
    if len(raw) > LONGEST_LINE:
        raise BadResponse(f"it is longer than {LONGEST_LINE:,} bytes.")
    try:
        return json.loads(raw.decode("utf-8"), object_pairs_hook=_unique_keys, parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise BadResponse(f"byte {error.start + 1} is not UTF-8.") from None
    except json.JSONDecodeError as error:
        raise BadResponse(f"not JSON: {error.msg} at character {error.pos + 1}.") from None
    except ValueError:  # Python reads no number of more than 4,300 digits
        raise BadResponse("a number in it is far too long.") from None
    except RecursionError:
        raise BadResponse("it is nested too deeply.") from None


def read_response(line: object, *, default_at: datetime) -> Response:
    """The request that a parsed line describes, at `default_at` if the line has no time; BadResponse if it has none.

    >>> from datetime import UTC
    >>> line = {"model": "claude-opus-5-5", "usage": {"input_tokens": 1, "output_tokens": 2}, "at": "2026-11-01T09:00Z"}
    >>> read_response(line, default_at=datetime.now(UTC)).at.isoformat()
    '2026-11-01T09:00:00+00:00'
    """
    outer = _object(line, "the line")
    if outer.get("result") is not None and outer.get("usage") is None:
        return _batch_result(outer, default_at)
    if outer.get("type") == "error":
        return _not_answered(outer, outer, "errored", default_at)
    return _answer(outer, outer, default_at)


def _lines(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    number = 0
    while line := stream.readline(LONGEST_LINE + 1):
        number += 1
        yield number, line.removeprefix(BOM_UTF8) if number == 1 else line
        while line and not line.endswith(b"\n"):
            line = stream.readline(LONGEST_LINE + 1)


def _refusal_category(message: Mapping[str, Any]) -> str | None:
    _text(_optional_object(message.get("stop_details"), "stop_details"), "category")
    return refusal_category(message)


def _batch_result(line: Mapping[str, Any], default_at: datetime) -> Response:
    result = _object(line["result"], "result")
    status = result.get("type")
    if status == "succeeded":
        message = _object(result.get("message"), "result.message")
        usage = _object(message.get("usage"), "usage")
        # A line of results can only come from a batch, also where its usage forgot to say so.
        said = "batch" if usage.get("service_tier") is None else usage["service_tier"]
        return _answer(line, {**message, "usage": {**usage, "service_tier": said}}, default_at)
    if isinstance(status, str) and status in NOT_BILLED:
        error = _optional_object(result.get("error"), "result.error")
        return _not_answered(line, error, cast("Status", status), default_at)
    raise BadResponse(f"result.type is {shown(status)}, not succeeded, errored, canceled or expired.")


def _answer(line: Mapping[str, Any], message: Mapping[str, Any], default_at: datetime) -> Response:
    model = _text(message, "model")
    if not model:
        raise BadResponse("model is missing.")
    said = {**message, **{key: value for key, value in line.items() if value is not None}}
    at, time_assumed = _time(line, default_at)
    return Response(
        model=model,
        usage=_object(message.get("usage"), "usage"),
        at=at,
        time_assumed=time_assumed,
        status="succeeded",
        stop_reason=_text(said, "stop_reason"),
        refusal_category=_refusal_category(said),
        message_id=_id(message, "id"),
        custom_id=_text(line, "custom_id"),
        batch_id=_text(line, "batch_id"),
        api_request_id=_id(said, "_request_id") or _id(said, "request_id"),
        workload=_text(line, "workload"),
    )


def _not_answered(line: Mapping[str, Any], body: Mapping[str, Any], status: Status, default_at: datetime) -> Response:
    error = _optional_object(body.get("error"), "error")
    at, time_assumed = _time(line, default_at)
    return Response(
        model=None,
        usage=None,
        at=at,
        time_assumed=time_assumed,
        status=status,
        custom_id=_text(line, "custom_id"),
        batch_id=_text(line, "batch_id"),
        api_request_id=_id(body, "request_id"),
        workload=_text(line, "workload"),
        error_type=_text(error, "type"),
    )


def _time(line: Mapping[str, Any], default_at: datetime) -> tuple[datetime, bool]:
    at = _text(line, "at")
    if at is None:
        return default_at, True
    try:
        return parse_instant(at), False
    except (ValueError, OverflowError):
        raise BadResponse(f"at is {shown(at)}, not an ISO 8601 time with Z or an offset such as +01:00.") from None


def _text(block: Mapping[str, Any], key: str) -> str | None:
    value = block.get(key)
    if value is None or is_text(value):
        return value
    raise BadResponse(f"{key} is {shown(value)}, not text.")


def _id(block: Mapping[str, Any], key: str) -> str | None:
    """An id of the API; a line may use the same key for something of its own, which is then left out."""
    value = block.get(key)
    return value if is_text(value) else None


def _object(value: object, name: str) -> Mapping[str, Any]:
    if isinstance(value, Mapping):
        return value
    raise BadResponse(f"{name} is missing." if value is None else f"{name} is {shown(value)}, not an object.")


def _optional_object(value: object, name: str) -> Mapping[str, Any]:
    return {} if value is None else _object(value, name)


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    block = dict(pairs)
    if len(block) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise BadResponse(f"the key {shown(twice)} appears twice in one object.")
    return block


def _refuse_constant(name: str) -> None:
    raise BadResponse(f"{name} is not a JSON number.")
