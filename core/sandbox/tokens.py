"""The prompt of a request, cut into segments whose tokens are estimated.

The estimate: four bytes of UTF-8 make a token, 30 % more with the newer tokenizer; each message costs four tokens of
frame, each image 1,500, each document that is not plain text 3,000. Anything else counts as its JSON.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from core.sandbox.models import Model

BYTES_PER_TOKEN = 4
FRAME_TOKENS = 4
IMAGE_TOKENS = 1_500
DOCUMENT_TOKENS = 3_000


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of the prompt that may end a cached prefix.

    `text` and `extra_tokens` are its size; `key` is what else tells it apart; `ttl` is set where a cached prefix ends.
    """

    text: str
    extra_tokens: int = 0
    ttl: str | None = None
    key: str = ""


def text_tokens(text: str, tokenizer: int) -> int:
    """Estimated tokens of a text.

    >>> text_tokens("x" * 40, 10), text_tokens("x" * 40, 13), text_tokens("", 13)
    (10, 13, 0)
    """
    return _rounded_up(len(text.encode("utf-8", "surrogatepass")), tokenizer)


@dataclass(frozen=True, slots=True)
class Prompt:
    """The prompt of one request for one model; `sizes` are the tokens up to the end of each segment."""

    model: Model
    segments: list[Segment]
    sizes: list[int]

    @property
    def tokens(self) -> int:
        """The size of the whole prompt."""
        return self.sizes[-1]

    def mentions(self, text: str) -> bool:
        """Whether a text stands anywhere in the prompt."""
        return any(text in segment.text for segment in self.segments)


def read_prompt(params: Mapping[str, Any], model: Model) -> Prompt:
    """The prompt of well-formed Messages parameters.

    >>> from core.sandbox.models import CATALOGUE
    >>> params = {"messages": [{"role": "user", "content": "x" * 40}]}
    >>> read_prompt(params, CATALOGUE["claude-sonnet-4-6"]).tokens
    14
    """
    segments = _segments(params, model)
    size = extra = 0
    sizes = []
    for segment in segments:
        size += len(segment.text.encode("utf-8", "surrogatepass"))
        extra += segment.extra_tokens
        sizes.append(_rounded_up(size, model.tokenizer) + extra)
    return Prompt(model, segments, sizes)


def cut(text: str, most_tokens: int, tokenizer: int) -> str:
    """The longest start of a text with at most so many tokens."""
    most_bytes = most_tokens * 10 * BYTES_PER_TOKEN // tokenizer
    return text.encode("utf-8", "surrogatepass")[:most_bytes].decode("utf-8", "ignore")


def _segments(params: Mapping[str, Any], model: Model) -> list[Segment]:
    """In the order in which the API caches: tools, system, messages."""
    segments = [Segment("", model.tool_tokens)] if params.get("tools") else []
    segments += [Segment(_json(tool), 0, _ttl(tool)) for tool in params.get("tools") or ()]
    segments += _content(params.get("system") or [])
    for message in params["messages"]:
        segments.append(Segment("", FRAME_TOKENS, key=message["role"]))
        segments += _content(message["content"])
    if params.get("cache_control") is not None:  # caches up to the end of the prompt
        segments[-1] = replace(segments[-1], ttl=segments[-1].ttl or _ttl(params))
    return segments


def _content(content: str | list[dict[str, Any]]) -> list[Segment]:
    return [Segment(content)] if isinstance(content, str) else [_segment(block) for block in content]


def _segment(block: dict[str, Any]) -> Segment:
    match block:
        case {"type": "text", "text": str(text)}:
            return Segment(text, 0, _ttl(block))
        case {"type": "image"}:
            return Segment("", IMAGE_TOKENS, _ttl(block), _json(block))
        case {"type": "document", "source": {"type": "text", "data": str(text)}}:
            return Segment(text, 0, _ttl(block), _json(block))
        case {"type": "document"}:
            return Segment("", DOCUMENT_TOKENS, _ttl(block), _json(block))
        case {"type": "tool_result", "content": list(content)}:
            inner = _content(content)
            text, extra = "".join(part.text for part in inner), sum(part.extra_tokens for part in inner)
            return Segment(text, extra, _ttl(block), _json(block))
        case _:
            return Segment(_json(block), 0, _ttl(block))


def _ttl(block: Mapping[str, Any]) -> str | None:
    control = block.get("cache_control")
    return None if control is None else control.get("ttl", "5m")


def _json(block: Mapping[str, Any]) -> str:
    return json.dumps({key: value for key, value in block.items() if key != "cache_control"}, separators=(",", ":"))


def _rounded_up(size: int, tokenizer: int) -> int:
    return -(-size * tokenizer // (10 * BYTES_PER_TOKEN))
