"""Writes the synthetic sample data: `python -m sample_data.generate [--out DIR]`.

Nothing here was measured from anyone. A day is counted from an anchor Monday (day 0), which the loader moves to
the current week, so the data never ages. `EARLIEST_ANCHOR` is the first Monday that day 0 can be: a model is used
only from a day on which it has launched even then.

The same rows come out on every machine: one `Generator` a workload, drawing only uniform numbers, and only plain
arithmetic on them before they are rounded.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

SEED = 20_261_123
EARLIEST_ANCHOR = date(2026, 11, 23)
FIRST_DAY, LAST_DAY = -182, 6  # 26 weeks before the anchor, its own week after
DAYS = range(FIRST_DAY, LAST_DAY + 1)

SECOND_MS = 1_000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

GATEWAY_MODEL = "gateway/claude-sonnet-latest"  # has no price, so that unpriced requests can be seen
NONE = -(2**31)  # a missing value in a column of whole numbers

Column = NDArray[np.int64]
Rows = dict[str, Column]

# --- what the developer runs -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Spread:
    """A skewed whole number, drawn along the straight lines between four of its quantiles."""

    low: int
    median: int
    p90: int
    high: int

    def draw(self, rng: np.random.Generator, count: int) -> Column:
        """`count` independent values."""
        quantiles = (self.low, self.median, self.p90, self.high)
        return whole(np.interp(rng.random(count), (0, 0.5, 0.9, 1), quantiles))

    def draw_one(self, rng: np.random.Generator) -> int:
        """One value."""
        return int(self.draw(rng, 1)[0])


def seconds(low: float, median: float, p90: float, high: float) -> Spread:
    """A spread of milliseconds, written in seconds."""
    return Spread(*(round(value * SECOND_MS) for value in (low, median, p90, high)))


def minutes(low: float, median: float, p90: float, high: float) -> Spread:
    """A spread of milliseconds, written in minutes."""
    return Spread(*(round(value * MINUTE_MS) for value in (low, median, p90, high)))


@dataclass(frozen=True, slots=True)
class Era:
    """A model from a day on; `tokens` scales the token counts: another tokenizer, longer prompts and answers."""

    first_day: int
    model: str
    tokens: float = 1.0


@dataclass(frozen=True, slots=True)
class Mishap:
    """What went wrong in one batch: items by outcome, and its duration where that is the story."""

    errored: int = 0
    error_type: str = "overloaded_error"
    canceled: int = 0
    expired: int = 0
    took_ms: int | None = None
    cancel_after_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """A workload that runs unattended: the same number of requests on each of its weekdays (Monday is 0).

    `prefix_tokens` is the shared start of every prompt when it is cached, 0 when it is not. `start_ms` counts from
    midnight UTC. `batch_ms` is how long one of its batches takes.
    """

    name: str
    item_prefix: str
    requests: int
    weekdays: tuple[int, ...]
    start_ms: Spread
    gap_ms: Spread
    input_tokens: Spread
    output_tokens: Spread
    max_tokens: int
    prefix_tokens: int
    eras: tuple[Era, ...]
    batch_days: tuple[int, ...]
    batch_ms: Spread
    mishaps: dict[int, Mishap] = field(default_factory=dict)

    @property
    def days(self) -> list[int]:
        """The days on which it runs, oldest first."""
        return [day for day in DAYS if day % 7 in self.weekdays]


@dataclass(frozen=True, slots=True)
class Chat:
    """A workload with a person waiting: always synchronous, busiest in office hours, prompts cached.

    A cold request writes the system prompt for an hour; a warm one reads it and the conversation so far.
    """

    name: str
    first_day_requests: int
    last_day_requests: int
    weekday_share: tuple[float, ...]
    system_tokens: int
    cold_share: float
    history_tokens: Spread
    turn_tokens: Spread
    input_tokens: Spread
    output_tokens: Spread
    max_tokens: int
    eras: tuple[Era, ...]
    error_share: float
    refusal_share: float
    gateway_days: tuple[int, ...]


EVERY_DAY = (0, 1, 2, 3, 4, 5, 6)
NEW_TOKENIZER = 1.3  # Opus 4.7 and every 5.x count about 30 % more tokens for the same text

REVIEWS = Job(
    name="app-reviews",
    item_prefix="review",
    requests=1_000,
    weekdays=EVERY_DAY,
    start_ms=minutes(60, 61, 63, 68),  # soon after 01:00
    gap_ms=seconds(2.6, 4.6, 6.2, 14),
    input_tokens=Spread(350, 565, 650, 690),
    output_tokens=Spread(60, 108, 126, 140),
    max_tokens=180,
    prefix_tokens=0,
    eras=(
        Era(FIRST_DAY, "claude-haiku-4-5-20251001"),
        Era(-101, "claude-sonnet-5", NEW_TOKENIZER),
        Era(-46, "claude-sonnet-5-5", NEW_TOKENIZER),
    ),
    batch_days=tuple(range(-25, LAST_DAY + 1)),
    batch_ms=minutes(2, 8, 26, 95),
    mishaps={
        -22: Mishap(errored=4),
        -17: Mishap(expired=137, took_ms=DAY_MS),
        -12: Mishap(errored=7),
        -6: Mishap(errored=2, error_type="api_error"),
        -3: Mishap(errored=3),
    },
)

SEO = Job(
    name="seo-metadata",
    item_prefix="page",
    requests=200,
    weekdays=(2,),
    start_ms=minutes(760, 810, 840, 900),  # around 13:30, when batches are slow
    gap_ms=seconds(6, 9.5, 14, 30),
    input_tokens=Spread(2_600, 5_600, 8_800, 13_000),
    output_tokens=Spread(280, 640, 1_000, 1_600),
    max_tokens=2_000,
    prefix_tokens=1_400,
    eras=(
        Era(FIRST_DAY, "claude-sonnet-4-6"),
        Era(-131, "claude-sonnet-5", NEW_TOKENIZER),
        Era(-48, "claude-sonnet-5-5", NEW_TOKENIZER),
    ),
    batch_days=tuple(range(-54, LAST_DAY + 1, 7)),
    batch_ms=minutes(92, 140, 205, 240),
    mishaps={
        -47: Mishap(errored=3, error_type="invalid_request_error"),
        -26: Mishap(took_ms=7 * HOUR_MS + 4 * MINUTE_MS),
    },
)

NEWS = Job(
    name="news-digest",
    item_prefix="news",
    requests=100,
    weekdays=EVERY_DAY,
    start_ms=minutes(329, 330, 332, 360),  # about 05:30
    gap_ms=seconds(5, 8, 11, 24),
    input_tokens=Spread(900, 2_100, 3_600, 6_400),
    output_tokens=Spread(140, 250, 340, 460),
    max_tokens=600,
    prefix_tokens=0,
    eras=(
        Era(FIRST_DAY, "claude-sonnet-4-6"),
        Era(-140, "claude-sonnet-5", NEW_TOKENIZER),
        Era(-42, "claude-sonnet-5-5", NEW_TOKENIZER),
    ),
    batch_days=(-40, -33, -19, -11, -4),
    batch_ms=minutes(4, 13, 31, 58),
    mishaps={-33: Mishap(canceled=62, took_ms=57 * MINUTE_MS, cancel_after_ms=52 * MINUTE_MS)},
)

REPORT = Job(
    name="behaviour-report",
    item_prefix="log",
    requests=24,
    weekdays=EVERY_DAY,
    start_ms=minutes(240, 245, 249, 260),  # soon after 04:00
    gap_ms=seconds(14, 22, 34, 70),
    input_tokens=Spread(28_000, 46_000, 72_000, 90_000),
    output_tokens=Spread(500, 1_050, 1_900, 3_200),
    max_tokens=4_000,
    prefix_tokens=6_000,
    eras=(
        Era(FIRST_DAY, "claude-haiku-4-5-20251001", 0.72),
        Era(-126, "claude-haiku-4-5-20251001", 0.86),
        Era(-77, "claude-haiku-4-5-20251001"),
        Era(-10, "claude-haiku-5-5", NEW_TOKENIZER),  # some prompts now pass its 100,000-token tier
    ),
    batch_days=tuple(range(-2, LAST_DAY + 1)),
    batch_ms=minutes(5, 14, 30, 48),
)

JOBS = (REVIEWS, SEO, NEWS, REPORT)

CHAT = Chat(
    name="support-chat",
    first_day_requests=124,
    last_day_requests=222,
    weekday_share=(1.16, 1.1, 1.06, 1.08, 1.0, 0.84, 0.8),
    system_tokens=4_600,
    cold_share=0.14,
    history_tokens=Spread(0, 1_900, 5_600, 15_000),
    turn_tokens=Spread(120, 520, 1_150, 3_400),
    input_tokens=Spread(8, 120, 380, 1_600),
    output_tokens=Spread(24, 300, 700, 1_700),
    max_tokens=1_800,
    eras=(
        Era(FIRST_DAY, "claude-opus-4-7", 0.78),
        Era(-168, "claude-opus-4-8", 0.78),
        Era(-119, "claude-opus-5", 1.05),
        Era(-57, "claude-opus-5-5", 1.32),
    ),
    error_share=0.0012,
    refusal_share=0.0016,
    gateway_days=(-20, -18, -15, -13, -10, -6, -4, 1, 3),
)
CHAT_CLOCK = (  # the share of a day's questions asked by each hour
    (0, 0.03, 0.07, 0.16, 0.48, 0.56, 0.82, 0.94, 1),
    (0, 4, 7, 8.5, 12, 13.2, 17, 20, 24),
)

RUNNING_JOB, RUNNING_REQUESTS, RUNNING_AGE_MS = SEO, 120, 2 * HOUR_MS - 7 * MINUTE_MS

# --- columns ---------------------------------------------------------------------------------------------------------

MODELS = (*dict.fromkeys(era.model for plan in (*JOBS, CHAT) for era in plan.eras), GATEWAY_MODEL)
WORDS: dict[str, tuple[str, ...]] = {
    "workload": (*(job.name for job in JOBS), CHAT.name),
    "model": MODELS,
    "item_prefix": tuple(job.item_prefix for job in JOBS),
    "status": ("succeeded", "errored", "canceled", "expired"),
    "stop_reason": ("end_turn", "max_tokens", "refusal"),
    "refusal_category": ("general_harms", "cyber"),
    "error_type": ("overloaded_error", "rate_limit_error", "api_error", "invalid_request_error"),
}
WORD = pa.dictionary(pa.int8(), pa.string())
LABEL = {"synthetic": "true", "about": "Made by sample_data/generate.py; nothing here was measured from anyone."}
USAGE = ("input_tokens", "output_tokens", "write_5m_tokens", "write_1h_tokens", "cache_read_tokens")
REQUEST_COLUMNS: dict[str, pa.DataType] = {
    "day": pa.int16(),
    "ms": pa.int32(),
    "took_ms": pa.int32(),
    "workload": WORD,
    "model": WORD,
    "batch": pa.int16(),
    "item_prefix": WORD,
    "item": pa.int16(),
    "status": WORD,
    "stop_reason": WORD,
    "refusal_category": WORD,
    "error_type": WORD,
    "attempts": pa.int8(),
    **dict.fromkeys(USAGE, pa.int32()),
}
BATCH_COLUMNS: dict[str, pa.DataType] = {
    "batch": pa.int16(),
    "workload": WORD,
    "model": WORD,
    "day": pa.int16(),
    "ms": pa.int32(),
    "age_ms": pa.int32(),
    "took_ms": pa.int32(),
    "cancel_after_ms": pa.int32(),
    **dict.fromkeys(("requests", "succeeded", "errored", "canceled", "expired"), pa.int16()),
}


def whole(values: NDArray[np.floating[Any]]) -> Column:
    """The nearest whole numbers."""
    return values.round().astype(np.int64)


def code(column: str, word: str) -> int:
    """The number that stands for a word while a column is made."""
    return WORDS[column].index(word)


def filled(count: int, value: int) -> Column:
    """A column that says the same `count` times."""
    return np.full(count, value, dtype=np.int64)


def pick(rng: np.random.Generator, count: int, share: float) -> NDArray[np.bool_]:
    """Which of `count` rows belong to a random share."""
    return rng.random(count) < share


# --- jobs ------------------------------------------------------------------------------------------------------------


def batch_numbers() -> dict[tuple[str, int], int]:
    """The number of each batch by workload and day, counted in the order of the days."""
    planned = sorted((day, job.name) for job in JOBS for day in job.batch_days)
    return {(name, day): number for number, (day, name) in enumerate(planned)}


def era_on(eras: tuple[Era, ...], day: int) -> Era:
    """The era that holds a day."""
    return [era for era in eras if era.first_day <= day][-1]


def job_run(job: Job, day: int, number: int | None, rng: np.random.Generator) -> Rows:
    """The requests of one run; `number` is its batch, None for a synchronous run."""
    era = era_on(job.eras, day)
    rows = blank(job.requests, day, job.name, era.model)
    add_job_tokens(rows, job, era, number is not None, rng)
    if number is None:
        send_one_by_one(rows, job, rng)
    else:
        send_as_batch(rows, job, number, job.mishaps.get(day, Mishap()), rng)
    return rows


def send_one_by_one(rows: Rows, job: Job, rng: np.random.Generator) -> None:
    """Times of a synchronous run, one request after the other."""
    gaps = job.gap_ms.draw(rng, job.requests)
    rows["ms"] = job.start_ms.draw_one(rng) + np.cumsum(gaps) - gaps[0]
    rows["took_ms"] = latency_ms(rows, rng)


def send_as_batch(rows: Rows, job: Job, number: int, mishap: Mishap, rng: np.random.Generator) -> None:
    """The same times for every item: when the batch was created, how long until it ended."""
    took_ms = job.batch_ms.draw_one(rng) if mishap.took_ms is None else mishap.took_ms
    rows["ms"] = filled(job.requests, job.start_ms.draw_one(rng))
    rows["took_ms"] = filled(job.requests, took_ms)
    rows["batch"] = filled(job.requests, number)
    rows["item_prefix"] = filled(job.requests, code("item_prefix", job.item_prefix))
    rows["item"] = np.arange(1, job.requests + 1, dtype=np.int64)
    add_mishap(rows, mishap, rng)


def blank(count: int, day: int, workload: str, model: str) -> Rows:
    """Requests that succeeded at once, their times and usage still to be filled in."""
    rows = {name: filled(count, NONE) for name in REQUEST_COLUMNS}
    rows["day"] = filled(count, day)
    rows["workload"] = filled(count, code("workload", workload))
    rows["model"] = filled(count, code("model", model))
    rows["status"] = filled(count, code("status", "succeeded"))
    rows["stop_reason"] = filled(count, code("stop_reason", "end_turn"))
    rows["attempts"] = filled(count, 1)
    for name in USAGE:
        rows[name] = filled(count, 0)
    return rows


def add_job_tokens(rows: Rows, job: Job, era: Era, batched: bool, rng: np.random.Generator) -> None:
    """Usage of a run: the prompt as its model counts it, the shared prefix cached, the answer cut at its limit."""
    count = job.requests
    rows["input_tokens"] = whole(job.input_tokens.draw(rng, count) * era.tokens)
    rows["output_tokens"] = whole(job.output_tokens.draw(rng, count) * era.tokens)
    cut_answers(rows, job.max_tokens)
    if not job.prefix_tokens:
        return
    prefix = round(job.prefix_tokens * era.tokens)
    missed = pick(rng, count, 0.35 if batched else 0.01)  # batch items run side by side and miss the cache more often
    missed[0] = True
    rows["write_1h_tokens" if batched else "write_5m_tokens"] = np.where(missed, prefix, 0)
    rows["cache_read_tokens"] = np.where(missed, 0, prefix)


def cut_answers(rows: Rows, max_tokens: int) -> None:
    """Answers longer than the limit end there, with `max_tokens` as the reason."""
    cut = rows["output_tokens"] >= max_tokens
    rows["output_tokens"] = np.minimum(rows["output_tokens"], max_tokens)
    rows["stop_reason"] = np.where(cut, code("stop_reason", "max_tokens"), rows["stop_reason"])


def latency_ms(rows: Rows, rng: np.random.Generator) -> Column:
    """How long a synchronous answer took: a start, then about 13 ms a token."""
    usual_s = 0.6 + rows["output_tokens"] * 0.013 + rows["input_tokens"] * 0.000_02
    return whole(usual_s * SECOND_MS * (0.8 + 0.5 * rng.random(len(usual_s))))


def add_mishap(rows: Rows, mishap: Mishap, rng: np.random.Generator) -> None:
    """Turn as many items as the mishap says, chosen at random, into items without an answer."""
    victims = np.argsort(rng.random(len(rows["day"])), kind="stable")
    first = 0
    for status, count in (("errored", mishap.errored), ("canceled", mishap.canceled), ("expired", mishap.expired)):
        lose_answers(rows, victims[first : first + count], status)
        first += count
    rows["error_type"][victims[: mishap.errored]] = code("error_type", mishap.error_type)


def lose_answers(rows: Rows, which: Column | NDArray[np.bool_], status: str) -> None:
    """Give these requests an outcome that has no usage and no stop reason."""
    rows["status"][which] = code("status", status)
    for name in ("stop_reason", "refusal_category", *USAGE):
        rows[name][which] = NONE


# --- chat ------------------------------------------------------------------------------------------------------------


def chat_day(chat: Chat, day: int, rng: np.random.Generator) -> Rows:
    """The questions of one day, in the order they were asked."""
    count = chat_requests(chat, day, rng)
    era = era_on(chat.eras, day)
    rows = blank(count, day, chat.name, era.model)
    rows["ms"] = np.sort(whole(np.interp(rng.random(count), *CHAT_CLOCK) * HOUR_MS))
    add_chat_tokens(rows, chat, era, rng)
    add_refusals(rows, pick(rng, count, chat.refusal_share), rng)
    rows["took_ms"] = latency_ms(rows, rng)
    add_chat_errors(rows, pick(rng, count, chat.error_share), rng)
    if day in chat.gateway_days:
        rows["model"][[count // 3, count // 2]] = code("model", GATEWAY_MODEL)
    return rows


def chat_requests(chat: Chat, day: int, rng: np.random.Generator) -> int:
    """How many questions a day brings: slow growth, quiet weekends, some luck."""
    grown = (day - FIRST_DAY) / (LAST_DAY - FIRST_DAY) * (chat.last_day_requests - chat.first_day_requests)
    return round((chat.first_day_requests + grown) * chat.weekday_share[day % 7] * (0.92 + 0.16 * rng.random()))


def add_chat_tokens(rows: Rows, chat: Chat, era: Era, rng: np.random.Generator) -> None:
    """Usage of questions: the conversation is read from the cache, its newest turn written to it."""
    count = len(rows["day"])
    cold = pick(rng, count, chat.cold_share)
    system = round(chat.system_tokens * era.tokens)
    history = whole(chat.history_tokens.draw(rng, count) * era.tokens)
    rows["input_tokens"] = chat.input_tokens.draw(rng, count)
    rows["output_tokens"] = whole(chat.output_tokens.draw(rng, count) * era.tokens)
    rows["write_5m_tokens"] = whole(chat.turn_tokens.draw(rng, count) * era.tokens)
    rows["write_1h_tokens"] = np.where(cold, system, 0)
    rows["cache_read_tokens"] = np.where(cold, 0, system + history)
    cut_answers(rows, chat.max_tokens)


def add_refusals(rows: Rows, refused: NDArray[np.bool_], rng: np.random.Generator) -> None:
    """Refused questions: most before the first word, some after a few."""
    count = len(refused)
    began = pick(rng, count, 0.3)
    category = np.where(pick(rng, count, 0.6), code("refusal_category", "general_harms"), NONE)
    category = np.where(pick(rng, count, 0.25), code("refusal_category", "cyber"), category)
    rows["stop_reason"] = np.where(refused, code("stop_reason", "refusal"), rows["stop_reason"])
    rows["refusal_category"] = np.where(refused, category, NONE)
    rows["output_tokens"] = np.where(refused, np.where(began, 40, 0), rows["output_tokens"])


def add_chat_errors(rows: Rows, failed: NDArray[np.bool_], rng: np.random.Generator) -> None:
    """Questions that got no answer after three attempts; a few others needed a second one."""
    count = len(failed)
    kind = np.where(
        pick(rng, count, 0.7), code("error_type", "overloaded_error"), code("error_type", "rate_limit_error")
    )
    rows["attempts"] = np.where(failed, 3, np.where(pick(rng, count, 0.006), 2, 1))
    rows["error_type"] = np.where(failed, kind, NONE)
    lose_answers(rows, failed, "errored")


# --- tables ----------------------------------------------------------------------------------------------------------


def request_runs() -> Iterator[Rows]:
    """Every run of every workload."""
    numbers = batch_numbers()
    for index, job in enumerate(JOBS):
        rng = np.random.Generator(np.random.PCG64([SEED, index]))
        for day in job.days:
            yield job_run(job, day, numbers.get((job.name, day)), rng)
    rng = np.random.Generator(np.random.PCG64([SEED, len(JOBS)]))
    for day in DAYS:
        yield chat_day(CHAT, day, rng)


def request_rows() -> Rows:
    """Every request in the order of sending; the items of a batch share its `ms` and `took_ms`."""
    runs = list(request_runs())
    rows = {name: np.concatenate([run[name] for run in runs]) for name in REQUEST_COLUMNS}
    order = np.lexsort((rows["ms"], rows["day"]))
    return {name: values[order] for name, values in rows.items()}


def batch_rows(requests: Rows) -> Rows:
    """Every batch with its items counted, then the one that is always still running, aged from now."""
    jobs = {job.name: job for job in JOBS}
    batches = [batch_row(jobs[name], day, number, requests) for (name, day), number in batch_numbers().items()]
    running = {
        "batch": len(batches),
        "workload": code("workload", RUNNING_JOB.name),
        "model": code("model", RUNNING_JOB.eras[-1].model),
        "age_ms": RUNNING_AGE_MS,
        "requests": RUNNING_REQUESTS,
    }
    counts = dict.fromkeys(WORDS["status"], 0)
    batches.append(dict.fromkeys(BATCH_COLUMNS, NONE) | counts | running)
    return {name: np.array([batch[name] for batch in batches], dtype=np.int64) for name in BATCH_COLUMNS}


def batch_row(job: Job, day: int, number: int, requests: Rows) -> dict[str, int]:
    """One batch as its items tell it."""
    items = np.flatnonzero(requests["batch"] == number)
    counts = np.bincount(requests["status"][items], minlength=len(WORDS["status"]))
    first = {name: int(requests[name][items[0]]) for name in ("workload", "model", "day", "ms", "took_ms")}
    cancel_after_ms = job.mishaps.get(day, Mishap()).cancel_after_ms
    return {
        "batch": number,
        **first,
        "age_ms": NONE,
        "cancel_after_ms": NONE if cancel_after_ms is None else cancel_after_ms,
        "requests": len(items),
        **{status: int(count) for status, count in zip(WORDS["status"], counts, strict=True)},
    }


def table(rows: Rows, columns: dict[str, pa.DataType]) -> pa.Table:
    """Columns of numbers as a table with words and nulls, labelled as synthetic."""
    arrays = [column_array(name, rows[name], kind) for name, kind in columns.items()]
    return pa.table(arrays, schema=pa.schema(columns.items(), metadata=LABEL))


def column_array(name: str, values: Column, kind: pa.DataType) -> pa.Array:
    """One column in its stored type."""
    missing = values == NONE
    numbers = pa.array(np.where(missing, 0, values), type=pa.int8() if name in WORDS else kind, mask=missing)
    return pa.DictionaryArray.from_arrays(numbers, pa.array(WORDS[name])) if name in WORDS else numbers


def write(folder: Path) -> None:
    """Write `requests.parquet` and `batches.parquet` into a folder."""
    requests = request_rows()
    for name, rows, columns in (
        ("requests", requests, REQUEST_COLUMNS),
        ("batches", batch_rows(requests), BATCH_COLUMNS),
    ):
        words = [column for column in columns if column in WORDS]
        pq.write_table(
            table(rows, columns),
            folder / f"{name}.parquet",
            compression="zstd",
            compression_level=19,  # written once, read often
            use_dictionary=words,
            column_encoding={column: "DELTA_BINARY_PACKED" for column in columns if column not in words},
            write_statistics=False,
            row_group_size=32_768,  # the loader reads the groups side by side
        )


def main() -> None:
    """Read the folder from the command line, write, say what was written."""
    parser = argparse.ArgumentParser(prog="python -m sample_data.generate", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).parent, metavar="DIR", help="default: beside this file"
    )
    folder = parser.parse_args().out
    folder.mkdir(parents=True, exist_ok=True)
    write(folder)
    for file in sorted(folder.glob("*.parquet")):
        print(f"{file}: {pq.read_metadata(file).num_rows:,} rows, {file.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
