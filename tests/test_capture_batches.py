"""A batch that a program creates and collects itself is in the ledger: its states, and each item once."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import anthropic
import pytest

from core.capture import recorded, workload
from core.capture.ids import item_id
from core.sandbox import Handle
from tests.capturing import Answer, answer, ask, bill, cost, items, lines, recorded_script
from tests.capturing import program_home_fixture as program_home_fixture
from tests.capturing import sandbox_fixture as sandbox_fixture
from tests.capturing import server_fixture as server_fixture

HOUR = 3_600
BATCH: dict[str, Any] = {
    "id": "msgbatch_1",
    "type": "message_batch",
    "processing_status": "in_progress",
    "request_counts": {"processing": 2, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0},
    "created_at": "2026-11-23T12:00:00.5Z",
    "expires_at": "2026-11-24T12:00:00.5Z",
    "ended_at": None,
    "cancel_initiated_at": None,
    "archived_at": None,
    "results_url": None,
}


@pytest.fixture
def api(sandbox: Handle) -> Any:
    with recorded(anthropic.Anthropic(), workload="nightly", tags={"team": "a"}) as client:
        yield client


def test_a_batch_is_followed_and_its_items_cost_what_the_sandbox_charged(
    home: Path, sandbox: Handle, api: anthropic.Anthropic
) -> None:
    batch = api.messages.batches.create(requests=items(4))
    for _ in range(3):
        api.messages.batches.retrieve(batch.id)
    sandbox.advance(HOUR)
    assert len(list(api.messages.batches.results(batch.id))) == 4
    assert [(line["status"], line["requests"], line["succeeded"]) for line in lines(home, "batch")] == [
        ("in_progress", 4, 0),
        ("ended", 4, 4),
    ]
    assert {(line["workload"], line["model"]) for line in lines(home, "batch")} == {("nightly", ask()["model"])}
    assert {line["custom_id"] for line in lines(home)} == {f"item-{n}" for n in range(4)}
    assert {(line["workload"], line["tags"]["team"], line["route"]) for line in lines(home)} == {
        ("nightly", "a", "batch")
    }
    assert cost(home) == bill(sandbox) > 0


def test_items_have_the_identity_that_every_collector_gives_them(
    home: Path, sandbox: Handle, api: anthropic.Anthropic
) -> None:
    batch = api.messages.batches.create(requests=items(3))
    sandbox.advance(HOUR)
    for _ in range(2):
        list(api.messages.batches.results(batch.id))
    with recorded(anthropic.Anthropic()) as another:
        list(another.beta.messages.batches.results(batch.id))
    expected = {item_id(batch.id, f"item-{n}", batch.created_at) for n in range(3)}
    assert len(lines(home)) == 9
    assert {line["request_id"] for line in lines(home)} == expected
    assert cost(home) == bill(sandbox)


def test_items_that_did_not_succeed_say_what_became_of_them(
    home: Path, sandbox: Handle, api: anthropic.Anthropic
) -> None:
    wrong = [{"custom_id": "wrong", "params": ask(max_tokens=-1)}, {"custom_id": "other", "params": ask(model="nope")}]
    batch = api.messages.batches.create(requests=[*items(2), *wrong])  # type: ignore[list-item]
    sandbox.advance(HOUR)
    list(api.messages.batches.results(batch.id))
    outcome = {line["custom_id"]: (line["status"], line["model"], line.get("error_type")) for line in lines(home)}
    assert outcome["wrong"] == ("errored", ask()["model"], "invalid_request_error")
    assert outcome["other"] == ("errored", "nope", "not_found_error")
    assert lines(home, "batch")[-1]["errored"] == 2
    assert "model" not in lines(home, "batch")[-1]
    assert cost(home) == bill(sandbox)


def test_a_cancelled_batch_is_followed_to_its_end(home: Path, sandbox: Handle, api: anthropic.Anthropic) -> None:
    batch = api.messages.batches.create(requests=items(6))
    api.messages.batches.cancel(batch.id)
    sandbox.advance(HOUR)
    list(api.messages.batches.results(batch.id))
    states = lines(home, "batch")
    assert [line["status"] for line in states] == ["in_progress", "canceling", "ended"]
    assert states[-1]["cancel_initiated_at"]
    assert {line["status"] for line in lines(home)} >= {"canceled"}
    assert cost(home) == bill(sandbox)


def test_results_that_are_read_in_part_are_recorded_in_part(
    home: Path, sandbox: Handle, api: anthropic.Anthropic
) -> None:
    batch = api.messages.batches.create(requests=items(500))
    sandbox.advance(HOUR)
    results = api.messages.batches.results(batch.id)
    seen = [next(results).custom_id for _ in range(5)]
    results.close()
    recorded_ids = {line["custom_id"] for line in lines(home)}
    assert set(seen) <= recorded_ids
    assert len(recorded_ids) < 500
    list(api.messages.batches.results(batch.id))
    assert cost(home) == bill(sandbox)


def test_raw_and_streamed_results_are_recorded_too(home: Path, sandbox: Handle, api: anthropic.Anthropic) -> None:
    batch = api.messages.batches.with_raw_response.create(requests=items(3)).parse()
    sandbox.advance(HOUR)
    with api.messages.batches.with_streaming_response.results(batch.id) as answered:
        assert len(list(answered.iter_lines())) == 3
    assert len(lines(home)) == 3


def test_an_asynchronous_program_is_recorded_alike(home: Path, sandbox: Handle) -> None:
    async def run() -> None:
        async with recorded(anthropic.AsyncAnthropic(), workload="nightly") as api:
            batch = await api.messages.batches.create(requests=items(3))
            sandbox.advance(HOUR)
            assert len([item async for item in await api.messages.batches.results(batch.id)]) == 3

    asyncio.run(run())
    assert [line["status"] for line in lines(home, "batch")] == ["in_progress", "ended"]
    assert {line["workload"] for line in lines(home)} == {"nightly"}
    assert cost(home) == bill(sandbox) > 0


def test_items_keep_the_workload_under_which_the_batch_was_created(
    home: Path, sandbox: Handle, api: anthropic.Anthropic
) -> None:
    with workload("created here"):
        batch = api.messages.batches.create(requests=items(1))
    sandbox.advance(HOUR)
    with workload("collected here"):
        list(api.messages.batches.results(batch.id))
    assert {line["workload"] for line in [*lines(home), *lines(home, "batch")]} == {"created here"}


def test_a_batch_of_another_program_gets_the_labels_of_whoever_collects_it(
    home: Path, sandbox: Handle, api: anthropic.Anthropic
) -> None:
    with anthropic.Anthropic() as other:
        batch = other.messages.batches.create(requests=[*items(1), {"custom_id": "x", "params": ask(model="nope")}])  # type: ignore[typeddict-item]
    sandbox.advance(HOUR)
    list(api.messages.batches.results(batch.id))
    assert {(line["workload"], line["model"]) for line in lines(home)} == {
        ("nightly", ask()["model"]),
        ("nightly", "unknown"),
    }
    assert cost(home) == bill(sandbox)


def test_what_was_not_created_leaves_no_line(home: Path, sandbox: Handle, api: anthropic.Anthropic) -> None:
    with pytest.raises(anthropic.BadRequestError):
        api.messages.batches.create(requests=[])
    with pytest.raises(anthropic.NotFoundError):
        api.messages.batches.retrieve("msgbatch_none")
    assert not (home / "journal").exists()


def test_results_at_an_address_of_their_own_are_known_by_it(program_home: Path) -> None:
    ended = {**BATCH, "processing_status": "ended", "ended_at": "2026-11-23T12:30:00Z"}
    url = "https://results.example/signed?key=1"
    item = {"custom_id": "a", "result": {"type": "expired"}}
    with recorded_script(answer({**ended, "results_url": url}), answer(item)) as api:
        list(api.messages.batches.results("msgbatch_1"))
    [line] = lines(program_home)
    assert (line["batch_id"], line["status"], line["ended_at"]) == ("msgbatch_1", "expired", "2026-11-23T12:30:00Z")


def test_results_of_a_batch_that_was_never_looked_at_are_told_of(
    program_home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with recorded_script(answer({"custom_id": "a", "result": {"type": "expired"}})) as api:
        for _ in range(2):
            api.get("/v1/messages/batches/msgbatch_unseen/results", cast_to=object)
    [warning] = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert "msgbatch_unseen are not recorded" in warning.getMessage()
    assert not (program_home / "journal").exists()


ODD: list[Any] = [
    [],
    None,
    {},
    {**BATCH, "type": "page"},
    {**BATCH, "id": 7},
    {**BATCH, "request_counts": None},
    {**BATCH, "request_counts": {"processing": "two"}},
    {**BATCH, "created_at": "yesterday"},
    {**BATCH, "created_at": "2026-11-23T12:00:00"},
    {**BATCH, "expires_at": None},
]


@pytest.mark.parametrize("document", ODD)
def test_an_odd_batch_reaches_the_program_and_not_the_journal(
    program_home: Path, document: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with recorded_script(answer(document)) as api:
        api.messages.batches.with_raw_response.retrieve("msgbatch_1")
    assert not (program_home / "journal").exists()
    assert caplog.records == []


@pytest.mark.parametrize(
    ("result", "outcome"),
    [
        ({"type": "succeeded", "message": {"id": "m"}}, ("errored", "unreadable")),
        ({"type": "succeeded"}, ("errored", "unreadable")),
        ({"type": "new"}, ("errored", "unreadable")),
        (None, ("errored", "unreadable")),
        ({"type": "errored", "error": "text"}, ("errored", None)),
        ({"type": "errored", "error": {"error": {"type": "api_error"}}}, ("errored", "api_error")),
        ({"type": "canceled"}, ("canceled", None)),
    ],
)
def test_odd_results_are_counted(program_home: Path, result: Any, outcome: tuple[str, str | None]) -> None:
    state: Answer = answer(
        {**BATCH, "processing_status": "ended", "results_url": "/v1/messages/batches/msgbatch_1/results"}
    )
    with recorded_script(state, answer({"custom_id": "a", "result": result})) as api:
        list(api.messages.batches.results("msgbatch_1"))
    [line] = lines(program_home)
    assert (line["status"], line.get("error_type")) == outcome
