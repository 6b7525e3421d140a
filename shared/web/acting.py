"""What an endpoint does, apart from how it answers: act on a case, look at one, list them. JSON and pages call these.

What every act does, in this order: the policy's row (401, 403), the document under the policy (404), the body
(413, 415, 422), the cause with the right to record late (403), the command.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from shared.cases.bodies import Change, Noted
from shared.cases.case import Asked, Case, Move, person_of
from shared.cases.movable import TRANSFER, Transfer
from shared.cases.taking import rule_against, taken_by
from shared.contracts.base import Event
from shared.errors import Refusal
from shared.identity.policy import Grant, Row
from shared.identity.roles import ROLES, Relation, Role
from shared.identity.tokens import Principal
from shared.papers.named import PaperOf
from shared.programmes.definitions import Definitions
from shared.programmes.reasons import check_codes, part_of
from shared.programmes.sections.base import Section
from shared.store.aggregates import WRITTEN_BY, Aggregate, Cause, Kernel, Saved, accepted, check_version, settled
from shared.store.collection import belongs
from shared.store.narrowing import everything
from shared.store.port import Document
from shared.store.relations import RECEIVING, asked_of
from shared.web.callers import Granted
from shared.web.notes import Note, Notes
from shared.web.suggesting import Hinders, Hindrance, Suggests
from shared.web.weighing import Shuts, Weighs, nothing_shut, nothing_weighed

B = TypeVar("B", bound=Change)
NOTHING_YET: Document = {}

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


class Seen(BaseModel):
    """A case as its reader sees it; a field that is hidden from the reader is not there.

    `state`: where it stands; `open`: the verbs that its state and the reader's rights leave open now. What the body
    says, or another document, may still refuse one. `notes`: where one case is read, those that the reader may.
    `taken_by`: for officers of the office alone, the account of whoever works on it; null: nobody does. `transfer`:
    for officers, while another office is asked to take the case over.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    version: int
    state: str
    open: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()
    taken_by: str | None = None
    transfer: Transfer | None = None


Represent = Callable[[Document, Principal], Seen]
# What only the reading of one case tells: fields of `seen` that the store holds sealed, or elsewhere.
Unsealed = Callable[[Document, Granted], Awaitable[Mapping[str, Any]]]


@dataclass(frozen=True)
class Call(Generic[B]):
    """What an act's work gets. `document` is what the caller was allowed to see before; empty for an opening."""

    id: str
    verb: str
    body: B
    cause: Cause
    expected_version: int | None
    document: Document
    granted: Granted

    @property
    def principal(self) -> Principal:
        return self.granted.principal


Work = Callable[[Call[Any]], Awaitable[Saved[Any]]]
# Whether a role is told of what an event says in a case's timeline.
Tells = Callable[[type[Event], Role], bool]
# Takes a submission and gives its signed receipt (shared.intake).
Taking = Callable[[Call[Any]], Awaitable[Mapping[str, Any]]]


def tells_all(_event: type[Event], _role: Role) -> bool:
    return True


@dataclass(frozen=True)
class News:
    """`headline`: the field that says what it is; `at`: since when it is told, and `lasts`: for how long it is new."""

    headline: str
    at: str
    lasts: timedelta


# What the fields of a form begin with, by their names: of a case that its reader may see, by what stands now.
Begins = Callable[[Document], Awaitable[Mapping[str, Any]]]


@dataclass(frozen=True)
class Choosable:
    """A code that a form offers. `usual`: it is asked for in every case; else it is left to whoever knows this one."""

    code: str
    usual: bool = True


# The codes that a field of a form offers for a case; all of its own where these are none. Raises TooEarly.
Chooses = Callable[[Document], Sequence[Choosable]]


@dataclass(frozen=True)
class Ground:
    """What stands elsewhere and a verb answers to. `told`: as its form shows it, before the button; `parts`: fields of
    it that name cases of other services, of which the reader is shown that much."""

    told: BaseModel
    parts: tuple[str, ...] = ()


# In a verb's place: the page of the case itself.
PAGE = ""
# None where there is nothing to show.
Grounds = Callable[[Document, Granted], Awaitable[Ground | None]]


# The names, by language, of what a page still lacks of a case.
Lacks = Callable[[Document], Awaitable[Sequence[Mapping[str, str]]]]


async def nothing_lacks(_document: Document) -> Sequence[Mapping[str, str]]:
    return ()


@dataclass(frozen=True)
class Beside:
    """A page that stands beside a case's own: the right that opens it, its address from the case's document, of which
    cases there is one, and as which verb it is named, if not as the one of its right. `helps`: the verb that may need
    it, whose form leads to it too, and says what it still `lacks`."""

    resource: str
    verb: str
    address: Callable[[Document], str]
    is_there: Callable[[Document], bool] = everything
    named: str = ""
    helps: str = ""
    lacks: Lacks = nothing_lacks

    @property
    def word(self) -> str:
        return self.named or self.verb


@dataclass(frozen=True)
class Served:
    """A case behind an edge. `works`: the verbs whose doing takes more than the case's own document, or another way.

    `taken`: verbs that are taken in with a receipt and decided afterwards. `seen`: what a reader sees, as a model.
    `about`: the person that a case is about, with whose key the digests of its bodies end. `outlasting`: the verbs that
    may be asked again after that, and whose bodies say nothing of a person.
    `section`: the part of a programme that adds reasons and items to those of the verbs. `tells`: of what a role that
    reads the case is told in its timeline.
    `columns`: what a list shows of each, by fields of `seen` and of its parts (`parties.expert`); `in_part`: what a
    case that names this one shows of it, as of that day, if not the columns. `parts`: fields that name cases of other
    services, of which the reader is shown that much.
    `beside`: what pages of the case lead to besides; `papers`: what there is of it as a PDF. `weighs`: what a verb is
    decided by, one by one; `shuts`: which verbs that the state leaves open are refused for now. `suggests`: by verb and
    field, which cases the body may name, `chooses`: which codes it may name of this case. `hinders`: by verb that opens
    cases, what is missing before anybody fills in its form.
    `news`: that a case of it is read and not acted on, and how it is told to whoever it is for.
    `begins`: by verb, what its form begins with that the case itself does not say in these fields. `grounds`: by verb,
    what whoever does it has to have read; by `PAGE`, what stands elsewhere and the case is about.
    ValueError where a verb that needs something has no work, or a work no verb.
    """

    case: Case[Any]
    aggregate: Aggregate[Any]
    seen: type[Seen]
    represent: Represent
    works: Mapping[str, Work] = field(default_factory=dict)
    taken: Mapping[str, Taking] = field(default_factory=dict)
    unsealed: Unsealed | None = None
    about: Callable[[Document], str] | None = None
    outlasting: frozenset[str] = frozenset()
    section: type[Section] | None = None
    tells: Tells = tells_all
    columns: tuple[str, ...] = ()
    in_part: Callable[[Any, date], BaseModel] | None = None
    parts: tuple[str, ...] = ()
    beside: tuple[Beside, ...] = ()
    papers: tuple[PaperOf, ...] = ()
    begins: Mapping[str, Begins] = field(default_factory=dict)
    grounds: Mapping[str, Grounds] = field(default_factory=dict)
    news: News | None = None
    weighs: Weighs = nothing_weighed
    shuts: Shuts = nothing_shut
    suggests: Mapping[tuple[str, str], Suggests] = field(default_factory=dict)
    chooses: Mapping[tuple[str, str], Chooses] = field(default_factory=dict)
    hinders: Mapping[str, Hinders] = field(default_factory=dict)

    def __post_init__(self) -> None:
        needing = {verb for verb in self.case.verbs if self.case.rows[verb][0].needs}
        if missing := needing - set(self.works) - set(self.taken):
            raise ValueError(f"{self.case.name}: no work for {', '.join(sorted(missing))}")
        shown = (path.partition(".")[0] for path in (*self.columns, *self.parts))
        if unknown := set(shown) - set(self.seen.model_fields):
            raise ValueError(f"{self.case.name}: {self.seen.__name__} has no {', '.join(sorted(unknown))}")
        if strange := (set(self.works) | set(self.taken)) - set(self.case.verbs):
            raise ValueError(f"{self.case.name}: no verb for the work {', '.join(sorted(strange))}")

    @property
    def name(self) -> str:
        return self.case.name

    async def hindrance(self, verb: str, granted: Granted) -> Hindrance | None:
        """What is missing before the form of the verb is worth filling in."""
        hinders = self.hinders.get(verb)
        return None if hinders is None else await hinders(granted)

    def person_of(self, document: Document, verb: str = "") -> str | None:
        """The person whom the case is about; None for other cases, and for one that is about to be opened.

        `verb`: None as well where the digest of what it says does not end with the person's key.
        """
        return self.about(document) if self.about is not None and document and verb not in self.outlasting else None


@dataclass(frozen=True)
class Behind:
    """What a service's edge acts through."""

    kernel: Kernel
    notes: Notes
    definitions: Definitions


def rows_of(case: Case[Any]) -> tuple[Row, ...]:
    """The policy's rows of a case: who reads and lists it, and who may do what."""
    lists = case.readers if case.lists is None else case.lists
    rights = {"read": case.readers, "list": lists, **{verb: case.rows[verb][0].by for verb in case.verbs}}
    rows = [Row(role, case.name, verb, relation) for verb, by in rights.items() for role, relation in by.items()]
    # Whoever is asked to take a case over reads it first; a list is found under one relation, and narrowed to such. Who
    # has taken it over asks again as its own office.
    receiving = [role for role in ROLES if case.is_received_by(role)]
    again = [row for row in rows if row.relation == RECEIVING]
    return (
        *rows,
        *(Row(role, case.name, "read", RECEIVING) for role in receiving),
        *(replace(row, relation="office") for row in again),
    )


async def act(served: Served, behind: Behind, call: Call[Any]) -> Saved[Any]:
    """Does what the verb says, once. Raises Refusal, PreconditionFailed, CommandReused, Overloaded, Unavailable."""
    row = served.case.rows[call.verb][0]
    again = bool(call.document) and accepted(call.document, call.cause)
    if call.document and not again:
        # The save asks again; what a work does before its save is not begun for a version that has moved on.
        check_version(call.document, call.expected_version)
    asks_its_own = RECEIVING in row.by.values() and not stands_in(call.document, call.principal, RECEIVING)
    # An office that has taken the case over is answered once more, and no other one that has it.
    if asks_its_own and not again:
        raise Refusal("not_found", status=404)
    check_codes(row, call.body, _part_of(served, behind, call.document))
    if isinstance(call.body, Noted) and call.body.note:
        person = _noted_about(served, call.document)
        call = replace(call, cause=await behind.notes.write(person, call.verb, call.body.note, call.cause))
    if work := served.works.get(call.verb):
        return await work(call)
    return await behind.kernel.execute(
        served.aggregate,
        call.id,
        Asked(call.verb, call.body),
        call.cause,
        expected_version=call.expected_version,
        private=_settling(served.case.rows[call.verb][0], call),
    )


def _settling(move: Move, call: Call[Any]) -> Mapping[str, Any] | None:
    """What becomes of the flag that the verb settles, and of who did it. Raises Refusal `not_flagged`."""
    if not move.settles:
        return None
    if not call.document["private"].get(move.settles) and not settled(call.document, call.cause):
        raise Refusal("not_flagged", "there is nothing of it to be settled in this case, or no longer")
    return {move.settles: None, f"{move.settles}_settled_by": call.cause.account}


def _noted_about(served: Served, document: Document) -> str | None:
    """Under whose key notes on the case are sealed."""
    return served.person_of(document) or person_of(served.aggregate.read(document))


def _part_of(served: Served, behind: Behind, document: Document) -> Section | None:
    """The section of the case's programme, by the version that the case was opened under.

    Raises TooEarly where that version has not arrived here yet.
    """
    scope = served.case.scope(state) if (state := served.aggregate.read(document)) is not None else None
    if served.section is None or scope is None or scope.programme is None:
        return None
    definitions = behind.definitions
    version = scope.programme_version or definitions.newest_version(scope.programme)
    return part_of(definitions.version(scope.programme, version), served.section)


async def seen(served: Served, behind: Behind, id: str, granted: Granted) -> tuple[Document, Seen]:
    """The case and what the caller sees of it. Raises Refusal 404, Unavailable."""
    document = await granted.load(served.aggregate.name, id_of(id))
    found = await shown(served, document, granted)
    if served.unsealed is not None:
        found = found.model_copy(update=await served.unsealed(document, granted))
    if notes := await notes_of(served, behind, document, granted.principal):
        found = found.model_copy(update={"notes": notes})
    return document, found


async def notes_of(served: Served, behind: Behind, document: Document, principal: Principal) -> tuple[Note, ...]:
    """The notes of the case that the caller may read. Raises SealBroken, Unavailable."""
    return await behind.notes.read(served.case, _noted_about(served, document), document, principal)


async def shown(served: Served, document: Document, granted: Granted) -> Seen:
    """What the caller sees of the case, with what is open to it now."""
    found = as_read(served, document, granted.principal)
    return found.model_copy(update={"open": await open_to(served, document, granted)})


def as_read(served: Served, document: Document, principal: Principal) -> Seen:
    """What the caller sees of the case in a list."""
    found, case, beside = served.represent(document, principal), served.case, dict[str, Any]()
    if case.is_taken_by(principal.role) and stands_in(document, principal, "office"):
        beside["taken_by"] = taken_by(document)
    if case.is_received_by(principal.role) and asked_of(case, document):
        beside[TRANSFER] = Transfer.model_validate(document["state"][TRANSFER])
    # Nobody else has what was just made, and a copy of each row takes a tenth of a list's time.
    vars(found).update(beside)
    found.model_fields_set.update(beside)
    return found


def stands_in(document: Document, principal: Principal, relation: Relation) -> bool:
    """Whether the case is the principal's office's, or asked of it; True for a relation that is no office's."""
    if relation not in ("office", RECEIVING):
        return True
    return principal.office is not None and belongs(document, relation, principal.office)


async def open_to(served: Served, document: Document, granted: Granted) -> tuple[str, ...]:
    """The verbs that the case's state and the policy leave to the caller now."""
    verbs = served.case.open_to(served.aggregate.read(document), granted.principal.role)
    relations = [Grant(served.name, relation) for relation in dict.fromkeys(verbs.values())]
    found = await granted.equalities_of(relations)
    allowed = {relation for relation, equals in found if belongs(document, relation, equals)}
    wrote = granted.principal.account in document["private"].get(WRITTEN_BY, ())
    rows, taken = served.case.rows, taken_by(document)
    return tuple(
        verb
        for verb, relation in verbs.items()
        if relation in allowed
        and not (wrote and rows[verb][0].checked_by_another)
        and not rule_against(rows[verb][0].desk, taken)
        and (not (flag := rows[verb][0].settles) or document["private"].get(flag))
    )


def id_of(text: str) -> str:
    """The id in a path; what cannot be one is not found (404), whatever it is."""
    if not _ID.fullmatch(text):
        raise Refusal("not_found", status=404)
    return text
