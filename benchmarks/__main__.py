"""`make bench`: every measurement, as the table of `benchmarks/README.md`; with words only those named."""

from __future__ import annotations

import sys

from benchmarks import capture, command_start, first_chart, ingest, long_history, one_price
from benchmarks.rows import Row

MEASUREMENTS = {
    "one_price": one_price.measure,
    "capture": capture.measure,
    "command_start": command_start.measure,
    "ingest": ingest.measure,
    "long_history": long_history.measure,
    "first_chart": first_chart.measure,
}


def main() -> None:
    """Measure and print; a limit that does not hold is marked, and nothing fails: machines are noisy."""
    print("| what | ours | peer, same run | ratio | limit | holds |")
    print("|---|---|---|---|---|---|")
    for name, measure in MEASUREMENTS.items():
        for row in measure() if not sys.argv[1:] or name in sys.argv[1:] else ():
            print(_line(row), flush=True)


def _line(row: Row) -> str:
    return f"| {row.name} | {row.ours} | {row.peer} | {row.ratio:.2f}× | {row.limit} | {'yes' if row.holds else 'no'} |"


if __name__ == "__main__":
    main()
