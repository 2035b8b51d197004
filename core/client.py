"""The Anthropic API through its SDK, in our records and our errors."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import anthropic
import httpx2

from core.capture.home import SANDBOX_HEADER
from core.errors import HalfpriceError

CONNECT_S = 10.0
ANSWER_S = 1_800.0
"""How long one answer may take; a limit that we name ourselves, because the SDK refuses long answers without one."""
RETRIES = 4
"""How often the SDK repeats a request that may be repeated, waiting longer each time."""
LONGEST_WAIT_S = 60.0
"""The longest `retry-after` that is waited for; the SDK would sleep as long as it is told, a day if need be."""


class ApiError(HalfpriceError):
    """A call that the API did not answer as asked; `error_type` is the API's word for why."""

    def __init__(self, message: str, error_type: str, api_request_id: str | None = None, attempts: int = 1) -> None:
        super().__init__(message)
        self.error_type = error_type
        self.api_request_id = api_request_id
        self.attempts = attempts


class NoAnswer(ApiError):
    """It is not known whether the API did what was asked: the connection broke or the server failed.

    With the `error_type` `not_connected` it is: no connection was made, so nothing was asked.
    """


class CannotSend(ApiError):
    """The API takes nothing from this key at present; sending more is of no use."""


class RequestRefused(ApiError):
    """The API refused this one request."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One synchronous answer: the message as the API sent it, and how it came."""

    message: Mapping[str, Any]
    api_request_id: str | None
    attempts: int


@dataclass(frozen=True, slots=True)
class BatchState:
    """A message batch as the API describes it; counts are items."""

    batch_id: str
    status: str
    created_at: datetime
    ended_at: datetime | None
    expires_at: datetime
    cancel_initiated_at: datetime | None
    processing: int
    succeeded: int
    errored: int
    canceled: int
    expired: int
    has_results: bool

    @property
    def requests(self) -> int:
        """How many items the batch has."""
        return self.processing + self.succeeded + self.errored + self.canceled + self.expired


class Client:
    """The API as the environment names it: key or profile, and base URL, from where the SDK finds them."""

    def __init__(self, *, patient: bool = True) -> None:
        """`patient` retries what may be retried; a check before sending should rather say soon what is wrong."""
        limits = httpx2.Timeout(ANSWER_S, connect=CONNECT_S)
        transport = anthropic.DefaultHttpxClient(timeout=limits, event_hooks={"response": [_refuse_long_waits]})
        with _our_errors("The API client could not be set up"):
            self._sdk = anthropic.Anthropic(
                max_retries=RETRIES if patient else 1, timeout=limits, http_client=transport
            )

    def __del__(self) -> None:
        """Close the connections, as the SDK does for a transport of its own."""
        if hasattr(self, "_sdk"):
            self._sdk.close()

    @property
    def base_url(self) -> str:
        """Where requests go."""
        return str(self._sdk.base_url)

    @property
    def is_local(self) -> bool:
        """Whether requests stay on this machine."""
        host = urlsplit(self.base_url).hostname or ""
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"

    def check(self) -> bool:
        """Prove that the API answers to the key; True when what answers is the sandbox. ApiError if it does not."""
        with _our_errors("The API could not be asked for its models"):
            answer = self._sdk.models.with_raw_response.list(limit=1)
        return answer.headers.get(SANDBOX_HEADER) is not None

    def knows_model(self, model: str) -> bool:
        """Whether the API serves a model of that id or alias."""
        try:
            with _our_errors(f"The model {model} could not be looked up"):
                self._sdk.models.retrieve(model)
        except RequestRefused as refusal:
            if refusal.error_type == "not_found_error":
                return False
            raise
        return True

    def send(self, params: Mapping[str, Any]) -> Answer:
        """Send one Messages request and wait; RequestRefused, NoAnswer or ApiError if there is no answer."""
        rest = {name: value for name, value in params.items() if name not in ("model", "max_tokens", "messages")}
        with _our_errors("The request failed"):
            answer = self._sdk.messages.with_raw_response.create(
                model=params["model"], max_tokens=params["max_tokens"], messages=params["messages"], extra_body=rest
            )
            message = _message(answer.text())
        return Answer(message, answer.headers.get("request-id"), answer.retries_taken + 1)

    def create_batch(self, requests: Sequence[Mapping[str, Any]]) -> BatchState:
        """Submit `{custom_id, params}` items once; NoAnswer when it is not known whether the batch exists.

        Never retried: the API has no idempotency key, and a second POST may be a second, billed batch.
        """
        with _our_errors("The batch was not created"):
            batch = self._sdk.with_options(max_retries=0).messages.batches.create(requests=requests)  # type: ignore[arg-type]
        return _state(batch)

    def retrieve_batch(self, batch_id: str) -> BatchState:
        """The batch as it is now."""
        with _our_errors(f"The batch {batch_id} could not be asked for"):
            return _state(self._sdk.messages.batches.retrieve(batch_id))

    def newest_batches(self, most: int) -> list[BatchState]:
        """Up to that many batches of the workspace, newest first."""
        with _our_errors("The batches could not be listed"):
            return [_state(batch) for batch in self._sdk.messages.batches.list(limit=most).data]

    @contextmanager
    def result_lines(self, batch_id: str) -> Iterator[Iterator[bytes]]:
        """The lines of an ended batch's results as the API sends them, in any order; NoAnswer if they break off."""
        with (
            _our_errors(f"The results of {batch_id} could not be fetched"),
            self._sdk.messages.batches.with_streaming_response.results(batch_id) as answer,
        ):
            yield _lines(answer.iter_bytes())


def _message(text: str) -> Mapping[str, Any]:
    """The message in the body of an answer; NoAnswer for a body that is none, as a proxy may send."""
    try:
        message = json.loads(text)
    except ValueError:
        message = None
    if not isinstance(message, dict) or not {"id", "model", "usage"} <= message.keys():
        raise NoAnswer(f"What answered is not the API: {text[:60]!r}.", "not_an_answer")
    return message


def _lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The lines of a stream; only a newline ends one, other separators may stand inside an answer."""
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines
    if rest:
        yield rest


def _refuse_long_waits(response: httpx2.Response) -> None:
    """Tell the SDK not to repeat a request when it was told to wait for longer than anybody would."""
    wait = response.headers.get("retry-after", "")
    if wait.isdigit() and int(wait) > LONGEST_WAIT_S:
        response.headers["x-should-retry"] = "false"


def _state(batch: anthropic.types.messages.MessageBatch) -> BatchState:
    counts = batch.request_counts
    return BatchState(
        batch.id,
        batch.processing_status,
        batch.created_at.astimezone(UTC),
        batch.ended_at.astimezone(UTC) if batch.ended_at else None,
        batch.expires_at.astimezone(UTC),
        batch.cancel_initiated_at.astimezone(UTC) if batch.cancel_initiated_at else None,
        counts.processing,
        counts.succeeded,
        counts.errored,
        counts.canceled,
        counts.expired,
        batch.results_url is not None,
    )


@contextmanager
def _our_errors(what: str) -> Iterator[None]:
    """Turn the SDK's errors into ours, with what a person can do about them."""
    try:
        yield
    except anthropic.APIStatusError as error:
        raise _refusal(what, error) from None
    except (anthropic.APIConnectionError, httpx2.TransportError) as error:
        cause = error.__cause__ or error
        if isinstance(cause, httpx2.LocalProtocolError):  # its text would show the key
            message = f"{what}: the key holds a line break or another character that it cannot have."
            raise CannotSend(message, "authentication_error") from None
        message = f"{what}: no answer from the API ({cause}). Check the network and ANTHROPIC_BASE_URL."
        never_there = isinstance(cause, httpx2.ConnectError | httpx2.ConnectTimeout)
        raise NoAnswer(message, "not_connected" if never_there else "connection_error") from None
    except (anthropic.AnthropicError, TypeError) as error:
        if "authentication" not in str(error):
            raise
        message = f"{what}: no API key was found. Set ANTHROPIC_API_KEY in the environment of this process."
        raise CannotSend(message, "authentication_error") from None


def _refusal(what: str, error: anthropic.APIStatusError) -> ApiError:
    kind = str(error.type or f"http_{error.status_code}")
    attempts = int(error.request.headers.get("x-stainless-retry-count", "0")) + 1
    details = (kind, error.request_id, attempts)
    if error.status_code == 401:
        return CannotSend(f"{what}: the API refused the key ({_words(error)}). Check ANTHROPIC_API_KEY.", *details)
    if (wait := error.response.headers.get("retry-after", "")).isdigit() and int(wait) > LONGEST_WAIT_S:
        return CannotSend(f"{what}: the API asks to wait for {int(wait):,} seconds ({_words(error)}).", *details)
    if error.status_code in (402, 403) or _is_out_of_money(error):
        return CannotSend(f"{what}: the API takes nothing from this key now ({_words(error)}).", *details)
    if error.status_code >= 500 or error.status_code in (408, 409):
        return NoAnswer(f"{what}: the API answered {error.status_code} ({_words(error)}).", *details)
    return RequestRefused(f"{what}: the API answered {error.status_code} ({_words(error)}).", *details)


def _is_out_of_money(error: anthropic.APIStatusError) -> bool:
    """An empty balance and a spend limit also come as 400 and 429, told apart only by their words or code."""
    text = _words(error).lower()
    return error.error_code == "enforced_spend_limit_reached" or "credit balance" in text or "usage limits" in text


def _words(error: anthropic.APIStatusError) -> str:
    inner = error.body.get("error") if isinstance(error.body, dict) else None
    said = inner.get("message") if isinstance(inner, dict) else None
    return str(said or error.message).rstrip(".")
