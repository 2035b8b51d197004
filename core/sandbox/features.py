"""What the Messages API refuses in thinking, tools and beta parameters."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from core.sandbox.errors import ApiError, invalid
from core.sandbox.models import Model, serving_model

BETA_ONLY = ("context_management", "fallbacks", "fallback_credit_token", "mcp_servers")
"""Parameters that need an `anthropic-beta` header."""
WEB_SEARCH = re.compile(r"web_search_2\d{7}")
ADVISOR = "advisor_20260301"
EFFORTS = ("low", "medium", "high", "xhigh", "max")
LEAST_BUDGET = 1_024
MOST_FALLBACKS = 3
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_ATTEMPT_KEYS = ("model", "max_tokens")
"""Of a fallback's own settings, those that the sandbox follows."""


def check_features(params: Mapping[str, Any], *, betas: str, now: datetime) -> None:
    """Pass parameters whose types are right; ApiError for what the API, or this sandbox, does not do."""
    for name in BETA_ONLY:
        if name in params and not betas:
            raise invalid(f"{name}: Extra inputs are not permitted")
    _check_thinking(params)
    _check_tools(params.get("tools") or [], betas=betas, now=now)
    _check_tool_choice(params)
    _check_output(params.get("output_config") or {})
    _check_edits(params.get("context_management") or {})
    if params.get("fallbacks") is not None:
        _check_fallbacks(params, now)
    if params.get("speed") == "fast" or params.get("inference_geo") is not None:
        _check_helpers(params, now)


def fallback_names(params: Mapping[str, Any]) -> list[str]:
    """The models that a declined request goes on to, in their order."""
    fallbacks = params.get("fallbacks") or []
    return ["claude-opus-4-8"] if fallbacks == "default" else [entry["model"] for entry in fallbacks]


def kind_of(tool: Mapping[str, Any]) -> str:
    """The type of a tool; a tool of the client's own need not name one."""
    return tool.get("type") or "custom"


def advisor_of(params: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The advisor among the tools."""
    return next((tool for tool in params.get("tools") or () if kind_of(tool) == ADVISOR), None)


def compaction_of(params: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The edit that compacts, if the request has one."""
    edits = (params.get("context_management") or {}).get("edits") or ()
    return next((edit for edit in edits if edit["type"] == "compact_20260112"), None)


def _check_thinking(params: Mapping[str, Any]) -> None:
    thinking = params.get("thinking") or {}
    kind = thinking.get("type")
    if thinking and kind not in ("adaptive", "enabled", "disabled"):
        raise invalid("thinking.type: Input should be 'adaptive', 'enabled' or 'disabled'")
    if thinking.get("display") not in (None, "summarized", "omitted"):
        raise invalid("thinking.display: Input should be 'summarized' or 'omitted'")
    if kind == "enabled":
        budget = thinking.get("budget_tokens")
        if not _whole(budget, LEAST_BUDGET):
            raise invalid(f"thinking.budget_tokens: Input should be greater than or equal to {LEAST_BUDGET}")
        if "max_tokens" in params and budget >= params["max_tokens"]:
            raise invalid("thinking.budget_tokens: must be less than max_tokens")
    if kind in ("adaptive", "enabled") and (params.get("tool_choice") or {}).get("type") in ("any", "tool"):
        raise invalid("thinking: Thinking may not be enabled when tool_choice forces tool use")


def _check_tools(tools: list[Any], *, betas: str, now: datetime) -> None:
    for n, tool in enumerate(tools):
        if not isinstance(tool, dict):
            raise invalid(f"tools.{n}: Input should be a valid dictionary")
        name, kind = tool.get("name"), kind_of(tool)
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise invalid(f"tools.{n}.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'")
        if not isinstance(kind, str):
            raise invalid(f"tools.{n}.type: Input should be a valid string")
        if kind == "custom":
            _check_schema(tool.get("input_schema"), f"tools.{n}.custom.input_schema")
        uses = tool.get("max_uses")
        if uses is not None and not _whole(uses, 1):
            raise invalid(f"tools.{n}.max_uses: Input should be greater than or equal to 1")
        if kind == ADVISOR:
            if not betas:
                raise invalid(f"tools.{n}: Input tag '{ADVISOR}' does not match any of the expected tags")
            _helper(tool.get("model"), f"tools.{n}.model", now)


def _check_schema(schema: object, where: str) -> None:
    if not isinstance(schema, dict):
        raise invalid(f"{where}: Field required")
    if schema.get("type") != "object":
        raise invalid(f"{where}.type: Input should be 'object'")


def _check_tool_choice(params: Mapping[str, Any]) -> None:
    choice = params.get("tool_choice")
    if choice is None:
        return
    tools = [tool["name"] for tool in params.get("tools") or ()]
    if choice.get("type") not in ("auto", "any", "tool", "none"):
        raise invalid("tool_choice.type: Input should be 'auto', 'any', 'tool' or 'none'")
    if not tools:
        raise invalid("tool_choice may only be specified while providing tools")
    if choice["type"] == "tool" and choice.get("name") not in tools:
        raise invalid(f"tool_choice.name: Tool '{choice.get('name')}' not found in provided tools")


def _check_output(config: Mapping[str, Any]) -> None:
    if config.get("effort") not in (None, *EFFORTS):
        raise invalid(f"output_config.effort: Input should be one of {', '.join(EFFORTS)}")
    form = config.get("format")
    if form is None:
        return
    if not isinstance(form, dict) or form.get("type") != "json_schema" or not isinstance(form.get("schema"), dict):
        raise invalid("output_config.format: Input should be {'type': 'json_schema', 'schema': {…}}")


def _check_edits(management: Mapping[str, Any]) -> None:
    edits = management.get("edits") or []
    if not isinstance(edits, list):
        raise invalid("context_management.edits: Input should be a valid list")
    for n, edit in enumerate(edits):
        where = f"context_management.edits.{n}"
        if not isinstance(edit, dict) or edit.get("type") != "compact_20260112":
            raise invalid(f"{where}: the sandbox knows the edit 'compact_20260112' alone")
        trigger = edit.get("trigger") or {"value": 1}
        value = trigger.get("value") if isinstance(trigger, dict) else None
        if not _whole(value, 1):
            raise invalid(f"{where}.trigger: Input should be {{'type': 'input_tokens', 'value': a number of tokens}}")


def _check_fallbacks(params: Mapping[str, Any], now: datetime) -> None:
    fallbacks = params["fallbacks"]
    if fallbacks == "default":
        return
    if not isinstance(fallbacks, list) or not 1 <= len(fallbacks) <= MOST_FALLBACKS:
        raise invalid(f"fallbacks: Input should be 'default' or a list of 1 to {MOST_FALLBACKS} entries")
    if "fallback_credit_token" in params:
        raise invalid("fallback_credit_token: may not be combined with fallbacks")
    for n, entry in enumerate(fallbacks):
        if not isinstance(entry, dict):
            raise invalid(f"fallbacks.{n}: Input should be a valid dictionary")
        for name in entry:
            if name not in _ATTEMPT_KEYS:
                raise invalid(f"fallbacks.{n}.{name}: the sandbox knows {' and '.join(_ATTEMPT_KEYS)} alone")
        model, most = _helper(entry.get("model"), f"fallbacks.{n}.model", now), entry.get("max_tokens")
        if most is not None and not (_whole(most, 1) and most <= model.max_tokens):
            raise invalid(f"fallbacks.{n}.max_tokens: Input should be a number from 1 to {model.max_tokens}")


def _check_helpers(params: Mapping[str, Any], now: datetime) -> None:
    """The usage has one speed and one region for all models of an answer, so all of them have to be able to."""
    advisor = advisor_of(params)
    for name in (*fallback_names(params), *((advisor["model"],) if advisor else ())):
        helper = serving_model(name, now)
        if params.get("speed") == "fast" and not helper.fast:
            raise invalid(f"speed: fast mode is not available for {helper.id}")
        if params.get("inference_geo") is not None and not helper.geo:
            raise invalid(f"inference_geo: not supported by {helper.id}")


def _whole(value: object, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _helper(name: object, where: str, now: datetime) -> Model:
    try:
        return serving_model(str(name), now)
    except ApiError:
        raise invalid(f"{where}: {name} is not a model that can be used here") from None
