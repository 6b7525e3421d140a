"""Moves jobs: each chunk in the save that moves its cursor, by whichever replica comes to it (docs/jobs.md).

The replica that took a job in begins it at once; its timer has any other one go on with what a crash left. While one
works on it the job names it as its holder, which spares work and is no lock: what two of them do is done once, since
every effect has an id that follows from the job, and of two saves of one version the store takes one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel, ValidationError

from shared.clock import Runtime, instant_of, retrying, stop_tasks, text_of
from shared.errors import (
    CommandReused,
    Conflict,
    Overloaded,
    Refusal,
    TooEarly,
    Unavailable,
    UnknownOutcome,
)
from shared.identity.keys import Keys
from shared.identity.sealing import SealBroken
from shared.identity.tokens import Principal
from shared.jobs.content import Content, ContentGone, JobKeys, empty, opened_body, sealed_body
from shared.jobs.documents import (
    FETCHES_KEPT,
    JOBS,
    MOVING,
    OPEN,
    PROBLEMS_KEPT,
    cause_of,
    moving_of,
    new_job,
    row_of,
)
from shared.jobs.kinds import JobKind, Step, Work
from shared.store.aggregates import Cause, check_version
from shared.store.port import Document, Store
from shared.telemetry.observability import count, logger
from shared.telemetry.tracing import note, step

# So many are moved side by side by one replica; each waits most of the time, for the store or the pool.
WORKERS = 2
QUEUE_AT_MOST = 200
# Of one account; of what moves, and with what waits for its confirmation.
MOVING_AT_MOST, OPEN_AT_MOST = 10, 50
# A job that was moved for so long lets others have their turn.
SLICE_SECONDS = 2.0
# After so long without a save another replica goes on.
HELD_SECONDS = 30
BEGUN_WITHIN_SECONDS = 10
WAITS_AT_MOST_SECONDS = 300
# What fails in a way that nobody foresaw may be a replica's own trouble.
TRIES_AT_MOST = 5
RETRY_SECONDS = 30
ENDED, NOT_WAITING, EXPIRED, FAILED = "job_ended", "job_not_waiting", "job_expired", "internal"
TOO_MANY = "jobs_too_many"
_LATER = (Unavailable, UnknownOutcome, Conflict, Overloaded, TooEarly)
NOTHING_HELD: Mapping[str, Any] = {"held": False, "body": None, "pieces": [], "files": []}


class Jobs:
    """The jobs of one service. `kinds`: what it does, the one table of them."""

    def __init__(self, service: str, store: Store, runtime: Runtime, keys: Keys, kinds: Sequence[JobKind[Any]]) -> None:
        self.kinds: Mapping[str, JobKind[Any]] = {kind.name: kind for kind in kinds}
        if len(self.kinds) != len(kinds):
            raise ValueError("two kinds of job have one name")
        self._service = service
        self._store = store
        self._runtime = runtime
        self._keys = JobKeys(service, keys, runtime, store)
        self._name = runtime.new_id()
        self._queue: asyncio.Queue[str] = asyncio.Queue(QUEUE_AT_MOST)
        self._taken_up: set[str] = set()
        self._tasks: list[asyncio.Task[Any]] = []

    def start(self) -> None:
        self._tasks = [self._runtime.spawn(self._move_queued(), f"jobs-{n}", lasting=True) for n in range(WORKERS)]
        self._tasks.append(self._runtime.spawn(self._keys.run(), "job-keys", lasting=True))

    async def stop(self) -> None:
        """What is under way is done again by whoever comes next."""
        tasks, self._tasks = self._tasks, []
        await stop_tasks(tasks)

    async def ask(
        self,
        kind: str,
        body: BaseModel,
        cause: Cause,
        principal: Principal,
        files: Mapping[str, Sequence[bytes]] | None = None,
    ) -> Document:
        """The job, durable and on its way; the same one for the same key and body.

        `files`: what it begins with, by name, in pieces of 1 MiB at most. `cause.digest`: the keyed one of all that
        was sent. Refusal `jobs_too_many` for somebody of whom fifty have not ended; raises CommandReused for another
        body under the key, Overloaded (429) where ten of theirs move, Unavailable, UnknownOutcome.
        """
        known = await self._store.load(JOBS.name, cause.command_id)
        if known is not None:
            return await self._stored(cause, files or {})
        await self._check_room(principal.account)
        now = self._runtime.now()
        key = self._keys.of(text_of(now)[:10])
        sealed = sealed_body(key, cause.command_id, body.model_dump(mode="json", exclude_none=True), self._runtime)
        due = now + timedelta(seconds=BEGUN_WITHIN_SECONDS)
        document = new_job(self.kinds[kind], sealed, cause, principal.role, principal.office, now, due)
        if files:
            # Before its files it is there to end what was written of them, and not to be begun.
            document |= {"arrived": False, "next_at": document["until"]}
        try:
            await self._store.save(JOBS.name, JOBS.indexed(document), 0)
        except Conflict:
            return await self._stored(cause, files or {})
        count("jobs")
        return await self._stored(cause, files or {}) if files else self._begun(document)

    async def _check_room(self, account: str) -> None:
        if await self._store.count(JOBS.name, "open", moving_of(account), at_most=MOVING_AT_MOST) >= MOVING_AT_MOST:
            raise Overloaded("jobs", retry_after_seconds=RETRY_SECONDS, status=429)
        if await self._store.count(JOBS.name, "open", account, at_most=OPEN_AT_MOST) >= OPEN_AT_MOST:
            raise Refusal(TOO_MANY, f"{OPEN_AT_MOST} jobs that have not ended, at most")

    async def _stored(self, cause: Cause, files: Mapping[str, Sequence[bytes]]) -> Document:
        """The job with its files, whoever of those that ask for the same at once writes them."""
        known = await self._store.load(JOBS.name, cause.command_id)
        if known is None:
            raise UnknownOutcome("job")
        if _same(known, cause)["arrived"]:
            return known
        content = await self.content(known)
        for name, pieces in files.items():
            for piece in pieces:
                await content.append(name, piece)
        arrived = {"arrived": True, "pieces": content.manifest, "next_at": self._later(BEGUN_WITHIN_SECONDS)}
        try:
            return self._begun(await self._save(known, arrived))
        except Conflict:
            found = await self._store.load(JOBS.name, cause.command_id)
            if found is None or not found["arrived"]:
                raise
            return found

    def _begun(self, document: Document) -> Document:
        self._queue_up(document["_id"])
        return document

    async def cancel(self, id: str, expected: int | None = None) -> Document:
        """What was done stays done, and nothing more is; cancelled again it stays so. Refusal `job_ended`; raises
        PreconditionFailed, Conflict, Unavailable, UnknownOutcome."""

        def ended(document: Document) -> Mapping[str, Any] | None:
            if document["status"] == "cancelled":
                return None
            check_version(document, expected)
            if document["status"] not in OPEN:
                raise Refusal(ENDED, "the job has ended")
            return self._ended("cancelled", document)

        document = await self._changed(id, ended)
        await self._tidy(document)
        return document

    async def confirm(self, id: str, account: str, expected: int | None = None) -> Document:
        """Goes on from the preview; confirmed again it has been. Refusal `job_not_waiting`; raises as `cancel`."""

        def confirmed(document: Document) -> Mapping[str, Any] | None:
            if document["confirmed_by"] is not None:
                return None
            check_version(document, expected)
            if document["status"] != "waiting":
                raise Refusal(NOT_WAITING, "the job waits for no confirmation now")
            return {"status": "queued", "confirmed_by": account, "timed": True, "next_at": text_of(self._runtime.now())}

        document = await self._changed(id, confirmed)
        if document["status"] == "queued":
            self._queue_up(id)
        return document

    async def content(self, document: Document) -> Content:
        """What the job holds. Refusal `job_expired` (410) for one that holds nothing any more."""
        try:
            if not document["held"]:
                raise ContentGone
            return self._content(document, self._keys.of(document["day"]))
        except ContentGone:
            raise Refusal(EXPIRED, "what the job held is gone", status=410) from None

    async def note_fetch(self, id: str, account: str) -> None:
        """That the account fetches a file of the job now: noted before the file is given, perhaps twice. Refusal 404;
        raises Unavailable, UnknownOutcome."""

        def noted(document: Document) -> Mapping[str, Any]:
            fetch = {"account": account, "at": text_of(self._runtime.now())}
            known = document.get("fetches", [])
            # Of a version before nothing was noted.
            count = document.get("fetch_count", 0) + 1
            return {"fetches": [*known, fetch][-FETCHES_KEPT:], "fetch_count": count}

        await self._changed(id, noted)

    async def take_up(self, document: Document) -> None:
        """What a due timer does: has the job moved beside the others of this replica, or ends what it holds."""
        if not self._tasks:
            await self.move(document["_id"])
        else:
            self._queue_up(document["_id"])

    async def moving(self) -> int:
        """How many have not ended and wait for nobody."""
        return await self._store.count(JOBS.name, "moving", "all")

    def _queue_up(self, id: str) -> None:
        """Where there is no room its timer brings it again."""
        if id in self._taken_up or not self._tasks:
            return
        try:
            self._queue.put_nowait(id)
        except asyncio.QueueFull:
            count("jobs_left_to_timer")
            return
        self._taken_up.add(id)

    async def _move_queued(self) -> None:
        while True:
            id, again = await self._queue.get(), False
            try:
                again = await self._slice(id)
            except _LATER as error:
                logger.warning("job_waits", id=id, error=type(error).__name__)
            except Exception as error:
                count("job_failed")
                logger.error("job_failed", id=id, error=type(error).__name__)
            finally:
                self._taken_up.discard(id)
            if again:
                self._queue_up(id)

    async def _slice(self, id: str) -> bool:
        """Whether more of it is to be done at once, after others have had their turn."""
        until = self._runtime.monotonic() + SLICE_SECONDS
        while await self.move(id):
            if self._runtime.monotonic() >= until:
                return True
        return False

    async def move(self, id: str) -> bool:
        """Does one chunk of a job, or what its timer is for; whether more is to be done at once.

        Raises Conflict where another replica was faster, Unavailable, UnknownOutcome.
        """
        document = await self._store.load(JOBS.name, id)
        if document is None or not document["timed"]:
            return False
        now = self._runtime.now()
        if document["until"] <= text_of(now) or not document["held"]:
            await self._let_go(document)
            return False
        if document["status"] not in MOVING or not document["arrived"] or self._is_anothers(document, now):
            return False
        held = {"status": "running", "holder": self._name, "next_at": self._later(HELD_SECONDS)}
        document = await self._save(document, held) if document["holder"] != self._name else document
        names = {"service": self._service, "kind": document["kind"]}
        with step("job", document["cause"]["traceparent"], **names):
            return await self._chunk(document)

    def _is_anothers(self, document: Document, now: datetime) -> bool:
        """Whether another replica works on it, or has put it off."""
        held = document["status"] == "running" and document["next_at"] > text_of(now)
        return bool(held and document["holder"] != self._name)

    async def _chunk(self, document: Document) -> bool:
        kind = self.kinds.get(document["kind"])
        if kind is None:
            # Asked of a version that did such jobs.
            await self._fail(document, FAILED)
            return False
        try:
            work = self._work(kind, document)
            found = await kind.chunk(work)
            kind.check(found)
        except _LATER as error:
            await self._put_off(document, min(2 ** document["tries"], WAITS_AT_MOST_SECONDS))
            logger.warning("job_waits", id=document["_id"], error=type(error).__name__)
            return False
        except Refusal as refusal:
            await self._fail(document, refusal.rule)
            return False
        except (ContentGone, SealBroken):
            await self._fail(document, EXPIRED)
            return False
        except Exception as error:
            await self._unforeseen(document, error)
            return False
        return await self._moved(document, work, found)

    def _work(self, kind: JobKind[Any], document: Document) -> Work[Any]:
        key = self._keys.of(document["day"])
        try:
            body = kind.body.model_validate(opened_body(key, document))
        except ValidationError:
            # Of a version whose bodies were others.
            raise Refusal(FAILED) from None
        return Work(
            body,
            document["cursor"],
            document["done"],
            document["total"],
            document["counts"],
            document["confirmed_by"] is not None,
            Principal(document["account"], document["role"], document["office"]),
            instant_of(document["asked_at"]),
            cause_of(document),
            self._content(document, key),
        )

    def _content(self, document: Document, key: bytes) -> Content:
        return Content(document["_id"], key, document["pieces"], self._store, self._runtime)

    async def _moved(self, document: Document, work: Work[Any], found: Step) -> bool:
        known = document["problems"]
        changes: dict[str, Any] = {
            "cursor": dict(found.cursor),
            "done": found.done,
            "total": found.total,
            "problems": [*known, *map(row_of, found.problems[: PROBLEMS_KEPT - len(known)])],
            "problem_count": document["problem_count"] + len(found.problems),
            "counts": {**document["counts"], **found.counts},
            "said": {**document["said"], **found.said},
            "pieces": work.content.manifest,
            "files": _files(document["files"], found),
            "tries": 0,
            "next_at": self._later(HELD_SECONDS),
        }
        if found.then == "more":
            await self._save(document, changes)
            return True
        if found.then == "wait":
            waits = {"status": "waiting", "holder": None, "next_at": document["until"]}
            await self._save(document, {**changes, **waits})
        else:
            status = "failed" if found.rule else "done"
            ended = self._ended(status, {**document, **changes})
            await self._tidy(await self._save(document, {**changes, **ended, "rule": found.rule}))
        note(status=found.then)
        return False

    async def _fail(self, document: Document, rule: str) -> None:
        count("jobs_failed")
        await self._tidy(await self._save(document, {**self._ended("failed", document), "rule": rule}))

    async def _unforeseen(self, document: Document, error: Exception) -> None:
        # The class alone: the message of an unexpected error may quote what it stumbled over.
        logger.error("job_failed", id=document["_id"], kind=document["kind"], error=type(error).__name__)
        if document["tries"] + 1 >= TRIES_AT_MOST:
            await self._fail(document, FAILED)
        else:
            await self._put_off(document, 2 ** document["tries"])

    async def _put_off(self, document: Document, seconds: int) -> None:
        again = {"tries": document["tries"] + 1, "holder": None, "next_at": self._later(seconds)}
        await self._save(document, again)

    async def _let_go(self, document: Document) -> None:
        """Its time is over: what had not ended has failed, and nothing that it held is kept."""
        if document["held"]:
            late = {} if document["status"] not in OPEN else {**self._ended("failed", document), "rule": EXPIRED}
            document = await self._save(document, {**late, **NOTHING_HELD})
        await self._tidy(document)

    def _ended(self, status: str, document: Document) -> dict[str, Any]:
        """Of one that is done its offered files are kept until their time is over; of any other one nothing is."""
        offered = {one["name"] for one in document["files"]} if status == "done" else set()
        kept = [piece for piece in document["pieces"] if piece[0] in offered]
        ended: dict[str, Any] = {"status": status, "holder": None, "ended_at": text_of(self._runtime.now())}
        if not kept:
            return {**ended, **NOTHING_HELD, "next_at": ended["ended_at"]}
        return {**ended, "body": None, "pieces": kept, "timed": True, "next_at": document["until"]}

    async def _tidy(self, document: Document) -> None:
        """What does not stand any more is emptied; of a job that holds nothing the timer stands until that is done."""
        await empty(self._store, self._runtime, document["_id"], document["pieces"])
        if not document["held"] and document["timed"]:
            await self._save(document, {"timed": False, "next_at": None})

    async def _changed(self, id: str, change: Callable[[Document], Mapping[str, Any] | None]) -> Document:
        async def once() -> Document:
            document = await self._store.load(JOBS.name, id)
            if document is None:
                raise Refusal("not_found", status=404)
            changes = change(document)
            return document if changes is None else await self._save(document, changes)

        return await retrying(once, self._runtime, (Conflict,))

    async def _save(self, document: Document, changes: Mapping[str, Any]) -> Document:
        changed = JOBS.indexed({**document, **changes, "version": document["version"] + 1})
        await self._store.save(JOBS.name, changed, document["version"])
        return changed

    def _later(self, seconds: float) -> str:
        return text_of(self._runtime.now() + timedelta(seconds=seconds))


def _same(known: Document, cause: Cause) -> Document:
    if known["digest"] != cause.digest:
        raise CommandReused
    return known


def _files(known: list[dict[str, str]], found: Step) -> list[dict[str, str]]:
    said = {one.name: one.media_type for one in found.files}
    before = {one["name"]: one["media_type"] for one in known}
    return [{"name": name, "media_type": kind} for name, kind in {**before, **said}.items()]
