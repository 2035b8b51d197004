"""The sandbox refuses what the API refuses, and fails when it was told to."""

from __future__ import annotations

import http.client
import json
from typing import Any

import anthropic
import httpx2
import pytest

from core.sandbox import Handle
from tests.sandbox_server import (  # noqa: F401 (fixtures)
    LONG_ENOUGH,
    SONNET_4_6,
    api_fixture,
    client,
    create_batch,
    items,
    params,
    sandbox_fixture,
    server_fixture,
)


def post(sandbox: Handle, body: bytes, path: str = "/v1/messages", **headers: str) -> tuple[int, dict[str, Any]]:
    """A request that the SDK would not send."""
    connection = http.client.HTTPConnection("127.0.0.1", sandbox.port, timeout=20)
    sent = {"x-api-key": "sandbox", "anthropic-version": "2026-10-21"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    connection.request("POST", path, body, {name: value for name, value in sent.items() if value})
    response = connection.getresponse()
    answer = json.loads(response.read())
    connection.close()
    return response.status, answer


def test_an_unknown_model_is_not_found(api: anthropic.Anthropic) -> None:
    with pytest.raises(anthropic.NotFoundError) as caught:
        api.messages.create(**params(model="claude-none"))
    assert caught.value.type == "not_found_error"
    assert caught.value.body == {
        "type": "error",
        "error": {"type": "not_found_error", "message": "model: claude-none"},
        "request_id": caught.value.request_id,
    }


BAD_PARAMETERS: list[tuple[dict[str, Any], str]] = [
    ({"max_tokens": 0}, "max_tokens"),
    ({"max_tokens": "10"}, "max_tokens"),
    ({"max_tokens": True}, "max_tokens"),
    ({"max_tokens": 128_001}, "maximum allowed number of output tokens"),
    ({"messages": []}, "at least one message"),
    ({"messages": "hello"}, "messages"),
    ({"messages": ["hello"]}, "messages.0"),
    ({"messages": [{"role": "robot", "content": "hello"}]}, "messages.0.role"),
    ({"messages": [{"role": "user"}]}, "messages.0.content"),
    ({"messages": [{"role": "user", "content": [{"type": "text", "text": ""}]}]}, "non-empty"),
    ({"messages": [{"role": "user", "content": [{"type": "song"}]}]}, "'song'"),
    ({"messages": [{"role": "assistant", "content": [{"type": "document", "source": {}}]}]}, "document blocks"),
    ({"model": 5}, "model"),
    ({"system": 5}, "system"),
    ({"tools": [{"name": "no name!"}]}, "tools.0.name"),
    ({"stop_sequences": [5]}, "stop_sequences"),
    ({"service_tier": "batch"}, "service_tier"),
    ({"inference_geo": "mars"}, "inference_geo"),
    ({"model": SONNET_4_6, "speed": "fast"}, "speed"),
    ({"model": "claude-haiku-4-5", "inference_geo": "us"}, "inference_geo"),
    ({"temperature": 1.0}, "temperature: Extra inputs are not permitted"),
    ({"colour": "red"}, "colour: Extra inputs are not permitted"),
    ({"cache_control": {"type": "ephemeral", "ttl": "2h"}}, "cache_control"),
]


@pytest.mark.parametrize(("fields", "said"), BAD_PARAMETERS)
def test_a_bad_parameter_is_refused_with_its_name(
    sandbox: Handle, api: anthropic.Anthropic, fields: dict[str, Any], said: str
) -> None:
    with pytest.raises(anthropic.BadRequestError, match="invalid_request_error") as caught:
        api.messages.create(**params(), extra_body=fields)
    assert said in str(caught.value)
    assert sandbox.bill()["requests"] == 0


@pytest.mark.parametrize("missing", ["model", "max_tokens", "messages"])
def test_what_is_required_cannot_be_left_out(sandbox: Handle, missing: str) -> None:
    body = {name: value for name, value in params().items() if name != missing}
    status, answer = post(sandbox, json.dumps(body).encode())
    assert (status, answer["error"]["message"]) == (400, f"{missing}: Field required")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b'{"max_tokens": NaN}', b"[" * 100_000])
def test_a_body_that_is_not_a_json_object_is_refused(sandbox: Handle, body: bytes) -> None:
    status, answer = post(sandbox, body)
    assert (status, answer["error"]["type"]) == (400, "invalid_request_error")


@pytest.mark.parametrize("depth", [450, 480, 5_000])
def test_a_deeply_nested_prompt_is_refused(sandbox: Handle, depth: int) -> None:
    content = '[{"type":"tool_result","tool_use_id":"t","content":' * depth + '"x"' + "}]" * depth
    body = json.dumps(params(messages=[{"role": "user", "content": "CONTENT"}])).replace('"CONTENT"', content)
    status, answer = post(sandbox, body.encode())
    assert (status, answer["error"]["type"]) == (400, "invalid_request_error")


def test_the_older_api_version_still_takes_a_temperature(sandbox: Handle) -> None:
    body = json.dumps(params(temperature=0.5)).encode()
    assert post(sandbox, body, anthropic_version="2023-06-01")[0] == 200
    assert post(sandbox, body)[0] == 400


def test_a_prompt_above_the_context_window_is_refused(api: anthropic.Anthropic) -> None:
    with pytest.raises(anthropic.BadRequestError, match="prompt is too long: 200005 tokens > 200000 maximum"):
        api.messages.create(**params("x" * 800_002, model="claude-haiku-4-5"))


def test_a_body_above_32_megabytes_is_too_large(api: anthropic.Anthropic) -> None:
    with pytest.raises(anthropic.ContentTooLargeError) as caught:
        api.messages.create(**params("x" * (33 * 1024 * 1024)))
    assert caught.value.body["error"]["type"] == "request_too_large"  # type: ignore[index]


def test_a_key_is_needed_and_may_be_refused(sandbox: Handle) -> None:
    with client(sandbox, key="refused-key") as refused, pytest.raises(anthropic.AuthenticationError):
        refused.messages.create(**params())
    body = json.dumps(params()).encode()
    assert post(sandbox, body, x_api_key="")[1]["error"]["type"] == "authentication_error"
    assert post(sandbox, body, x_api_key="", authorization="Bearer any")[0] == 200


def test_a_known_version_is_needed(sandbox: Handle) -> None:
    body = json.dumps(params()).encode()
    assert post(sandbox, body, anthropic_version="")[0] == 400
    assert post(sandbox, body, anthropic_version="2030-01-01")[0] == 400


def test_an_error_may_quote_what_is_not_text(sandbox: Handle) -> None:
    status, answer = post(sandbox, json.dumps(params(model="\ud800")).encode())
    assert (status, answer["error"]["message"]) == (404, "model: \ud800")


def test_unknown_paths_are_answered_as_the_api_does(sandbox: Handle) -> None:
    status, answer = post(sandbox, b"{}", "/v1/nothing")
    assert (status, answer["error"]["type"]) == (404, "not_found_error")


def test_the_sdk_retries_what_the_fault_tells_it_to(sandbox: Handle, api: anthropic.Anthropic) -> None:
    sandbox.script({"path": "/v1/messages", "times": 2, "status": 529, "headers": {"retry-after-ms": "1"}})
    raw = api.messages.with_raw_response.create(**params())
    assert raw.retries_taken == 2
    assert [(entry["status"], entry["retry_count"]) for entry in sandbox.log()] == [(529, 0), (529, 1), (200, 2)]
    assert sandbox.bill()["requests"] == 1


def test_a_fault_names_its_error(sandbox: Handle, api: anthropic.Anthropic) -> None:
    sandbox.script({"status": 402, "message": "credit balance is too low"})
    with pytest.raises(anthropic.PaymentRequiredError, match="credit balance") as caught:
        api.messages.create(**params())
    assert caught.value.type == "billing_error"


def test_a_batch_that_was_accepted_is_made_twice_by_a_retry(sandbox: Handle, api: anthropic.Anthropic) -> None:
    fault = {"when": "after_accept", "status": 500, "headers": {"retry-after-ms": "1"}}
    sandbox.script({"method": "POST", "path": "/v1/messages/batches", **fault})
    create_batch(api, items(1))
    assert len(api.messages.batches.list().data) == 2


def test_an_answer_that_was_lost_on_its_way_is_billed(sandbox: Handle) -> None:
    with client(sandbox, max_retries=0) as impatient:
        sandbox.script({"kind": "close"}, {"kind": "close", "when": "after_accept"})
        for billed_requests in (0, 1):
            with pytest.raises(anthropic.APIConnectionError):
                impatient.messages.create(**params())
            assert sandbox.bill()["requests"] == billed_requests


def test_results_can_be_cut_off(sandbox: Handle) -> None:
    with client(sandbox, max_retries=0) as impatient:
        batch = create_batch(impatient, items(10))
        sandbox.advance(LONG_ENOUGH)
        sandbox.script({"path": "^.*/results$", "kind": "truncate", "bytes": 2_000})
        got: list[str] = []
        with pytest.raises(httpx2.RemoteProtocolError):
            got.extend(line.custom_id for line in impatient.messages.batches.results(batch.id))
        assert len(got) < 10
        assert len(list(impatient.messages.batches.results(batch.id))) == 10


@pytest.mark.parametrize(
    "fault", [{"status": 200}, {"times": 0}, {"kind": "explode"}, {"path": "^("}, {"colour": 1}, "all of them"]
)
def test_a_fault_that_cannot_be_is_refused(sandbox: Handle, fault: Any) -> None:
    with pytest.raises(ValueError, match="fault"):
        sandbox.script(fault)


def test_a_marker_can_fail_once(api: anthropic.Anthropic) -> None:
    with pytest.raises(anthropic.BadRequestError):
        api.messages.create(**params("[sandbox:invalid:once] please"))
    assert api.messages.create(**params("[sandbox:invalid:once] please")).stop_reason == "end_turn"
