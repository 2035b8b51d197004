"""Scripted faults reach the real SDK as the failures that it has to expect, at every step."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable
from typing import Any

import anthropic
import httpx2
import pytest

from core.sandbox import Handle
from core.sandbox.fault_presets import PASSING, PRESETS
from tests.sandbox_server import (  # noqa: F401 (fixtures)
    LONG_ENOUGH,
    a_sandbox,
    client,
    create_batch,
    items,
    once_fixture,
    params,
    sandbox_fixture,
    server_fixture,
)

LONG_ANSWER = "[sandbox:tokens:190] please"
RESULTS = "^/v1/messages/batches/.*/results$"


def ask(api: anthropic.Anthropic) -> object:
    return api.messages.create(**params(LONG_ANSWER)).usage


def stream(api: anthropic.Anthropic) -> object:
    with api.messages.stream(**params(LONG_ANSWER)) as answer:
        return answer.get_final_message().usage


def results(api: anthropic.Anthropic) -> object:
    (batch,) = api.messages.batches.list()
    return len(list(api.messages.batches.results(batch.id)))


Failure = type[BaseException] | None
LOST = anthropic.APIConnectionError
# What a client gets of a request, of a stream and of results: nothing to complain about, or an exception.
OUTCOMES: dict[str, tuple[Failure, Failure, Failure]] = {
    "overloaded": (anthropic.OverloadedError,) * 3,
    "api_error": (anthropic.InternalServerError,) * 3,
    "timeout": (anthropic.GatewayTimeoutError,) * 3,
    "gateway": (anthropic.InternalServerError,) * 3,
    "accepted_then_500": (anthropic.InternalServerError,) * 3,
    "rate_limited": (anthropic.RateLimitError,) * 3,
    "rate_limited_silently": (anthropic.RateLimitError,) * 3,
    "rate_limited_for_a_day": (anthropic.RateLimitError,) * 3,
    "closed": (LOST,) * 3,
    "closed_unread": (LOST,) * 3,
    "reset_unread": (LOST,) * 3,
    "lost": (LOST,) * 3,
    "lost_by_reset": (LOST,) * 3,
    # The SDK has no error of its own for a body that ends too soon.
    "truncated": (LOST, httpx2.RemoteProtocolError, httpx2.RemoteProtocolError),
    "truncated_clean": (json.JSONDecodeError, AssertionError, json.JSONDecodeError),
    "truncated_by_reset": (LOST, httpx2.ReadError, httpx2.ReadError),
    "slow": (None,) * 3,
    "stalled": (None,) * 3,
    "dripping": (None,) * 3,
    "stream_error": (None, anthropic.APIStatusError, None),
    "not_found": (anthropic.NotFoundError,) * 3,
    "no_credit": (anthropic.PaymentRequiredError,) * 3,
    "no_credit_400": (anthropic.BadRequestError,) * 3,
    "usage_limit": (anthropic.BadRequestError,) * 3,
    "spend_limit": (anthropic.EnforcedSpendLimitReachedError,) * 3,
    "contract_limit": (anthropic.ContractSpendLimitReachedError,) * 3,
    "ramp_limit": (anthropic.RampLimitExceededError,) * 3,
    "on_hold": (anthropic.OrganizationOnHoldError,) * 3,
}


@pytest.mark.parametrize("preset", PRESETS)
def test_each_fault_by_name_fails_as_the_real_thing(sandbox: Handle, once: anthropic.Anthropic, preset: str) -> None:
    create_batch(once, items(5))
    sandbox.advance(LONG_ENOUGH)
    whole = ask(once), stream(once), results(once)
    calls: tuple[Callable[[anthropic.Anthropic], object], ...] = (ask, stream, results)
    for call, path, expected, good in zip(
        calls, ("/v1/messages", "/v1/messages", RESULTS), OUTCOMES[preset], whole, strict=True
    ):
        sandbox.script({"preset": preset, "path": path})
        if expected is None:
            assert call(once) == good
        else:
            with pytest.raises(expected) as caught:
                call(once)
            assert caught.type is expected
        assert call(once) == good


# How many of two requests are billed, when one fails like this and the other does not.
BILLED = {"closed_unread": 1, "closed": 1, "overloaded": 1, "lost": 2, "accepted_then_500": 2, "truncated": 2}


@pytest.mark.parametrize("preset", BILLED)
def test_a_fault_takes_effect_or_not(sandbox: Handle, once: anthropic.Anthropic, preset: str) -> None:
    sandbox.script({"preset": preset})
    with pytest.raises(anthropic.APIError):
        ask(once)
    ask(once)
    assert sandbox.bill()["requests"] == BILLED[preset]
    assert [entry["fault"] for entry in sandbox.log()] == [PRESETS[preset].get("kind", "status"), None]


def test_a_connection_can_end_while_the_client_still_sends(sandbox: Handle, once: anthropic.Anthropic) -> None:
    sandbox.script({"preset": "reset_unread", "path": "/v1/messages/batches"})
    with pytest.raises(anthropic.APIConnectionError):
        create_batch(once, [{"custom_id": "one", "params": params("x" * 20_000_000)}])
    assert sandbox.batches() == []


def test_the_nth_request_of_a_kind_can_fail(sandbox: Handle, once: anthropic.Anthropic) -> None:
    sandbox.script({"method": "GET", "path": "/v1/models*", "skip": 2, "times": 2, "status": 503})
    statuses = []
    for _ in range(6):
        ask(once)
        try:
            once.models.list()
        except anthropic.ServiceUnavailableError:
            statuses.append(503)
        else:
            statuses.append(200)
    assert statuses == [200, 200, 503, 503, 200, 200]


def test_a_fault_says_how_long_to_wait(sandbox: Handle, once: anthropic.Anthropic) -> None:
    sandbox.script({"preset": "rate_limited_for_a_day"}, {"preset": "rate_limited_silently"})
    for expected in ("86400", None):
        with pytest.raises(anthropic.RateLimitError) as caught:
            ask(once)
        assert caught.value.response.headers.get("retry-after") == expected


def test_an_error_in_a_stream_comes_after_what_was_said(sandbox: Handle, once: anthropic.Anthropic) -> None:
    sandbox.script({"preset": "stream_error", "bytes": 1_500})
    said: list[str] = []
    with (
        once.messages.stream(**params(LONG_ANSWER)) as got,
        pytest.raises(anthropic.APIStatusError, match="Overloaded"),
    ):
        said.extend(got.text_stream)
    assert "".join(said).startswith("This is a sandbox answer")


def test_a_stall_outlasts_an_impatient_client_but_not_the_server() -> None:
    with a_sandbox() as slow, client(slow, max_retries=0, timeout=0.2) as impatient:
        for kind in ("delay", "stall"):
            slow.script({"path": "/v1/messages", "kind": kind, "seconds": 600})
            with pytest.raises(anthropic.APITimeoutError):
                ask(impatient)
        assert slow.bill()["requests"] == 2
        closing = time.monotonic()
    assert time.monotonic() - closing < 5


def trial(seed: int) -> tuple[list[str], list[Any]]:
    """What forty requests met, and the same requests as the sandbox logged them."""
    with a_sandbox() as shaky, client(shaky, max_retries=0) as api:
        shaky.fail_at_random(seed=seed, rate=0.5, seconds=0.001, headers={"retry-after-ms": "1"})
        met = []
        for n in range(40):
            try:
                (ask if n % 2 else stream)(api)
                met.append("")
            except (anthropic.APIError, httpx2.TransportError, ValueError, AssertionError) as error:
                met.append(type(error).__name__)
        shaky.clear_faults()
        ask(api)
        return met, [entry["fault"] for entry in shaky.log()]


def test_faults_by_chance_are_the_same_for_a_seed() -> None:
    first, again, other = trial(1), trial(1), trial(2)
    assert first == again
    assert first != other
    assert 10 <= sum(map(bool, first[1])) <= 30
    assert first[1][-1] is None


def test_a_schedule_by_chance_can_be_narrowed(sandbox: Handle, once: anthropic.Anthropic) -> None:
    sandbox.fail_at_random(rate=1, most=2, kinds=["spend_limit"], prefix="/v1/messages/batches")
    ask(once)
    for _ in range(2):
        with pytest.raises(anthropic.EnforcedSpendLimitReachedError):
            once.messages.batches.list()
    once.messages.batches.list()


def test_what_passes_by_itself_is_a_preset() -> None:
    assert set(PASSING) < set(PRESETS)
    assert set(OUTCOMES) == set(PRESETS)


@pytest.mark.parametrize(
    "schedule", [{"rate": 2}, {"kinds": ["unheard_of"]}, {"kinds": []}, {"colour": 1}, {"most": -1}, {"seconds": "1"}]
)
def test_a_schedule_that_cannot_be_is_refused(sandbox: Handle, schedule: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="faults"):
        sandbox.fail_at_random(**schedule)


def test_a_client_that_is_killed_while_it_sends_leaves_no_trace(
    sandbox: Handle, capfd: pytest.CaptureFixture[str]
) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", sandbox.port)
    connection.putrequest("POST", "/v1/messages/batches")
    for name, value in {"x-api-key": "a", "anthropic-version": "2026-10-21", "content-length": "99"}.items():
        connection.putheader(name, value)
    connection.endheaders(b'{"requests": [')
    connection.close()
    deadline = time.monotonic() + 10
    while not sandbox.log() and time.monotonic() < deadline:
        pass
    assert [entry["status"] for entry in sandbox.log()] == [None]
    assert sandbox.batches() == []
    assert capfd.readouterr().err == ""
