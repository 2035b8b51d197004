"""A finished answer as the server-sent events of a streaming request."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

PIECE = 24
"""Characters in one delta."""
_AT_THE_END = (
    "input_tokens",
    "cache_creation_input_tokens",
    "cache_read_input_tokens",
    "output_tokens",
    "output_tokens_details",
    "server_tool_use",
    "iterations",
    "fallback_credit",
)


def events(message: Mapping[str, Any], first_usage: Mapping[str, Any]) -> Iterator[bytes]:
    """The events of one answer.

    The start holds the usage as known then, with a provisional output; the last delta holds cumulative counts and
    neither the cache lifetimes nor tier, region and speed: platform.claude.com/docs/en/build-with-claude/streaming
    """
    usage = message["usage"]
    handovers = [block["from"]["model"] for block in message["content"] if block["type"] == "fallback"]
    not_yet: dict[str, Any] = {"content": [], "stop_reason": None, "stop_sequence": None, "stop_details": None}
    first = {**first_usage, "output_tokens": min(usage["output_tokens"], 1)}
    model = handovers[0] if handovers else message["model"]
    yield _event("message_start", message={**message, **not_yet, "model": model, "usage": first})
    yield _event("ping")
    for index, block in enumerate(message["content"]):
        start, deltas = _OPENED.get(block["type"], _whole)(block)
        yield _event("content_block_start", index=index, content_block=start)
        for delta in deltas:
            yield _event("content_block_delta", index=index, delta=delta)
        yield _event("content_block_stop", index=index)
    stop = {name: message[name] for name in ("stop_reason", "stop_sequence", "stop_details")}
    yield _event("message_delta", delta=stop, usage={name: usage[name] for name in _AT_THE_END if name in usage})
    yield _event("message_stop")


_Opened = tuple[dict[str, Any], Iterator[dict[str, Any]]]
"""A block as it starts, and what then comes to it."""


def _text(block: Mapping[str, Any]) -> _Opened:
    deltas = ({"type": "text_delta", "text": piece} for piece in _pieces(block["text"]))
    return {**block, "text": ""}, deltas


def _thinking(block: Mapping[str, Any]) -> _Opened:
    return {**block, "thinking": "", "signature": ""}, _thinking_deltas(block)


def _thinking_deltas(block: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for piece in _pieces(block["thinking"]):
        yield {"type": "thinking_delta", "thinking": piece}
    yield {"type": "signature_delta", "signature": block["signature"]}


def _tool_use(block: Mapping[str, Any]) -> _Opened:
    pieces = ["", *_pieces(json.dumps(block["input"]))]
    return {**block, "input": {}}, ({"type": "input_json_delta", "partial_json": piece} for piece in pieces)


def _compaction(block: Mapping[str, Any]) -> _Opened:
    delta = {"type": "compaction_delta", "content": block["content"], "encrypted_content": block["encrypted_content"]}
    return {**block, "content": None}, iter((delta,))


def _whole(block: Mapping[str, Any]) -> _Opened:
    """Results and handovers come in one piece."""
    return dict(block), iter(())


_OPENED = {
    "text": _text,
    "thinking": _thinking,
    "tool_use": _tool_use,
    "server_tool_use": _tool_use,
    "compaction": _compaction,
}


def _pieces(text: str) -> Iterator[str]:
    return (text[at : at + PIECE] for at in range(0, len(text), PIECE))


def _event(name: str, **fields: Any) -> bytes:
    return f"event: {name}\ndata: {json.dumps({'type': name, **fields})}\n\n".encode()
