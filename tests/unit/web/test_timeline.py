"""What a case tells of its past: to each reader what it may know, and of a veiled state what it is read as."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from services.registration.domain.claims import CLASH
from services.registration.domain.experts import EXPERT
from services.registration.store import EXPERTS
from services.registration.views import tells_of_person
from shared.clock import derived_id, text_of
from shared.contracts.base import Event
from shared.contracts.registration.experts import (
    ExpertDeclaredEligible,
    ExpertIdentityClashed,
    ExpertIdentitySettled,
    ExpertRegistered,
    ExpertSuspended,
)
from shared.contracts.registration.persons import IdentityChangeConfirmed, PersonRecorded
from shared.identity.roles import Role
from shared.identity.tokens import Principal
from shared.store.aggregates import Cause
from shared.store.documents import new_document
from shared.store.past import KEPT_AT_MOST, PAST, no_longer_told, remember
from shared.store.port import Document
from shared.web.acting import Seen, Served
from shared.web.timeline import timeline_of

AT = datetime(2027, 3, 1, 9, tzinfo=UTC)
NAMED: dict[str, Any] = {"person": derived_id("person"), "programme": "trqn-1", "office": "kabul", "channel": "self"}


class ExpertShown(Seen):
    reason: str | None = None


def represent(document: Document, _principal: Principal) -> Seen:
    return ExpertShown(id=document["_id"], version=1, state="screening", reason=None)


SERVED: Any = Served.__new__(Served)
vars(SERVED).update(case=EXPERT, aggregate=EXPERTS, represent=represent, tells=lambda _event, _role: True)


def told(document: Document, role: Role) -> list[tuple[str, str | None, str | None, str | None, str | None]]:
    facts = timeline_of(SERVED, document, Principal("account", role, None)).facts
    return [(one.fact, one.before, one.state, one.by, one.reason) for one in facts]


def happening(*saves: tuple[Cause, tuple[Event, ...]]) -> Document:
    """A case of an expert in which that happened, save by save."""
    document, state = new_document("e"), None
    for cause, events in saves:
        document["version"] += 1
        document["last_recorded_at"] = text_of(AT + timedelta(days=9))
        pairs: list[tuple[Event, str | None]] = []
        for event in events:
            state = EXPERTS.evolve(state, event)
            pairs.append((event, state.status))
        remember(document, pairs, cause)
    return document


def of(role: str | None, office: str | None = None, *, forgets: bool = False) -> Cause:
    return Cause(
        derived_id("command", str(role)), by={"role": role, "office": office} if role else None, forgets=forgets
    )


REGISTERED = ExpertRegistered(happened_at=AT, **NAMED)
CLASHED = ExpertIdentityClashed(happened_at=AT, **NAMED)
ELIGIBLE = ExpertDeclaredEligible(happened_at=AT, person=NAMED["person"])
SUSPENDED = ExpertSuspended(happened_at=AT, person=NAMED["person"], reason="conduct", recorded_late=True)


def test_newest_first_with_what_became_of_what_by_whom_and_why() -> None:
    document = happening(
        (of("expert"), (REGISTERED,)), (of("officer", "kabul"), (ELIGIBLE,)), (of("officer", "kabul"), (SUSPENDED,))
    )
    assert told(document, "officer") == [
        ("ExpertSuspended", "eligible", "suspended", "officer", "conduct"),
        ("ExpertDeclaredEligible", "screening", "eligible", "officer", None),
        ("ExpertRegistered", None, "screening", "expert", None),
    ]
    first, *rest = timeline_of(SERVED, document, Principal("account", "officer", "kabul")).facts
    assert (first.at, first.recorded_at, first.office) == (AT, AT + timedelta(days=9), "kabul")
    assert {one.recorded_at for one in rest} == {None}


def test_whoever_works_for_an_office_is_the_office_to_those_outside() -> None:
    document = happening((of("expert"), (REGISTERED,)), (of("officer", "kabul"), (ELIGIBLE,)), (of(None), (SUSPENDED,)))
    facts = timeline_of(SERVED, document, Principal("account", "expert", None)).facts
    assert [(one.by, one.office) for one in facts] == [(None, None), ("office", None), ("expert", None)]


def test_a_veiled_state_tells_what_another_registration_would() -> None:
    settled = ExpertIdentitySettled(happened_at=AT, person=NAMED["person"], outcome="holds", reason="typing_error")
    plain = happening((of("expert"), (REGISTERED,)))
    veiled = happening((of("expert"), (CLASHED,)))
    assert veiled[PAST][0]["status"] == CLASH
    assert told(veiled, "expert") == told(plain, "expert")
    # What was decided of it leads to where the case seemed to stand all along.
    after = happening((of("expert"), (CLASHED,)), (of("protection"), (settled, REGISTERED)))
    assert told(after, "expert") == told(plain, "expert")
    assert [fact for fact, *_ in told(after, "protection")] == [
        "ExpertRegistered",
        "ExpertIdentitySettled",
        "ExpertIdentityClashed",
    ]
    same = settled.model_copy(update={"outcome": "same_person"})
    ended = happening((of("expert"), (CLASHED,)), (of("protection"), (same,)))
    assert told(ended, "expert")[0] == ("ExpertIdentitySettled", "screening", "duplicate", "office", "typing_error")


def test_a_reason_is_told_to_whom_the_case_shows_one() -> None:
    document = happening((of("expert"), (REGISTERED,)), (of("officer"), (SUSPENDED,)))
    vars(SERVED)["represent"] = lambda document, _principal: Seen(id="e", version=1, state="suspended")
    try:
        assert {reason for *_, reason in told(document, "officer")} == {None}
    finally:
        vars(SERVED)["represent"] = represent


def test_that_an_identity_was_changed_is_told_to_those_who_see_it_in_the_case() -> None:
    roles: tuple[Role, ...] = ("expert", "officer", "protection")
    assert [tells_of_person(IdentityChangeConfirmed, role) for role in roles] == [True, True, False]
    assert all(tells_of_person(PersonRecorded, role) for role in roles)


def test_the_oldest_give_way_and_an_erasure_forgets_and_both_are_said() -> None:
    document = happening((of("expert"), (REGISTERED,)))
    for _ in range(KEPT_AT_MOST):
        remember(document, [(ELIGIBLE, "eligible")], of("officer"))
    document["emitted"] = {"experts": {"count": KEPT_AT_MOST + 1}}
    assert (len(document[PAST]), no_longer_told(document)) == (KEPT_AT_MOST, 1)
    remember(document, [(SUSPENDED, "suspended")], of(None, forgets=True))
    assert [one["fact"] for one in document[PAST]] == ["ExpertSuspended"]
    # A document that was written before it told anything.
    older = {**new_document("o"), "emitted": {"experts": {"count": 3}}}
    assert no_longer_told(older) == 3
    assert timeline_of(SERVED, older, Principal("account", "officer", "kabul")).missing == 3
