"""Who is let in: by how long the work that waits will take, and, where that is long, by how much of it is one's own.

A bound on places would let in as many on a slow machine as on a fast one, and the last of them would wait for minutes
(decision 0026).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from shared.errors import Overloaded

# The longest wait that is let in: below the ten seconds after which a submission's timer has it decided anew.
WAIT_AT_MOST_SECONDS = 8.0
SHARES_BIND_SECONDS = 2.0
# Of what may wait, how much is one account's where shares bind; many times what one person sends.
SHARE, SHARE_AT_LEAST = 0.05, 8
# Shares of an address from which people submit without an account: an office, a café or a camp has one for all.
SHARES_OF_AN_ADDRESS = 8
# Until it has been seen how fast decisions are made here. With fewer in hand a decision takes what it takes, and
# says nothing of how many could be made.
FIRST_RATE, TELLING = 80.0, 32
# So many are read and stored at once; with more, everybody's next step would wait for a step of each, and refusals too.
KNOCKING_AT_MOST = 64
MEMORY_SECONDS = 5.0
RETRY_AT_MOST_SECONDS = 300


class Admission:
    """The work of one process that was let in and is not decided. `clock`: seconds that only grow."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._queued = self._entered = 0
        # Requests that a server has begun to read and not answered, those that have entered among them.
        self.knocking = 0
        self._own: Counter[str] = Counter()
        # Of those who have no account of their own, from which address they came.
        self._from: dict[str, str] = {}
        self._decided, self._busy = FIRST_RATE * MEMORY_SECONDS, MEMORY_SECONDS
        self._looked: float | None = None

    @property
    def waiting(self) -> int:
        return self._queued + max(self._entered, self.knocking)

    def rate(self) -> float:
        """Decisions a second, over the last few seconds in which there was enough to do."""
        self._pass()
        return self._decided / self._busy

    def expected_wait(self) -> float:
        """Seconds until what waits now will be decided."""
        return self._time_for(self.waiting)

    def _time_for(self, many: int) -> float:
        return many / max(self.rate(), 0.01)

    def retry_after(self) -> int | None:
        """In how many seconds to come again; None while there is room."""
        wait = self.expected_wait()
        room = wait <= WAIT_AT_MOST_SECONDS and self.knocking < KNOCKING_AT_MOST
        return None if room else _whole(wait)

    def admit(self, account: str, address: str | None = None) -> None:
        """Raises Overloaded (429) where what waits takes too long, or the account has its share of a long wait.

        `address`: of somebody without an account, who is judged by it alone.
        """
        # Whoever knocks behind this one is not before it: counted, they would have it refused after it was let in.
        wait = self._time_for(self._queued + self._entered)
        if wait > WAIT_AT_MOST_SECONDS:
            raise Overloaded("intake", retry_after_seconds=_whole(wait), status=429)
        share = max(SHARE * self.rate() * WAIT_AT_MOST_SECONDS, SHARE_AT_LEAST)
        judged, share = (account, share) if address is None else (address, share * SHARES_OF_AN_ADDRESS)
        if wait > SHARES_BIND_SECONDS and self._own[judged] >= share:
            raise Overloaded("share", retry_after_seconds=_whole(wait), status=429)

    @contextmanager
    def entered(self, account: str, address: str | None = None) -> Iterator[None]:
        """Counts a request of the account while it is read and stored. Raises Overloaded as `admit`."""
        self.admit(account, address)
        if address is not None:
            self._from[account] = address
        self._entered += 1
        self._came(account)
        try:
            yield
        finally:
            self._entered -= 1
            self._left(account)

    def queued(self, account: str) -> None:
        """Stored, and waits to be decided here."""
        self._pass()
        self._queued += 1
        self._came(account)

    def decided(self, account: str) -> None:
        """Decided, or left to its timer."""
        self._pass()
        if self._queued >= TELLING:
            self._decided += 1
        self._queued -= 1
        self._left(account)

    def _came(self, account: str) -> None:
        self._own[account] += 1
        if account in self._from:
            self._own[self._from[account]] += 1

    def _left(self, account: str) -> None:
        self._counted_down(account)
        if account in self._from:
            self._counted_down(self._from[account])
            if account not in self._own:
                del self._from[account]

    def _counted_down(self, key: str) -> None:
        self._own[key] -= 1
        if not self._own[key]:
            del self._own[key]

    def _pass(self) -> None:
        """Time in which enough waited counts, and what was long ago counts ever less."""
        now = self._clock()
        passed = now - self._looked if self._looked is not None else 0.0
        self._looked = now
        if passed <= 0 or self._queued < TELLING:
            return
        kept = math.exp(-passed / MEMORY_SECONDS)
        self._decided *= kept
        self._busy = self._busy * kept + passed


def _whole(seconds: float) -> int:
    return min(max(math.ceil(seconds), 1), RETRY_AT_MOST_SECONDS)
