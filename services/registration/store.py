"""Registration's collections, indexes and guard. No decisions."""

from __future__ import annotations

from datetime import date, timedelta

from services.registration.domain.drafts import ENDING_NOTICE, KEPT, Draft, Reminder
from services.registration.domain.experts import EXPERT, Expert
from services.registration.domain.flags import POSSIBLE_DUPLICATE
from services.registration.domain.institutions import INSTITUTION, Institution
from services.registration.domain.messages import MESSAGE, Message, recipient_of
from services.registration.domain.persons import PERSON, Person
from services.registration.domain.programmes import PROGRAMME, Programme
from shared.audit.segments import AUDIT_COLLECTIONS
from shared.clock import text_of
from shared.replica import shadows_collection
from shared.store.aggregates import Aggregate
from shared.store.collection import SEPARATOR, Collection, Equals, Index, Order
from shared.store.port import Document
from shared.store.relations import by_opening, indexes_of

OFFICE_MARK = "office:"
# The index, and in the private part: under which code an account was offered to another person, and who said so.
HANDOVER = "handover"


def office_mark(code: str) -> str:
    """A key of a person's private part: this office registered the person too. Keys may hold no dot."""
    return OFFICE_MARK + code.replace(".", "/")


def _state(document: Document, field: str) -> list[str]:
    value = (document.get("state") or {}).get(field)
    return [value] if value else []


def _offices(document: Document) -> list[str]:
    """Every office that registered the person: each runs a case of its own about the same human being."""
    marks = [key.removeprefix(OFFICE_MARK) for key in document.get("private", {}) if key.startswith(OFFICE_MARK)]
    return sorted({*_state(document, "office"), *(mark.replace("/", ".") for mark in marks)})


def _named(document: Document) -> list[str]:
    """For each of the person's offices the keyed hash of each word of the name."""
    tokens = document.get("private", {}).get("name_tokens") or []
    return [f"{office}{SEPARATOR}{token}" for office in _offices(document) for token in tokens]


def _flagged(document: Document) -> list[str]:
    """A case whose person resembles another one: under its office, and under `all`."""
    return ["all", *_state(document, "office")] if document.get("private", {}).get(POSSIBLE_DUPLICATE) else []


def _offered_under(document: Document) -> list[str]:
    """The keyed hash of the code under which the account was offered last, so that a second answer is known again."""
    code = document.get("private", {}).get(HANDOVER, {}).get("code")
    return [code] if code else []


def _itself(document: Document) -> list[str]:
    return [document["_id"]] if document.get("state") else []


def _by_registration(document: Document) -> str:
    return f"{document['state']['registered_at']}{SEPARATOR}{document['_id']}"


PROGRAMMES: Aggregate[Programme] = Aggregate.of(
    PROGRAMME,
    Collection(PROGRAMME.name, indexes_of(PROGRAMME)),
)
PERSONS: Aggregate[Person] = Aggregate.of(
    PERSON,
    Collection(
        PERSON.name,
        {
            **indexes_of(PERSON, by_opening, raised=1, office=_offices, own=_itself),
            "account": Index(lambda d: _state(d, "account")),
            HANDOVER: Index(_offered_under),
            "name": Index(_named),
            "likeness": Index(lambda d: [one] if (one := d.get("private", {}).get("likeness")) else []),
        },
        unique=lambda d: _state(d, "account"),
    ),
)
EXPERTS: Aggregate[Expert] = Aggregate.of(
    EXPERT,
    Collection(EXPERT.name, {**indexes_of(EXPERT, _by_registration), "alike": Index(_flagged, _by_registration)}),
)
INSTITUTIONS: Aggregate[Institution] = Aggregate.of(
    INSTITUTION,
    Collection(
        INSTITUTION.name,
        {
            **indexes_of(INSTITUTION, _by_registration, institution=_itself),
            "account": Index(lambda d: _state(d, "account"), _by_registration),
            HANDOVER: Index(_offered_under, _by_registration),
        },
        # An account that stood for two institutions would see whichever was found first, in any of the services.
        unique=lambda d: _state(d, "account"),
    ),
)
# By holder, so that an erasure finds what names the person without knowing a number.
DOCUMENTS = Collection("documents", {"holder": Index(lambda d: list(d["holds"]))})

# Of whoever signs in: found by the sessions that have not ended.
ACCOUNTS = Collection("accounts", {"session": Index(lambda d: [one["id"] for one in d["state"]["sessions"]])})


def _codes(document: Document) -> list[str]:
    """The code, and the one that a link by mail holds and that takes its place when it is used."""
    held = document["private"], document["private"].get(RENEWAL) or {}
    return [one["code"] for one in held if "code" in one]


def _reminded(of: Reminder, field: str) -> Equals:
    """Drafts of which that reminder is wanted and not done with."""

    def equals(document: Document) -> list[str]:
        draft = Draft.model_validate(document["state"])
        wanted = draft.status == "open" and draft.reminds and of not in draft.reminded
        return [str(getattr(draft, field))] if wanted else []

    return equals


def closing_on(programme: str, day: date) -> str:
    return f"{programme}{SEPARATOR}{day.isoformat()}"


def _closing_on(document: Document) -> list[str]:
    """Open drafts with an address, by the day on which the person was told that the programme closes."""
    draft = Draft.model_validate(document["state"])
    told = draft.status == "open" and draft.closes_on is not None and document["private"].get("address")
    return [closing_on(draft.programme, draft.closes_on)] if told and draft.closes_on else []


def _looked_at(notice: timedelta) -> Order:
    """When a reminder may be sent: so long after the last edit, and when its claim is over. Only the loop that sends
    reads it, from the beginning each time."""

    def order(document: Document) -> str:
        draft = Draft.model_validate(document["state"])
        return f"{text_of(draft.claimed or draft.edited_at + notice)}{SEPARATOR}{document['_id']}"

    return order


# In the private part: the code of a link that was sent by mail and is not used yet.
RENEWAL = "renewal"
# There, and the index: the codes that opened it before.
FORMER = "former"
# Of applications that were begun: found by a keyed hash of the code, by those of facts that were typed, by that of the
# address, by the reminders that they wait for, and once submitted by the person.
DRAFTS = Collection(
    "drafts",
    {
        "code": Index(_codes, version=2),
        "address": Index(lambda d: [one] if (one := d["private"].get("address")) else []),
        "moved": Index(_closing_on, _looked_at(timedelta())),
        "closing": Index(_reminded("closing", "programme"), _looked_at(timedelta())),
        "ending": Index(_reminded("ending", "status"), _looked_at(KEPT - ENDING_NOTICE)),
        "fact": Index(lambda d: d["private"].get("facts", [])),
        FORMER: Index(lambda d: d["private"].get(FORMER, [])),
        "person": Index(lambda d: _state(d, "person")),
    },
)


def _held_by(field: str) -> Equals:
    """What is gone is found by nobody."""
    return lambda d: [] if _is(d, "gone") else _state(d, field)


FILES = Collection(
    "files",
    {"draft": Index(_held_by("draft")), "expert": Index(_held_by("expert")), "person": Index(_held_by("person"))},
)
# Of what is in files, each a part of a quarter of a megabyte at most.
FILE_PIECES = Collection("file_pieces", {"file": Index(lambda d: _state(d, "file"))})


def _told(field: str) -> Equals:
    """A recipient finds what was sent: what an officer holds is not said yet."""
    return lambda document: _state(document, field) if _is(document, "sent") else []


def _queued_for(document: Document) -> list[str]:
    """Whoever a message waits to be sent to."""
    return [recipient_of(document["state"])] if _is(document, "queued") else []


def _is(document: Document, status: str) -> bool:
    return _state(document, "status") == [status]


def _by_writing(document: Document) -> str:
    return f"{document['state']['opened_at']}{SEPARATOR}{document['_id']}"


MESSAGES: Aggregate[Message] = Aggregate.of(
    MESSAGE,
    Collection(
        MESSAGE.name,
        {
            **indexes_of(MESSAGE, _by_writing, own=_told("person"), institution=_told("institution")),
            "event": Index(lambda d: _state(d, "event"), _by_writing),
            "queued": Index(_queued_for, _by_writing),
            "person": Index(lambda d: _state(d, "person"), _by_writing),
        },
    ),
)
# Who asked for a new link to an application, by a keyed hash of the address and the day.
WAYS_BACK = Collection("ways_back")
# Of addresses of mail that were reminded: by a keyed hash of the address which mail it got on a day, and that it wants
# none.
REMINDED = Collection("reminded")
# By account, how much of identifiers it has read lately.
READERS = Collection("readers")


def _shared_with(document: Document) -> list[str]:
    return sorted({one["office"] for one in (document.get("state") or {}).get("views", ()) if one["shared"]})


# By account, the lists that it saved; found by the offices with which some are shared.
VIEWS = Collection("saved_views", {"office": Index(_shared_with)})

COLLECTIONS = (
    PROGRAMMES.collection,
    PERSONS.collection,
    EXPERTS.collection,
    INSTITUTIONS.collection,
    DOCUMENTS,
    ACCOUNTS,
    DRAFTS,
    WAYS_BACK,
    REMINDED,
    MESSAGES.collection,
    READERS,
    VIEWS,
    FILES,
    FILE_PIECES,
    *AUDIT_COLLECTIONS,
)


def _offered(document: Document) -> list[str]:
    """The expert who stands on the match, while an offer is out or was accepted."""
    known = document["knowledge"].get("match", {})
    return [known["expert"]] if known.get("offered") and known.get("expert") else []


def _placed(document: Document) -> list[str]:
    """The expert who is placed, or was: what came of the placement afterwards does not matter."""
    expert = document["knowledge"].get("placement", {}).get("expert")
    return [expert] if expert else []


SHADOWS = shadows_collection({"offered": Index(_offered), "placed": Index(_placed)})
