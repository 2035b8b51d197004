"""Whether the API would take some requests, found out in a thread while the page is already there."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

from core.errors import HalfpriceError
from core.prepare import Prepared, Problem
from core.settings import Kind


@dataclass(frozen=True, slots=True)
class ApiState:
    """What is known of the API: nothing yet while `checking`; then what it is, or the `problem` with it.

    `unknown_models` are the problems of requests whose model it does not serve.
    """

    checking: bool = False
    kind: Kind | None = None
    problem: str | None = None
    unknown_models: tuple[Problem, ...] = ()

    @property
    def ready(self) -> bool:
        """Whether the requests can be sent."""
        return not self.checking and self.problem is None and not self.unknown_models


class ApiChecks:
    """The checks of this process, one for each home and set of requests."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._states: dict[tuple[Path, str], ApiState] = {}

    def state(self, home: Path, prepared: Prepared) -> ApiState:
        """What is known now; the first to ask begins the check."""
        key = (home, prepared.digest)
        with self._lock:
            if key in self._states:
                return self._states[key]
            self._states[key] = ApiState(checking=True)
        threading.Thread(target=self._check, args=(home, prepared), name="check the API", daemon=True).start()
        return ApiState(checking=True)

    def forget(self, home: Path, prepared: Prepared) -> None:
        """Let the next to ask check again."""
        with self._lock:
            self._states.pop((home, prepared.digest), None)

    def _check(self, home: Path, prepared: Prepared) -> None:
        state = ApiState(problem="The check met an error of its own: the details are in the terminal.")
        try:
            state = _checked(home, prepared)
        except HalfpriceError as error:
            state = ApiState(problem=str(error))
        finally:
            with self._lock:
                self._states[home, prepared.digest] = state


def _checked(home: Path, prepared: Prepared) -> ApiState:
    from core.client import Client  # the SDK takes a second to import
    from core.launch import api_kind, check_api

    client = Client(patient=False)
    unknown = check_api(home, client, prepared.items)
    return ApiState(kind=api_kind(client), unknown_models=tuple(unknown))


CHECKS = ApiChecks()
