"""A loopback stand-in for the Claude API, for the demo, the tests and offline trials.

It speaks the wire format of the Messages, Message Batches, token counting and models endpoints, so that the real
`anthropic` SDK talks to it over HTTP. It has a clock, a bill and faults of its own and never reaches another host.
"""

from core.sandbox.serve import KEY, Handle, serve_in_thread

__all__ = ["KEY", "Handle", "serve_in_thread"]
