"""The example workloads: valid for a batch, no text twice, the same bytes each time."""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from core.pricing import PriceBook
from core.routing import decide
from core.workloads import EXAMPLES_FOLDER, Example, examples, load_workload
from sample_data import generate_workloads

FOLDER = Path(__file__).parent.parent / "sample_data" / "workloads"
REQUESTS = {"app-reviews": 1_000, "behaviour-report": 24, "news-digest": 100, "seo-metadata": 200}
TODAY = date(2026, 11, 23)


def lines(example: Example) -> list[dict[str, Any]]:
    return [json.loads(line) for line in example.requests_file.read_text(encoding="utf-8").splitlines()]


def text(line: dict[str, Any]) -> str:
    content: str = line["params"]["messages"][0]["content"]
    return content


def body(line: dict[str, Any]) -> str:
    """The text without its header of rating, country and version."""
    return text(line).split("\n\n", 1)[1]


each_example = pytest.mark.parametrize("example", examples(), ids=lambda example: example.name)


def test_the_four_examples_travel_inside_the_package() -> None:
    assert [example.name for example in examples()] == sorted(REQUESTS)
    assert EXAMPLES_FOLDER.resolve() == FOLDER.resolve()


@pytest.mark.parametrize("name", REQUESTS)
def test_the_generator_makes_the_committed_bytes_again(tmp_path: Path, name: str) -> None:
    generate_workloads.write(tmp_path)
    assert (tmp_path / f"{name}.jsonl").read_bytes() == (FOLDER / f"{name}.jsonl").read_bytes()


def test_the_files_stay_small_and_say_that_they_are_synthetic() -> None:
    assert sum(file.stat().st_size for file in FOLDER.rglob("*") if file.is_file()) <= 2_000_000
    assert "synthetic" in (FOLDER / "README.md").read_text()


@each_example
def test_every_line_is_a_request_that_a_batch_accepts(example: Example) -> None:
    found = lines(example)
    assert len({line["custom_id"] for line in found}) == len(found) == REQUESTS[example.name]
    for line in found:
        assert line.keys() == {"custom_id", "params"}
        assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", line["custom_id"])
        # no stream, speed, temperature, top_p or top_k: a batch refuses them, and only when it runs
        assert line["params"].keys() == {"model", "max_tokens", "system", "messages"}
        assert line["params"]["max_tokens"] > 0
        assert [message["role"] for message in line["params"]["messages"]] == ["user"]
        assert text(line).strip() == text(line)


@each_example
def test_no_text_is_there_twice(example: Example) -> None:
    found = lines(example)
    assert len({body(line).casefold() for line in found}) == len(found)


@each_example
def test_all_requests_of_a_workload_share_model_and_system_prompt(example: Example) -> None:
    found = lines(example)
    assert len({(line["params"]["model"], line["params"]["system"]) for line in found}) == 1


def test_reviews_vary_in_language_rating_and_length() -> None:
    found = [text(line) for line in lines(examples()[0])]
    countries = {match[1] for review in found if (match := re.search(r"Country: (\w\w)", review))}
    ratings = {review.split("\n", 1)[0] for review in found}
    assert countries >= {"US", "GB", "DE", "ES", "FR", "BR", "JP"}
    assert ratings == {f"Rating: {stars}/5" for stars in range(1, 6)}
    assert len({len(review) for review in found}) > 150


@each_example
def test_the_answers_fit_the_requests(example: Example) -> None:
    workload, found = load_workload(example.workload_file), lines(example)
    params = found[0]["params"]
    assert workload.name == example.name
    assert workload.model == params["model"]
    assert workload.requests_per_run == len(found)
    assert workload.output_tokens is not None
    assert workload.output_tokens < params["max_tokens"]


@each_example
def test_the_tokens_in_the_answers_are_those_of_the_texts(example: Example) -> None:
    workload, found = load_workload(example.workload_file), lines(example)
    tokens_a_character = (1.3 if "5-5" in str(workload.model) else 1) / 4
    own = sum(len(text(line)) for line in found) / len(found) * tokens_a_character
    if example.name == "behaviour-report":
        own *= 4 / 3  # ids and numbers take more tokens than words
    prefix = len(found[0]["params"]["system"]) * tokens_a_character
    assert workload.input_tokens == pytest.approx(own, rel=0.1)
    assert workload.shared_prefix_tokens == pytest.approx(prefix, rel=0.1)


@each_example
def test_the_article_s_four_examples_go_as_a_batch(example: Example) -> None:
    decision = decide(load_workload(example.workload_file), PriceBook.load(), TODAY)
    assert decision.route == "batch"
    assert decision.saving_usd_month
