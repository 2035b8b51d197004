"""Answers Messages requests: checked, counted, cached, written, billed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import Any

from core.sandbox.bill import Bill, Sale, Step, total_tokens
from core.sandbox.cache import PromptCache, Tokens
from core.sandbox.credits import BETAS, Credits
from core.sandbox.errors import ApiError, invalid
from core.sandbox.markers import FAILURES, NO_MARKERS, OPENING, Markers, read_markers
from core.sandbox.models import Model
from core.sandbox.tokens import Prompt, read_prompt
from core.sandbox.turns import Turn, take_turn
from core.sandbox.validate import check_batch_item, check_message, check_prompt
from core.sandbox.writing import task


@dataclass(frozen=True, slots=True)
class Sent:
    """How a request reached the API; what it writes into the prompt cache can be read from `ready_at` on.

    `betas` is its `anthropic-beta` header.
    """

    message_id: str
    version: str
    at: datetime
    ready_at: datetime
    workspace: str
    betas: str = ""
    batch: bool = False


_MANNER = ("service_tier", "inference_geo", "speed")


@dataclass(frozen=True, slots=True)
class Answer:
    """A message as the API answers it, and the steps behind it, in the order in which they ran."""

    message: dict[str, Any]
    steps: tuple[Step, ...]

    @property
    def first_usage(self) -> dict[str, Any]:
        """The usage with which a stream of it starts: of the first step, all that is known by then."""
        usage = self.message["usage"]
        return {**_counts(self.steps[:1]), **{name: usage[name] for name in _MANNER}}


class Messages:
    """The Messages API without its transport."""

    def __init__(self, bill: Bill) -> None:
        self._bill = bill
        self._cache = PromptCache()
        self._credits = Credits()
        self._failed_once: set[bytes] = set()

    def create(self, params: Mapping[str, Any], sent: Sent) -> Answer:
        """The answer to one request, billed; ApiError for one that the API refuses."""
        if sent.batch:
            check_batch_item(params)
        prompt = _read(params, check_message(params, sent.version, sent.betas, sent.at))
        if prompt.tokens > prompt.model.context:
            raise invalid(f"prompt is too long: {prompt.tokens} tokens > {prompt.model.context} maximum")
        markers = self._markers(prompt)
        credited, outcome = 0, None
        if params.get("fallback_credit_token") is not None and not sent.batch:
            credited, outcome = self._credits.redeem(params, prompt.model.id, sent.workspace, sent.at)
            markers = replace(markers, refusals=markers.refusals[1:])  # the first one was for the model before
        speed = params.get("speed") or "standard"
        apart = f"{sent.workspace} {speed}"
        tag = sent.message_id.removeprefix("msg_")
        turn = take_turn(
            task(params, markers), prompt, lambda each: self._cache.use(each, apart, sent.at, sent.ready_at), tag
        )
        manner = _manner(params, prompt.model, sent, markers)
        usage = _usage(turn, manner, sent)
        steps = turn.steps if "iterations" in usage else _together(turn.steps)
        self._bill.add(_sale(turn, steps, sent, manner, credited))
        if outcome is not None:
            usage["fallback_credit"] = outcome
        message = {
            "id": sent.message_id,
            "type": "message",
            "role": "assistant",
            "model": turn.draft.model,
            "content": turn.content,
            "stop_reason": turn.draft.stop_reason,
            "stop_sequence": turn.draft.stop_sequence,
            "stop_details": self._stop_details(params, turn, sent),
            "usage": usage,
        }
        if "context_management" in params:
            message["context_management"] = {"applied_edits": []}
        return Answer(message, turn.steps)

    def _markers(self, prompt: Prompt) -> Markers:
        if not prompt.mentions(OPENING):
            return NO_MARKERS
        text = "\n".join(segment.text for segment in prompt.segments)
        markers = read_markers(text)
        key = sha256(text.encode("utf-8", "surrogatepass")).digest()
        if markers.failure is not None and not (markers.fails_once and key in self._failed_once):
            self._failed_once.add(key)
            raise ApiError(*FAILURES[markers.failure])
        return markers

    def _stop_details(self, params: Mapping[str, Any], turn: Turn, sent: Sent) -> dict[str, Any] | None:
        if turn.refusal is None:
            return None
        details: dict[str, Any] = {
            "type": "refusal",
            "category": turn.refusal.category,
            "explanation": "A sandbox marker asked for this refusal.",
        }
        if not sent.batch and any(beta in sent.betas for beta in BETAS):
            last = turn.steps[-1]
            cached = last.tokens.prompt - last.tokens.uncached
            details["fallback_credit_token"] = self._credits.issue(
                params, turn.draft.model, sent.workspace, cached, sent.at
            )
            details["fallback_has_prefill_claim"] = False
        return details


def count_tokens(params: Mapping[str, Any], version: str, betas: str, now: datetime) -> int:
    """Tokens of a prompt, cached or not."""
    return _read(params, check_prompt(params, version, betas, now)).tokens


def _read(params: Mapping[str, Any], model: Model) -> Prompt:
    try:
        return read_prompt(params, model)
    except RecursionError:
        raise invalid("The request body is nested too deeply") from None


def _together(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """The steps of one model as one: what is not shown step by step is not charged step by step either."""
    first = steps[0]
    return (replace(first, tokens=total_tokens(steps), output=sum(step.output for step in steps)),)


def _sale(turn: Turn, steps: tuple[Step, ...], sent: Sent, manner: Mapping[str, Any], credited: int) -> Sale:
    if credited:
        steps = (replace(steps[0], credited=credited), *steps[1:])
    return Sale(
        turn.draft.model,
        steps,
        sent.ready_at,
        sent.workspace,
        batch=sent.batch,
        fast=manner["speed"] == "fast",
        us=manner["inference_geo"] == "us",
        searches=turn.searches,
    )


def _manner(params: Mapping[str, Any], model: Model, sent: Sent, markers: Markers) -> dict[str, Any]:
    """How the request ran, as the usage says it."""
    tier = "priority" if markers.priority and params.get("service_tier") != "standard_only" else "standard"
    return {
        "service_tier": "batch" if sent.batch else tier,
        "inference_geo": (params.get("inference_geo") or "global") if model.geo else "not_available",
        "speed": params.get("speed") or "standard",
    }


def _usage(turn: Turn, manner: Mapping[str, Any], sent: Sent) -> dict[str, Any]:
    usage = {**_counts(turn.own_steps), **manner}
    if turn.draft.thinking:
        usage["output_tokens_details"] = {"thinking_tokens": turn.draft.thinking}
    if any(block["type"] == "web_search_tool_result" for block in turn.content):
        usage["server_tool_use"] = {"web_search_requests": turn.searches, "web_fetch_requests": 0}
    if sent.betas and (len(turn.steps) > 1 or len(turn.own_steps) != 1):
        usage["iterations"] = [_iteration(step) for step in turn.steps]
    return usage


def _iteration(step: Step) -> dict[str, Any]:
    entry = {"type": step.kind, **_counts((step,))}
    return entry if step.kind == "compaction" else {**entry, "model": step.model}


def _counts(steps: tuple[Step, ...]) -> dict[str, Any]:
    tokens: Tokens = total_tokens(steps)
    return {
        "input_tokens": tokens.uncached,
        "cache_creation_input_tokens": tokens.written_5m + tokens.written_1h,
        "cache_read_input_tokens": tokens.read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": tokens.written_5m,
            "ephemeral_1h_input_tokens": tokens.written_1h,
        },
        "output_tokens": sum(step.output for step in steps),
    }
