"""`halfprice sandbox`: serve the loopback stand-in for the Claude API until it is stopped."""

from __future__ import annotations

import argparse
import math
import signal
import threading
import time

DEFAULT_PORT = 8787


def add_arguments(parser: argparse.ArgumentParser, _name: str) -> None:
    """Describe the command's options."""
    parser.add_argument(
        "--port", type=_port, default=DEFAULT_PORT, metavar="N", help=f"default {DEFAULT_PORT}; 0 for any free one"
    )
    parser.add_argument("--speed", type=_positive, default=1.0, metavar="X", help="run its clock X times as fast")
    parser.add_argument(
        "--batch-seconds",
        type=_positive,
        metavar="S",
        help="a batch typically takes S seconds on that clock; default: as real ones, mostly minutes, some hours",
    )


def run(args: argparse.Namespace) -> int:
    """Serve until Ctrl-C or SIGTERM."""
    from core.sandbox import KEY, serve_in_thread  # starting a web server is only for those who asked for one

    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    # The ids of two runs must differ: a ledger that saw both would take the second run for the first.
    seed = f"{time.time_ns() // 1_000_000:x}"
    with serve_in_thread(args.port, seed=seed, speed=args.speed, batch_seconds=args.batch_seconds) as sandbox:
        print(
            f"Halfprice sandbox: a stand-in for the Claude API on {sandbox.url}\n"
            "Its answers and its bill are made up; nothing leaves this machine. In another terminal:\n\n"
            f"  export ANTHROPIC_BASE_URL={sandbox.url}\n"
            f"  export ANTHROPIC_API_KEY={KEY}\n\n"
            "Ctrl-C stops it.",
            flush=True,
        )
        stop.wait()
    return 0


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 65_535:
        raise argparse.ArgumentTypeError(f"'{text}' is not a port. Use a number from 1 to 65535, or 0 for any.")
    return int(text)


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= 1e9:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number above 0.")
    return value
