"""Writes an answer as its parameters and markers ask: thinking, server tools, then text or a tool call."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.sandbox.answers import answer
from core.sandbox.bill import Step
from core.sandbox.cache import Tokens
from core.sandbox.draft import Draft
from core.sandbox.errors import invalid
from core.sandbox.features import WEB_SEARCH, advisor_of, compaction_of, kind_of
from core.sandbox.markers import Markers
from core.sandbox.models import find_model
from core.sandbox.schemas import example
from core.sandbox.tokens import FRAME_TOKENS, cut, read_prompt, text_tokens

COMPACT_FROM = 150_000
"""Prompt tokens from which a conversation is compacted unless the request says otherwise."""
CALL_TOKENS = 12
"""What a tool call costs beside its input."""
_THINKING_BASE = 48
_EFFORT = {"low": 1, "medium": 2, "high": 4, "xhigh": 8, "max": 16}
_SERVER_TOOL = re.compile(r"(web_search|web_fetch|code_execution|tool_search_tool\w*|advisor)_\d{8}|mcp_toolset")


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be answered; `fresh` unless it goes on from a tool's result or from an unfinished answer."""

    params: Mapping[str, Any]
    markers: Markers
    fresh: bool


def task(params: Mapping[str, Any], markers: Markers) -> Task:
    """The task in well-formed parameters.

    >>> from core.sandbox.markers import NO_MARKERS
    >>> task({"messages": [{"role": "assistant", "content": "I was about to"}]}, NO_MARKERS).fresh
    False
    """
    last = params["messages"][-1]
    blocks = last["content"] if isinstance(last["content"], list) else []
    answered = any(block["type"] == "tool_result" for block in blocks)
    return Task(params, markers, last["role"] == "user" and not answered)


def write(draft: Draft, work: Task, *, midway: bool = False) -> None:
    """Write the answer; `midway` leaves it half done, as a refusal would."""
    if _compact(draft, work):
        return
    if _think(draft, work):
        _use_server_tools(draft, work)
    if draft.stop_reason is None and work.markers.pause and work.fresh:
        draft.stop("pause_turn")
    elif draft.stop_reason is None:
        _say(draft, work, midway=midway)
    draft.finish()


def _say(draft: Draft, work: Task, *, midway: bool) -> None:
    names = _tools_to_call(work)
    if names and not midway:
        for name in names:
            _call(draft, work, name)
        draft.stop("tool_use")
        return
    text = _text(draft, work)
    if midway or work.markers.context:
        tokenizer = draft.prompt.model.tokenizer
        text = cut(text, max(text_tokens(text, tokenizer) // 2, 1), tokenizer)
        draft.add_text(text)
        draft.stop("refusal" if midway else "model_context_window_exceeded")
        return
    for sequence in work.params.get("stop_sequences") or ():
        if sequence in text:
            draft.add_text(text.split(sequence, 1)[0])
            draft.stop("stop_sequence", sequence)
            return
    draft.add_text(text)
    draft.stop("end_turn")


def _text(draft: Draft, work: Task) -> str:
    form = (work.params.get("output_config") or {}).get("format")
    if form is not None:
        return json.dumps(example(form["schema"]))
    text = answer(work.params)
    if work.markers.tokens is None:
        return text
    copies = 1 + work.markers.tokens * 4 // len(text.encode("utf-8", "surrogatepass"))
    return cut(" ".join([text] * copies), work.markers.tokens, draft.prompt.model.tokenizer)


def _think(draft: Draft, work: Task) -> bool:
    """Whether there is room for an answer after the thinking, if there is any."""
    thinking = work.params.get("thinking") or {}
    if thinking.get("type") not in ("adaptive", "enabled") or work.markers.thinking == 0:
        return True
    about = _seed(work)
    effort = (work.params.get("output_config") or {}).get("effort") or "high"
    tokens = work.markers.thinking or (_THINKING_BASE + about % _THINKING_BASE) * _EFFORT[effort] // _EFFORT["high"]
    tokens = min(tokens, thinking.get("budget_tokens", tokens))
    before = draft.output
    block = {"type": "thinking", "thinking": "", "signature": f"sandbox{about:08x}"}
    if thinking.get("display") != "omitted":
        block["thinking"] = "Sandbox thinking: no model thinks here; this stands for a summary of what one would."
    if not draft.add(block, tokens):
        draft.given(block)
    draft.thinking = draft.output - before
    return draft.stop_reason is None


def _compact(draft: Draft, work: Task) -> bool:
    """Compact the conversation if it is time for it; whether the answer ends there."""
    edit = compaction_of(work.params)
    if edit is None or not work.fresh:
        return False
    if draft.prompt.tokens < (edit.get("trigger") or {}).get("value", COMPACT_FROM) and not work.markers.compaction:
        return False
    summary = "Sandbox summary: everything that was said before."
    tokens = text_tokens(summary, draft.prompt.model.tokenizer)
    last = read_prompt({"messages": work.params["messages"][-1:]}, draft.prompt.model).tokens
    before = draft.shrink(tokens + FRAME_TOKENS + last)
    draft.helper_step(Step("compaction", draft.model, before, tokens))
    draft.given({"type": "compaction", "content": summary, "encrypted_content": None})
    if edit.get("pause_after_compaction"):
        draft.stop("compaction")
        return True
    return False


def _use_server_tools(draft: Draft, work: Task) -> None:
    tools = work.params.get("tools") or ()
    search = next((tool for tool in tools if WEB_SEARCH.fullmatch(kind_of(tool))), None)
    for n in range(_searches(search, work)):
        if not _search(draft, work, n, search or {}):
            return
    advisor = advisor_of(work.params)
    if advisor is not None and work.fresh and (work.markers.advisor or _forced(work.params) == advisor["name"]):
        _consult(draft, work, advisor)


def _searches(tool: Mapping[str, Any] | None, work: Task) -> int:
    if tool is None or not work.fresh or (work.params.get("tool_choice") or {}).get("type") == "none":
        return 0
    if work.markers.searches is not None:
        return work.markers.searches
    forced = _forced(work.params)
    return int(forced in (None, tool["name"]))


def _search(draft: Draft, work: Task, n: int, tool: Mapping[str, Any]) -> bool:
    """One web search; whether there was room for its call."""
    call = draft.new_id("srvtoolu")
    query = {"query": f"sandbox search {n + 1}"}
    block = {"type": "server_tool_use", "id": call, "name": "web_search", "input": query}
    if not draft.add(block, _call_tokens(query, draft)):
        return False
    found: list[dict[str, Any]] | dict[str, Any] = [_found(n, rank) for rank in (1, 2)]
    if n >= (tool.get("max_uses") or n + 1):
        found = {"type": "web_search_tool_result_error", "error_code": "max_uses_exceeded"}
    elif work.markers.searches_fail:
        found = {"type": "web_search_tool_result_error", "error_code": "unavailable"}
    else:
        draft.searches += 1
    draft.given({"type": "web_search_tool_result", "tool_use_id": call, "content": found})
    draft.next_step(text_tokens(json.dumps(found), draft.prompt.model.tokenizer))
    return True


def _found(n: int, rank: int) -> dict[str, Any]:
    return {
        "type": "web_search_result",
        "url": f"https://example.com/sandbox/{n + 1}/{rank}",
        "title": f"Sandbox result {rank} of search {n + 1}",
        "encrypted_content": f"sandbox{zlib.crc32(f'{n} {rank}'.encode()):08x}" * 4,
        "page_age": None,
    }


def _consult(draft: Draft, work: Task, advisor: Mapping[str, Any]) -> None:
    call = draft.new_id("srvtoolu")
    if not draft.add({"type": "server_tool_use", "id": call, "name": "advisor", "input": {}}, CALL_TOKENS):
        return
    model = find_model(advisor["model"])
    if model is None:
        raise invalid(f"tools: {advisor['model']} is not known")
    advice = "Sandbox advice: no other model has read this; go on."
    tokens = text_tokens(advice, model.tokenizer)
    asked = Tokens(read_prompt(work.params, model).tokens + draft.output)
    result = {"type": "advisor_result", "text": advice, "stop_reason": "end_turn"}
    draft.given({"type": "advisor_tool_result", "tool_use_id": call, "content": result})
    draft.next_step(tokens)
    draft.helper_step(Step("advisor_message", model.id, asked, tokens))


def _tools_to_call(work: Task) -> list[str]:
    """The client tools that the answer calls, by name."""
    own = [tool["name"] for tool in work.params.get("tools") or () if not _SERVER_TOOL.fullmatch(kind_of(tool))]
    forced = _forced(work.params)
    if forced is not None:
        return [forced] if forced in own else []
    choice = (work.params.get("tool_choice") or {}).get("type")
    if choice == "any" and own:
        return own[:1]
    if choice == "none" or not work.fresh or not own:
        return []
    names = [name or own[0] for name in work.markers.tools]
    for name in names:
        if name not in own:
            raise invalid(f"[sandbox:tool:{name}] names no tool of the request")
    return names


def _call(draft: Draft, work: Task, name: str) -> None:
    schema = next(tool.get("input_schema", {}) for tool in work.params["tools"] if tool["name"] == name)
    given = example(schema)
    block = {"type": "tool_use", "id": draft.new_id("toolu"), "name": name, "input": given}
    draft.add(block, _call_tokens(given, draft))


def _call_tokens(given: object, draft: Draft) -> int:
    return CALL_TOKENS + text_tokens(json.dumps(given), draft.prompt.model.tokenizer)


def _forced(params: Mapping[str, Any]) -> str | None:
    """The tool that the request insists on."""
    choice = params.get("tool_choice") or {}
    return str(choice["name"]) if choice.get("type") == "tool" else None


def _seed(work: Task) -> int:
    return zlib.crc32(json.dumps(work.params["messages"][-1]["content"]).encode())
