"""The settings of one home."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from core.capture import home as home_module
from core.capture.home import Kind as Kind
from core.errors import HalfpriceError, UsageError
from core.files import write_whole
from core.periods import find_zone


@dataclass(frozen=True, slots=True)
class Settings:
    """What the user chose; a setting left out has its default.

    `time_zone`: the IANA name of the zone in which days and months are cut; default the machine's.
    """

    time_zone: str | None = None


def find_home() -> Path:
    """The data folder, which may not exist yet; HalfpriceError if there is no place for one."""
    with _our_errors():
        return home_module.find_home()


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


def home_kind(home: Path) -> Kind | None:
    """Whether a home holds real requests or the sandbox's; None while it holds none."""
    with _our_errors():
        return home_module.home_kind(home)


def refuse_other_kind(home: Path, kind: Kind) -> None:
    """HalfpriceError if the home is for the other kind of requests."""
    with _our_errors():
        home_module.refuse_other_kind(home, kind)


def mark_home(home: Path, kind: Kind) -> None:
    """Make the home remember what it is for; HalfpriceError if it is already for the other."""
    with _our_errors():
        home_module.mark_home(home, kind)


@contextmanager
def _our_errors() -> Iterator[None]:
    """Turn what is wrong with a home into an error for the person who has to act on it."""
    try:
        yield
    except home_module.HomeProblem as problem:
        raise HalfpriceError(str(problem)) from None
    except OSError as error:
        raise HalfpriceError(f"{error.filename} cannot be read or written: {error.strerror}.") from None


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
    try:
        write_whole(path, text.encode())
    except OSError as error:
        raise HalfpriceError(f"{path} cannot be written: {error.strerror}.") from None
