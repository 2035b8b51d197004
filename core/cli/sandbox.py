"""`halfprice sandbox`: serve the loopback stand-in for the Claude API until it is stopped."""

from __future__ import annotations

import argparse
import math
import re
import signal
import threading
import time

DEFAULT_PORT = 8787
_USD = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?")


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
    parser.add_argument(
        "--tier", choices=("start", "build", "scale"), help="hold the account to the limits of this usage tier"
    )
    parser.add_argument("--spend-limit", type=_usd, metavar="USD", help="refuse what is sent after so much in a month")
    parser.add_argument("--balance", type=_usd, metavar="USD", help="refuse what is sent after so much was used up")
    parser.add_argument(
        "--faults", type=_share, default=0.0, metavar="SHARE", help="let this share of requests fail, such as 0.1"
    )


def run(args: argparse.Namespace) -> int:
    """Serve until Ctrl-C or SIGTERM."""
    from core.sandbox import KEY, serve_in_thread  # starting a web server is only for those who asked for one

    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    # The ids of two runs must differ: a ledger that saw both would take the second run for the first.
    seed = f"{time.time_ns() // 1_000_000:x}"
    with serve_in_thread(
        args.port,
        seed=seed,
        speed=args.speed,
        batch_seconds=args.batch_seconds,
        tier=args.tier,
        spend_limit_usd=args.spend_limit,
        balance_usd=args.balance,
        fault_rate=args.faults,
    ) as sandbox:
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
    value = _number(text)
    if not 0 < value <= 1e9:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number above 0.")
    return value


def _share(text: str) -> float:
    value = _number(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a share. Use a number from 0 to 1, such as 0.1.")
    return value


def _usd(text: str) -> str:
    if not _USD.fullmatch(text):
        raise argparse.ArgumentTypeError(f"'{text}' is not an amount in USD. Write it as 5 or 0.25.")
    return text


def _number(text: str) -> float:
    """A number; what is none compares as no number does."""
    try:
        return float(text)
    except ValueError:
        return math.nan
