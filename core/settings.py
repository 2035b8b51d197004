"""The settings of one home."""

from __future__ import annotations

import json
import os
import tomllib
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Literal

from core.capture.home import find_home as find_home
from core.errors import HalfpriceError, UsageError
from core.periods import find_zone

Kind = Literal["real", "sandbox"]


@dataclass(frozen=True, slots=True)
class Settings:
    """What the user chose; a setting left out has its default.

    `time_zone`: the IANA name of the zone in which days and months are cut; default the machine's.
    """

    time_zone: str | None = None


def load_settings(home: Path) -> Settings:
    """The settings in the home's `settings.toml`; HalfpriceError names the file and what is wrong in it."""
    path = home / "settings.toml"
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return Settings()
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise HalfpriceError(f"{path} cannot be read: {error}. Mend the file or delete it.") from None
    except OSError as error:
        raise HalfpriceError(f"{path} cannot be read: {error.strerror}.") from None
    try:
        return _checked(found)
    except UsageError as error:
        raise HalfpriceError(f"{path}: {error}") from None


def change_setting(home: Path, name: str, value: str | None) -> Settings:
    """Store one setting, None for its default; UsageError for an unknown name or value, which changes nothing."""
    if name not in setting_names():
        raise UsageError(f"There is no setting '{name}'. There are: {', '.join(setting_names())}.")
    _checked({name: value} if value is not None else {})
    changed = replace(load_settings(home), **{name: value})
    lines = [f"{key} = {json.dumps(kept)}\n" for key, kept in asdict(changed).items() if kept is not None]
    _write_whole(home / "settings.toml", "".join(lines))
    return changed


def setting_names() -> tuple[str, ...]:
    """The names that `change_setting` takes."""
    return tuple(field.name for field in fields(Settings))


def home_kind(home: Path) -> Kind:
    """Whether a home holds real requests or the sandbox's; a home that says nothing is real."""
    return "sandbox" if (home / "sandbox").exists() else "real"


def mark_home(home: Path, kind: Kind) -> None:
    """Make the home remember what it is for; HalfpriceError if it is already the other one."""
    if kind == "real":
        if home_kind(home) != "real":
            raise HalfpriceError(f"{home} belongs to the sandbox. Use another HALFPRICE_HOME for real requests.")
        return
    if home_kind(home) != "sandbox" and home.exists() and any(home.iterdir()):
        raise HalfpriceError(f"{home} holds real requests. Use another HALFPRICE_HOME for the sandbox.")
    _write_whole(home / "sandbox", "This home holds sandbox data, not real requests.\n")


def _checked(found: dict[str, object]) -> Settings:
    unknown = sorted(set(found) - set(setting_names()))
    if unknown:
        raise UsageError(f"there is no setting '{unknown[0]}'. There are: {', '.join(setting_names())}.")
    zone = found.get("time_zone")
    if zone is not None:
        if not isinstance(zone, str):
            raise UsageError(f"time_zone must be the name of a zone in quotes, not {zone!r}.")
        find_zone(zone)
    return Settings(time_zone=zone)


def _write_whole(path: Path, text: str) -> None:
    """Replace the file in one step, so that a crash leaves the old or the new one."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        beside.write_text(text, encoding="utf-8")
        beside.replace(path)
    except OSError as error:
        raise HalfpriceError(f"{path} cannot be written: {error.strerror}.") from None
