"""Names what kept an answer from arriving."""

from __future__ import annotations

import anthropic
import httpx2

NOT_CONNECTED = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)


def failure_type(error: BaseException) -> str:
    """The error type of a request that nothing answered, or whose answer broke off.

    `not_connected`: nothing was sent. `client_timeout`: this side waited no longer. `canceled_by_caller`: the program
    stopped waiting, by Ctrl-C or by cancelling the task. Else `connection_error`. What was sent may have been billed.

    >>> failure_type(httpx2.ReadError("reset by peer"))
    'connection_error'
    """
    cause = error.__cause__ or error
    if isinstance(cause, NOT_CONNECTED):
        return "not_connected"
    if isinstance(error, anthropic.APITimeoutError) or isinstance(cause, httpx2.TimeoutException):
        return "client_timeout"
    return "connection_error" if isinstance(error, Exception) else "canceled_by_caller"


def was_tried(error: BaseException) -> bool:
    """Whether a request was on its way: not so when the SDK refused to build it, for example without a key."""
    return isinstance(error, anthropic.APIError) or not isinstance(error, Exception)
