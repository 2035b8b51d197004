"""The `halfprice` command line."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from core import __version__
from core.errors import HalfpriceError

# A command's module is imported only when it is the one called, so that `price` never pays for DuckDB.
COMMANDS = {
    "demo": ("core.cli.show", "open the dashboard on synthetic sample data; needs no key"),
    "dashboard": ("core.cli.show", "open the dashboard on your own ledger"),
    "price": ("core.cli.price", "price API responses or usage blocks, one JSON document a line"),
    "route": ("core.cli.route", "decide whether a workload goes as a batch, with reasons"),
    "run": ("core.cli.run", "send a file of requests, synchronously or as a batch"),
    "batch": ("core.cli.batch", "list, show and collect batches"),
    "spend": ("core.cli.spend", "what a month cost, by model, workload, route or day"),
    "import": ("core.cli.importing", "bring requests that were recorded elsewhere into the ledger"),
    "config": ("core.cli.config", "show or change a setting"),
    "sandbox": ("core.cli.sandbox", "serve a stand-in for the API on this machine, for trials without a key"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; 0 when it worked, 1 when it failed, 2 when it was called wrongly."""
    os.umask(0o077)  # what Halfprice writes is for its user alone, DuckDB's own files too
    words = list(sys.argv[1:] if argv is None else argv)
    args = _parser(words[:1]).parse_args(words)
    try:
        code: int = import_module(COMMANDS[args.command][0]).run(args)
        sys.stdout.flush()
    except HalfpriceError as error:
        print(f"halfprice: {error}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is still to be printed may be what failed
        if not isinstance(error, BrokenPipeError):  # then the reader of our pipe has gone, as `head` does
            print(f"halfprice: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return code


def _parser(chosen: list[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="halfprice", description="Halve a Claude bill with the Message Batches API, and prove it."
    )
    parser.add_argument("--version", action="version", version=f"halfprice {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, (module, summary) in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        if [name] == chosen:
            import_module(module).add_arguments(command, name)
    return parser
