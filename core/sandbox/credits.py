"""Fallback credits: a refused request's right to be retried on another model without paying for its cache again.

platform.claude.com/docs/en/build-with-claude/fallback-credit
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from core.sandbox.errors import invalid

LIFETIME = timedelta(minutes=5)
BETAS = ("fallback-credit-", "server-side-fallback-")
_MAY_DIFFER = ("model", "stream", "fallback_credit_token")


@dataclass(frozen=True, slots=True)
class _Credit:
    fingerprint: bytes
    workspace: str
    model: str
    tokens: int
    expires_at: datetime


class Credits:
    """The tokens that refusals have handed out."""

    def __init__(self) -> None:
        self._credits: dict[str, _Credit] = {}

    def issue(self, params: Mapping[str, Any], model: str, workspace: str, cached_tokens: int, now: datetime) -> str:
        """A token for a refused request, of whose prompt that many tokens were in the model's cache."""
        name = f"sandbox_credit_{len(self._credits) + 1:06d}"
        self._credits[name] = _Credit(_fingerprint(params), workspace, model, cached_tokens, now + LIFETIME)
        return name

    def redeem(
        self, params: Mapping[str, Any], model: str, workspace: str, now: datetime
    ) -> tuple[int, dict[str, Any]]:
        """How many cache writes of a retry are charged as reads, and what its usage says about that.

        ApiError for a token that was never handed out, or, unless the request is content with its best effort, for
        one that cannot be redeemed now.
        """
        given = params["fallback_credit_token"]
        name = given.get("token") if isinstance(given, dict) else given
        mode = given.get("mode", "strict") if isinstance(given, dict) else "strict"
        credit = self._credits.get(name) if isinstance(name, str) else None
        if credit is None or mode not in ("strict", "best_effort"):
            raise invalid("fallback_credit_token: Input should be a token from a refusal's stop_details")
        reason = _why_not(credit, params, model, workspace, now)
        if reason is None:
            return credit.tokens, {"status": {"type": "redeemed"}}
        if mode == "strict":
            raise invalid(f"fallback_credit_token: cannot be redeemed: {reason}")
        return 0, {"status": {"type": "not_applied", "reason": reason}}


def _why_not(credit: _Credit, params: Mapping[str, Any], model: str, workspace: str, now: datetime) -> str | None:
    if workspace != credit.workspace:
        return "wrong_workspace"
    if now >= credit.expires_at:
        return "expired"
    if model == credit.model:
        return "invalid_target_model"
    return None if _fingerprint(params) == credit.fingerprint else "body_mismatch"


def _fingerprint(params: Mapping[str, Any]) -> bytes:
    same = {name: value for name, value in params.items() if name not in _MAY_DIFFER}
    return sha256(json.dumps(same, sort_keys=True).encode()).digest()
