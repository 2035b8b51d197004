"""Faults by name, as the API and the networks before it are known to fail."""

from __future__ import annotations

from typing import Any

PRESETS: dict[str, dict[str, Any]] = {
    "overloaded": {"status": 529, "message": "Overloaded"},
    "api_error": {"status": 500, "message": "Internal server error"},
    "timeout": {"status": 504, "message": "Gateway timeout"},
    "gateway": {
        "status": 502,
        "body": "<html><h1>502 Bad Gateway</h1></html>",
        "headers": {"content-type": "text/html"},
    },
    "accepted_then_500": {"status": 500, "when": "after_accept"},
    "rate_limited": {"status": 429, "headers": {"retry-after": "1"}},
    "rate_limited_silently": {"status": 429},
    "rate_limited_for_a_day": {"status": 429, "headers": {"retry-after": "86400"}},
    "closed": {"kind": "close"},
    "closed_unread": {"kind": "close", "when": "unread"},
    "reset_unread": {"kind": "close", "when": "unread", "ending": "reset"},
    "lost": {"kind": "close", "when": "after_accept"},
    "lost_by_reset": {"kind": "close", "when": "after_accept", "ending": "reset"},
    "truncated": {"kind": "truncate", "bytes": 200},
    "truncated_clean": {"kind": "truncate", "bytes": 200, "ending": "clean"},
    "truncated_by_reset": {"kind": "truncate", "bytes": 200, "ending": "reset"},
    "slow": {"kind": "delay", "seconds": 0.05},
    "stalled": {"kind": "stall", "bytes": 100, "seconds": 0.05},
    "dripping": {"kind": "drip", "bytes": 400, "seconds": 0.002},
    "stream_error": {"kind": "event", "bytes": 400, "status": 529, "message": "Overloaded"},
    "not_found": {"status": 404, "message": "Not found"},
    "no_credit": {"status": 402, "message": "Your credit balance is too low to access the API. (sandbox)"},
    "no_credit_400": {"status": 400, "message": "Your credit balance is too low to access the API. (sandbox)"},
    "usage_limit": {"status": 400, "message": "You have reached your specified API usage limits. (sandbox)"},
    "spend_limit": {
        "status": 429,
        "error_code": "enforced_spend_limit_reached",
        "message": "You have reached the monthly spend limit of your usage tier. (sandbox)",
    },
    "contract_limit": {
        "status": 429,
        "error_code": "contract_spend_limit_reached",
        "message": "You have reached the spend limit of your contract. (sandbox)",
    },
    "ramp_limit": {"status": 429, "error_code": "ramp_limit_exceeded", "headers": {"retry-after": "1"}},
    "on_hold": {
        "status": 400,
        "error_code": "organization_on_hold",
        "message": "This organization has been disabled. (sandbox)",
    },
}
PASSING = (
    "overloaded",
    "api_error",
    "timeout",
    "gateway",
    "accepted_then_500",
    "rate_limited",
    "rate_limited_silently",
    "closed",
    "closed_unread",
    "reset_unread",
    "lost",
    "lost_by_reset",
    "truncated",
    "truncated_clean",
    "truncated_by_reset",
    "slow",
    "stalled",
    "dripping",
    "stream_error",
)
"""Those that go away by themselves: what a schedule by chance draws from unless it is told otherwise."""
