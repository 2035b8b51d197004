"""A finished answer as the server-sent events of a streaming request."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

PIECE = 24
"""Characters in one delta."""
_AT_THE_END = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")


def events(message: Mapping[str, Any]) -> Iterator[bytes]:
    """The events of one answer.

    The start holds the whole usage with a provisional output; the last delta holds cumulative counts and neither the
    cache lifetimes nor tier, region and speed: platform.claude.com/docs/en/build-with-claude/streaming
    """
    usage = message["usage"]
    not_yet: dict[str, Any] = {"content": [], "stop_reason": None, "stop_sequence": None, "stop_details": None}
    first = {**usage, "output_tokens": min(usage["output_tokens"], 1)}
    yield _event("message_start", message={**message, **not_yet, "usage": first})
    yield _event("ping")
    for index, block in enumerate(message["content"]):
        yield _event("content_block_start", index=index, content_block={"type": "text", "text": ""})
        for at in range(0, len(block["text"]), PIECE):
            delta = {"type": "text_delta", "text": block["text"][at : at + PIECE]}
            yield _event("content_block_delta", index=index, delta=delta)
        yield _event("content_block_stop", index=index)
    stop = {name: message[name] for name in ("stop_reason", "stop_sequence", "stop_details")}
    yield _event("message_delta", delta=stop, usage={name: usage[name] for name in _AT_THE_END})
    yield _event("message_stop")


def _event(name: str, **fields: Any) -> bytes:
    return f"event: {name}\ndata: {json.dumps({'type': name, **fields})}\n\n".encode()
