"""Answers Messages requests: checked, counted, cached, written, billed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from core.sandbox.answers import answer
from core.sandbox.bill import Bill
from core.sandbox.cache import PromptCache, Tokens
from core.sandbox.errors import ApiError, invalid
from core.sandbox.models import Model
from core.sandbox.tokens import Prompt, cut, read_prompt, text_tokens
from core.sandbox.validate import check_batch_item, check_message, check_prompt

_FAILURES = {"overloaded": ApiError(529, "Overloaded"), "invalid": invalid("messages: refused by its sandbox marker")}
_FAIL = re.compile(r"\[sandbox:(overloaded|invalid)(:once)?\]")
_REFUSE = re.compile(r"\[sandbox:refuse(?::(cyber|bio|frontier_llm|reasoning_extraction|general_harms))?\]")


@dataclass(frozen=True, slots=True)
class Sent:
    """How a request reached the API; what it writes into the prompt cache can be read from `ready_at` on."""

    message_id: str
    version: str
    at: datetime
    ready_at: datetime
    batch: bool = False


class Messages:
    """The Messages API without its transport."""

    def __init__(self, bill: Bill) -> None:
        self._bill = bill
        self._cache = PromptCache()
        self._failed_once: set[bytes] = set()

    def create(self, params: Mapping[str, Any], sent: Sent) -> dict[str, Any]:
        """The answer to one request, billed; ApiError for one that the API refuses."""
        if sent.batch:
            check_batch_item(params)
        prompt = _read(params, sent.version, check_message)
        if prompt.tokens > prompt.model.context:
            raise invalid(f"prompt is too long: {prompt.tokens} tokens > {prompt.model.context} maximum")
        if prompt.mentions("[sandbox:"):
            self._fail_if_marked(prompt)
        tokens = self._cache.use(prompt, params.get("speed") or "standard", sent.at, sent.ready_at)
        message = {
            "id": sent.message_id,
            "type": "message",
            "role": "assistant",
            "model": prompt.model.id,
            "stop_sequence": None,
            "stop_details": None,
            **_written(params, prompt),
        }
        message["usage"] = _usage(params, prompt.model, tokens, message.pop("output_tokens"), sent)
        self._bill.add(message)
        return message

    def _fail_if_marked(self, prompt: Prompt) -> None:
        text = "\n".join(segment.text for segment in prompt.segments)
        marker = _FAIL.search(text)
        if marker is None:
            return
        name, once = marker.groups()
        key = sha256(text.encode("utf-8", "surrogatepass")).digest()
        if once and key in self._failed_once:
            return
        self._failed_once.add(key)
        raise _FAILURES[name]


def count_tokens(params: Mapping[str, Any], version: str) -> int:
    """Tokens of a prompt, cached or not."""
    return _read(params, version, check_prompt).tokens


def _read(params: Mapping[str, Any], version: str, check: Callable[[Mapping[str, Any], str], Model]) -> Prompt:
    try:
        return read_prompt(params, check(params, version))
    except RecursionError:
        raise invalid("The request body is nested too deeply") from None


def _written(params: Mapping[str, Any], prompt: Prompt) -> dict[str, Any]:
    if prompt.mentions("[sandbox:refuse"):
        refusal = _REFUSE.search("\n".join(segment.text for segment in prompt.segments))
        if refusal:
            return _refused(refusal[1])
    text, tokenizer = answer(params), prompt.model.tokenizer
    reason, stop = "end_turn", None
    for sequence in params.get("stop_sequences") or ():
        if sequence in text:
            text, reason, stop = text.split(sequence, 1)[0], "stop_sequence", sequence
    output = max(text_tokens(text, tokenizer), 1)
    if output > params["max_tokens"]:
        output = params["max_tokens"]
        text, reason, stop = cut(text, output, tokenizer), "max_tokens", None
    return {
        "content": [{"type": "text", "text": text}],
        "stop_reason": reason,
        "stop_sequence": stop,
        "output_tokens": output,
    }


def _refused(category: str | None) -> dict[str, Any]:
    details = {"type": "refusal", "category": category, "explanation": "A sandbox marker asked for this refusal."}
    return {"content": [], "stop_reason": "refusal", "stop_details": details, "output_tokens": 0}


def _usage(params: Mapping[str, Any], model: Model, tokens: Tokens, output: int, sent: Sent) -> dict[str, Any]:
    return {
        "input_tokens": tokens.uncached,
        "cache_creation_input_tokens": tokens.written_5m + tokens.written_1h,
        "cache_read_input_tokens": tokens.read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": tokens.written_5m,
            "ephemeral_1h_input_tokens": tokens.written_1h,
        },
        "output_tokens": output,
        "service_tier": "batch" if sent.batch else "standard",
        "inference_geo": (params.get("inference_geo") or "global") if model.geo else "not_available",
        "speed": params.get("speed") or "standard",
    }
