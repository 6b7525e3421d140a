"""Promises over several documents: guard, target, guard (docs/kernel.md, section 3).

The guard is saved first with a hold named by the target's id, then the target, then the hold is settled. What
a guard answered once under an id stays its answer, whoever asks again, so that a replica that slept cannot
take what was given back.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from shared.cases.holds import Usage
from shared.clock import instant_of, short_hash, text_of
from shared.errors import Conflict, Overloaded, Refusal, UnknownOutcome
from shared.store.aggregates import ATTEMPTS, UNREAD, Aggregate, Kernel
from shared.store.collection import Collection
from shared.store.documents import new_document
from shared.store.port import Document
from shared.store.timers import schedule

HOLDS_AT_MOST = 4_096
HOLD_SECONDS = 60

Order = tuple[int, int]
Claim = Mapping[str, Any]
Holds = Mapping[str, Claim]


@dataclass(frozen=True)
class Guard:
    """One promise. `admit` raises Refusal where the claim cannot be held beside the holds that stand.

    `usage` says of the target's document whether it still may use the hold (`pending`, also when it does not
    exist yet), does use it (`used`), or can no longer do so (`spent`). `void` saves the target in a spent state,
    creating it so where it is missing; it has to be idempotent and may leave the target `used` when it was late.
    `forgets`: what a spent target held is taken away and not remembered, since the target may be named nowhere.
    """

    collection: Collection
    target: str
    admit: Callable[[Document, Holds, Mapping[str, Any]], None]
    usage: Callable[[Document | None], Usage]
    void: Callable[[str, str, Mapping[str, Any]], Awaitable[None]]
    aggregate: Aggregate[Any] | None = None
    forgets: bool = False


class Guards:
    """Takes and settles holds on one service's guards.

    No hold is voided by a process that has not itself been up for as long as a hold lasts: what was under way when
    a whole service stopped comes again first, as a delivery, a submission or a request (decision 0021).
    """

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._voids_from = kernel.runtime.now() + timedelta(seconds=HOLD_SECONDS)

    async def take(
        self,
        guard: Guard,
        guard_id: str,
        target_id: str,
        claim: Mapping[str, Any],
        *,
        known: Document | None = UNREAD,
    ) -> Document:
        """Holds the claim for the target and gives the guard as it stands then.

        `known`: the guard as the caller has just read it, or None where most likely there is none yet; it spares the
        load, and where it is no longer so the save conflicts and the guard is asked as it stands.
        Raises Refusal with the rule that the guard answered, now or before.
        """

        def change(draft: Document) -> bool:
            if target_id in draft["holds"]:
                return False
            if len(draft["holds"]) >= HOLDS_AT_MOST:
                raise Overloaded("holds of this guard", retry_after_seconds=3600)
            hold = self._answer(guard, draft, claim)
            draft["holds"] = {**draft["holds"], target_id: hold}
            return True

        document = await self._change(guard, guard_id, change, known)
        hold = document["holds"][target_id]
        if hold["status"] == "refused":
            raise Refusal(hold["rule"])
        if hold["status"] == "released":
            raise Refusal("hold_released")
        return document

    def _answer(self, guard: Guard, draft: Document, claim: Mapping[str, Any]) -> dict[str, Any]:
        standing = {id: hold for id, hold in draft["holds"].items() if hold["status"] in ("held", "confirmed")}
        try:
            if draft["closed"]:
                raise Refusal(draft["closed"])
            guard.admit(draft, standing, claim)
        except Refusal as refusal:
            return {"status": "refused", "rule": refusal.rule, "claim": dict(claim)}
        until = self._kernel.runtime.now() + timedelta(seconds=HOLD_SECONDS)
        return {"status": "held", "until": text_of(until), "claim": dict(claim)}

    async def extend(
        self,
        guard: Guard,
        guard_id: str,
        target_id: str,
        claim: Mapping[str, Any] | Callable[[Claim], Claim],
        *,
        although_closed: bool = False,
    ) -> None:
        """Replaces the claim of a standing hold. Raises Refusal where the new claim cannot be held.

        A function is given the claim that stands and makes the new one of it, within the same save: of two that
        widen one hold at once, neither takes back what the other was given. `although_closed` is for a claim that
        gives something back.
        """

        def change(draft: Document) -> bool:
            hold = draft["holds"].get(target_id)
            if hold is None or hold["status"] not in ("held", "confirmed"):
                raise Refusal("hold_missing")
            wanted = dict(claim(hold["claim"]) if callable(claim) else claim)
            if hold["claim"] == wanted:
                return False
            others = {
                id: other
                for id, other in draft["holds"].items()
                if id != target_id and other["status"] in ("held", "confirmed")
            }
            if draft["closed"] and not although_closed:
                raise Refusal(draft["closed"])
            guard.admit(draft, others, wanted)
            draft["holds"] = {**draft["holds"], target_id: {**hold, "claim": wanted}}
            return True

        await self._change(guard, guard_id, change)

    async def settle(
        self,
        guard: Guard,
        guard_id: str,
        target_id: str,
        *,
        known: Document | None = UNREAD,
        target: Document | None = UNREAD,
    ) -> None:
        """Confirms a used hold, releases a spent one, voids and releases one whose time is over.

        `known` and `target`: the guard and the target's document as the caller has just saved them.
        """
        document = await self._kernel.store.load(guard.collection.name, guard_id) if known is UNREAD else known
        if document is None:
            return
        hold = document["holds"].get(target_id)
        if not hold or hold["status"] not in ("held", "confirmed"):
            return
        usage = await self._usage(guard, target_id) if target is UNREAD else guard.usage(target)
        if usage == "pending" and hold["status"] == "held":
            if max(instant_of(hold["until"]), self._voids_from) > self._kernel.runtime.now():
                return
            await guard.void(guard_id, target_id, hold["claim"])
            usage = await self._usage(guard, target_id)
        if usage == "spent" and guard.forgets:
            await self.forget(guard, guard_id, target_id)
        elif usage != "pending":
            await self._mark(guard, document, target_id, "confirmed" if usage == "used" else "released")

    async def move(self, guard: Guard, guard_id: str, from_id: str | None, to_id: str, decision: str) -> None:
        """Gives a hold to another target, in one save; what the guard answered that one before is overruled.

        `from_id`: who held it when that was decided, if anybody did. `decision`: the id of what was decided, which
        moves a hold once, however often it is heard of. Raises Refusal `hold_missing` where another target holds it by
        now, Overloaded.
        """

        def change(draft: Document) -> bool:
            moved, holds = draft.get("moved", []), draft["holds"]
            if short_hash(decision) in moved:
                return False
            standing = {id for id, hold in holds.items() if hold["status"] in ("held", "confirmed")}
            if standing - {from_id, to_id}:
                raise Refusal("hold_missing")
            if max(len(holds), len(moved)) >= HOLDS_AT_MOST:
                raise Overloaded("holds of this guard", retry_after_seconds=3600)
            released = {id: {"status": "released", "claim": holds[id]["claim"]} for id in standing}
            draft["holds"] = {**holds, **released, to_id: {"status": "confirmed", "claim": {}}}
            draft["moved"] = [*moved, short_hash(decision)]
            return True

        await self._change(guard, guard_id, change)

    async def _usage(self, guard: Guard, target_id: str) -> Usage:
        return guard.usage(await self._kernel.store.load(guard.target, target_id))

    async def _mark(self, guard: Guard, document: Document, target_id: str, status: str) -> None:
        def change(draft: Document) -> bool:
            hold = draft["holds"].get(target_id)
            # A release is for ever, and a confirmation that comes later than it says nothing new.
            if hold is None or hold["status"] in (status, "released", "refused"):
                return False
            draft["holds"] = {**draft["holds"], target_id: {"status": status, "claim": hold["claim"]}}
            return True

        await self._change(guard, document["_id"], change, document)

    async def forget(self, guard: Guard, guard_id: str, target_id: str) -> None:
        """Takes the target's hold away, and what was answered to it: the target is erased and is named nowhere.

        The target must be spent for good: a replica that slept may take a hold once more, whose timer ends here too.
        """

        def change(draft: Document) -> bool:
            if target_id not in draft["holds"]:
                return False
            draft["holds"] = {id: hold for id, hold in draft["holds"].items() if id != target_id}
            return True

        await self._change(guard, guard_id, change)

    async def settle_due(self, guard: Guard, document: Document) -> None:
        """The sweeper's part: settles each unconfirmed hold whose time is over."""
        now = text_of(self._kernel.runtime.now())
        for target_id, hold in document["holds"].items():
            if hold["status"] == "held" and hold["until"] <= now:
                await self.settle(guard, document["_id"], target_id)

    async def close(self, guard: Guard, guard_id: str, rule: str, order: Order | None = None) -> list[str]:
        """Closes the guard: every later claim is refused with `rule`. Gives the targets of standing holds.

        `order` is the causing event's (epoch, sequence): a replica that slept over a newer closing or reopening
        changes nothing any more, and gets no targets.
        """
        overtaken = False

        def change(draft: Document) -> bool:
            nonlocal overtaken
            overtaken = is_overtaken(draft, order)
            if overtaken or (draft["closed"] and not moves_on(draft, order)):
                return False
            draft["closed"] = rule
            draft["turned"] = list(order) if order else draft.get("turned")
            return True

        document = await self._change(guard, guard_id, change)
        if overtaken:
            return []
        return [id for id, hold in document["holds"].items() if hold["status"] in ("held", "confirmed")]

    async def reopen(self, guard: Guard, guard_id: str, order: Order | None = None) -> Document:
        """Takes back a closing, as when a consent is given anew, and gives the guard; `order` as for `close`.

        A guard that is not there was never closed, and none is made: what came before this event has closed it by now.
        """

        def change(draft: Document) -> bool:
            if not draft["version"] or is_overtaken(draft, order) or not (draft["closed"] or moves_on(draft, order)):
                return False
            draft["closed"] = None
            draft["turned"] = list(order) if order else draft.get("turned")
            return True

        return await self._change(guard, guard_id, change)

    async def _change(
        self, guard: Guard, guard_id: str, change: Callable[[Document], bool], known: Document | None = UNREAD
    ) -> Document:
        """Loads, changes and saves the guard until no other writer came between; creates it where missing.

        `known` spares the first attempt its load, as in `Kernel.execute`; `change` has to be content with it.
        """
        kernel = self._kernel
        for attempt in range(ATTEMPTS):
            given = attempt == 0 and known is not UNREAD
            document = known if given else await kernel.store.load(guard.collection.name, guard_id)
            draft = new_document(guard_id) if document is None else dict(document)
            before = draft["version"]
            if not change(draft):
                return draft
            draft["version"] = before + 1
            schedule(draft, guard.aggregate)
            draft = guard.collection.indexed(draft)
            try:
                await kernel.store.save(guard.collection.name, draft, before)
                return draft
            except (Conflict, UnknownOutcome):
                await kernel.runtime.sleep(kernel.runtime.rng.uniform(0, 0.002 * min(attempt + 1, 20)))
        raise Conflict


def is_overtaken(draft: Document, order: Order | None) -> bool:
    """Whether the guard was closed or reopened by a later event than this one."""
    turned = draft.get("turned")
    return order is not None and turned is not None and list(order) < turned


def moves_on(draft: Document, order: Order | None) -> bool:
    """Whether the event is later than what the guard last followed, so that it has to be noted."""
    return order is not None and list(order) > (draft.get("turned") or [])
