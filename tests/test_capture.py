"""Every kind of call of a recorded client is in the ledger once, at the price that the sandbox charged."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, assert_type

import anthropic
import pytest
from pydantic import BaseModel

from core.capture import recorded, recording, workload
from core.sandbox import Handle
from tests.capturing import (
    MESSAGE,
    PROMPT,
    STOP,
    answer,
    ask,
    bill,
    cost,
    delta,
    event,
    line_of,
    lines,
    scripted,
    started,
    stream,
)
from tests.capturing import program_home_fixture as program_home_fixture
from tests.capturing import sandbox_fixture as sandbox_fixture
from tests.capturing import server_fixture as server_fixture

Api = anthropic.Anthropic
AsyncApi = anthropic.AsyncAnthropic


class Mountain(BaseModel):
    name: str


def create(api: Api) -> None:
    assert api.messages.create(**ask()).content


def create_beta(api: Api) -> None:
    assert api.beta.messages.create(**ask(), betas=["context-1m-2025-08-07"]).content


def create_raw(api: Api) -> None:
    answered = api.messages.with_raw_response.create(**ask())
    assert answered.parse().content


def create_and_read_the_body_later(api: Api) -> None:
    with api.messages.with_streaming_response.create(**ask()) as answered:
        assert answered.parse().content


def create_by_path(api: Api) -> None:
    assert isinstance(api.post("/v1/messages", body=ask(), cast_to=object), dict)


def create_stream(api: Api) -> None:
    assert [event.type for event in api.messages.create(**ask(), stream=True)][-1] == "message_stop"


def stream_text(api: Api) -> None:
    with api.messages.stream(**ask()) as stream:
        assert "".join(stream.text_stream)


def stream_final_message(api: Api) -> None:
    with api.beta.messages.stream(**ask()) as stream:
        assert stream.get_final_message().usage.output_tokens > 1


def stream_raw_lines(api: Api) -> None:
    with api.messages.with_streaming_response.create(**ask(), stream=True) as answered:
        assert any("message_stop" in line for line in answered.iter_lines())


async def create_async(api: AsyncApi) -> None:
    assert (await api.messages.create(**ask())).content


async def create_raw_async(api: AsyncApi) -> None:
    answered = await api.messages.with_raw_response.create(**ask())
    assert (await answered.parse()).content


async def create_and_read_the_body_later_async(api: AsyncApi) -> None:
    async with api.messages.with_streaming_response.create(**ask()) as answered:
        assert (await answered.parse()).content


async def create_stream_async(api: AsyncApi) -> None:
    assert [event.type async for event in await api.beta.messages.create(**ask(), stream=True)][-1] == "message_stop"


async def stream_text_async(api: AsyncApi) -> None:
    async with api.messages.stream(**ask()) as stream:
        assert "".join([text async for text in stream.text_stream])


CALLS: list[tuple[Callable[[Api], None], bool]] = [
    (create, False),
    (create_beta, False),
    (create_raw, False),
    (create_and_read_the_body_later, False),
    (create_by_path, False),
    (create_stream, True),
    (stream_text, True),
    (stream_final_message, True),
    (stream_raw_lines, True),
]
ASYNC_CALLS: list[tuple[Callable[[AsyncApi], Awaitable[None]], bool]] = [
    (create_async, False),
    (create_raw_async, False),
    (create_and_read_the_body_later_async, False),
    (create_stream_async, True),
    (stream_text_async, True),
]
"""The calls, and whether their answer is streamed."""


def checked(home: Path, calls: Sequence[tuple[object, bool]]) -> None:
    found = lines(home)
    assert len(found) == len(calls)
    for line, (call, streamed) in zip(found, calls, strict=True):
        assert (line["workload"], line["tags"], line["source"]) == ("support-chat", {"team": "a"}, "capture"), call
        assert (line["status"], line["attempts"], line["streamed"]) == ("succeeded", 1, streamed), call
        assert line["api_request_id"].startswith("req_"), call
        assert line["message_id"].startswith("msg_"), call
        assert "incomplete" not in line, call


def test_calls_cost_what_the_sandbox_charged(home: Path, sandbox: Handle) -> None:
    with recorded(anthropic.Anthropic(), workload="support-chat", tags={"team": "a"}) as api:
        for call, _ in CALLS:
            call(api)
    checked(home, CALLS)
    assert cost(home) == bill(sandbox) > 0


def test_asynchronous_calls_cost_what_the_sandbox_charged(home: Path, sandbox: Handle) -> None:
    async def run() -> None:
        async with recorded(anthropic.AsyncAnthropic(), workload="support-chat", tags={"team": "a"}) as api:
            for call, _ in ASYNC_CALLS:
                await call(api)

    asyncio.run(run())
    checked(home, ASYNC_CALLS)
    assert cost(home) == bill(sandbox) > 0


TOOL = {"name": "t", "description": "d", "input_schema": {"type": "object", "properties": {"a": {"type": "string"}}}}
COMPACT = {"edits": [{"type": "compact_20260112"}]}
FEATURES: list[tuple[str, dict[str, Any]]] = [
    ("[sandbox:think:500]", {"model": "claude-opus-5-5", "thinking": {"type": "adaptive"}}),
    ("[sandbox:tool]", {"tools": [TOOL]}),
    ("[sandbox:search:3]", {"tools": [{"type": "web_search_20250305", "name": "web_search"}]}),
    ("[sandbox:refuse:cyber]", {}),
    ("[sandbox:refuse:bio]", {}),
    ("[sandbox:refuse:cyber:midway]", {}),
    ("", {"inference_geo": "us"}),
    ("", {"system": [{"type": "text", "text": "long " * 9_000, "cache_control": {"type": "ephemeral", "ttl": "1h"}}]}),
    ("", {"model": "claude-opus-5-5", "speed": "fast", "betas": ["fast-mode-2026-02-01"]}),
    (
        "[sandbox:compact]",
        {"model": "claude-opus-5-5", "context_management": COMPACT, "betas": ["compact-2026-01-12"]},
    ),
    (
        "[sandbox:refuse:bio]",
        {
            "model": "claude-fable-5-2",
            "fallbacks": [{"model": "claude-opus-5-5"}],
            "betas": ["server-side-fallback-2026-07-01"],
        },
    ),
    (
        "[sandbox:advisor]",
        {
            "tools": [{"type": "advisor_20260301", "name": "advisor", "model": "claude-opus-5-5"}],
            "betas": ["advisor-tool-2026-03-01"],
        },
    ),
]
"""A marker for the sandbox, and the parameters of a request that uses a feature of the API."""


@pytest.mark.parametrize("streamed", [False, True])
def test_every_feature_costs_what_the_sandbox_charged(home: Path, sandbox: Handle, streamed: bool) -> None:
    with recorded(anthropic.Anthropic()) as api:
        for marker, asked in FEATURES:
            content = [{"role": "user", "content": f"{marker} {PROMPT}"}]
            params = ask(max_tokens=3_000, messages=content, stream=streamed)
            messages: Any = api.beta.messages if "betas" in asked else api.messages
            _ = list(messages.create(**(params | asked)))
    found = lines(home)
    assert [line["status"] for line in found] == ["succeeded"] * len(FEATURES)
    assert sum("iterations" in line["usage"] and line["usage"]["iterations"] is not None for line in found) == 3
    assert cost(home) == bill(sandbox) > 0


def test_a_structured_answer_is_recorded_also_when_the_program_cannot_parse_it(program_home: Path) -> None:
    with recorded(scripted(answer())) as api, pytest.raises(ValueError, match="Mountain"):
        api.messages.parse(**ask(), output_format=Mountain)  # the answer is prose
    assert line_of(program_home)["status"] == "succeeded"


def test_what_costs_nothing_is_not_recorded(home: Path, sandbox: Handle) -> None:
    with recorded(anthropic.Anthropic()) as api:
        api.messages.count_tokens(model=ask()["model"], messages=ask()["messages"])
        api.models.list()
        api.messages.batches.list()
    assert not (home / "journal").exists()


def test_prompts_answers_and_keys_are_never_stored(home: Path, sandbox: Handle) -> None:
    with recorded(anthropic.Anthropic(api_key="SECRET-KEY"), workload="w") as api:
        text = api.messages.create(**ask(system="PRIVATE-SYSTEM")).content[0]
        create_stream(api)
        with pytest.raises(anthropic.BadRequestError):
            api.messages.create(**ask(max_tokens=-1))
        batch = api.messages.batches.create(requests=[{"custom_id": "a", "params": ask()}])  # type: ignore[typeddict-item]
        sandbox.advance(3_600)
        list(api.messages.batches.results(batch.id))
    stored = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file()).decode()
    assert len(lines(home)) == 4
    assert text.type == "text"
    for secret in (PROMPT, "PRIVATE-SYSTEM", "SECRET-KEY", text.text, text.text[:20]):
        assert secret not in stored


# The recorded client and its copies


def test_a_recorded_client_is_one_of_its_type_and_leaves_the_other_alone(home: Path, sandbox: Handle) -> None:
    plain = anthropic.Anthropic(max_retries=7, timeout=33.0)
    assert_type(recorded(anthropic.AsyncAnthropic()), anthropic.AsyncAnthropic)
    with recorded(plain) as api:
        assert type(assert_type(api, anthropic.Anthropic)) is anthropic.Anthropic
        assert (api.max_retries, api.timeout, api.api_key) == (7, 33.0, plain.api_key)
        create(plain)
        assert not (home / "journal").exists()


def test_copies_record_too_and_recording_twice_records_once(home: Path, sandbox: Handle) -> None:
    with recorded(anthropic.Anthropic(), workload="first", tags={"a": "1", "b": "1"}) as api:
        create(api.with_options(timeout=50.0).copy(max_retries=0))
        create(recorded(api, tags={"b": "2"}).with_middleware(lambda request, call_next: call_next(request)))
        create(recorded(api, workload="second"))
    assert [(line["workload"], line["tags"]) for line in lines(home)] == [
        ("first", {"a": "1", "b": "1"}),
        ("first", {"a": "1", "b": "2"}),
        ("second", {"a": "1", "b": "1"}),
    ]


def test_what_the_program_takes_out_is_no_longer_recorded(home: Path, sandbox: Handle) -> None:
    with recorded(anthropic.Anthropic()) as api:
        create(api.with_options(middleware=[]))
    assert not (home / "journal").exists()


@pytest.mark.parametrize("call", [create, create_stream])
def test_the_middleware_alone_records(home: Path, sandbox: Handle, call: Callable[[Api], None]) -> None:
    with anthropic.Anthropic(middleware=[recording(workload="alone")]) as api:
        call(api)
    assert line_of(home)["workload"] == "alone"


def test_the_middleware_alone_records_asynchronously(home: Path, sandbox: Handle) -> None:
    async def run() -> None:
        async with anthropic.AsyncAnthropic(middleware=[recording()]) as api:
            await create_async(api)

    asyncio.run(run())
    assert line_of(home)["status"] == "succeeded"


def test_each_request_that_another_middleware_makes_is_one_of_its_own(program_home: Path) -> None:
    def twice(request: Any, call_next: Any) -> Any:
        call_next(request)
        return call_next(request)

    with recorded(scripted(answer(), middleware=[twice])) as api:
        create(api)
    assert len({line["request_id"] for line in lines(program_home)}) == 2


def test_each_turn_of_a_tool_runner_is_a_request(program_home: Path) -> None:
    call = {"type": "tool_use", "id": "toolu_1", "name": "height", "input": {"mountain": "K2"}}
    turn = {**MESSAGE, "id": "msg_0", "content": [call], "stop_reason": "tool_use"}

    @anthropic.beta_tool
    def height(mountain: str) -> str:
        """The height of a mountain."""
        return f"{mountain}: 8,611 m"

    with recorded(scripted(answer(turn), answer())) as api:
        api.beta.messages.tool_runner(**ask(), tools=[height]).until_done()
    assert [line["stop_reason"] for line in lines(program_home)] == ["tool_use", "end_turn"]


def test_each_hop_of_the_sdks_fallback_is_a_request_also_inside_a_stream(program_home: Path) -> None:
    refused = event("message_delta", delta={"stop_reason": "refusal"}, usage={"output_tokens": 0})
    fallback = anthropic.BetaRefusalFallbackMiddleware([{"model": "claude-opus-4-8"}])
    answers = [stream(started(), refused, STOP), stream(started(), delta(output_tokens=40), STOP)]
    with recorded(scripted(*answers, middleware=[fallback])) as api, anthropic.BetaFallbackState():
        assert list(api.beta.messages.create(**ask(), stream=True))
    assert [line["stop_reason"] for line in lines(program_home)] == ["refusal", "end_turn"]


def test_what_another_middleware_answers_itself_is_no_request(program_home: Path) -> None:
    api = recorded(scripted(answer())).with_middleware(lambda _request, _next: "from a cache")  # type: ignore[arg-type]
    assert api.messages.create(**ask()) == "from a cache"
    assert not (program_home / "journal").exists()


@pytest.mark.parametrize("wrong", ["sk-ant-key", None, anthropic.Anthropic])
def test_only_clients_can_be_recorded(wrong: Any) -> None:
    with pytest.raises(TypeError, match="takes an Anthropic or AsyncAnthropic client") as refused:
        recorded(wrong)
    assert "sk-ant-key" not in str(refused.value)


# Labels


def test_a_block_goes_before_the_client_and_the_inner_block_before_the_outer_one(home: Path, sandbox: Handle) -> None:
    with recorded(anthropic.Anthropic(), workload="client", tags={"a": "client", "b": "client"}) as api:
        with workload("outer", tags={"b": "outer", "c": "outer"}):
            with workload("inner", tags={"c": "inner"}):
                create(api)
            create(api)
        create(api)
    assert [(line["workload"], line["tags"]) for line in lines(home)] == [
        ("inner", {"a": "client", "b": "outer", "c": "inner"}),
        ("outer", {"a": "client", "b": "outer", "c": "outer"}),
        ("client", {"a": "client", "b": "client"}),
    ]


def test_a_stream_keeps_the_labels_under_which_it_began(home: Path, sandbox: Handle) -> None:
    with recorded(anthropic.Anthropic()) as api:
        with workload("began here"):
            stream = api.messages.create(**ask(), stream=True)
        with workload("read here"):
            list(stream)
    assert line_of(home)["workload"] == "began here"


def test_tasks_and_to_thread_take_labels_along_and_threads_of_a_pool_do_not(home: Path, sandbox: Handle) -> None:
    async def run() -> None:
        async with recorded(anthropic.AsyncAnthropic()) as api, asyncio.TaskGroup() as tasks:
            for name in ("one", "two"):
                with workload(name):
                    tasks.create_task(create_async(api))
        with recorded(anthropic.Anthropic()) as sync_api, workload("three"):
            await asyncio.to_thread(create, sync_api)
            thread = threading.Thread(target=create, args=(sync_api,))
            thread.start()
            thread.join()

    asyncio.run(run())
    assert sorted(line["workload"] for line in lines(home)) == ["one", "three", "two", "unlabelled"]


@pytest.mark.parametrize(
    ("labels", "what"),
    [
        ({"workload": ""}, "workload is empty"),
        ({"workload": 7}, "workload must be text, not 7"),
        ({"workload": "a\0b"}, "a NUL"),
        ({"tags": {"a": 1}}, "'a' is 1"),
        ({"tags": {"a": "\ud800"}}, "half of a surrogate pair"),
    ],
)
def test_a_wrong_label_is_refused_where_it_is_given(labels: dict[str, Any], what: str) -> None:
    with anthropic.Anthropic(api_key="k") as api, pytest.raises((TypeError, ValueError), match=what):
        recorded(api, **labels)
    if "workload" in labels:
        with pytest.raises((TypeError, ValueError), match=what):
            workload(labels["workload"])
