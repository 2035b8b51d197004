"""The account behind a key has limits, money and workspaces, and the real SDK tells apart what stops it."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import anthropic
import pytest

from core.sandbox import Handle
from tests.sandbox_server import (  # noqa: F401 (fixtures)
    LONG_ENOUGH,
    api_fixture,
    client,
    create_batch,
    items,
    once_fixture,
    params,
    sandbox_fixture,
    server_fixture,
)


def test_without_a_tier_nothing_is_limited(sandbox: Handle, api: anthropic.Anthropic) -> None:
    answer = api.messages.batches.with_raw_response.list()
    assert sandbox.account()["tier"] is None
    assert not [name for name in answer.headers if name.startswith("anthropic-ratelimit")]


# platform.claude.com/docs/en/api/rate-limits: the smallest tier, so that the test is over soonest.
def test_the_requests_of_a_minute_are_counted_over_all_batch_endpoints(
    sandbox: Handle, once: anthropic.Anthropic
) -> None:
    sandbox.account(tier="start")
    batch = create_batch(once, items(1))
    raw = once.messages.batches.with_raw_response.retrieve(batch.id)
    assert raw.headers["anthropic-ratelimit-requests-limit"] == "1000"
    assert raw.headers["anthropic-ratelimit-requests-remaining"] == "998"
    for n in range(998):
        if n % 2:
            once.messages.batches.list()
        else:
            once.messages.batches.retrieve(batch.id)
    with pytest.raises(anthropic.RateLimitError) as caught:
        once.messages.batches.retrieve(batch.id)
    wait = int(caught.value.response.headers["retry-after"])
    assert 1 <= wait <= 60
    assert once.messages.create(**params()).id  # another pool
    sandbox.advance(wait)
    assert once.messages.batches.retrieve(batch.id).id == batch.id
    served = Counter(entry["status"] for entry in sandbox.log() if entry["path"].startswith("/v1/messages/batches"))
    assert served == {200: 1_001, 429: 1}


def test_a_batch_needs_room_in_the_queue(sandbox: Handle, once: anthropic.Anthropic) -> None:
    sandbox.account(tier="start")
    small = b'{"custom_id":"%d","params":{}}'
    body = b'{"requests":[' + b",".join(small % n for n in range(100_000)) + b"]}"
    create = {"cast_to": anthropic.types.messages.MessageBatch, "content": body}
    headers = {"headers": {"content-type": "application/json"}}
    for _ in range(2):
        once.post("/v1/messages/batches", **create, options=headers)  # type: ignore[call-overload]
    with pytest.raises(anthropic.RateLimitError, match="200,001") as caught:
        create_batch(once, items(1))
    assert caught.value.type == "rate_limit_error"
    assert "retry-after" not in caught.value.response.headers
    assert len(sandbox.batches()) == 2
    sandbox.account(tier="build")
    assert create_batch(once, items(1)).id


def test_a_monthly_cap_lasts_until_the_first(sandbox: Handle, api: anthropic.Anthropic) -> None:
    sandbox.account(tier="start", spent_usd="499.99")
    assert api.messages.create(**params("[sandbox:tokens:1000]", max_tokens=1_000)).id  # 0.01 USD
    with client(sandbox, max_retries=0) as once, pytest.raises(anthropic.EnforcedSpendLimitReachedError) as caught:
        create_batch(once, items(1))
    assert caught.value.error_code == "enforced_spend_limit_reached"
    assert caught.value.status_code == 429
    assert "retry-after" not in caught.value.response.headers
    assert api.messages.batches.list().data == []  # what costs nothing goes on
    december = datetime(2026, 12, 1, tzinfo=UTC)
    sandbox.advance((december - sandbox.now()).total_seconds() + 1)
    assert sandbox.account()["month_usd"] == "0"
    assert api.messages.create(**params()).id


def test_the_owner_can_set_a_limit(sandbox: Handle, api: anthropic.Anthropic) -> None:
    sandbox.account(spend_limit_usd="0.0001")
    assert api.messages.create(**params()).id
    with pytest.raises(
        anthropic.BadRequestError, match=r"usage limits\. You will regain access on 2026-12-01"
    ) as caught:
        api.messages.create(**params())
    assert caught.value.error_code is None


@pytest.mark.parametrize(("status", "kind"), [(402, anthropic.PaymentRequiredError), (400, anthropic.BadRequestError)])
def test_a_balance_is_used_up(
    sandbox: Handle, api: anthropic.Anthropic, status: int, kind: type[anthropic.APIStatusError]
) -> None:
    sandbox.account(balance_usd="0.0003", empty_balance_status=status)
    assert api.messages.create(**params()).id  # 0.000288 USD
    assert sandbox.account()["balance_left_usd"] == "0.000012"
    batch = create_batch(api, items(1))
    sandbox.advance(LONG_ENOUGH)
    with pytest.raises(kind, match="credit balance is too low"):
        api.messages.create(**params())
    assert len(list(api.messages.batches.results(batch.id))) == 1
    sandbox.account(balance_usd="5")
    assert api.messages.create(**params()).id


def test_an_organisation_on_hold_may_do_nothing(sandbox: Handle, api: anthropic.Anthropic) -> None:
    sandbox.account(on_hold=True)
    for call in (api.messages.batches.list, api.models.list, lambda: api.messages.create(**params())):
        with pytest.raises(anthropic.OrganizationOnHoldError):
            call()


@pytest.mark.parametrize("change", [{"tier": "gold"}, {"balance_usd": 5}, {"spent_usd": "-1"}, {"colour": "red"}])
def test_a_standing_that_cannot_be_is_refused(sandbox: Handle, change: Any) -> None:
    with pytest.raises(ValueError, match="account"):
        sandbox.account(**change)


def test_a_key_belongs_to_a_workspace(sandbox: Handle, api: anthropic.Anthropic) -> None:
    with client(sandbox, key="sandbox@ws-b") as other, client(sandbox, key="any@*") as everywhere:
        batch = create_batch(api, items(1))
        theirs = create_batch(other, items(1))
        assert api.messages.with_raw_response.create(**params()).headers["anthropic-workspace-id"] == (
            "wrkspc_sandbox_default"
        )
        assert [each.id for each in other.messages.batches.list()] == [theirs.id]
        with pytest.raises(anthropic.NotFoundError):
            other.messages.batches.retrieve(batch.id)
        for call in (other.messages.batches.cancel, other.messages.batches.delete):
            with pytest.raises(anthropic.NotFoundError):
                call(batch.id)
        assert everywhere.messages.batches.retrieve(theirs.id, workspace_id="wrkspc_sandbox_ws-b").id == theirs.id
        with pytest.raises(anthropic.BadRequestError, match="anthropic-workspace-id"):
            everywhere.messages.batches.list()
        with pytest.raises(anthropic.PermissionDeniedError) as caught:
            other.messages.batches.list(workspace_id="wrkspc_sandbox_default")
        assert caught.value.type == "permission_error"
        sandbox.advance(LONG_ENOUGH)
        assert set(sandbox.bill()["by_workspace"]) == {"wrkspc_sandbox_default", "wrkspc_sandbox_ws-b"}
    with client(sandbox, key="sandbox@not a name") as wrong, pytest.raises(anthropic.AuthenticationError):
        wrong.messages.batches.list()


def test_workspaces_do_not_share_a_cache(sandbox: Handle, api: anthropic.Anthropic) -> None:
    block = {"type": "text", "text": "s" * 8_000, "cache_control": {"type": "ephemeral"}}
    with client(sandbox, key="sandbox@b") as other:
        reads = [
            each.messages.create(**params(system=[block])).usage.cache_read_input_tokens for each in (api, other, api)
        ]
    assert reads == [0, 0, 2_600]


def test_a_retired_model_is_gone_on_its_day(sandbox: Handle, api: anthropic.Anthropic) -> None:
    old = "claude-sonnet-4-5-20250929"
    with pytest.warns(DeprecationWarning, match="November 30th, 2026"):
        assert api.messages.create(**params(model="claude-sonnet-4-5")).model == old
    batch = create_batch(api, [{"custom_id": "one", "params": params(model=old)}])
    retired = {"claude-opus-4-1-20250805"}
    assert {model.id for model in api.models.list(lifecycle=["retired"])} == retired
    sandbox.advance((datetime(2026, 11, 30, tzinfo=UTC) - sandbox.now()).total_seconds())
    assert {model.id for model in api.models.list(lifecycle=["retired"])} == {*retired, old}
    assert old not in {model.id for model in api.models.list()}
    assert api.models.retrieve(old).lifecycle == "retired"
    with pytest.raises(anthropic.NotFoundError, match=old), pytest.warns(match="deprecated"):
        api.messages.create(**params(model=old))
    assert api.messages.batches.retrieve(batch.id).request_counts.succeeded == 1  # it ran while there was the model
