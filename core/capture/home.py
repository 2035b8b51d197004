"""Where Halfprice keeps its data on this machine, for which kind of requests."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, cast, get_args

from .files import write_first

Kind = Literal["real", "sandbox"]
"""Whose requests a home holds: the API's or the sandbox's. They never share one."""
SANDBOX_HEADER = "x-halfprice-sandbox"
"""The header that marks every answer of the sandbox."""

_UNANSWERED = re.compile(rb'"attempt_statuses":\[0(?:,0)*\]')


class HomeProblem(Exception):
    """A home that cannot take what is meant for it; the message says why and what to do."""


def find_home(environ: Mapping[str, str] | None = None) -> Path:
    """The data folder: `HALFPRICE_HOME`, else the platform's folder for user data; it may not exist yet.

    HomeProblem for a user without a home folder, as in some containers.

    >>> find_home({"HALFPRICE_HOME": "/data/halfprice"})
    PosixPath('/data/halfprice')
    """
    variables = os.environ if environ is None else environ
    if chosen := variables.get("HALFPRICE_HOME"):
        return Path(os.path.expanduser(chosen))  # noqa: PTH111 - leaves the name of an unknown user as it is
    # XDG Base Directory Specification: a relative XDG_DATA_HOME is to be ignored.
    shared = Path(variables.get("XDG_DATA_HOME", ""))
    if sys.platform != "darwin" and shared.is_absolute():
        return shared / "halfprice"
    try:
        user = Path.home()
    except RuntimeError:
        raise HomeProblem("This user has no home folder. Set HALFPRICE_HOME to a folder for the data.") from None
    return user / ("Library/Application Support" if sys.platform == "darwin" else ".local/share") / "halfprice"


def home_kind(home: Path) -> Kind | None:
    """What a home holds, None while it holds nothing that was answered; HomeProblem if it cannot be told."""
    try:
        said = (home / "kind").read_text(encoding="utf-8", errors="replace").strip()
    except (FileNotFoundError, NotADirectoryError):
        journals = (path for path in (home / "journal").glob("*.jsonl") if path.is_file())
        return "real" if any(_was_answered(path) for path in journals) else None
    except OSError as error:
        raise HomeProblem(f"{home / 'kind'} cannot be read: {error.strerror}.") from None
    if said not in get_args(Kind):
        raise HomeProblem(f"{home / 'kind'} says {said!r}. It must say real or sandbox.")
    return cast("Kind", said)


def refuse_other_kind(home: Path, kind: Kind) -> None:
    """HomeProblem if the home is for the other kind of requests."""
    known = home_kind(home)
    if known not in (None, kind):
        whose = (
            "the sandbox's requests, and these are real" if known == "sandbox" else "real requests, and these are not"
        )
        raise HomeProblem(f"{home} holds {whose}. Set HALFPRICE_HOME to another folder for them.")


def mark_home(home: Path, kind: Kind) -> None:
    """Make the home remember what it is for; HomeProblem if it is already for the other, OSError if it cannot.

    Of two processes that mark a new home at the same time the first one wins, and the other one learns it.
    """
    refuse_other_kind(home, kind)
    if home_kind(home) is None and not write_first(home / "kind", f"{kind}\n".encode()):
        refuse_other_kind(home, kind)


def _was_answered(journal: Path) -> bool:
    """Whether a journal file tells of something that was answered; a decision, or a request without answer, is not."""
    with journal.open("rb") as file:
        return any(
            b'"kind":"batch"' in line or (b'"kind":"request"' in line and _UNANSWERED.search(line) is None)
            for line in file
        )
