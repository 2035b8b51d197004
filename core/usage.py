"""The billable tokens of one answer, read from the `usage` block that the API sends with it."""

from __future__ import annotations

import re
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from core.errors import HalfpriceError

# Far above any context window: whatever is larger is a damaged block. It also keeps every cost inside DECIMAL(18, 12).
MOST_TOKENS = 1_000_000_000
MOST_SEARCHES = 1_000_000

# anthropic 2.12.0, types/beta/beta_iterations_usage.py
ENTRY_TYPES = frozenset({"message", "compaction", "advisor_message", "fallback_message"})

_NOT_TEXT = re.compile("[\0\ud800-\udfff]")
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 80


class BadUsage(HalfpriceError):
    """A usage block that cannot be billed from; the message names the field and its value."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Billable tokens of one answer; `input_tokens` excludes cached input, as the API counts.

    `output_tokens` includes thinking. `web_searches` counts the searches that carry a fee. `speed`, `service_tier` and
    `inference_geo` say how the request really ran (None: not said). Where there are `iterations` they are what is
    billed, and the token counts beside them are not added to them. Every one of the `notes` is a reason why a cost
    made from this usage is only an estimate. Container and session hours are not part of a usage block.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    web_searches: int = 0
    speed: str | None = None
    service_tier: str | None = None
    inference_geo: str | None = None
    iterations: tuple[Iteration, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def prompt_tokens(self) -> int:
        """The size of the prompt in tokens, cached ones included; it decides the prompt-size tier.

        >>> Usage(input_tokens=10, cache_read_tokens=5, cache_write_5m_tokens=2, cache_write_1h_tokens=1).prompt_tokens
        18
        """
        return self.input_tokens + self.cache_read_tokens + self.cache_write_5m_tokens + self.cache_write_1h_tokens


@dataclass(frozen=True, slots=True)
class Iteration:
    """One sampling step inside an answer: tokens in `usage`, from `model` (None: the model of the answer)."""

    type: str
    model: str | None
    usage: Usage


def read_usage(block: object) -> Usage:
    """The usage in a raw `usage` block; BadUsage when a count is missing, not whole or out of bounds.

    Thinking tokens are part of the output and are not added. Cache writes without a known lifetime count as 5-minute
    writes, with a note. Source: platform.claude.com/docs/en/build-with-claude/prompt-caching and the SDK's types.

    >>> read_usage({"input_tokens": 1000, "output_tokens": 200, "cache_read_input_tokens": None}).input_tokens
    1000
    """
    usage = _object(block, "usage")
    iterations = _iterations(usage)
    tokens = _tokens(usage, "usage")
    tools = _optional_object(usage, "server_tool_use", "usage")
    notes = [note for entry in iterations for note in entry.usage.notes] if iterations else list(tokens.notes)
    notes += [
        f"an entry of the unknown type {shown(e.type)} is priced" for e in iterations if e.type not in ENTRY_TYPES
    ]
    if _credit_redeemed(usage):
        notes.append("a redeemed fallback credit lowers the bill by an amount that the usage does not give")
    return Usage(
        tokens.input_tokens,
        tokens.output_tokens,
        tokens.cache_read_tokens,
        tokens.cache_write_5m_tokens,
        tokens.cache_write_1h_tokens,
        _count(tools, "web_search_requests", "usage.server_tool_use", most=MOST_SEARCHES),
        _text(usage, "speed", "usage"),
        _text(usage, "service_tier", "usage"),
        _text(usage, "inference_geo", "usage"),
        iterations,
        tuple(dict.fromkeys(notes)),
    )


def shown(value: object) -> str:
    """A value as it may stand in a message: short, whatever its size.

    >>> shown(None), shown(True), shown(1.5), shown([0] * 99)
    ('null', 'true', '1.5', '[0, 0, 0, 0, 0, 0, ...]')
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and value.bit_length() > 128:
        return "a number far too large"
    return _SHORT.repr(value)


def is_text(value: object) -> TypeGuard[str]:
    """Whether a value is text that every file and database can hold: no NUL, no half of a surrogate pair.

    >>> is_text("claude-opus-5-5"), is_text(chr(0xD800)), is_text(5)
    (True, False, False)
    """
    return isinstance(value, str) and _NOT_TEXT.search(value) is None


def _tokens(block: Mapping[str, Any], path: str) -> Usage:
    written_5m, written_1h, notes = _cache_writes(block, path)
    return Usage(
        input_tokens=_count(block, "input_tokens", path, required=True),
        output_tokens=_count(block, "output_tokens", path, required=True),
        cache_read_tokens=_count(block, "cache_read_input_tokens", path),
        cache_write_5m_tokens=written_5m,
        cache_write_1h_tokens=written_1h,
        notes=notes,
    )


def _cache_writes(block: Mapping[str, Any], path: str) -> tuple[int, int, tuple[str, ...]]:
    split = _optional_object(block, "cache_creation", path)
    written_5m = _count(split, "ephemeral_5m_input_tokens", f"{path}.cache_creation")
    written_1h = _count(split, "ephemeral_1h_input_tokens", f"{path}.cache_creation")
    if block.get("cache_creation_input_tokens") is None:
        return written_5m, written_1h, ()
    rest = _count(block, "cache_creation_input_tokens", path) - written_5m - written_1h
    if rest > 0:
        note = f"{rest:,} cache writes of unknown lifetime are priced as 5-minute writes"
        return written_5m + rest, written_1h, (note,)
    note = f"the cache writes by lifetime are {-rest:,} more than their total"
    return written_5m, written_1h, (note,) if rest else ()


def _iterations(usage: Mapping[str, Any]) -> tuple[Iteration, ...]:
    entries = usage.get("iterations")
    if entries is None:
        return ()
    if not isinstance(entries, list):
        raise BadUsage(f"usage.iterations is {shown(entries)}, not a list.")
    iterations = tuple(_iteration(entry, f"usage.iterations[{n}]") for n, entry in enumerate(entries))
    together = sum(entry.usage.prompt_tokens + entry.usage.output_tokens for entry in iterations)
    if together > MOST_TOKENS:
        raise BadUsage(f"usage.iterations hold {together:,} tokens together, more than {MOST_TOKENS:,}.")
    return iterations


def _iteration(entry: object, path: str) -> Iteration:
    block = _object(entry, path)
    kind = _text(block, "type", path)
    if kind is None:
        raise BadUsage(f"{path}.type is missing.")
    return Iteration(kind, _text(block, "model", path), _tokens(block, path))


def _credit_redeemed(usage: Mapping[str, Any]) -> bool:
    status = _optional_object(usage, "fallback_credit", "usage").get("status")
    return (status.get("type") if isinstance(status, Mapping) else status) == "redeemed"


def _count(block: Mapping[str, Any], key: str, path: str, *, required: bool = False, most: int = MOST_TOKENS) -> int:
    value = block.get(key)
    if value is None and not required:
        return 0
    if value is None and key not in block:
        raise BadUsage(f"{path}.{key} is missing.")
    # bool is a kind of int in Python, and a float is never a count.
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise BadUsage(f"{path}.{key} is {shown(value)}, not a whole number from 0 to {most:,}.")
    return value


def _text(block: Mapping[str, Any], key: str, path: str) -> str | None:
    value = block.get(key)
    if value is None or is_text(value):
        return value
    raise BadUsage(f"{path}.{key} is {shown(value)}, not text.")


def _optional_object(block: Mapping[str, Any], key: str, path: str) -> Mapping[str, Any]:
    value = block.get(key)
    return {} if value is None else _object(value, f"{path}.{key}")


def _object(value: object, path: str) -> Mapping[str, Any]:
    if isinstance(value, Mapping):
        return value
    raise BadUsage(f"{path} is {shown(value)}, not an object.")
