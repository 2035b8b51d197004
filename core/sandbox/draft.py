"""One model's answer while it is written: content blocks and the sampling steps behind them."""

from __future__ import annotations

from typing import Any

from core.sandbox.bill import Step
from core.sandbox.cache import Tokens
from core.sandbox.tokens import Prompt, cut, text_tokens


class Draft:
    """An answer that grows until it stops by itself, or by `max_tokens` or the context window.

    `thinking` is the part of the output that was thought, `searches` counts web searches with a fee. `tag` makes the
    ids of its tool calls.
    """

    def __init__(self, prompt: Prompt, tokens: Tokens, max_tokens: int, tag: str) -> None:
        self.prompt = prompt
        self.content: list[dict[str, Any]] = []
        self.steps: list[Step] = []
        self.stop_reason: str | None = None
        self.stop_sequence: str | None = None
        self.thinking = 0
        self.searches = 0
        self._tag = tag
        self._tokens = tokens
        self._output = 0
        left = max(prompt.model.context - prompt.tokens, 0)
        self._room = min(max_tokens, left)
        self._limit = "max_tokens" if max_tokens <= left else "model_context_window_exceeded"

    @property
    def model(self) -> str:
        """The id of the model that writes it."""
        return self.prompt.model.id

    @property
    def output(self) -> int:
        """The output tokens so far, of all steps."""
        return sum(step.output for step in self.steps) + self._output

    def new_id(self, prefix: str) -> str:
        """An id for the next block, such as `toolu_sandbox_0_000001_2`."""
        return f"{prefix}_{self._tag}_{len(self.content)}"

    def add(self, block: dict[str, Any], tokens: int = 0) -> bool:
        """Write a block of that many output tokens; False, and the answer has stopped, if it does not fit."""
        if not self._spend(tokens):
            return False
        self.content.append(block)
        return True

    def add_text(self, text: str) -> None:
        """Write a text, cut where the room for it ends."""
        tokenizer = self.prompt.model.tokenizer
        room = self._room
        if not self._spend(max(text_tokens(text, tokenizer), 1)):
            text = cut(text, room, tokenizer)
        if room:
            self.content.append({"type": "text", "text": text})

    def given(self, block: dict[str, Any]) -> None:
        """Put in a block that no model has written, such as a tool's result."""
        self.content.append(block)

    def next_step(self, read: int) -> None:
        """End a sampling step; the next one reads what was written and that many tokens more."""
        self._close("message")
        self._tokens = self.steps[-1].tokens.after(self.steps[-1].output + read)

    def helper_step(self, step: Step) -> None:
        """Put in a step of which the answer's own counts know nothing: a compaction or an advisor's."""
        self.steps.append(step)

    def shrink(self, tokens: int) -> Tokens:
        """Go on with a prompt of that many tokens, all of them uncached; returns what the prompt was before."""
        before, self._tokens = self._tokens, Tokens(tokens)
        return before

    def stop(self, reason: str, sequence: str | None = None) -> None:
        """Say why the answer stops; the first reason stays."""
        if self.stop_reason is None:
            self.stop_reason, self.stop_sequence = reason, sequence

    def finish(self, kind: str = "message", *, free: bool = False) -> None:
        """End the last step; `free` if it is not charged."""
        self._close(kind, free=free)

    def _close(self, kind: str, *, free: bool = False) -> None:
        self.steps.append(Step(kind, self.model, self._tokens, self._output, free))
        self._output = 0

    def _spend(self, tokens: int) -> bool:
        spent = min(tokens, self._room)
        self._room -= spent
        self._output += spent
        if spent < tokens:
            self.stop(self._limit)
        return spent == tokens
