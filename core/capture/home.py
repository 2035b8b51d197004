"""Where Halfprice keeps its data on this machine."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path


def find_home(environ: Mapping[str, str] | None = None) -> Path:
    """The data folder: `HALFPRICE_HOME`, else the platform's folder for user data; it may not exist yet.

    >>> find_home({"HALFPRICE_HOME": "/data/halfprice"})
    PosixPath('/data/halfprice')
    """
    variables = os.environ if environ is None else environ
    if chosen := variables.get("HALFPRICE_HOME"):
        return Path(os.path.expanduser(chosen))  # noqa: PTH111 - leaves the name of an unknown user as it is
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "halfprice"
    # XDG Base Directory Specification: a relative XDG_DATA_HOME is to be ignored.
    shared = Path(variables.get("XDG_DATA_HOME", ""))
    return (shared if shared.is_absolute() else Path.home() / ".local" / "share") / "halfprice"
