"""An accepted match that is being taken back: what placement has told of the return decides how that ends."""

from __future__ import annotations

from services.matching.domain.knowledge import answer_to, return_of
from services.matching.domain.matches import MATCH, Match
from services.matching.store import MATCHES
from services.matching.work.promises import Promises
from shared.cases.bodies import Reason
from shared.cases.case import Asked
from shared.contracts.base import Event
from shared.contracts.placement.placements import NoShowReported, PlacementCancelled, PlacementRefused
from shared.errors import Refusal, TooEarly
from shared.messaging.handlers import Delivery
from shared.replica import Replica
from shared.store.aggregates import Saved, settled
from shared.web.acting import Call


class Retraction:
    """Takes matches back, and ends what was taken back by what placement answers."""

    def __init__(self, replica: Replica, promises: Promises) -> None:
        self._kernel = replica.kernel
        self._promises = promises

    async def retract(self, call: Call[Reason]) -> Saved[Match]:
        """Raises Refusal `return_is_over`: what has taken place is not taken back."""
        over = return_of(await self._promises.placement_of(call.id)) == "over"
        if over and not settled(call.document, call.cause):
            raise Refusal("return_is_over", "what has taken place is not taken back")
        command = Asked(call.verb, call.body)
        return await self._kernel.execute(MATCHES, call.id, command, call.cause, expected_version=call.expected_version)

    async def answered(self, delivery: Delivery) -> None:
        """The placement will never begin: the match gives up its seat."""
        match = await self._match_of(delivery)
        command = MATCH.ask("release", reason=_reason(delivery.event))
        await self._kernel.execute(MATCHES, match, command, delivery.cause("release"))

    async def told(self, delivery: Delivery) -> None:
        """The return has begun or is over, which may answer a retraction."""
        await self._settle(await self._match_of(delivery), delivery)

    async def asked(self, delivery: Delivery) -> None:
        """The answer may have been heard before the retraction was saved."""
        await self._settle(delivery.subject, delivery)

    async def _match_of(self, delivery: Delivery) -> str:
        """The match of a placement's event. Raises TooEarly where it is not here yet."""
        match: str | None = delivery.knowledge.get("placement", {}).get("match")
        if match is None or (await self._kernel.load(MATCHES, match))[1] is None:
            raise TooEarly("match")
        return match

    async def _settle(self, match: str, delivery: Delivery) -> None:
        """Keeps or releases a match that is being taken back, as far as placement has told by now.

        Asked from both sides, after the retraction was saved and after what placement told was: whichever is
        later sees the other, so none waits for an answer that was there before.
        """
        _, state = await self._kernel.load(MATCHES, match)
        if state is None or state.status != "retracting" or state.reason is None:
            return
        answer = answer_to(await self._promises.placement_of(match), state.reason)
        if answer == "ended":
            command = MATCH.ask("release", reason=state.reason, retraction=state.reason)
            await self._kernel.execute(MATCHES, match, command, delivery.cause("release"))
        elif answer is not None:
            command = MATCH.ask("keep", reason=answer, retraction=state.reason)
            await self._kernel.execute(MATCHES, match, command, delivery.cause("keep"))


def _reason(event: Event) -> str:
    if isinstance(event, PlacementRefused | PlacementCancelled):
        return event.reason
    return "no_show" if isinstance(event, NoShowReported) else "placement_ended"
