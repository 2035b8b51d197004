"""The keys under which widgets keep what the visitor chose; a bound key is also the name in the address."""

MONTH = "month"
LAST_MONTH = "last-month"
"""The month shown last: a widget's own state ends when its page is left."""
GROUP = "by"

WORKLOAD = "workload"
OPENED = "opened-workload"
"""The workload whose answers the checklist holds, changed or not."""

SOURCE = "from"
EXAMPLE = "example"
ROUTE = "route"
RUN = "run"
"""The launch that is shown; only in the address."""


def answer(key: str) -> str:
    """Where the answer to one question of the checklist is."""
    return f"answer-{key}"
