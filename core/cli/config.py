"""`halfprice config`: show or change a setting."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from core.settings import change_setting, find_home, home_kind, load_settings, setting_names


def add_arguments(parser: argparse.ArgumentParser, _name: str) -> None:
    """Describe the command's options."""
    parser.add_argument("setting", nargs="?", metavar="SETTING", help=f"one of: {', '.join(setting_names())}")
    parser.add_argument("value", nargs="?", metavar="VALUE", help="its new value; an empty one restores the default")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of text")


def run(args: argparse.Namespace) -> int:
    """Change a setting if a value is given, then print the settings and where they live."""
    home = find_home()
    if args.setting and args.value is None:
        settings = load_settings(home)
        if args.setting not in setting_names():
            change_setting(home, args.setting, None)
    elif args.setting:
        settings = change_setting(home, args.setting, args.value or None)
    else:
        settings = load_settings(home)
    found = {"home": str(home), "kind": home_kind(home) or "empty", **asdict(settings)}
    if (home / "ledger.duckdb").exists():
        found["time_zone_in_force"] = _zone_in_force(home)
    if args.json:
        print(json.dumps(found))
    else:
        for name, value in found.items():
            print(f"{name} = {value if value is not None else 'default'}")
    return 0


def _zone_in_force(home: Path) -> str:
    from core.ledger import Ledger  # only a home with a ledger pays for DuckDB

    ledger = Ledger(home)
    ledger.sync()
    with ledger.read() as reader:
        return reader.zone
