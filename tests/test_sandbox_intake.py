"""The body of a batch is read as it comes, whatever its size and however it is cut into pieces."""

from __future__ import annotations

import json
import random
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import anthropic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.sandbox import Handle
from core.sandbox.errors import ApiError
from core.sandbox.intake import MOST_REQUESTS, BatchIntake
from tests.sandbox_server import (  # noqa: F401 (fixtures)
    LONG_ENOUGH,
    api_fixture,
    client,
    create_batch,
    items,
    params,
    sandbox_fixture,
    server_fixture,
)

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


def read(body: bytes, cuts: list[int]) -> BatchIntake:
    intake, start = BatchIntake(), 0
    for cut in [*sorted(cuts), len(body)]:
        intake.feed(body[start:cut])
        start = max(start, cut)
    intake.close()
    return intake


@given(
    st.lists(st.dictionaries(st.text(), VALUES, max_size=3), min_size=1, max_size=5),
    st.booleans(),
    st.sampled_from([None, 1]),
    st.lists(st.integers(0, 400), max_size=12),
)
def test_the_pieces_make_no_difference(
    several: list[dict[str, Any]], ascii_only: bool, indent: int | None, cuts: list[int]
) -> None:
    requests = [{"custom_id": f"i{n}", "params": each} for n, each in enumerate(several)]
    body = json.dumps({"requests": requests}, ensure_ascii=ascii_only, indent=indent)
    intake = read(body.encode("utf-8", "surrogatepass"), cuts)
    assert [json.loads(item) for item in intake.items] == requests
    assert intake.first_id == "i0"


GOOD = b'{"custom_id":"a","params":{}}'
BAD: list[tuple[bytes, str]] = [
    (b"", "not valid JSON"),
    (b"[]", "should be a JSON object"),
    (b"{}", "requests: Field required"),
    (b'{"requests":[]}', "at least 1 item"),
    (b'{"requests":[' + GOOD + b"]", "not valid JSON"),
    (b'{"requests":[' + GOOD + b",]}", "not valid JSON"),
    (b'{"requests":[' + GOOD + b"]} trailing", "not valid JSON"),
    (b'{"requests":[' + GOOD + b'],"colour":1}', "colour: Extra inputs"),
    (b'{"requests":[' + GOOD + b"," + GOOD + b"]}", "must be unique"),
    (b'{"requests":[{"custom_id":"a","params":{"x":NaN}}]}', "not valid JSON"),
    (b'{"requests":[{"custom_id":"a","params":{"x":"\xff"}}]}', "not valid JSON"),
    (b'{"requests":[{"custom_id":"a","params":' + b'{"x":' * 100_000 + b"1" + b"}" * 100_002, "nested too deeply"),
    (b'{"requests":[{"custom_id":"a","params":{},"x":1}]}', "requests.0.x: Extra inputs"),
]


@pytest.mark.parametrize(("body", "said"), BAD)
def test_a_bad_body_is_refused_wherever_it_is_cut(body: bytes, said: str) -> None:
    for cuts in ([], list(range(0, min(len(body), 200), 7))):
        with pytest.raises(ApiError, match=said):
            read(body, cuts)


def test_there_is_room_for_the_documented_number_of_items_and_no_more() -> None:
    intake = BatchIntake()
    intake.feed(b'{"requests":[' + b",".join(b'{"custom_id":"%d","params":{}}' % n for n in range(MOST_REQUESTS)))
    with pytest.raises(ApiError, match="at most 100000 items"):
        intake.feed(b',{"custom_id":"x","params":{}}]}')


def test_a_large_batch_needs_little_memory() -> None:
    item = json.dumps({"custom_id": "NUMBER", "params": params("x" * 40_000)}).encode()
    tracemalloc.start()
    try:
        intake = BatchIntake()
        intake.feed(b'{"requests":[')
        for n in range(500):
            intake.feed((b"," if n else b"") + item.replace(b"NUMBER", b"%d" % n))
        intake.feed(b"]}")
        intake.close()
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(intake.items) == 500
    assert most < 4_000_000  # of 20 MB


def test_a_batch_may_come_as_a_stream(sandbox: Handle, api: anthropic.Anthropic) -> None:
    """How a large one is sent without holding it in memory: in chunks, with no length given."""
    requests = items(300)
    body = json.dumps({"requests": requests}).encode()
    pieces = random.Random(0).sample(range(len(body)), 50)
    edges = [0, *sorted(pieces), len(body)]
    batch = api.post(
        "/v1/messages/batches",
        content=(body[start:end] for start, end in pairwise(edges)),
        cast_to=anthropic.types.messages.MessageBatch,
        options={"headers": {"content-type": "application/json"}},
    )
    sandbox.advance(LONG_ENOUGH)
    names = {line.custom_id for line in api.messages.batches.results(batch.id)}
    assert names == {request["custom_id"] for request in requests}


def test_others_are_served_while_a_batch_runs(sandbox: Handle) -> None:
    with client(sandbox) as api, ThreadPoolExecutor() as pool:
        create_batch(api, items(3_000))
        sandbox.advance(LONG_ENOUGH)
        running = pool.submit(sandbox.bill)
        served = 0
        while not running.done():
            api.models.list(limit=1)
            served += 1
    assert running.result()["batch_items"] == 3_000
    assert served >= 3
