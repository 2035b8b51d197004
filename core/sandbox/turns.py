"""One answer from the first model that does not decline."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from core.sandbox.bill import FREE_REFUSALS, Step
from core.sandbox.cache import Tokens
from core.sandbox.draft import Draft
from core.sandbox.features import fallback_names
from core.sandbox.markers import Refusal
from core.sandbox.models import find_model
from core.sandbox.tokens import Prompt, read_prompt
from core.sandbox.writing import Task, write

Cached = Callable[[Prompt], Tokens]
"""Sends a prompt through the cache."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A finished answer: what it says, and the steps of the models that declined and of the one that served it.

    `searches` are the web searches with a fee, of all of them.
    """

    draft: Draft
    content: list[dict[str, Any]]
    declined: tuple[Step, ...]
    searches: int
    refusal: Refusal | None

    @property
    def steps(self) -> tuple[Step, ...]:
        """Every sampling step, in the order in which they ran."""
        return (*self.declined, *self.draft.steps)

    @property
    def own_steps(self) -> tuple[Step, ...]:
        """The steps that the top level of the usage adds up: of the model that served, without its helpers."""
        return tuple(step for step in self.draft.steps if step.kind in ("message", "fallback_message"))


def take_turn(work: Task, prompt: Prompt, cached: Cached, tag: str) -> Turn:
    """Answer with the requested model or, where a marker makes that one refuse, with its fallbacks."""
    prompts = [prompt, *(_for_model(work.params, name) for name in fallback_names(work.params))]
    refusals = [*work.markers.refusals[: len(prompts)], *[None] * (len(prompts) - len(work.markers.refusals))]
    content: list[dict[str, Any]] = []
    declined: list[Step] = []
    searches = 0
    for n, (each, refusal) in enumerate(zip(prompts, refusals, strict=True)):
        draft = Draft(each, cached(each), _most(work.params, n), tag if n == 0 else f"{tag}_{n}")
        _attempt(draft, work, refusal)
        content += draft.content
        searches += draft.searches
        if refusal is None or n == len(prompts) - 1:
            break
        declined += draft.steps
        source = work.params["model"] if n == 0 else draft.model
        content.append(_handover(source, prompts[n + 1].model.id, refusal))
    if n and refusal is None and draft.steps[-1].kind == "message":
        draft.steps[-1] = replace(draft.steps[-1], kind="fallback_message")
    return Turn(draft, content, tuple(declined), searches, refusal)


def _attempt(draft: Draft, work: Task, refusal: Refusal | None) -> None:
    if refusal is not None and not refusal.midway:
        draft.stop("refusal")
        draft.finish(free=refusal.category in FREE_REFUSALS)
    else:
        write(draft, work, midway=refusal is not None)


def _for_model(params: Mapping[str, Any], name: str) -> Prompt:
    model = find_model(name)
    if model is None:
        raise LookupError(name)  # the request was checked before
    return read_prompt(params, model)


def _most(params: Mapping[str, Any], attempt: int) -> int:
    entries = params.get("fallbacks")
    own = entries[attempt - 1].get("max_tokens") if attempt and isinstance(entries, list) else None
    return int(own or params["max_tokens"])


def _handover(source: str, target: str, refusal: Refusal) -> dict[str, Any]:
    return {
        "type": "fallback",
        "from": {"model": source},
        "to": {"model": target},
        "trigger": {"type": "refusal", "category": refusal.category},
    }
