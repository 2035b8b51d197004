"""A streamed answer is recorded with all that was seen of it, however its reading ends."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import gzip
import zlib
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import pytest

from core.capture import recorded
from core.sandbox import Handle
from tests.capturing import (
    MESSAGE,
    PROMPT,
    STOP,
    TEXT,
    USAGE,
    answer,
    ask,
    bill,
    cost,
    delta,
    event,
    line_of,
    lines,
    recorded_script,
    scripted_async,
    started,
    stream,
)
from tests.capturing import program_home_fixture as program_home_fixture
from tests.capturing import sandbox_fixture as sandbox_fixture
from tests.capturing import server_fixture as server_fixture

START = started(output_tokens=1)
AT_START = {**USAGE, "output_tokens": 1}
LATER = delta(None, output_tokens=25, cache_read_input_tokens=2_100)
AT_LATER = {**USAGE, "output_tokens": 25, "cache_read_input_tokens": 2_100}
NOTHING = {"input_tokens": 0, "output_tokens": 0}
BROKEN = httpx2.ReadError("reset by peer")


def read_all(api: anthropic.Anthropic) -> None:
    list(api.messages.create(**ask(), stream=True))


# The merge rule


@pytest.mark.parametrize(
    ("deltas", "usage"),
    [
        ([delta(output_tokens=40)], USAGE),
        ([delta(None, output_tokens=9), delta(output_tokens=33)], {**USAGE, "output_tokens": 33}),
        (
            [delta(output_tokens=7, input_tokens=1_100, cache_read_input_tokens=None, server_tool_use=None)],
            {**USAGE, "output_tokens": 7, "input_tokens": 1_100},
        ),
        (
            [delta(output_tokens=7, server_tool_use={"web_search_requests": 2, "web_fetch_requests": 0})],
            {**USAGE, "output_tokens": 7, "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 0}},
        ),
        (
            [delta(output_tokens=7, output_tokens_details={"thinking_tokens": 5})],
            {**USAGE, "output_tokens": 7, "output_tokens_details": {"thinking_tokens": 5}},
        ),
    ],
)
def test_the_last_counts_win_and_what_only_the_start_says_stays(
    program_home: Path, deltas: list[bytes], usage: dict[str, Any]
) -> None:
    with recorded_script(stream(START, TEXT, *deltas, STOP)) as api:
        read_all(api)
    line = line_of(program_home)
    assert line["usage"] == usage
    assert (line["status"], line["stop_reason"], line["message_id"]) == ("succeeded", "end_turn", "msg_1")
    assert "incomplete" not in line


def test_iterations_of_a_beta_stream_are_kept_entry_by_entry_and_a_fallback_names_the_model(program_home: Path) -> None:
    entry = {"input_tokens": 10, "output_tokens": 5, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}
    iterations = [
        {"type": "compaction", **entry},
        {"type": "message", **entry, "model": "claude-opus-5-5"},
        {"type": "fallback_message", **entry, "model": "claude-opus-4-8"},
    ]
    fallback = {"type": "fallback", "from": {"model": "claude-opus-5-5"}, "to": {"model": "claude-opus-4-8"}}
    block = event("content_block_start", index=0, content_block=fallback)
    end = delta("end_turn", output_tokens=5, iterations=iterations)
    with recorded_script(stream(START, block, end, STOP)) as api:
        list(api.beta.messages.create(**ask(), stream=True))
    line = line_of(program_home)
    assert line["usage"]["iterations"] == iterations
    assert line["model"] == "claude-opus-4-8"


def test_what_ran_is_recorded_not_what_was_asked_for(program_home: Path) -> None:
    asked = ask(model="claude-opus-5-5", service_tier="auto", inference_geo="global", extra_body={"speed": "standard"})
    with recorded_script(answer(), stream(START, delta(output_tokens=40), STOP)) as api:
        api.messages.create(**asked)
        list(api.messages.create(**asked, stream=True))
    for line in lines(program_home):
        assert line["model"] == MESSAGE["model"]
        assert {name: line["usage"][name] for name in ("speed", "service_tier", "inference_geo")} == {
            "speed": "fast",
            "service_tier": "standard",
            "inference_geo": "us",
        }


@pytest.mark.parametrize("category", ["cyber", None])
def test_a_refusal_says_its_category(program_home: Path, category: str | None) -> None:
    details = {"type": "refusal", "category": category, "explanation": PROMPT}
    stop = event("message_delta", delta={"stop_reason": "refusal", "stop_details": details}, usage={"output_tokens": 0})
    with recorded_script(stream(START, stop, STOP), answer({**MESSAGE, "stop_reason": "refusal"})) as api:
        read_all(api)
        api.messages.create(**ask())
    assert [line.get("refusal_category") for line in lines(program_home)] == [category, "not given"]


# However the bytes come


def cut_everywhere(text: bytes, size: int) -> list[bytes]:
    return [text[at : at + size] for at in range(0, len(text), size)]


WHOLE = b"".join([START, event("ping"), TEXT, LATER, delta(output_tokens=40), STOP])


@pytest.mark.parametrize("size", [1, 7, 64, 10_000])
@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
def test_any_cut_of_the_bytes_and_either_newline_give_the_same(program_home: Path, size: int, newline: bytes) -> None:
    with recorded_script(stream(*cut_everywhere(WHOLE.replace(b"\n", newline), size))) as api:
        read_all(api)
    assert line_of(program_home)["usage"] == {**AT_LATER, "output_tokens": 40}


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_a_compressed_body_is_understood(program_home: Path, encoding: str, pack: Callable[[bytes], bytes]) -> None:
    packed = cut_everywhere(pack(WHOLE), 50)
    with recorded_script(stream(*packed, error=None, **{"content-encoding": encoding})) as api:
        read_all(api)
    assert line_of(program_home)["usage"]["output_tokens"] == 40


def test_an_answer_that_was_read_before_it_is_streamed_is_recorded(program_home: Path) -> None:
    """As mock transports and caches give it: `httpx2.Response(content=…)` is read from the start."""

    def read() -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=WHOLE)

    with recorded_script(read) as api:
        assert len(list(api.messages.create(**ask(), stream=True))) > 3
    assert line_of(program_home)["usage"]["output_tokens"] == 40


def test_the_record_is_there_before_the_program_has_the_last_event(program_home: Path) -> None:
    with recorded_script(stream(START, TEXT, delta(output_tokens=40), STOP)) as api:
        for one in api.messages.create(**ask(), stream=True):
            if one.type == "message_stop":
                assert line_of(program_home)["usage"]["output_tokens"] == 40
    assert len(lines(program_home)) == 1


# Streams that are not read to their end


def take_and_close(api: anthropic.Anthropic) -> None:
    events = api.messages.create(**ask(), stream=True)
    next(events)
    events.close()


def take_and_drop(api: anthropic.Anthropic) -> None:
    events = api.messages.create(**ask(), stream=True)
    next(events)
    del events
    gc.collect()


def leave_the_block(api: anthropic.Anthropic) -> None:
    with api.messages.stream(**ask()) as events:
        for _ in events:
            break


def raise_inside(api: anthropic.Anthropic) -> None:
    with contextlib.suppress(KeyError), api.messages.create(**ask(), stream=True) as events:
        for _ in events:
            raise KeyError("a bug of the program's own")


def close_unread(api: anthropic.Anthropic) -> None:
    api.messages.create(**ask(), stream=True).close()


def drop_unread(api: anthropic.Anthropic) -> None:
    api.messages.create(**ask(), stream=True)
    gc.collect()


@pytest.mark.parametrize(
    ("read", "usage"),
    [
        (take_and_close, AT_START),
        (take_and_drop, AT_START),
        (leave_the_block, AT_START),
        (raise_inside, AT_START),
        (close_unread, NOTHING),
        (drop_unread, NOTHING),
    ],
)
def test_a_stream_that_the_program_leaves_is_a_lower_bound(
    program_home: Path, read: Callable[[anthropic.Anthropic], None], usage: dict[str, Any]
) -> None:
    with recorded_script(stream(START, TEXT, LATER, delta(output_tokens=40), STOP)) as api:
        read(api)
        line = line_of(program_home)
    assert line["usage"] == usage
    assert (line["status"], line["incomplete"], line["streamed"]) == ("succeeded", True, True)


def when_written(home: Path) -> dict[str, Any]:
    """The one line, as soon as the writer thread has it; a dropped stream is recorded by that thread."""
    while not lines(home):
        pass
    return line_of(home)


def test_part_of_an_answer_that_is_no_stream_tells_only_that_there_was_one(program_home: Path) -> None:
    with recorded_script(answer()) as api, api.messages.with_streaming_response.create(**ask()) as answered:
        assert answered.status_code == 200
    line = line_of(program_home)
    assert (line["usage"], line["incomplete"], line["streamed"]) == (NOTHING, True, False)


def test_counts_that_were_final_are_no_lower_bound(program_home: Path) -> None:
    """The program stops at the reason why the message ended; what follows holds no counts."""
    with recorded_script(stream(START, delta(output_tokens=40), STOP)) as api:
        for one in api.messages.create(**ask(), stream=True):
            if one.type == "message_delta":
                break
    line = line_of(program_home)
    assert line["usage"]["output_tokens"] == 40
    assert "incomplete" not in line


@pytest.mark.parametrize(
    ("pieces", "error", "error_type", "usage"),
    [
        ([START, TEXT, LATER], BROKEN, "connection_error", AT_LATER),
        ([START, LATER, LATER[:60]], httpx2.RemoteProtocolError("cut"), "connection_error", AT_LATER),
        ([START], httpx2.ReadTimeout("slow"), "client_timeout", AT_START),
        ([], BROKEN, "connection_error", NOTHING),
    ],
)
def test_a_stream_that_breaks_off_has_failed_and_is_a_lower_bound(
    program_home: Path, pieces: list[bytes], error: Exception, error_type: str, usage: dict[str, Any]
) -> None:
    with recorded_script(stream(*pieces, error=error)) as api, pytest.raises(type(error)):
        read_all(api)
    line = line_of(program_home)
    assert (line["status"], line["error_type"], line["incomplete"]) == ("errored", error_type, True)
    assert line["usage"] == usage


def test_an_error_event_ends_a_stream_with_the_words_of_the_api(program_home: Path) -> None:
    failed = event("error", error={"type": "overloaded_error", "message": "Overloaded"})
    with recorded_script(stream(START, LATER, failed)) as api, pytest.raises(anthropic.APIStatusError):
        read_all(api)
    line = line_of(program_home)
    assert (line["status"], line["error_type"], line["incomplete"]) == ("errored", "overloaded_error", True)
    assert line["usage"] == AT_LATER


def test_the_ledger_prices_a_lower_bound_and_says_so(home: Path, sandbox: Handle) -> None:
    sandbox.script({"method": "POST", "path": "/v1/messages", "kind": "truncate", "bytes": 1_500})
    with recorded(anthropic.Anthropic()) as api, pytest.raises(httpx2.RemoteProtocolError):
        read_all(api)
    assert line_of(home)["incomplete"] is True
    assert Decimal(0) < cost(home) <= bill(sandbox)


# The same on an event loop


def run_async(*answers: Any, read: Callable[[Any], Any]) -> None:
    async def run() -> None:
        async with recorded(scripted_async(*answers)) as api:
            await read(api)

    asyncio.run(run())


async def take_and_close_async(api: anthropic.AsyncAnthropic) -> None:
    events = await api.messages.create(**ask(), stream=True)
    await events.__anext__()
    await events.close()


async def take_and_drop_async(api: anthropic.AsyncAnthropic) -> None:
    events = await api.messages.create(**ask(), stream=True)
    await events.__anext__()
    del events
    gc.collect()


async def cancel_while_reading(api: anthropic.AsyncAnthropic) -> None:
    reached = asyncio.Event()

    async def read() -> None:
        async with api.messages.stream(**ask()) as events:
            async for _ in events:
                reached.set()
                await asyncio.Event().wait()

    task = asyncio.create_task(read())
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def close_unread_async(api: anthropic.AsyncAnthropic) -> None:
    await (await api.messages.create(**ask(), stream=True)).close()


async def drop_unread_async(api: anthropic.AsyncAnthropic) -> None:
    await api.messages.create(**ask(), stream=True)
    gc.collect()


@pytest.mark.parametrize(
    ("read", "usage"),
    [
        (take_and_close_async, AT_START),
        (take_and_drop_async, AT_START),
        (cancel_while_reading, AT_START),
        (close_unread_async, NOTHING),
        (drop_unread_async, NOTHING),
    ],
)
def test_an_asynchronous_stream_that_the_program_leaves_is_a_lower_bound(
    program_home: Path, read: Callable[[anthropic.AsyncAnthropic], Any], usage: dict[str, Any]
) -> None:
    run_async(stream(START, TEXT, LATER, delta(output_tokens=40), STOP), read=read)
    line = when_written(program_home)
    assert line["usage"] == usage
    assert (line["status"], line["incomplete"]) == ("succeeded", True)


def test_an_asynchronous_stream_that_breaks_off_has_failed(program_home: Path) -> None:
    async def read(api: anthropic.AsyncAnthropic) -> None:
        with pytest.raises(httpx2.ReadError):
            _ = [one async for one in await api.messages.create(**ask(), stream=True)]

    run_async(stream(START, LATER, error=BROKEN), read=read)
    line = line_of(program_home)
    assert (line["status"], line["error_type"], line["usage"]) == ("errored", "connection_error", AT_LATER)
