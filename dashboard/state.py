"""The keys under which widgets keep what the visitor chose; a bound key is also the name in the address."""

MONTH = "month"
LAST_MONTH = "last-month"
"""The month shown last: a widget's own state ends when its page is left."""
GROUP = "by"
