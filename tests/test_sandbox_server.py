"""The sandbox runs in a thread or as a command, and always in the same way."""

from __future__ import annotations

import json
import re
import signal
import urllib.request
from contextlib import suppress
from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from typing import Any

import anthropic
import pytest

from core.cli import main
from core.sandbox import Handle
from core.sandbox.account import TIERS, Standing
from core.sandbox.control import Control
from core.sandbox.fates import Fate
from core.sandbox.fault_presets import PRESETS
from core.sandbox.faults import Fault
from core.sandbox.markers import NAMES
from core.sandbox.state import Options, Sandbox
from tests.sandbox_server import (  # noqa: F401 (fixtures)
    LONG_ENOUGH,
    START,
    a_sandbox,
    api_fixture,
    client,
    create_batch,
    items,
    params,
    sandbox_command,
    sandbox_fixture,
    server_fixture,
)


def test_two_sandboxes_give_the_same_answers_and_bills() -> None:
    def trial(seed: str) -> tuple[list[Any], str, list[str]]:
        with a_sandbox(seed=seed) as each, client(each) as api:
            answers = [api.messages.create(**params(f"Question {n}?")).to_dict() for n in range(5)]
            batch = create_batch(api, items(9))
            each.advance(LONG_ENOUGH)
            lines = [line.to_json() for line in api.messages.batches.results(batch.id)]
            return [*answers, lines], each.bill()["total_usd"], [answer["id"] for answer in answers]

    first, again, other = trial("a"), trial("a"), trial("b")
    assert first == again
    assert first[1] == other[1]
    assert not set(first[2]) & set(other[2])


def test_the_clock_moves_when_it_is_told_to(sandbox: Handle) -> None:
    before = sandbox.now()
    assert before - START < timedelta(seconds=30)
    sandbox.advance(3_600)
    assert timedelta(hours=1) <= sandbox.now() - before < timedelta(hours=1, seconds=30)
    with pytest.raises(ValueError, match="advance_s"):
        sandbox.advance(-1)


def test_the_clock_can_run_fast() -> None:
    with a_sandbox(speed=1e6) as fast, client(fast) as api:
        batch = create_batch(api, items(3))
        while (seen := api.messages.batches.retrieve(batch.id)).processing_status != "ended":
            pass
    assert seen.ended_at is not None


def test_a_batch_of_a_thousand_is_no_work(sandbox: Handle, api: anthropic.Anthropic) -> None:
    batch = create_batch(api, items(1_000))
    sandbox.advance(LONG_ENOUGH)
    assert api.messages.batches.retrieve(batch.id).request_counts.succeeded == 1_000
    assert sandbox.bill()["batch_items"] == 1_000


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_says_how_to_use_it_and_stops_without_a_trace(number: signal.Signals) -> None:
    with sandbox_command("--port", "0", "--batch-seconds", "0.01") as (process, url, said):
        with anthropic.Anthropic(base_url=url, api_key="sandbox") as api:
            assert api.messages.create(**params()).id.startswith("msg_sandbox_")
        process.send_signal(number)
        complaints = process.communicate(timeout=20)[1]
    assert f"export ANTHROPIC_BASE_URL={url}\n" in said
    assert "export ANTHROPIC_API_KEY=sandbox\n" in said
    assert (process.returncode, complaints) == (0, "")


def test_a_port_in_use_is_one_sentence(sandbox: Handle) -> None:
    said = f"halfprice: Port {sandbox.port} is in use. Choose another one with --port."
    with pytest.raises(AssertionError, match=said), sandbox_command("--port", str(sandbox.port)):
        pass


def test_the_command_limits_the_account_and_fails_at_will() -> None:
    words = ("--tier", "start", "--spend-limit", "0.25", "--balance", "5", "--faults", "1")
    with sandbox_command("--port", "0", *words) as (_, url, _):
        with (
            anthropic.Anthropic(base_url=url, api_key="sandbox", max_retries=0) as api,
            suppress(anthropic.APIError, ValueError),
        ):
            api.models.list()
        account, log = read(f"{url}/sandbox/account"), read(f"{url}/sandbox/log")
    assert (account["tier"], account["spend_limit_usd"], account["balance_usd"]) == ("start", "0.25", "5")
    assert [bool(entry["fault"]) for entry in log] == [True]


def read(url: str) -> Any:
    with urllib.request.urlopen(url) as answer:
        return json.load(answer)


def test_the_documentation_names_all_that_can_be_asked_for() -> None:
    text = (Path(__file__).parents[1] / "docs/sandbox.md").read_text(encoding="utf-8")
    words = set(re.findall(r"[a-z][a-z0-9_]+", text))
    for record in (Fault, Fate, Standing):
        assert {each.name for each in fields(record)} <= words
    assert set(NAMES) | set(PRESETS) | set(TIERS) <= words
    assert {str(route.path) for route in Control(Sandbox(Options())).routes()} <= set(
        re.findall(r"`(?:\w+ )?(/\S*)`", text)
    )


@pytest.mark.parametrize(
    "words",
    [
        ["--port", "70000"],
        ["--speed", "0"],
        ["--batch-seconds", "soon"],
        ["--tier", "gold"],
        ["--balance", "-5"],
        ["--faults", "2"],
    ],
)
def test_an_impossible_option_is_a_wrong_call(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["sandbox", *words])
    assert stopped.value.code == 2
    assert words[1] in capsys.readouterr().err
