"""`halfprice import`: requests that were recorded elsewhere, into the ledger."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from core.capture.journal import Journal
from core.errors import HalfpriceError, UsageError
from core.importers.jsonl import Rejected, read_answers
from core.ledger import Ledger
from core.periods import instant_text, parse_instant
from core.settings import find_home, mark_home
from core.usage import is_text


@dataclass(slots=True)
class _Tally:
    read: int = 0
    undated: int = 0
    nameless: int = 0
    rejected: list[dict[str, object]] = field(default_factory=list)


def add_arguments(parser: argparse.ArgumentParser, _name: str) -> None:
    """Describe the command's options."""
    parser.add_argument("format", choices=("jsonl",), help="jsonl: API responses, one JSON document a line")
    parser.add_argument("path", metavar="PATH", type=Path, help="the file")
    parser.add_argument("--at", metavar="TIME", help="when answers without a time of their own were sent (ISO 8601)")
    parser.add_argument("--workload", metavar="NAME", help="the workload of answers that do not name one")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of text")


def run(args: argparse.Namespace) -> int:
    """Import one file and say what was added; 1 if a line of it was rejected."""
    now, at = datetime.now(UTC), _moment(args.at)
    if args.workload is not None and not is_text(args.workload):
        raise UsageError("--workload is not text in UTF-8.")
    ledger = Ledger(find_home())
    answers = read_answers(args.path, now=now, at=at, workload=args.workload)
    mark_home(ledger.home, "real")
    journal = Journal(ledger.home)
    tally = _Tally()
    try:
        journal.append_all(_counted(answers, str(args.path), at is None, tally))
    except OSError as error:
        raise HalfpriceError(
            f"{ledger.home} cannot be written: {error.strerror or error}. Import the file again."
        ) from None
    finally:
        journal.close()
    ledger.sync(now)
    ours = {path.name for path in journal.files}
    with ledger.read() as reader:
        added, duplicates = reader.journal_counts(sorted(ours))
        refused = [line for line in reader.quarantine() if line.file in ours]
    tally.rejected += [{"file": line.file, "line": line.line, "reason": line.reason} for line in refused]
    _report(args, tally, added, duplicates, now)
    return 1 if tally.rejected else 0


def _counted(
    answers: Iterator[dict[str, Any] | Rejected], file: str, is_dated_now: bool, tally: _Tally
) -> Iterator[dict[str, Any]]:
    for found in answers:
        tally.read += 1
        if isinstance(found, Rejected):
            tally.rejected.append({"file": file, "line": found.line, "reason": found.reason})
        else:
            tally.undated += is_dated_now and "time_assumed" in found
            tally.nameless += "message_id" not in found and not {"batch_id", "custom_id"} <= found.keys()
            yield found


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return parse_instant(text)
    except (ValueError, OverflowError):
        raise UsageError(f"--at {text} is not a time. Write it like 2026-11-01T09:00:00Z.") from None


def _report(args: argparse.Namespace, tally: _Tally, added: int, duplicates: int, now: datetime) -> None:
    if tally.undated:
        print(f"halfprice: {_undated(tally.undated, now)}", file=sys.stderr)
    if tally.nameless:
        print(f"halfprice: {_nameless(tally.nameless)}", file=sys.stderr)
    if args.json:
        counts = {"read": tally.read, "added": added, "duplicates": duplicates, "rejected": tally.rejected}
        print(json.dumps(counts))
        return
    if not tally.read:
        print(f"{args.path} holds nothing to import.")
        return
    print(f"{tally.read:,} read, {added:,} added, {duplicates:,} known already, {len(tally.rejected):,} rejected.")
    for line in tally.rejected[:20]:
        print(f"{line['file']}, line {line['line']}: {line['reason']}")
    if len(tally.rejected) > 20:
        print(f"… and {len(tally.rejected) - 20:,} more; --json lists them all.")


def _undated(count: int, now: datetime) -> str:
    what = "1 answer carries no time and was" if count == 1 else f"{count:,} answers carry no time and were"
    when = instant_text(now.replace(microsecond=0))
    return f'{what} dated {when}, with the prices of that day. To date them put "at" on the lines or say --at TIME.'


def _nameless(count: int) -> str:
    what = "1 line has" if count == 1 else f"{count:,} lines have"
    return f"{what} no id of the API's: the same text in another file counts as the same request."
