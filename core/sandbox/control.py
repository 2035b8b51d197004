"""The endpoints that only a sandbox has, all under `/sandbox`."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from core.sandbox.bodies import read_json, read_object
from core.sandbox.clock import iso
from core.sandbox.errors import invalid
from core.sandbox.state import Sandbox
from core.sandbox.wire import JsonResponse


class Control:
    """Asks a running sandbox what happened, and tells it what is to happen; docs/sandbox.md describes each."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def routes(self) -> list[Route]:
        """Where the endpoints are."""
        return [
            Route("/", self.about),
            Route("/sandbox/bill", self.bill),
            Route("/sandbox/log", self.log),
            Route("/sandbox/clock", self.clock),
            Route("/sandbox/clock", self.advance, methods=["POST"]),
            Route("/sandbox/faults", self.script, methods=["POST"]),
            Route("/sandbox/faults", self.clear_faults, methods=["DELETE"]),
            Route("/sandbox/batches", self.batches),
            Route("/sandbox/batches", self.script_batches, methods=["POST"]),
            Route("/sandbox/account", self.account),
            Route("/sandbox/account", self.change_account, methods=["POST"]),
            Route("/sandbox/reset", self.reset, methods=["POST"]),
        ]

    async def about(self, _request: Request) -> Response:
        """What this is."""
        return JsonResponse({"sandbox": True, "what": "Halfprice's loopback stand-in for the Claude API"})

    async def bill(self, _request: Request) -> Response:
        """What was charged so far."""
        await self._sandbox.batches.settle(self._sandbox.clock.now())
        return JsonResponse(self._sandbox.bill.report())

    async def log(self, _request: Request) -> Response:
        """Every API request so far."""
        return JsonResponse(list(self._sandbox.log))

    async def clock(self, _request: Request) -> Response:
        """The time in the sandbox."""
        clock = self._sandbox.clock
        return JsonResponse({"now": clock.now().isoformat().replace("+00:00", "Z"), "speed": clock.speed})

    async def advance(self, request: Request) -> Response:
        """Move the time forward."""
        seconds = (await read_object(request)).get("advance_s")
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= 1e9:
            raise invalid("advance_s: Input should be a number of seconds from 0 on")
        self._sandbox.clock.advance(seconds)
        return await self.clock(request)

    async def script(self, request: Request) -> Response:
        """Script faults."""
        return JsonResponse({"waiting": len(self._sandbox.faults.add(await read_json(request)))})

    async def clear_faults(self, _request: Request) -> Response:
        """Let nothing go wrong any more."""
        self._sandbox.faults.clear()
        return JsonResponse({"waiting": 0})

    async def batches(self, _request: Request) -> Response:
        """Every batch of every workspace, also those that the API does not show."""
        now = self._sandbox.clock.now()
        return JsonResponse(
            [
                {
                    "id": batch.id,
                    "workspace": batch.workspace,
                    "size": batch.size,
                    "status": batch.status(now),
                    "created_at": iso(batch.created_at),
                    "ends_at": iso(batch.ends_at),
                }
                for batch in await self._sandbox.batches.everywhere(now)
            ]
        )

    async def script_batches(self, request: Request) -> Response:
        """Script the fate of batches."""
        document = await read_object(request)
        return JsonResponse({"waiting": self._sandbox.batches.script(document, self._sandbox.clock.now())})

    async def account(self, _request: Request) -> Response:
        """How the account stands."""
        await self._sandbox.batches.settle(self._sandbox.clock.now())
        return JsonResponse(self._sandbox.account.show())

    async def change_account(self, request: Request) -> Response:
        """Change how the account stands."""
        document = await read_object(request)
        await self._sandbox.batches.settle(self._sandbox.clock.now())
        self._sandbox.account.change(document)
        return JsonResponse(self._sandbox.account.show())

    async def reset(self, _request: Request) -> Response:
        """Start again from nothing."""
        self._sandbox.reset()
        return JsonResponse({"sandbox": True})
