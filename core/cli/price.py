"""`halfprice price`: what recorded answers cost."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import BinaryIO

from core.errors import UsageError
from core.money import plain_usd
from core.pricing import Cost, PriceBook
from core.responses import BadResponse, Response, json_texts, parse_line, read_response
from core.usage import BadUsage, read_usage

_ENDINGS = {"errored": "failed", "canceled": "was canceled", "expired": "expired"}


def add_arguments(parser: argparse.ArgumentParser, _name: str) -> None:
    """The words after `halfprice price`."""
    parser.add_argument("file", nargs="?", default="-", metavar="FILE", help="JSON lines; - or nothing: standard input")
    parser.add_argument("--json", action="store_true", help="accepted everywhere; the output here is always JSON")


def run(args: argparse.Namespace) -> int:
    """Print one JSON document for each answer in the file; 1 if any of them could not be read, else 0."""
    book = PriceBook.load()
    now = datetime.now(UTC)
    name = "<stdin>" if args.file == "-" else args.file
    any_rejected = False
    with _stdin() if args.file == "-" else _open(args.file) as stream:
        for number, text in json_texts(stream):
            row = _row(text, f"{name}, line {number}", book, now)
            any_rejected |= row["status"] == "rejected"
            print(json.dumps(row), flush=True)
    return int(any_rejected)


def _stdin() -> AbstractContextManager[BinaryIO]:
    if sys.stdin is None:
        raise UsageError("There is no standard input. Name a file.")
    return nullcontext(sys.stdin.buffer)


def _open(file: str) -> BinaryIO:
    try:
        return Path(file).open("rb")
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}.") from None


def _row(text: bytes, where: str, book: PriceBook, now: datetime) -> dict[str, object]:
    model = None
    try:
        response = read_response(parse_line(text), default_at=now)
        model = response.model
        cost = _cost(response, book)
    except (BadResponse, BadUsage) as error:
        return _document(model, "rejected", None, False, f"{where}: {error}")
    return _document(model, cost.status, cost.cost_usd, cost.estimated, cost.reason)


def _cost(response: Response, book: PriceBook) -> Cost:
    if response.model is None:
        nothing = Decimal(0)
        return Cost("priced", nothing, nothing, False, f"Not billed: the request {_ENDINGS[response.status]}.", ())
    return book.cost(
        response.model,
        read_usage(response.usage),
        response.at,
        stop_reason=response.stop_reason,
        refusal_category=response.refusal_category,
    )


def _document(
    model: str | None, status: str, cost_usd: Decimal | None, estimated: bool, reason: str
) -> dict[str, object]:
    cost = None if cost_usd is None else plain_usd(cost_usd)
    return {"model": model, "status": status, "cost_usd": cost, "estimated": estimated, "reason": reason}
