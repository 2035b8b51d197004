"""Reads the body of a batch request while it arrives."""

from __future__ import annotations

import codecs
import json
import re
from array import array
from collections.abc import Callable
from typing import Any

from core.sandbox.errors import ApiError, invalid
from core.sandbox.spool import Spool

MOST_REQUESTS = 100_000
_CUSTOM_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_SPACE = re.compile(r"[ \t\r\n]*")
_AGAIN = 2
"""What could not be read is tried again once this many times as much is there."""


def refuse_constant(name: str) -> None:
    """For `parse_constant`: NaN and the infinities are not JSON."""
    raise ValueError(name)


class _More(Exception):
    """The text ends before the value does."""


class BatchIntake:
    """The items of `{"requests": [{"custom_id", "params"}, …]}`, checked one by one as they come.

    Only the envelope is checked; `items` hold the JSON of each. It never holds more than one item and what arrived
    with it, so that a batch of 256 MB needs no memory of that size.
    """

    def __init__(self) -> None:
        self.items = Spool()
        self.never_end = array("L")
        """The positions of the items that ask never to be finished; see docs/sandbox.md."""
        self.first_id = ""
        self._ids: set[str] = set()
        self._decode = codecs.getincrementaldecoder("utf-8")("surrogatepass").decode
        self._scan = json.JSONDecoder(parse_constant=refuse_constant).raw_decode
        self._text, self._at = "", 0
        self._waiting: list[str] = []
        self._wanted = 1
        self._there = 0
        self._seen_requests = False
        self._step: Callable[[], None] = self._opening

    def feed(self, chunk: bytes) -> None:
        """Take the next part of the body; ApiError for what no batch can hold."""
        try:
            text = self._decode(chunk)
        except UnicodeDecodeError:
            raise _not_json() from None
        self._waiting.append(text)
        self._there += len(text)
        if self._there >= self._wanted:
            self._read(final=False)

    def close(self) -> None:
        """Take the end of the body; ApiError if it is not whole or has no items."""
        try:
            self._waiting.append(self._decode(b"", True))
        except UnicodeDecodeError:
            raise _not_json() from None
        self._read(final=True)
        if not self._seen_requests:
            raise invalid("requests: Field required")
        if not len(self.items):
            raise invalid("requests: List should have at least 1 item after validation, not 0")

    def _read(self, *, final: bool) -> None:
        self._text = self._text[self._at :] + "".join(self._waiting)
        self._at = 0
        self._waiting.clear()
        try:
            while self._step != self._ended or self._skip_space():
                self._step()
        except _More:
            if final:
                raise _not_json() from None
        except RecursionError:
            raise invalid("The request body is nested too deeply") from None
        self._there = len(self._text) - self._at
        self._wanted = _AGAIN * self._there + 1

    def _opening(self) -> None:
        self._expect("{", "The request body should be a JSON object")
        self._step = self._name_or_end

    def _name_or_end(self) -> None:
        if self._next("}"):
            self._step = self._ended
        else:
            self._name()

    def _name(self) -> None:
        before = self._at
        name = self._value()
        try:
            self._expect(":")
            if name != "requests":
                raise invalid(f"{name}: Extra inputs are not permitted")
            if not self._next("["):
                raise invalid("requests: Input should be a valid list")
        except _More:
            self._at = before  # the name is read again together with its value
            raise
        self._seen_requests = True
        self._step = self._item_or_end

    def _item_or_end(self) -> None:
        if self._next("]"):
            self._step = self._after_list
        else:
            self._item()

    def _item(self) -> None:
        self._skip_space()
        start = self._at
        item = self._value()
        self._add(item, self._text[start : self._at])
        self._step = self._comma_or_end

    def _comma_or_end(self) -> None:
        if self._next("]"):
            self._step = self._after_list
        else:
            self._expect(",")
            self._step = self._item

    def _after_list(self) -> None:
        if self._next("}"):
            self._step = self._ended
        else:
            self._expect(",")
            self._step = self._name

    def _ended(self) -> None:
        raise _not_json()  # something follows the object

    def _add(self, item: object, text: str) -> None:
        n = len(self.items)
        if n == MOST_REQUESTS:
            raise invalid(f"requests: List should have at most {MOST_REQUESTS} items after validation")
        custom_id = _check_item(n, item)
        if custom_id in self._ids:
            raise invalid(f"requests: custom_id must be unique, '{custom_id}' is not")
        self._ids.add(custom_id)
        self.first_id = self.first_id or custom_id
        if "[sandbox:expire]" in text:
            self.never_end.append(n)
        self.items.append(text.encode("utf-8", "surrogatepass"))

    def _value(self) -> Any:
        self._skip_space()
        try:
            value, self._at = self._scan(self._text, self._at)
        except ValueError:  # JSONDecodeError is one; it cannot be told whether more of the text would help
            raise _More from None
        return value

    def _next(self, mark: str) -> bool:
        """Whether this mark comes next; it is then read."""
        if not self._skip_space():
            raise _More
        if self._text[self._at] != mark:
            return False
        self._at += 1
        return True

    def _expect(self, mark: str, otherwise: str | None = None) -> None:
        if not self._next(mark):
            raise _not_json() if otherwise is None else invalid(otherwise)

    def _skip_space(self) -> bool:
        """Whether anything but white space is left."""
        found = _SPACE.match(self._text, self._at)
        self._at = found.end() if found else self._at
        return self._at < len(self._text)


def _not_json() -> ApiError:
    return invalid("The request body is not valid JSON")


def _check_item(n: int, item: object) -> str:
    if not isinstance(item, dict):
        raise invalid(f"requests.{n}: Input should be a valid dictionary")
    custom_id = item.get("custom_id")
    if not isinstance(custom_id, str) or not _CUSTOM_ID.fullmatch(custom_id):
        raise invalid(f"requests.{n}.custom_id: String should match pattern '^[a-zA-Z0-9_-]{{1,64}}$'")
    if not isinstance(item.get("params"), dict):
        raise invalid(f"requests.{n}.params: Input should be a valid dictionary")
    for name in item:
        if name not in ("custom_id", "params"):
            raise invalid(f"requests.{n}.{name}: Extra inputs are not permitted")
    return custom_id
