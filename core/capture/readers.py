"""What the body of an answer says about usage, learnt while the program reads it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Protocol

from .calls import Call
from .failures import failure_type
from .home import Kind
from .jsontext import read_json
from .messages import answer_fields, error_type, text_or_none
from .sink import Line
from .sse import Events

How = Literal["read", "closed", "failed"]
"""How the reading of a body ended: to its end, stopped by the program, or broken off."""
NOTHING_KNOWN = {"input_tokens": 0, "output_tokens": 0}
"""The lower bound for an answer of which no usage was seen."""
_EVENTS = (b"message_start", b"message_delta", b"message_stop", b"content_block_start", b"error")


class Reader(Protocol):
    """Learns from one body; the lines it gives are complete records."""

    kind: Kind | None

    def feed(self, data: bytes) -> list[Line]:
        """What these bytes, which follow those of before, made certain."""

    def end(self, how: How, error: BaseException | None) -> list[Line]:
        """What is known at the end; called once."""


class WholeMessage:
    """A message in one JSON document; its usage stands near the end, so a part of it tells nothing."""

    def __init__(self, call: Call) -> None:
        self.kind = call.kind
        self._call = call
        self._parts: list[bytes] = []

    def feed(self, data: bytes) -> list[Line]:
        """Keep the bytes until the document is whole."""
        self._parts.append(data)
        return []

    def end(self, how: How, error: BaseException | None) -> list[Line]:
        """The record of the message; of a part of one, that there was an answer."""
        if how == "read":
            return [self._call.line(**answer_fields(read_json(b"".join(self._parts)), self._call.model))]
        return [self._call.line(**cut_off({}, self._call.model, how, error))]


class StreamedMessage:
    """A message as events. The last counts win over the first ones, which also hold what is said only once.

    `message_start` has the whole usage with a provisional output; a `message_delta` has cumulative counts, without
    the cache lifetimes, tier, region and speed. Source: platform.claude.com/docs/en/build-with-claude/streaming
    """

    def __init__(self, call: Call) -> None:
        self.kind = call.kind
        self._call = call
        self._events = Events(_EVENTS)
        self._message: dict[str, Any] = {}
        self._usage: dict[str, Any] = {}
        self._error_type: str | None = None
        self._is_done = False

    def feed(self, data: bytes) -> list[Line]:
        """The record of the message as soon as its last event is there, so before the program has it."""
        for name, text in self._events.feed(data):
            event = read_json(text) if name != "content_block_start" or b'"fallback"' in text else None
            if isinstance(event, dict):
                self._take(name, event)
            if name == "message_stop" and not self._is_done:
                self._is_done = True
                return [self._call.line(**answer_fields(self._known(), self._call.model))]
        return []

    def end(self, how: How, error: BaseException | None) -> list[Line]:
        """The record of a message that was not read to its last event."""
        if self._is_done:
            return []
        if self._error_type is None and self._message.get("stop_reason"):  # all counts were there
            return [self._call.line(**answer_fields(self._known(), self._call.model))]
        fields = cut_off(self._known(), self._call.model, how, error)
        if self._error_type:
            fields |= {"status": "errored", "error_type": self._error_type}
        return [self._call.line(**fields)]

    def _known(self) -> dict[str, Any]:
        return {**self._message, "usage": self._usage} if self._usage else self._message

    def _take(self, name: str, event: Mapping[str, Any]) -> None:
        if name == "message_start":
            message = _object(event.get("message"))
            self._message = {key: message.get(key) for key in ("id", "model", "stop_reason", "stop_details")}
            self._usage = dict(_object(message.get("usage")))
        elif name == "message_delta":
            delta = _object(event.get("delta"))
            self._message |= {key: delta[key] for key in ("stop_reason", "stop_details") if key in delta}
            self._usage |= {key: value for key, value in _object(event.get("usage")).items() if value is not None}
        elif name == "content_block_start":
            block = _object(event.get("content_block"))
            if block.get("type") == "fallback":  # another model answers from here on, as the SDK also reports it
                model = text_or_none(_object(block.get("to")).get("model"))
                self._message |= {"model": model} if model else {}
        elif name == "error":
            self._error_type = error_type(event) or "api_error"


def cut_off(message: Mapping[str, Any], model: str, how: How, error: BaseException | None) -> dict[str, Any]:
    """The fields of a line for an answer of which only this is known: a lower bound, marked so.

    A program that stops reading has got what it wanted; a stream that breaks off has failed.
    """
    usage = {**NOTHING_KNOWN, **_object(message.get("usage"))}
    fields = {**answer_fields({**message, "usage": usage}, model), "incomplete": True}
    if how == "failed":
        fields |= {"status": "errored", "error_type": failure_type(error) if error else "connection_error"}
    return fields


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
