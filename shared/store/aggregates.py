"""Saving a command: load, decide, evolve, one atomic save whose filter names the version (docs/kernel.md, section 1).

A document is an aggregate and a stream: `state` is the fold of its events, `private` what no event may carry,
`outbox` the events not yet sent, `applied` every command of people and events that it ever accepted, `emitted` a
count and a hash chain for each topic, `past` what happened in it (shared.store.past), `holds` its promises to other
documents (shared.store.guards).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any, Generic, Protocol, TypeVar

from pydantic import BaseModel

from shared.cases.case import Asked, Case, Desk, Eyes, Timer, no_timer
from shared.cases.taking import CASE_TAKEN, TAKEN, rule_against, taken_by
from shared.clock import Runtime, derived_id, instant_of, short_hash, text_of
from shared.contracts.base import Event, Scope, said_of
from shared.contracts.corrections import Revising
from shared.errors import CommandReused, Conflict, Overloaded, PreconditionFailed, Problem, Refusal, UnknownOutcome
from shared.store.collection import Collection
from shared.store.documents import new_document
from shared.store.past import Told, remember
from shared.store.port import Document, Store
from shared.store.streams import Emitter, emit
from shared.store.timers import schedule

S = TypeVar("S", bound=BaseModel)

APPLIED_AT_MOST = 4_096
# In the private part: the accounts that wrote what somebody else has to approve.
WRITTEN_BY = "written_by"
# In the private part: what was said beside the reasons of verbs (shared.web.notes).
NOTES, NOTES_AT_MOST = "noted", 20
ATTEMPTS = 40
# The mark of a command whose caller has not read the document.
UNREAD: Document = {}


def _no_scope(_state: Any) -> Scope:
    return Scope()


def _not_before_the_last(_state: Any, _command: Any) -> datetime | None:
    return None


def _no_eyes(_command: Any) -> Eyes:
    return ""


def _no_desk(_command: Any) -> tuple[Desk, str | None]:
    return "", None


@dataclass(frozen=True)
class Aggregate(Generic[S]):
    """The rules of one kind of document. `decide` and `evolve` are pure; `decide` raises Refusal.

    `timer` follows from the state alone, so that it never has to be stored apart from it. `eyes`: whether a command
    writes what another account has to approve, or approves it. `since`: the instant that a command which puts the last
    fact right may not lie before; None for any other one, which may not lie before the last fact.
    """

    collection: Collection
    state: type[S]
    decide: Callable[[S | None, Any, datetime], Sequence[Event]]
    evolve: Callable[[S | None, Any], S]
    timer: Callable[[S], Timer | None] = no_timer
    scope: Callable[[S], Scope] = _no_scope
    eyes: Callable[[Any], Eyes] = _no_eyes
    since: Callable[[S | None, Any], datetime | None] = _not_before_the_last
    desk: Callable[[Any], tuple[Desk, str | None]] = _no_desk

    @staticmethod
    def of(case: Case[S], collection: Collection) -> Aggregate[S]:
        """The documents of a case, kept in the collection."""
        return Aggregate(
            collection, case.state, case.decide, case.evolve, case.timer, case.scope, case.eyes, case.since, case.desk
        )

    @property
    def name(self) -> str:
        return self.collection.name

    def read(self, document: Document | None) -> S | None:
        """The state that the document holds; None for one that is missing or only a guard so far."""
        if document is None or document.get("state") is None:
            return None
        return self.state.model_validate(document["state"])


@dataclass(frozen=True)
class Cause:
    """Why a command runs. `command_id` makes it run once; `digest` tells another command under the same id.

    `happened_at` is None for what happens now; `recorded_late` marks a past instant that a role with that
    right gave, or that the causing event had. `causation_id` is the event that caused it, if one did. `acknowledged`:
    somebody has a receipt for it. `note`: what was said beside it, as the document keeps it. `by`: as what somebody
    asked for it, with the office; None where nobody did. `forgets`: the document tells no more what happened before.
    `claimed_until`: whoever asks goes on with the document, and its timer does not fire before that.
    """

    command_id: str
    digest: str = ""
    correlation_id: str | None = None
    causation_id: str | None = None
    traceparent: str | None = None
    happened_at: datetime | None = None
    recorded_late: bool = False
    account: str | None = None
    acknowledged: bool = False
    note: Mapping[str, Any] | None = None
    by: Mapping[str, str | None] | None = None
    forgets: bool = False
    claimed_until: datetime | None = None

    @cached_property
    def mark(self) -> str:
        """By which a document knows the command among those that it accepted."""
        return short_hash(self.command_id)

    @cached_property
    def body_mark(self) -> str:
        """By which it knows the command's body."""
        return short_hash(self.digest)

    def noting(self, note: Mapping[str, Any], digest: str) -> Cause:
        """The cause of the same command, with a note that is kept with the case's own document alone."""
        return replace(self, note=note, digest=digest)

    def step(self, name: str) -> Cause:
        """The cause of a further document's command within the same work, under an id of its own."""
        return Cause(
            derived_id(self.command_id, name),
            self.digest,
            self.correlation_id,
            self.causation_id,
            self.traceparent,
            self.happened_at,
            self.recorded_late,
            self.account,
            self.acknowledged,
            by=self.by,
            forgets=self.forgets,
        )


@dataclass(frozen=True)
class Saved(Generic[S]):
    """What stands in the store after the command; `repeated` when it had been applied before."""

    document: Document
    state: S
    events: tuple[Event, ...] = ()
    repeated: bool = False

    @property
    def version(self) -> int:
        return int(self.document["version"])


def check_version(document: Document | None, expected: int | None) -> None:
    """Raises PreconditionFailed where another version than the expected one stands; None expects none."""
    stands = int(document["version"]) if document else 0
    if expected is not None and expected != stands:
        raise PreconditionFailed(stands)


class Outboxes(Protocol):
    """Who sends outboxes: shared.messaging.relay."""

    def offer(self, collection: str, document: Document) -> None: ...


class Kernel:
    """Executes commands on one service's documents. `epoch` is the store's, raised by `restore` alone."""

    def __init__(self, service: str, store: Store, outboxes: Outboxes, runtime: Runtime, epoch: int = 1) -> None:
        self.service = service
        self.store = store
        self.outboxes = outboxes
        self.runtime = runtime
        self.epoch = epoch

    async def load(self, aggregate: Aggregate[S], id: str) -> tuple[Document | None, S | None]:
        document = await self.store.load(aggregate.name, id)
        return document, aggregate.read(document)

    async def execute(
        self,
        aggregate: Aggregate[S],
        id: str,
        command: Any,
        cause: Cause,
        *,
        expected_version: int | None = None,
        private: Mapping[str, Any] | None = None,
        known: Document | None = UNREAD,
    ) -> Saved[S]:
        """Applies the command once. `private` is merged into the private part in the same save; None removes a field.

        `known`: the document as the caller has just read or saved it, None where it found none. It spares the
        first attempt its load; the save names its version, and what is refused on it is asked of the store again.
        Raises Refusal, CommandReused, PreconditionFailed, Overloaded, Unavailable; Conflict only when the
        document stays contended through every attempt. An unknown outcome is settled by loading again.
        """
        for attempt in range(ATTEMPTS):
            given = attempt == 0 and known is not UNREAD
            document = known if given else await self.store.load(aggregate.name, id)
            try:
                saved = self._answered(aggregate, id, document, command, cause, expected_version, private)
            except (Refusal, PreconditionFailed):
                if given:
                    continue
                raise
            if saved.repeated:
                return saved
            if await self._save(aggregate, saved, document, attempt):
                return saved
        raise Conflict

    def foreseen(self, aggregate: Aggregate[S], id: str, document: Document | None, command: Any, cause: Cause) -> None:
        """Raises what `execute` would raise on that document. Asked before a guard is: a hold whose target then refuses
        is voided in the end, and the target with it."""
        self._answered(aggregate, id, document, command, cause, None, None)

    async def fire(
        self,
        aggregate: Aggregate[S],
        id: str,
        command: Any,
        cause: Cause,
        due: Callable[[Document], bool],
        *,
        known: Document | None = None,
    ) -> Saved[S] | None:
        """Executes what a clock asks for, if `due` says so of the very document that is saved over; else None.

        `known`: the document as the caller has just saved it, which spares the first attempt its load. The command does
        not enter `applied`, which would be full of it one day: that a second firing changes nothing follows from `due`
        and the version. What has no event to tell saves nothing. Raises as `execute` does.
        """
        for attempt in range(ATTEMPTS):
            document = known if known and attempt == 0 else await self.store.load(aggregate.name, id)
            if document is None or not due(document):
                return None
            saved = self._decide(aggregate, id, document, command, cause, None)
            if not saved.events:
                return None
            if await self._save(aggregate, saved, document, attempt):
                return saved
        raise Conflict

    async def _save(self, aggregate: Aggregate[S], saved: Saved[S], over: Document | None, attempt: int) -> bool:
        """Whether the draft was saved over that document; where not, a new attempt may follow at once."""
        try:
            await self.store.save(aggregate.name, saved.document, int(over["version"]) if over else 0)
        except (Conflict, UnknownOutcome):
            await self.runtime.sleep(self.runtime.rng.uniform(0, 0.002 * min(attempt + 1, 20)))
            return False
        if saved.document["pending"]:
            self.outboxes.offer(aggregate.name, saved.document)
        return True

    def _answered(
        self,
        aggregate: Aggregate[S],
        id: str,
        document: Document | None,
        command: Any,
        cause: Cause,
        expected_version: int | None,
        private: Mapping[str, Any] | None,
    ) -> Saved[S]:
        """What the command makes of the document: a draft to be saved, or what it made of it before."""
        if document is not None and settled(document, cause):
            state = aggregate.read(document)
            if state is not None:
                return Saved(document, state, repeated=True)
        check_version(document, expected_version)
        saved = self._decide(aggregate, id, document, command, cause, private)
        _remember(saved.document, cause)
        return saved

    def _decide(
        self,
        aggregate: Aggregate[S],
        id: str,
        document: Document | None,
        command: Any,
        cause: Cause,
        private: Mapping[str, Any] | None,
    ) -> Saved[S]:
        now = self.runtime.now()
        state = aggregate.read(document)
        at = _happened_at(document, cause, now, aggregate.since(state, command))
        events = tuple(
            event.model_copy(update={"recorded_late": True}) if cause.recorded_late else event
            for event in aggregate.decide(state, _asked_by(command, cause), at)
        )
        told: list[Told] = []
        for event in events:
            state = aggregate.evolve(state, event)
            told.append((event, said_of(state, "status")))
        if state is None:
            raise Refusal("not_found", status=404)
        draft = new_document(id) if document is None else dict(document)
        draft["version"] += 1
        draft["state"] = state.model_dump(mode="json", exclude_none=True)
        beside = {**seen_by(draft, aggregate.eyes(command), cause), **_noted(draft, cause, at)}
        desk, colleague = aggregate.desk(command)
        # What is of the right office already stays with whoever took it there.
        beside |= {} if desk == "leaves" and not events else _taken(draft, desk, colleague, cause, at)
        merged = {**draft["private"], **(private or {}), **beside}
        draft["private"] = {name: value for name, value in merged.items() if value is not None}
        if events:
            draft["late"] = cause.recorded_late
            draft["last_happened_at"] = _last_instant(draft, events[-1])
            emit(draft, Emitter(self.service, self.epoch, aggregate.scope(state), cause), events, now)
            remember(draft, told, cause)
        schedule(draft, aggregate, state)
        if cause.claimed_until and draft["timed"]:
            draft["next_at"] = max(draft["next_at"], text_of(cause.claimed_until))
        return Saved(aggregate.collection.indexed(draft), state, events)


def _last_instant(draft: Document, event: Event) -> str:
    """What happens next lies no earlier. A fact that is put right takes its instant with it; what is told anew of an
    earlier instant leaves where the document had come to."""
    at, last = text_of(event.happened_at), draft.get("last_happened_at")
    return max(at, last) if last and not isinstance(event, Revising) else at


def _asked_by(command: Any, cause: Cause) -> Any:
    """The command with the role of whoever asks for it, by which a refusal names the state."""
    return replace(command, role=cause.by["role"]) if isinstance(command, Asked) and cause.by else command


def _remember(draft: Document, cause: Cause) -> None:
    if len(draft["applied"]) >= APPLIED_AT_MOST:
        raise Overloaded("commands of this document", retry_after_seconds=3600)
    draft["applied"] = {
        **draft["applied"],
        cause.mark: [cause.body_mark, draft["version"]],
    }


def seen_by(document: Document, eyes: Eyes, cause: Cause) -> Mapping[str, Any]:
    """Who wrote what stands, kept with it. Raises Refusal `four_eyes` for one of them who approves it.

    In the very save: between a look and a save, somebody else may have written.
    """
    if not eyes or (cause.account is None and eyes == "writes"):
        return {}
    wrote = document["private"].get(WRITTEN_BY, [])
    if eyes == "writes":
        return {} if cause.account in wrote else {WRITTEN_BY: [*wrote, cause.account]}
    if not wrote or cause.account is None or cause.account in wrote:
        raise Refusal("four_eyes", "who wrote it may not approve it")
    return {}


def _noted(document: Document, cause: Cause, at: datetime) -> Mapping[str, Any]:
    """Raises Refusal `notes_full`: the same without a note goes on."""
    if cause.note is None:
        return {}
    notes = document["private"].get(NOTES, [])
    if len(notes) >= NOTES_AT_MOST:
        raise Refusal("notes_full", f"a case keeps {NOTES_AT_MOST} notes; without one the verb goes on")
    return {NOTES: [*notes, {**cause.note, "at": text_of(at)}]}


def _taken(document: Document, desk: Desk, colleague: str | None, cause: Cause, at: datetime) -> Mapping[str, Any]:
    """Who has the case after the command. Raises Refusal `case_taken`, `case_not_taken`, in the very save."""
    if not desk:
        return {}
    account = taken_by(document)
    if rule := rule_against(desk, account):
        raise Refusal(rule)
    if desk in ("gives_back", "leaves"):
        return {TAKEN: None}
    to = colleague if desk == "passes_on" else cause.account
    if to == account:
        raise Refusal(CASE_TAKEN)
    return {TAKEN: {"account": to, "at": text_of(at)}}


def accepted(document: Document, cause: Cause) -> bool:
    """Whether the document accepted a command of that id before. With what body, `settled` asks at the save: what it
    keeps of a body with a text is a digest with the text sealed."""
    return cause.mark in document["applied"]


def settled(document: Document, cause: Cause) -> bool:
    """Whether the document accepted this command before. Raises CommandReused for another digest."""
    known = document["applied"].get(cause.mark)
    if known is None:
        return False
    if known[0] != cause.body_mark:
        raise CommandReused
    return True


def _before_the_last(last: str) -> Refusal:
    rule, wanted = "happened_before_last", f"not before {last}, when the last entry of this case happened"
    problem = Problem(rule, "/happened_at", wanted, instant_of(last))
    return Refusal(rule, wanted, problems=(problem,))


def _happened_at(document: Document | None, cause: Cause, now: datetime, since: datetime | None) -> datetime:
    at = cause.happened_at or now
    # What an event caused, or a receipt was given for, happened when that clock said so, though ours may be a little
    # behind it: refused here, it would be half done, and the one who has the receipt could do nothing about it.
    if at > now and cause.causation_id is None and not cause.acknowledged:
        raise Refusal("happened_in_the_future", status=422)
    last = text_of(since) if since else document and document.get("last_happened_at")
    if not last or at >= instant_of(last):
        return at
    if cause.recorded_late and cause.causation_id is None:
        raise _before_the_last(last)
    # Two documents share no order, and two replicas' clocks differ: what follows happens at the earliest then.
    return instant_of(last)
