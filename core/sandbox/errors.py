"""The errors of the API: their status codes, names and bodies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# platform.claude.com/docs/en/api/errors
TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}


class ApiError(Exception):
    """A request that is answered with an error.

    `type` is the API's name for it, `code` the stable name of its cause, by which the SDK tells its typed errors
    apart (None: it has none); `headers` go with the answer.
    """

    def __init__(
        self,
        status: int,
        message: str,
        type: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.type = type or TYPES.get(status, "api_error" if status >= 500 else "invalid_request_error")
        self.code = code
        self.headers = dict(headers or {})

    def body(self, request_id: str) -> dict[str, Any]:
        """The error as the API writes it.

        >>> ApiError(404, "model: claude-none").body("req_sandbox_1")["error"]
        {'type': 'not_found_error', 'message': 'model: claude-none'}
        """
        error: dict[str, Any] = {"type": self.type, "message": self.message}
        if self.code is not None:
            error["details"] = {"error_code": self.code}
        return {"type": "error", "error": error, "request_id": request_id}


def invalid(message: str) -> ApiError:
    """The error for a parameter that the API refuses."""
    return ApiError(400, message)
