"""Sending what subscriptions are told: by a timer of each, so that any replica goes on after a crash.

At least once and in order: the next message goes out when the one before it was answered 2xx, and the place moves with
that answer alone. A round claims its subscription for longer than one try lasts; whoever finds another claim stops.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from datetime import datetime, timedelta

from services.monitoring.domain.subscriptions import STOP, Subscription
from services.monitoring.domain.telling import Audience
from services.monitoring.feed import progress
from services.monitoring.feed.cursors import Positions
from services.monitoring.feed.messages import PING
from services.monitoring.feed.outbound import Answer, Outbound
from services.monitoring.feed.progress import Progress, Sent
from services.monitoring.feed.pulling import Pulling
from services.monitoring.feed.signing import headers_of
from services.monitoring.feed.subscribing import URL, Secrets, wanted
from services.monitoring.store import DELIVERIES, SUBSCRIPTIONS
from shared.cases.case import Asked
from shared.clock import derived_id, stop_tasks, text_of
from shared.errors import Conflict, Overloaded, PortError
from shared.messaging.port import Log, Position
from shared.replica import Replica
from shared.store.aggregates import Cause
from shared.store.port import Document
from shared.telemetry.observability import count, logger

AT_ONCE, IN_ONE_ROUND = 8, 20
CLAIM = timedelta(seconds=60)
# How often a subscription that sends nothing is looked at.
RESTING = timedelta(seconds=60)
RETRY_AFTER_AT_MOST = 86_400
# So many records of others are passed again after a crash at most.
PASSED_UNKEPT = 5_000
GONE = 410


class Deliveries:
    """One replica's rounds, some at once; the sweeper never waits for one."""

    def __init__(self, replica: Replica, pulling: Pulling, outbound: Outbound) -> None:
        self.replica = replica
        self.pulling = pulling
        self.outbound = outbound
        self.secrets = Secrets(replica)
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._failing: dict[str, datetime] = {}
        # Where others' records were passed, by subscription, so that they are not looked at each second.
        self.passed: dict[str, tuple[int, Positions]] = {}

    async def fire(self, document: Document) -> None:
        id, now = document["_id"], self.replica.ports.runtime.now()
        if id not in self._busy and len(self._busy) < AT_ONCE and self._failing.get(id, now) <= now:
            self._busy[id] = self.replica.ports.runtime.spawn(self._run(id, document), "webhooks")

    async def _run(self, id: str, document: Document) -> None:
        try:
            await Round(self, document).done()
        except (PortError, Overloaded) as error:
            # Another replica came first, or the store is away: the timer stands.
            count("webhook_round_interrupted")
            logger.info("webhook_round_interrupted", id=id, error=type(error).__name__)
        except Exception as error:
            # As when its secrets' key is away: not again each second.
            self._failing[id] = self.replica.ports.runtime.now() + RESTING
            count("webhook_round_failed")
            logger.error("webhook_round_failed", id=id, error=type(error).__name__)
        finally:
            self._busy.pop(id, None)

    async def stop(self) -> None:
        """What was being sent may arrive once more after the next start."""
        await stop_tasks([*self._busy.values()])

    async def settled(self) -> None:
        """Waits for the rounds under way."""
        await asyncio.gather(*self._busy.values(), return_exceptions=True)


class Round:
    """One look at one subscription. Raises Conflict where another replica has taken it, and as the store does."""

    def __init__(self, deliveries: Deliveries, document: Document) -> None:
        self._deliveries = deliveries
        self._document = document
        self._known = progress.read(document)
        self._runtime = deliveries.replica.ports.runtime
        self._store = deliveries.replica.ports.store
        self._id: str = document["_id"]

    async def done(self) -> None:
        case = await self._store.load(SUBSCRIPTIONS.name, self._id)
        state: Subscription | None = SUBSCRIPTIONS.read(case)
        if case is None or state is None:
            # Whoever makes one keeps its place first; a request that was cut off there may still come again.
            await self._save(self._known, self._runtime.now() + RESTING)
        elif state.status == "ended":
            await self._save(self._known, None)
            self._deliveries.passed.pop(self._id, None)
        else:
            await self._look(case, state)

    async def _look(self, case: Document, state: Subscription) -> None:
        if state.tests > self._known.tests:
            await self._claim()
            await self._test(case, state)
        if state.status != "active":
            await self._save(self._known, self._runtime.now() + RESTING)
            return
        audience = wanted(Audience(state.audience, state.office), state.content)
        if state.resends > self._known.resends and state.since is not None:
            place = await earlier(self._deliveries.pulling.log, self._known.place, state.since)
            self._known = self._known.at(place).model_copy(update={"resends": state.resends})
            await self._save(self._known, self._runtime.now())
        await self._send(case, audience)

    async def _send(self, case: Document, audience: Audience) -> None:
        version, passed = self._deliveries.passed.get(self._id, (0, {}))
        place = passed if version == self._document["version"] else self._known.place
        some = await self._deliveries.pulling.some(audience, place, IN_ONE_ROUND)
        if some.beyond:
            # The log was taken back to an earlier end than the store: from there on all is new.
            ends = await self._deliveries.pulling.log.ends(audience.topics)
            known = {one: min(at, ends.get(one, 0)) for one, at in self._known.place.items()}
            await self._save(self._known.at(known), self._runtime.now())
            return
        if not some.messages:
            await self._pass(some.positions)
            return
        await self._claim()
        for message in some.messages:
            event = json.loads(message.text)["event"]
            sent, answer = await self._post(case, event["id"], event["type"], message.text)
            if not answer.delivered:
                await self._failed(self._known.failed(sent), answer)
                return
            self._known = self._known.arrived(sent, message.positions)
            claimed = timedelta() if message is some.messages[-1] else CLAIM
            await self._save(self._known, self._runtime.now() + claimed)

    async def _pass(self, place: Positions) -> None:
        """Nothing was found: kept only now and then, or every subscription would be written each second."""
        kept = self._known.place
        if sum(at - kept.get(one, 0) for one, at in place.items()) > PASSED_UNKEPT:
            await self._save(self._known.at(place), self._runtime.now())
        self._deliveries.passed[self._id] = self._document["version"], place

    async def _test(self, case: Document, state: Subscription) -> None:
        id = derived_id(self._id, "test", str(state.tests))
        text = self._deliveries.pulling.messages.ping(id, self._id, self._runtime.now())
        sent, _ = await self._post(case, id, PING, text)
        # Whether it arrives says nothing of the others' turn.
        self._known = self._known.tried(sent).model_copy(update={"tests": state.tests})
        await self._save(self._known, self._runtime.now())

    async def _post(self, case: Document, id: str, type: str, body: bytes) -> tuple[Sent, Answer]:
        now = self._runtime.now()
        headers = {
            "content-type": "application/json",
            "user-agent": "sankofa",
            **headers_of(id, now, body, self._deliveries.secrets.signing(case)),
        }
        answer = await self._deliveries.outbound.post(case["private"][URL], headers, body)
        count("webhook_delivered" if answer.delivered else "webhook_failed")
        return Sent(id=id, type=type, at=now, outcome=answer.outcome, status=answer.status), answer

    async def _failed(self, known: Progress, answer: Answer) -> None:
        now = self._runtime.now()
        reason = "address_gone" if answer.status == GONE else "address_silent" if known.gives_up(now) else None
        if reason is not None:
            await self._stop(reason, now)
        wait = max(known.pause_seconds, min(answer.retry_after or 0, RETRY_AFTER_AT_MOST))
        # Many that failed together do not come back together.
        await self._save(known, now + timedelta(seconds=wait * self._runtime.rng.uniform(0.9, 1.1)))

    async def _stop(self, reason: str, now: datetime) -> None:
        def goes(found: Document) -> bool:
            state = SUBSCRIPTIONS.read(found)
            return state is not None and state.status == "active"

        cause = Cause(derived_id(self._id, STOP, text_of(now)))
        await self._deliveries.replica.kernel.fire(SUBSCRIPTIONS, self._id, Asked(STOP, given=reason), cause, goes)

    async def _claim(self) -> None:
        self._known = self._known.model_copy(update={"claim": self._runtime.new_id()})
        draft = progress.written(self._document, self._known, self._runtime.now() + CLAIM)
        await self._store.save(DELIVERIES.name, draft, self._document["version"])
        self._document = draft

    async def _save(self, known: Progress, next_at: datetime | None) -> None:
        """Over whatever woke it meanwhile, as long as the claim is this round's."""
        while True:
            draft = progress.written(self._document, known, next_at)
            try:
                await self._store.save(DELIVERIES.name, draft, self._document["version"])
            except Conflict:
                found = await self._store.load(DELIVERIES.name, self._id)
                if found is None or progress.read(found).claim != known.claim:
                    raise
                self._document = found
                next_at = min(next_at, self._runtime.now()) if next_at else None
                continue
            self._document = draft
            return


async def earlier(log: Log, place: Mapping[Position, int], since: datetime) -> Positions:
    """The place behind all that was appended before the instant, and nowhere further on than `place`."""
    from_ms, found = round(since.timestamp() * 1_000), dict[Position, int]()
    for position, at in place.items():
        low, high = 0, at
        while low < high:
            middle = (low + high) // 2
            records = await log.read(*position, middle, 1)
            if not records or records[0].appended_ms >= from_ms:
                high = middle
            else:
                low = max(middle + 1, records[0].offset + 1)
        found[position] = min(low, at)
    return found
