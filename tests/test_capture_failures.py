"""A call that was tried several times, or failed, is one line that says what became of each attempt."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import pytest

from core.capture import recorded, recording
from core.capture.sink import find_sink
from core.sandbox import Handle
from tests.capturing import (
    STOP,
    Answer,
    answer,
    ask,
    bill,
    cost,
    delta,
    line_of,
    lines,
    recorded_script,
    refusal,
    scripted,
    scripted_async,
    started,
    stream,
)
from tests.capturing import program_home_fixture as program_home_fixture
from tests.capturing import sandbox_fixture as sandbox_fixture
from tests.capturing import server_fixture as server_fixture

BUSY = refusal(529, "overloaded_error")
GONE = httpx2.ReadError("reset by peer")
ABSENT = httpx2.ConnectError("refused")
STREAM = stream(started(), delta(output_tokens=40), STOP)


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK waits half a second after a broken connection; that is not what is tested here."""
    monkeypatch.setattr("anthropic._base_client.INITIAL_RETRY_DELAY", 0.001)


@pytest.mark.parametrize(
    ("answers", "statuses"),
    [
        ([BUSY, BUSY, answer()], [529, 529, 200]),
        ([GONE, answer()], [0, 200]),
        ([BUSY, ABSENT, answer()], [529, 0, 200]),
        ([BUSY, STREAM], [529, 200]),
    ],
)
def test_retries_are_part_of_the_one_request(program_home: Path, answers: list[Answer], statuses: list[int]) -> None:
    with recorded_script(*answers) as api:
        _ = list(api.messages.create(**ask(), stream=answers[-1] is STREAM))
    line = line_of(program_home)
    assert (line["attempts"], line["attempt_statuses"]) == (len(statuses), statuses)
    assert line["status"] == "succeeded"


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    ("answers", "statuses", "error_type"),
    [
        ([BUSY], [529, 529, 529], "overloaded_error"),
        ([BUSY, GONE], [529, 0, 0], "connection_error"),
        ([GONE, BUSY], [0, 529, 529], "overloaded_error"),
        ([ABSENT], [0, 0, 0], "not_connected"),
        ([httpx2.ReadTimeout("slow")], [0, 0, 0], "client_timeout"),
        ([refusal(400, "invalid_request_error")], [400], "invalid_request_error"),
        ([refusal(429, "rate_limit_error", **{"x-should-retry": "false"})], [429], "rate_limit_error"),
        ([answer("<html>busy</html>", 502, **{"x-should-retry": "false"})], [502], "http_502"),
    ],
)
def test_a_call_that_failed_says_why(
    program_home: Path, answers: list[Answer], statuses: list[int], error_type: str, streamed: bool
) -> None:
    with recorded_script(*answers) as api, pytest.raises(anthropic.APIError):
        api.messages.create(**ask(), stream=streamed)
    line = line_of(program_home)
    assert (line["status"], line["error_type"], line["attempt_statuses"]) == ("errored", error_type, statuses)
    assert (line["model"], line["streamed"]) == (ask()["model"], streamed)
    assert "usage" not in line
    assert line.get("api_request_id") == (None if statuses[-1] == 0 else "req_1")


def test_a_failed_call_costs_nothing(program_home: Path) -> None:
    with recorded_script(GONE, BUSY) as api, pytest.raises(anthropic.OverloadedError):
        api.messages.create(**ask())
    assert cost(program_home) == 0


def test_the_number_of_retries_is_the_clients_own(program_home: Path) -> None:
    with recorded_script(BUSY, max_retries=1) as api:
        for client in (api, api.with_options(max_retries=0), api.with_options(max_retries=3)):
            with pytest.raises(anthropic.OverloadedError):
                client.messages.create(**ask())
    assert [line["attempts"] for line in lines(program_home)] == [2, 1, 4]


def test_retries_end_in_the_ledger_as_one_request_that_is_paid_once(home: Path, sandbox: Handle) -> None:
    lost = {"method": "POST", "path": "/v1/messages", "kind": "status", "status": 529, "times": 2}
    sandbox.script({**lost, "headers": {"retry-after-ms": "1"}})
    with recorded(anthropic.Anthropic()) as api:
        api.messages.create(**ask())
    assert line_of(home)["attempt_statuses"] == [529, 529, 200]
    assert cost(home) == bill(sandbox) > 0


def test_a_request_that_was_never_sent_is_none(program_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    monkeypatch.setenv("HOME", str(program_home))
    with recorded_script(answer()) as api, pytest.raises(TypeError, match="authentication"):
        api.messages.create(**ask())
    with recorded_script(answer(), api_key="k") as api, pytest.raises(ValueError, match="Streaming is"):
        api.messages.create(**ask(max_tokens=100_000))
    assert not (program_home / "journal").exists()


@pytest.mark.parametrize("body", ["<html>hello</html>", [], {"usage": 7, "id": "msg"}, {"type": "message"}, None])
def test_an_answer_of_no_known_shape_is_counted_as_unreadable(program_home: Path, body: object) -> None:
    with recorded_script(answer(body)) as api:
        api.messages.with_raw_response.create(**ask())
    line = line_of(program_home)
    assert (line["status"], line["error_type"], line["model"]) == ("errored", "unreadable", ask()["model"])


@pytest.mark.parametrize("usage", [{"input_tokens": -1, "output_tokens": 1.5}, {"output_tokens": "many"}, {"new": [1]}])
def test_odd_counts_are_kept_for_the_ledger_to_judge(program_home: Path, usage: dict[str, Any]) -> None:
    with recorded_script(answer({"id": "msg_1", "model": "m", "usage": usage})) as api:
        api.messages.with_raw_response.create(**ask())
    assert line_of(program_home)["usage"] == usage


# On an event loop


def run(*answers: Answer, call: Callable[[anthropic.AsyncAnthropic], Any]) -> None:
    async def inside() -> None:
        async with recorded(scripted_async(*answers)) as api:
            await call(api)

    asyncio.run(inside())


def test_retries_and_failures_of_an_asynchronous_client_are_recorded_alike(program_home: Path) -> None:
    async def call(api: anthropic.AsyncAnthropic) -> None:
        await api.messages.create(**ask())
        with pytest.raises(anthropic.OverloadedError):
            await api.with_options(max_retries=1).messages.create(**ask())

    run(BUSY, GONE, answer(), BUSY, call=call)
    assert [(line["status"], line["attempt_statuses"]) for line in lines(program_home)] == [
        ("succeeded", [529, 0, 200]),
        ("errored", [529, 529]),
    ]


class Hanging(httpx2.AsyncBaseTransport):
    """A server that never answers."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.reached.set()
        await asyncio.Event().wait()
        raise AssertionError


def test_a_task_that_is_cancelled_while_it_waits_leaves_a_record(program_home: Path) -> None:
    async def inside() -> None:
        hanging = Hanging()
        transport = anthropic.DefaultAsyncHttpxClient(transport=hanging)
        async with recorded(anthropic.AsyncAnthropic(http_client=transport)) as api:
            task = asyncio.create_task(api.messages.create(**ask()))
            await hanging.reached.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(inside())
    while not lines(program_home):
        pass
    line = line_of(program_home)
    assert (line["status"], line["error_type"], line["attempt_statuses"]) == ("errored", "canceled_by_caller", [0])


# The middleware alone must foretell what the SDK will do


def alone(*answers: Answer, max_retries: int = 2, said: int = 2) -> anthropic.Anthropic:
    return scripted(*answers, middleware=[recording(max_retries=said)], max_retries=max_retries)


@pytest.mark.parametrize(
    ("answers", "statuses"),
    [([BUSY, GONE, answer()], [529, 0, 200]), ([BUSY], [529, 529, 529]), ([refusal(404, "not_found_error")], [404])],
)
def test_the_middleware_alone_folds_retries(program_home: Path, answers: list[Answer], statuses: list[int]) -> None:
    with alone(*answers) as api:
        try:
            api.messages.create(**ask())
        except anthropic.APIStatusError:
            assert line_of(program_home)["status"] == "errored"
    assert line_of(program_home)["attempt_statuses"] == statuses


def test_a_call_that_the_sdk_gave_up_early_is_recorded_with_the_next_one(
    program_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.capture.calls.LONGEST_PAUSE_S", 0.0)
    with alone(refusal(529, "overloaded_error", **{"retry-after-ms": "0"}), answer(), max_retries=0) as api:
        with pytest.raises(anthropic.OverloadedError):
            api.messages.create(**ask())
        assert not (program_home / "journal").exists()
        api.messages.create(**ask())
    assert [line["attempt_statuses"] for line in lines(program_home)] == [[529], [200]]


def test_a_call_that_the_sdk_gave_up_early_is_recorded_at_exit(program_home: Path) -> None:
    with alone(BUSY, max_retries=0) as api, pytest.raises(anthropic.OverloadedError):
        api.messages.create(**ask())
    find_sink(program_home, durable=True).close()  # as the interpreter does
    assert line_of(program_home)["attempt_statuses"] == [529]
