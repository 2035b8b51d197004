"""The models that the sandbox serves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from core.sandbox.clock import iso
from core.sandbox.errors import ApiError

OLD_TOKENIZER, NEW_TOKENIZER = 10, 13
"""Tokens for the same text, in tenths: Opus 4.7 and later make about 30 % more of them."""


@dataclass(frozen=True, slots=True)
class Model:
    """One model: what it accepts and how it counts.

    `tool_tokens` are the hidden system prompt of a request with tools; `cache_from` is the shortest prompt prefix that
    is cached; `geo` tells whether `inference_geo` may be set, `fast` whether `speed: "fast"` may. It is served
    until the day on which it `retires`.
    """

    id: str
    name: str
    released: date
    tokenizer: int
    tool_tokens: int
    cache_from: int
    context: int = 1_000_000
    max_tokens: int = 128_000
    geo: bool = True
    fast: bool = False
    deprecated: date | None = None
    retires: date | None = None

    @property
    def line(self) -> str:
        """The family, such as `opus`."""
        return self.id.split("-")[1]

    def lifecycle(self, now: datetime) -> str:
        """`active`, `deprecated` or `retired` at a time."""
        if self.retires is not None and now.date() >= self.retires:
            return "retired"
        return "deprecated" if self.deprecated is not None and now.date() >= self.deprecated else "active"

    def info(self, now: datetime) -> dict[str, Any]:
        """The model as `GET /v1/models` lists it; its name says that this one is not the real one."""
        return {
            "type": "model",
            "id": self.id,
            "display_name": f"{self.name} (sandbox)",
            "created_at": _midnight(self.released),
            "lifecycle": self.lifecycle(now),
            "deprecated_at": _midnight(self.deprecated),
            "retires_at": _midnight(self.retires),
            "line": self.line,
            "max_input_tokens": self.context,
            "max_tokens": self.max_tokens,
            "capabilities": _CAPABILITIES,
        }


def _midnight(day: date | None) -> str | None:
    return None if day is None else iso(datetime(day.year, day.month, day.day, tzinfo=UTC))


def _supported(*names: str, but: Iterable[str] = ()) -> dict[str, Any]:
    return {name: {"supported": name not in but} for name in names}


_NO_EDITS = ("clear_thinking_20251015", "clear_tool_uses_20250919")
# What the sandbox can do itself, so that a client which asks first is not promised more.
_CAPABILITIES: dict[str, Any] = {
    **_supported("batch", "image_input", "pdf_input", "structured_outputs"),
    **_supported("citations", "code_execution", but=("citations", "code_execution")),
    "context_management": {
        "supported": True,
        **_supported("compact_20260112"),
        **_supported(*_NO_EDITS, but=_NO_EDITS),
    },
    "effort": {"supported": True, **_supported("low", "medium", "high", "xhigh", "max")},
    "server_tools": {"supported": True, **_supported("web_search", "code_execution", but=("code_execution",))},
    "thinking": {
        "supported": True,
        "types": _supported("disabled", "adaptive", "enabled", "between_tools", but=("between_tools",)),
    },
}

# Limits and counts: platform.claude.com/docs/en/about-claude/models/overview, …/build-with-claude/prompt-caching and
# …/agents-and-tools/tool-use/overview. The newest comes first, as the API lists them.
_CATALOGUE = (
    Model("claude-fable-5-2", "Claude Fable 5.2", date(2026, 11, 9), NEW_TOKENIZER, 286, 512, fast=True),
    Model("claude-haiku-5-5", "Claude Haiku 5.5", date(2026, 10, 7), NEW_TOKENIZER, 286, 512),
    Model("claude-sonnet-5-5", "Claude Sonnet 5.5", date(2026, 9, 28), NEW_TOKENIZER, 286, 1_024),
    Model("claude-opus-5-5", "Claude Opus 5.5", date(2026, 9, 22), NEW_TOKENIZER, 286, 512, fast=True),
    Model("claude-opus-5", "Claude Opus 5", date(2026, 7, 24), NEW_TOKENIZER, 286, 512, fast=True),
    Model("claude-sonnet-5", "Claude Sonnet 5", date(2026, 6, 30), NEW_TOKENIZER, 354, 1_024),
    Model("claude-opus-4-8", "Claude Opus 4.8", date(2026, 5, 28), NEW_TOKENIZER, 290, 1_024, fast=True),
    Model("claude-sonnet-4-6", "Claude Sonnet 4.6", date(2026, 2, 17), OLD_TOKENIZER, 497, 1_024, max_tokens=64_000),
    Model(
        "claude-haiku-4-5-20251001",
        "Claude Haiku 4.5",
        date(2025, 10, 1),
        OLD_TOKENIZER,
        496,
        4_096,
        context=200_000,
        max_tokens=64_000,
        geo=False,
    ),
    Model(
        "claude-sonnet-4-5-20250929",
        "Claude Sonnet 4.5",
        date(2025, 9, 29),
        OLD_TOKENIZER,
        496,
        1_024,
        context=200_000,
        max_tokens=64_000,
        geo=False,
        deprecated=date(2026, 9, 28),
        retires=date(2026, 11, 30),
    ),
    Model(
        "claude-opus-4-1-20250805",
        "Claude Opus 4.1",
        date(2025, 8, 5),
        OLD_TOKENIZER,
        496,
        1_024,
        context=200_000,
        max_tokens=32_000,
        geo=False,
        deprecated=date(2026, 6, 6),  # the last day that 60 days of notice allow; the day itself is not known
        retires=date(2026, 8, 5),
    ),
)
CATALOGUE = {model.id: model for model in _CATALOGUE}
_ALIASES = {
    "claude-haiku-4-5": "claude-haiku-4-5-20251001",
    "claude-sonnet-4-5": "claude-sonnet-4-5-20250929",
    "claude-opus-4-1": "claude-opus-4-1-20250805",
}


def find_model(name: str) -> Model | None:
    """The model with this id or alias, retired or not.

    >>> find_model("claude-haiku-4-5").id, find_model("claude-none")
    ('claude-haiku-4-5-20251001', None)
    """
    return CATALOGUE.get(_ALIASES.get(name, name))


def serving_model(name: str, now: datetime) -> Model:
    """The model with this id or alias; the API's 404 if there is none or it has retired.

    platform.claude.com/docs/en/about-claude/model-deprecations
    """
    model = find_model(name)
    if model is None or model.lifecycle(now) == "retired":
        raise ApiError(404, f"model: {name}")
    return model
