"""What the Messages API refuses in the parameters of a request."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from core.sandbox.errors import invalid
from core.sandbox.features import check_features
from core.sandbox.models import Model, serving_model

API_VERSIONS = ("2023-01-01", "2023-06-01", "2026-10-21")
NO_SAMPLING_FROM = "2026-10-21"
"""From this version on `temperature`, `top_p` and `top_k` are refused, even at their default values."""

_SAMPLING = ("temperature", "top_p", "top_k")
_MOST_MARKS = 4
_ROLES = ("user", "assistant", "system")
_BLOCK_TYPES = re.compile(
    "text|image|document|thinking|redacted_thinking|tool_use|tool_result|server_tool_use|search_result|tool_reference|"
    "container_upload|mcp_tool_use|compaction|fallback|(advisor|web_search|web_fetch|code_execution|bash_code_execution|"
    "text_editor_code_execution|tool_search|mcp)_tool_result"
)
_TEXT_ONLY = re.compile("text")
# What each parameter has to be, besides those that are looked at more closely.
_SHAPES: dict[str, tuple[type, str]] = {
    "model": (str, "string"),
    "max_tokens": (int, "integer"),
    "messages": (list, "list"),
    "metadata": (dict, "dictionary"),
    "output_config": (dict, "dictionary"),
    "service_tier": (str, "string"),
    "speed": (str, "string"),
    "inference_geo": (str, "string"),
    "stop_sequences": (list, "list"),
    "stream": (bool, "boolean"),
    "thinking": (dict, "dictionary"),
    "tool_choice": (dict, "dictionary"),
    "tools": (list, "list"),
    "cache_control": (dict, "dictionary"),
    "container": (object, "value"),
    "context_management": (dict, "dictionary"),
    "diagnostics": (object, "value"),
    "fallbacks": (object, "value"),
    "fallback_credit_token": (object, "value"),
    "mcp_servers": (list, "list"),
    "prefill": (object, "value"),
    "system": (object, "value"),
    "message": (object, "value"),
}
_NULLABLE = frozenset(("inference_geo", "speed", "cache_control", "container", "diagnostics"))
_CHOICES = {
    "service_tier": ("auto", "standard_only"),
    "speed": ("standard", "fast"),
    "inference_geo": ("global", "us"),
}


def check_message(params: Mapping[str, Any], version: str, betas: str, now: datetime) -> Model:
    """The model of a well-formed Messages request; ApiError for anything the API refuses."""
    _require(params, ("model", "max_tokens", "messages"))
    model = check_prompt(params, version, betas, now)
    most = params["max_tokens"]
    if most < 1:
        raise invalid("max_tokens: Input should be greater than or equal to 1")
    if most > model.max_tokens:
        raise invalid(
            f"max_tokens: {most} > {model.max_tokens}, which is the maximum allowed number of output tokens "
            f"for {model.id}"
        )
    if any(not isinstance(text, str) or not text for text in params.get("stop_sequences") or ()):
        raise invalid("stop_sequences: Input should be a list of non-empty strings")
    return model


def check_prompt(params: Mapping[str, Any], version: str, betas: str, now: datetime) -> Model:
    """The model of a prompt that may be sent or counted; `betas` is the `anthropic-beta` header."""
    _require(params, ("model", "messages"))
    _check_shapes(params, version)
    model = serving_model(params["model"], now)
    _check_options(params, model)
    _check_system(params.get("system"))
    _check_messages(params["messages"], version)
    check_features(params, betas=betas, now=now)
    _check_cache_marks(params)
    return model


def check_batch_item(params: Mapping[str, Any]) -> None:
    """Refuse what the Messages API takes and a batch does not.

    platform.claude.com/docs/en/build-with-claude/batch-processing
    """
    if params.get("stream"):
        raise invalid("stream: Streaming is not supported in a batch")
    for name in ("speed", "fallbacks"):
        if params.get(name) is not None:
            raise invalid(f"{name}: Not supported in a batch")


def _require(params: Mapping[str, Any], names: Iterable[str]) -> None:
    for name in names:
        if name not in params:
            raise invalid(f"{name}: Field required")


def _check_shapes(params: Mapping[str, Any], version: str) -> None:
    for name, value in params.items():
        if name in _SAMPLING and version < NO_SAMPLING_FROM:
            _check_sampling(name, value)
        elif name not in _SHAPES:
            raise invalid(f"{name}: Extra inputs are not permitted")
        elif not (value is None and name in _NULLABLE):
            _check_shape(name, value)


def _check_shape(name: str, value: object) -> None:
    kind, word = _SHAPES[name]
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise invalid(f"{name}: Input should be a valid {word}")
    if name in _CHOICES and value not in _CHOICES[name]:
        raise invalid(f"{name}: Input should be {' or '.join(repr(choice) for choice in _CHOICES[name])}")


def _check_sampling(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0 or (name != "top_k" and value > 1):
        raise invalid(f"{name}: Input should be a number in its range")


def _check_options(params: Mapping[str, Any], model: Model) -> None:
    if params.get("speed") == "fast" and not model.fast:
        raise invalid(f"speed: fast mode is not available for {model.id}")
    if params.get("inference_geo") is not None and not model.geo:
        raise invalid(f"inference_geo: not supported by {model.id}")


def _check_system(system: object) -> None:
    if system is None or isinstance(system, str):
        return
    if not isinstance(system, list):
        raise invalid("system: Input should be a valid string or list")
    for n, block in enumerate(system):
        _check_block(block, f"system.{n}", _TEXT_ONLY)


def _check_messages(messages: list[Any], version: str) -> None:
    if not messages:
        raise invalid("messages: at least one message is required")
    for n, message in enumerate(messages):
        where = f"messages.{n}"
        if not isinstance(message, dict):
            raise invalid(f"{where}: Input should be a valid dictionary")
        if message.get("role") not in _ROLES:
            raise invalid(f"{where}.role: Input should be 'user', 'assistant' or 'system'")
        _check_content(message.get("content"), f"{where}.content")
        if version >= NO_SAMPLING_FROM and isinstance(message["content"], list):
            _check_new_rules(message["role"], message["content"], where)


def _check_content(content: object, where: str) -> None:
    if isinstance(content, str) and content:
        return
    if not isinstance(content, list) or not content:
        raise invalid(f"{where}: Input should be a non-empty string or list of content blocks")
    for n, block in enumerate(content):
        _check_block(block, f"{where}.{n}", _BLOCK_TYPES)


def _check_block(block: object, where: str, types: re.Pattern[str]) -> None:
    if not isinstance(block, dict):
        raise invalid(f"{where}: Input should be a valid dictionary")
    kind = block.get("type")
    if not isinstance(kind, str) or not types.fullmatch(kind):
        raise invalid(f"{where}: Input tag {kind!r} found using 'type' does not match any of the expected tags")
    if kind == "text" and not (isinstance(block.get("text"), str) and block["text"]):
        raise invalid(f"{where}.text: text content blocks must be non-empty")
    if kind == "tool_result" and block.get("content") not in (None, "", []):
        _check_content(block["content"], f"{where}.content")


def _check_new_rules(role: str, content: list[dict[str, Any]], where: str) -> None:
    """platform.claude.com/docs/en/api/migration-2026-10-21."""
    for n, block in enumerate(content):
        if role == "assistant" and block["type"] == "document":
            raise invalid(f"{where}.content.{n}: document blocks are not permitted in assistant messages")
        if role == "user" and block["type"] == "text" and block.get("citations"):
            raise invalid(f"{where}.content.{n}.citations: Extra inputs are not permitted")


def _check_cache_marks(params: Mapping[str, Any]) -> None:
    marks = [block["cache_control"] for block in _markable(params) if block.get("cache_control") is not None]
    for mark in marks:
        if not isinstance(mark, dict) or mark.get("type") != "ephemeral" or mark.get("ttl", "5m") not in ("5m", "1h"):
            raise invalid("cache_control: Input should be {'type': 'ephemeral'} with a ttl of '5m' or '1h'")
    if len(marks) > _MOST_MARKS:
        raise invalid(f"A maximum of {_MOST_MARKS} blocks with cache_control may be provided. Found {len(marks)}.")
    ttls = [mark.get("ttl", "5m") for mark in marks]
    if ttls != sorted(ttls):  # "1h" sorts before "5m"
        raise invalid(
            "cache_control: a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block"
        )


def _markable(params: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from params.get("tools") or ()
    if isinstance(params.get("system"), list):
        yield from params["system"]
    for message in params["messages"]:
        if isinstance(message["content"], list):
            yield from message["content"]
    yield params
