"""Intake: a submission is a document with a signed receipt, decided at once by the replica that stored it and
finished by any other (docs/kernel.md, section 4). It needs the store alone, so it goes on while the log is down.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pydantic import BaseModel

from shared.clock import Runtime, instant_of, stop_tasks, text_of
from shared.errors import (
    CommandReused,
    Conflict,
    Overloaded,
    Problem,
    Refusal,
    TooEarly,
    Unavailable,
    UnknownOutcome,
)
from shared.identity.keyfiles import KeyDestroyed
from shared.identity.keys import Keys
from shared.intake.admission import Admission
from shared.intake.daykeys import DayKeys
from shared.intake.proofs import FIELD as PROOF
from shared.intake.proofs import Proofs, Receipt
from shared.intake.receipts import is_of, signed_receipt
from shared.intake.submission import Opened, Submission, cause_fields, submission_of
from shared.store.aggregates import Cause
from shared.store.collection import Collection, Index
from shared.store.documents import slot_of
from shared.store.paging import every
from shared.store.port import Appended, Document, Store
from shared.telemetry.observability import count, logger
from shared.telemetry.tracing import joined, note, step

BODY = "body"
SALT_BYTES = 32
DECIDE_WITHIN_SECONDS = 10
# What came too early and is tried again when it is heard of waits twice as long each time, and no longer than this.
WAITS_AT_MOST_SECONDS = 300
QUEUE_AT_MOST = 2_000
LOOKED_AT_ONCE = 200
# Whether anything waits to hear of a subject is asked so often at most: hardly ever does anything, and much is heard.
AWAITING_ASKED_EVERY_SECONDS = 1.0
GROUP_AT_MOST = 200
CLOCK_OFF_AT_MOST_SECONDS = 2.0
CLOCK_CHECK_EVERY_SECONDS = 10.0
# So many wait for one group commit of the store together. Each decision waits for five of them in a row, so that fewer
# bound how many are decided; more would lengthen the turns of the loop, and with them every refusal.
DECIDERS = 32
# Decisions begin in rounds, which share their commits; the first after a pause begins at once. The more were in a
# round, the longer until the next one, which begins sooner where all deciders wait for it.
ROUND_SECONDS, LONGEST_ROUND_SECONDS = 0.25, 1.0

# A pending submission is one of the two: nobody has decided it yet, or it waits for what is not known here yet.
UNDECIDED, AWAITING = PENDING = ("undecided", "awaiting")


def _pending(document: Document) -> list[str]:
    if document["status"] != "pending":
        return []
    return [AWAITING if document.get("waits_for") else UNDECIDED, document["day"]]


def _awaited(document: Document) -> list[str]:
    return list(document.get("awaits", ())) if document["status"] == "pending" else []


SUBMISSIONS = Collection(
    "submissions",
    {
        "all": Index(lambda d: ["all"], lambda d: f"{d['received_at']}\x1f{d['_id']}"),
        "office": Index(lambda d: [d["office"]] if d["office"] else [], lambda d: f"{d['received_at']}\x1f{d['_id']}"),
        "own": Index(lambda d: [d["account"]], lambda d: f"{d['received_at']}\x1f{d['_id']}"),
        "undecided": Index(_pending),
        "awaits": Index(_awaited),
    },
    passing=("body",),
)

# For what a submission waits, of which subjects something is to be heard before, and how often it came too early so.
NOTHING_AWAITED: Mapping[str, Any] = {"waits_for": None, "awaits": [], "tries": 0}


@dataclass(frozen=True)
class Waiting:
    """What is to be decided; with the document and its opened body where this replica has just stored it."""

    id: str
    account: str
    document: Document | None = None
    opened: Opened | None = None


Decider = Callable[[Submission], Awaitable[None]]


class Intake:
    """Takes submissions of one service. A decider raises Refusal for what the rules do not allow.

    Every command of a decider has an id that follows from the submission's, so that two replicas that decide
    the same one do it once.
    """

    def __init__(
        self, service: str, store: Store, runtime: Runtime, keys: Keys, deciders: Mapping[str, Decider]
    ) -> None:
        self._service = service
        self._store = store
        self._runtime = runtime
        self._keys = keys
        self._days = DayKeys(service, keys, runtime, self._pending_of)
        self._proofs = Proofs(service, keys, runtime, self._days)
        self._deciders = deciders
        self.admission = Admission(runtime.monotonic)
        # What this replica stored comes with its body; of what another one left there is the id.
        self._queue: asyncio.Queue[Waiting] = asyncio.Queue(QUEUE_AT_MOST)
        self._taken_up: set[str] = set()
        self._arriving: list[tuple[Document, asyncio.Future[str]]] = []
        self._arrived = asyncio.Event()
        self._clock_checked = -CLOCK_CHECK_EVERY_SECONDS
        self._clock_off = 0.0
        # Until then nothing waits to hear of anybody, as the store said; and how often this replica put something off.
        self._none_awaits_until = 0.0
        self._put_off = 0
        self._next_round = 0.0
        self._gathered = 0
        self._open = asyncio.Event()
        self._opening: asyncio.Task[None] | None = None
        self._tasks: list[asyncio.Task[Any]] = []

    def start(self) -> None:
        self._tasks = [self._runtime.spawn(self._write(), "intake-writer", lasting=True)]
        self._tasks += [
            self._runtime.spawn(self._decide_queued(), f"intake-{n}", lasting=True) for n in range(DECIDERS)
        ]
        self._tasks.append(self._runtime.spawn(self._days.run(), "intake-keys", lasting=True))

    async def stop(self) -> None:
        await stop_tasks(self._tasks)
        for _, waiter in self._arriving:
            if not waiter.done():
                waiter.set_exception(Unavailable("stopping"))

    async def submit(
        self,
        kind: str,
        subject: str,
        body: Mapping[str, Any],
        cause: Cause,
        *,
        office: str | None,
        channel: str,
        person: str | None = None,
        read: BaseModel | None = None,
        first: bool = False,
    ) -> Receipt:
        """Stores the submission durably and gives its receipt; the same key and body give the same receipt.

        `cause.digest` is the plain one of the body as it was sent; it is not stored. `person`: whom the body is about,
        with whose key the receipt dies. `read` and `first`: as its decision here gets them (`Opened`).
        Raises CommandReused for another body under the key, KeyDestroyed for the same after the person was erased,
        Overloaded when the queue is full or this process's clock is off, Unavailable or UnknownOutcome when the store
        does not acknowledge.
        """
        if self._queue.full() or len(self._arriving) >= QUEUE_AT_MOST:
            raise Overloaded("intake", retry_after_seconds=self.admission.retry_after() or 1, status=429)
        await self._check_clock()
        receipt = self._receipt(kind, subject, cause)
        document = self._document(receipt, body, cause, office, channel, person)
        outcome = await self._stored(document)
        if outcome == "existed":
            return await self._repeated(cause)
        count("submissions")
        opened = Opened(body, read, receipt, first)
        if not self._queue_up(Waiting(document["_id"], document["account"], document, opened)):
            # It is stored and acknowledged; its timer has any replica decide it.
            count("submissions_left_to_timer")
        return receipt

    async def _repeated(self, cause: Cause) -> Receipt:
        stored = await self._store.load(SUBMISSIONS.name, cause.command_id)
        if stored is None:
            raise UnknownOutcome("submission")
        receipt = await self._proofs.opened(stored)
        if not is_of(receipt, cause.digest):
            raise CommandReused
        return receipt

    async def receipt(self, document: Document) -> Receipt:
        """The receipt as it was given. Raises KeyDestroyed for an erased person, IntakeKeyMissing, Unavailable."""
        return await self._proofs.opened(document)

    def _receipt(self, kind: str, subject: str, cause: Cause) -> Receipt:
        salt = base64.urlsafe_b64encode(self._runtime.rng.randbytes(SALT_BYTES)).decode().rstrip("=")
        received_at = text_of(self._runtime.now())
        return signed_receipt(
            self._keys, self._service, cause.command_id, kind, subject, received_at, cause.digest, salt
        )

    async def take_up(self, document: Document) -> None:
        """Has a submission decided whose timer is due, beside as many others as this replica decides at once."""
        id = document["_id"]
        if not self._tasks:
            await self.decide(id)
        elif id not in self._taken_up and self._queue_up(Waiting(id, document["account"])):
            self._taken_up.add(id)

    def _queue_up(self, waiting: Waiting) -> bool:
        try:
            self._queue.put_nowait(waiting)
        except asyncio.QueueFull:
            return False
        self.admission.queued(waiting.account)
        return True

    def _document(
        self,
        receipt: Receipt,
        body: Mapping[str, Any],
        cause: Cause,
        office: str | None,
        channel: str,
        person: str | None,
    ) -> Document:
        received_at = receipt["received_at"]
        day = received_at[:10]
        return SUBMISSIONS.indexed(
            {
                "_id": cause.command_id,
                "version": 1,
                "slot": slot_of(cause.command_id),
                "kind": receipt["kind"],
                "subject": receipt["subject"],
                "person": person,
                "received_at": received_at,
                "account": cause.account or "",
                "office": office,
                "channel": channel,
                "cause": cause_fields(cause),
                "day": day,
                **self._days.sealed({BODY: body, PROOF: receipt}, cause.command_id, day),
                "status": "pending",
                "problems": [],
                **NOTHING_AWAITED,
                "timed": True,
                "next_at": text_of(instant_of(received_at) + timedelta(seconds=DECIDE_WITHIN_SECONDS)),
            }
        )

    async def _stored(self, document: Document) -> str:
        waiter: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._arriving.append((document, waiter))
        self._arrived.set()
        return await waiter

    async def _write(self) -> None:
        """The group commit: what arrived while the last batch was written makes the next one."""
        while True:
            await self._arrived.wait()
            group, self._arriving = self._arriving[:GROUP_AT_MOST], self._arriving[GROUP_AT_MOST:]
            if not self._arriving:
                self._arrived.clear()
            first: dict[str, Document] = {}
            for document, _ in group:
                first.setdefault(document["_id"], document)
            try:
                outcomes = await self._append(list(first.values()))
            except Exception as error:
                # Whatever it was, nobody may wait for ever, and the next group is another.
                _failed(group, error)
                continue
            written = {id for id, outcome in zip(first, outcomes, strict=True) if outcome == "written"}
            for document, waiter in group:
                is_first = first[document["_id"]] is document
                if not waiter.done():
                    waiter.set_result("written" if is_first and document["_id"] in written else "existed")

    async def _append(self, documents: list[Document]) -> list[Appended]:
        causes = (document["cause"]["traceparent"] for document in documents)
        with joined("append", causes, service=self._service, count=len(documents)):
            return await self._store.append(SUBMISSIONS.name, documents)

    async def _check_clock(self) -> None:
        if self._runtime.monotonic() - self._clock_checked >= CLOCK_CHECK_EVERY_SECONDS:
            theirs = instant_of(await self._store.clock())
            self._clock_off = abs((self._runtime.now() - theirs).total_seconds())
            self._clock_checked = self._runtime.monotonic()
        if self._clock_off > CLOCK_OFF_AT_MOST_SECONDS:
            raise Overloaded("clock", retry_after_seconds=60)

    async def _decide_queued(self) -> None:
        while True:
            waiting = await self._queue.get()
            await self._begun()
            id, document = waiting.id, waiting.document
            try:
                # Before its timer is due no other replica takes it up, so it still is as it was stored.
                if document is not None and text_of(self._runtime.now()) < document["next_at"]:
                    await self._decide(document, waiting.opened)
                else:
                    await self.decide(id)
            except TooEarly:
                # It was noted for what it waits, which is said once.
                pass
            except (Unavailable, UnknownOutcome, Conflict) as error:
                # Its timer brings it again, here or on another replica.
                logger.warning("submission_waits", id=id, error=type(error).__name__)
            except Exception as error:
                count("submission_failed")
                logger.error("submission_failed", id=id, error=type(error).__name__)
            finally:
                self._taken_up.discard(id)
                self.admission.decided(waiting.account)

    async def _begun(self) -> None:
        """Waits for the next round; not where so many wait that all deciders are busy anyway."""
        begins, opens = self._runtime.monotonic(), self._next_round
        company = 1
        if opens > begins and self._queue.qsize() < DECIDERS:
            company = await self._gather(opens - begins)
            begins = min(opens, self._runtime.monotonic())
        # Who did not wait puts it off by no more than a round: many of them would put it off by minutes.
        self._next_round = max(self._next_round, begins + min(ROUND_SECONDS * company, LONGEST_ROUND_SECONDS))

    async def _gather(self, seconds: float) -> int:
        """Returns when the round begins: how many of those that waited for it have not begun yet.

        All of a round wait for one clock: one for each would cost as much as a store's search.
        """
        if not self._gathered:
            self._opening = self._runtime.spawn(self._opens(seconds), "intake-round")
        self._gathered += 1
        if self._gathered == DECIDERS:
            self._open.set()
        try:
            await self._open.wait()
        finally:
            company, self._gathered = self._gathered, self._gathered - 1
            if not self._gathered:
                self._open.clear()
                if self._opening is not None:
                    self._opening.cancel()
        return company

    async def _opens(self, seconds: float) -> None:
        await self._runtime.sleep(seconds)
        self._open.set()

    async def decide(self, id: str) -> None:
        """Decides a submission that is still pending; a repetition finds it decided, or does the same again."""
        document = await self._store.load(SUBMISSIONS.name, id)
        if document is not None and document["status"] == "pending":
            await self._decide(document, None)

    async def _decide(self, document: Document, opened: Opened | None) -> None:
        """`opened`: as it was submitted, where this replica still has it; else the sealed one is opened."""
        parent, names = document["cause"]["traceparent"], {"service": self._service, "kind": document["kind"]}
        with step("decide", parent, **names) as traceparent:
            await self._decide_once(document, opened, traceparent)

    async def _decide_once(self, document: Document, opened: Opened | None, traceparent: str | None) -> None:
        try:
            problems = await self._problems(document, opened, traceparent)
            proof = await self._proofs.for_good(document, opened.receipt if opened else None)
        except (Unavailable, UnknownOutcome, Conflict):
            raise
        except TooEarly as early:
            await self._wait(document, early)
            raise
        except Exception:
            # What fails on every replica must not be tried again at every sweep.
            await self._save(document, {**NOTHING_AWAITED, "next_at": self._later()})
            raise
        status = "accepted" if problems is None else "refused"
        note(status=status)
        rows = [{"pointer": problem.pointer, "rule": problem.rule} for problem in problems or ()]
        ended = {"status": status, "problems": rows, "body": None, "timed": False, "next_at": None}
        await self._save(document, {**NOTHING_AWAITED, **ended, "proof": proof})

    async def _wait(self, document: Document, early: TooEarly) -> None:
        """Puts it off. What is brought back by what is heard of a subject waits longer each time for the same reason;
        anything else has only its timer."""
        tries = 1 + (document.get("tries", 0) if document.get("waits_for") == early.reason else 0)
        if tries == 1:
            logger.warning("submission_waits", id=document["_id"], error=type(early).__name__, reason=early.reason)
        longest = WAITS_AT_MOST_SECONDS if early.awaits else DECIDE_WITHIN_SECONDS
        # Beyond so many doublings it is the longest wait in any case.
        seconds = min(DECIDE_WITHIN_SECONDS * 2 ** min(tries - 1, 8), longest)
        noted = {"waits_for": early.reason, "awaits": [*early.awaits], "tries": tries}
        try:
            await self._save(document, {**noted, "next_at": self._later(seconds)})
        finally:
            # Also where the outcome is unknown: from here on it may wait.
            self._none_awaits_until = 0.0
            self._put_off += 1

    async def _problems(
        self, document: Document, opened: Opened | None, traceparent: str | None
    ) -> tuple[Problem, ...] | None:
        """Why it is refused; None where it is accepted."""
        try:
            opened = opened or Opened(self._days.opened(document, BODY))
            await self._deciders[document["kind"]](submission_of(document, opened, traceparent))
        except Refusal as refusal:
            return refusal.problems
        except KeyDestroyed:
            return (Problem("erased"),)
        return None

    def _later(self, seconds: int = DECIDE_WITHIN_SECONDS) -> str:
        return text_of(self._runtime.now() + timedelta(seconds=seconds))

    async def _save(self, document: Document, changes: Mapping[str, Any]) -> None:
        changed = SUBMISSIONS.indexed({**document, **changes, "version": document["version"] + 1})
        try:
            await self._store.save(SUBMISSIONS.name, changed, document["version"])
        except Conflict:
            # Another replica decided it; the same commands under the same ids gave the same answer.
            count("submission_decided_elsewhere")

    async def undecided(self) -> int:
        """How many nobody has decided yet; without those that wait for what is not known here yet."""
        return await self._pending_of(UNDECIDED)

    async def awaiting(self) -> int:
        """How many wait for what is not known here yet."""
        return await self._pending_of(AWAITING)

    async def awaiting_of(self, subject: str) -> list[str]:
        """Those that wait until something is heard of the subject, by id.

        What another replica put off within the last second may be left out; its own timer brings it back.
        """
        now, put_off = self._runtime.monotonic(), self._put_off
        if now < self._none_awaits_until:
            return []
        if not await self._store.count(SUBMISSIONS.name, "undecided", AWAITING, at_most=1):
            # What was put off while the store was asked may not be in its answer.
            self._none_awaits_until = now + AWAITING_ASKED_EVERY_SECONDS if put_off == self._put_off else 0.0
            return []
        found = every(self._store, SUBMISSIONS.name, "awaits", subject, at_once=LOOKED_AT_ONCE)
        return [one["_id"] async for one in found]

    async def _pending_of(self, text: str) -> int:
        return await self._store.count(SUBMISSIONS.name, "undecided", text)


def _failed(group: Sequence[tuple[Document, asyncio.Future[str]]], error: Exception) -> None:
    if not isinstance(error, (Unavailable, UnknownOutcome)):
        count("submissions_failed")
        logger.error("submissions_failed", count=len(group), error=type(error).__name__)
    for _, waiter in group:
        if not waiter.done():
            waiter.set_exception(
                Unavailable("submissions") if isinstance(error, Unavailable) else UnknownOutcome("submissions")
            )
