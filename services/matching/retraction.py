"""An accepted match that is being taken back: what placement has told of the return decides how that ends."""

from __future__ import annotations

from services.matching.domain.knowledge import answer_to
from services.matching.domain.match import KeepMatch, ReleaseMatch
from services.matching.promises import Promises
from services.matching.store import MATCHES
from shared.messaging.shadows import Delivery
from shared.replica import Replica


class Retraction:
    """Ends a retraction that came when the return had begun or was over."""

    def __init__(self, replica: Replica, promises: Promises) -> None:
        self._kernel = replica.kernel
        self._promises = promises

    async def settle(self, match: str, delivery: Delivery) -> None:
        """Keeps or releases a match that is being taken back, as far as placement has told by now.

        Asked from both sides, after the retraction was saved and after what placement told was: whichever is
        later sees the other, so none waits for an answer that was there before.
        """
        _, state = await self._kernel.load(MATCHES, match)
        if state is None or state.status != "retracting" or state.reason is None:
            return
        answer = answer_to(await self._promises.placement_of(match), state.reason)
        if answer == "ended":
            command = ReleaseMatch(state.reason, state.reason)
            await self._kernel.execute(MATCHES, match, command, delivery.cause("release"))
        elif answer is not None:
            await self._kernel.execute(MATCHES, match, KeepMatch(answer, state.reason), delivery.cause("keep"))
