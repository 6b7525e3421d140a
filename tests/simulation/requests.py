"""What the client asks for: each step does what the route behind it does once the caller is known.

Every command id follows from the step's name alone, so a step that is sent again is the same command.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from types import SimpleNamespace
from typing import Any

from services.matching.domain.assignments import ASSIGNMENT, AssignmentDraft
from services.matching.domain.knowledge import CONSENT_WITHDRAWN
from services.matching.domain.matches import MATCH
from services.matching.store import ASSIGNMENTS, MATCHES
from services.matching.work.selection import APPLICATION
from services.placement.domain.placements import PLACEMENT
from services.placement.store import PLACEMENTS
from services.registration.domain.experts import EXPERT
from services.registration.domain.handover import Acceptance
from services.registration.domain.institutions import INSTITUTION as INSTITUTION_CASE
from services.registration.domain.persons import PERSON
from services.registration.domain.programmes import PROGRAMME
from services.registration.domain.readings import Purpose
from services.registration.store import EXPERTS, INSTITUTIONS, PERSONS, PROGRAMMES
from services.registration.work.registering import EXPERT_REGISTRATION, person_of
from shared.cases.bodies import Reason
from shared.cases.case import Case
from shared.clock import derived_id, text_of
from shared.identity.tokens import Principal
from shared.intake.submissions import SUBMISSIONS
from shared.store.aggregates import Aggregate, Cause
from shared.web.acting import NOTHING_YET, Behind, Call, act
from shared.web.notes import Notes
from tests.simulation.cast import CODE, DEFINITION, HOST, OFFICE, OFFICER, PURPOSE, SECOND_OFFICER, Person, Post
from tests.simulation.client import Step
from tests.simulation.journal import Acknowledgement, Journal

Work = Callable[[Any, Cause], Awaitable[Any]]
INSTITUTION = derived_id("client", "institution")


@dataclass(frozen=True)
class About:
    """The document that a step is about, and as whom it is asked."""

    service: str
    collection: str
    subject: str
    account: str = OFFICER


def step(
    name: str,
    about: About,
    work: Work,
    *,
    patient: frozenset[str] = frozenset(),
    id: str | None = None,
    happened_at: datetime | None = None,
) -> Step:
    """One request: `work` is given the service and the cause; what it answers counts only as an acknowledgement.

    `happened_at`: recorded late, as an officer may.
    """
    command_id = id or derived_id("client", name)
    cause = Cause(
        command_id,
        digest=name,
        correlation_id=command_id,
        happened_at=happened_at,
        recorded_late=happened_at is not None,
        account=about.account,
    )
    answer = Acknowledgement(name, about.service, about.collection, about.subject, command_id)

    async def send(service: Any) -> Acknowledgement:
        await work(service, cause)
        return answer

    return Step(name, about.service, send, patient)


def execute(name: str, service: str, aggregate: Aggregate[Any], subject: str, command: Any, **private: Any) -> Step:
    """One command on one document."""

    async def work(replica: Any, cause: Cause) -> None:
        await replica.replica.kernel.execute(aggregate, subject, command, cause, private=private or None)

    return step(name, About(service, aggregate.name, subject), work)


# Registration.


def publish_programme(version: int, code: str = CODE) -> Step:
    """A later version, and another programme, say the same under another title."""
    definition = {**DEFINITION.as_json(), "code": code, "title": {"en": f"Version {version}"}}
    work = acting(PROGRAMME, "publish", code, definition=definition)
    return step(f"publish {code} {version}", About("registration", PROGRAMMES.name, code), work)


def found_institution() -> list[Step]:
    """From registered to active."""
    commands = [INSTITUTION_CASE.ask(verb) for verb in ("assess", "accept-partner", "activate")]
    return [
        propose_institution(INSTITUTION, HOST),
        *(
            execute(f"{command.verb} institution", "registration", INSTITUTIONS, INSTITUTION, command)
            for command in commands
        ),
    ]


def propose_institution(id: str, account: str) -> Step:
    said = {"name": "College", "office": OFFICE, "country": "AF", "sector": "education", "host_type": "public"}
    command = INSTITUTION_CASE.ask("create", account, **said)
    return execute(f"propose institution {id}", "registration", INSTITUTIONS, id, command)


def register(person: Person, journal: Journal) -> Step:
    async def work(service: Any, cause: Cause) -> None:
        await service.work.publishing.newest(person.programme)
        channel = "self" if person.self_registered else "officer"
        subject = derived_id(person_of(channel, cause), person.programme)
        receipt = await service.replica.intake.submit(
            EXPERT_REGISTRATION,
            subject,
            person.registration(),
            cause,
            office=OFFICE,
            channel=channel,
            person=person_of(channel, cause),
        )
        journal.receive(cause.command_id, receipt)

    about = About("registration", SUBMISSIONS.name, person.command_id, person.account)
    # The definition is on its way to this replica still.
    return step(
        f"register {person.name} {person.programme}",
        about,
        work,
        patient=frozenset({"programme_unknown"}),
        id=person.command_id,
    )


def screen(person: Person, time: int = 1) -> Step:
    return on_expert("screen", person, time)


def on_expert(verb: str, person: Person, time: int = 1, account: str = OFFICER, **said: Any) -> Step:
    """`time`: the how manieth such step of the case it is."""
    about = About("registration", EXPERTS.name, person.expert, account)
    return step(f"{verb} {person.name} {person.programme} {time}", about, acting(EXPERT, verb, person.expert, **said))


def correct(person: Person, time: int = 1, **changes: Any) -> Step:
    said = {"attributes": person.attributes(**changes), "valid_from": "2025-01-01"}
    about = About("registration", PERSONS.name, person.id)
    return step(f"correct {person.name} {time}", about, acting(PERSON, "correct-profile", person.id, **said))


def withdraw_consent(person: Person) -> Step:
    command = PERSON.ask("withdraw-consent", purpose=PURPOSE)
    return execute(f"withdraw consent of {person.name}", "registration", PERSONS, person.id, command)


def give_consent(person: Person) -> Step:
    command = PERSON.ask("give-consent", purpose=PURPOSE)
    return execute(f"give consent of {person.name}", "registration", PERSONS, person.id, command)


def erase(person: Person) -> Step:
    about = About("registration", PERSONS.name, person.id)
    work = acting(PERSON, "erase", person.id, reason="own_request")
    # The definition is on its way to this replica still.
    return step(f"erase {person.name}", about, work, patient=frozenset({"programme_unknown"}))


def assign_accounts(person: Person) -> list[Step]:
    """An officer's person signs in, and the host's contact is another one."""
    named = (
        (PERSON, PERSONS.name, person.id, "first_sign_in"),
        (INSTITUTION_CASE, INSTITUTIONS.name, INSTITUTION, "contact_left"),
    )
    return [
        step(
            f"assign account of {subject}",
            About("registration", collection, subject),
            acting(case, "assign-account", subject, account=f"new {subject}", reason=reason),
        )
        for case, collection, subject, reason in named
    ]


def offering(verb: str, case: Case[Any], subject: str, time: int, **said: Any) -> Step:
    """What whoever holds the account of the case does of offering it to another person."""
    holder = Principal(OFFICER, "host" if case is INSTITUTION_CASE else "expert")
    work = acting(case, verb, subject, holder, **said)
    return step(f"{verb} {subject} {time}", About("registration", case.name, subject), work)


def code_of(case: Case[Any], subject: str) -> Callable[[Any], Awaitable[str]]:
    """The code that its holder hands over."""

    async def code(service: Any) -> str:
        document = await service.replica.ports.store.load(case.name, subject)
        return service.work.consenting.shown_code(document) or ""

    return code


def answering(verb: str, case: Case[Any], subject: str, time: int, code: str) -> Step:
    """What whoever was given the code answers, under an account of their own."""
    taker = derived_id("client", f"taker of {subject}")
    principal = Principal(taker, "host" if case is INSTITUTION_CASE else "expert")

    async def work(service: Any, cause: Cause) -> None:
        async def causing(_offered: Any) -> Cause:
            return cause

        consenting = service.work.consenting
        if verb == "accept":
            await consenting.accept(principal, code, Acceptance(), causing)
        else:
            await consenting.decline(principal, code, Reason(reason="not_wanted"), causing)

    return step(f"{verb} handover of {subject} {time}", About("registration", case.name, subject, taker), work)


def reading(person: Person, purpose: Purpose) -> Callable[[Any], Awaitable[Any]]:
    """What an officer is shown of the person's identifiers."""

    async def work(service: Any) -> Any:
        document = await service.replica.ports.store.load(PERSONS.name, person.id)
        return await service.readings.identity(document, Principal(OFFICER, "officer", OFFICE), purpose)

    return work


def change_identity(verb: str, person: Person, time: int = 1, account: str = OFFICER, **said: Any) -> Step:
    about = About("registration", PERSONS.name, person.id, account)
    verb = f"{verb}-identity-change"
    return step(f"{verb} {person.name} {time}", about, acting(PERSON, verb, person.id, **said))


# Matching.


def draft(post: Post) -> Step:
    body = AssignmentDraft(programme=CODE, office=OFFICE, terms=post.terms(INSTITUTION), title=post.name)

    async def work(service: Any, cause: Cause) -> None:
        await service.works.requests.draft(post.id, body, cause)

    passing = frozenset({"programme_unknown", "institution_unknown", "institution_not_active"})
    about = About("matching", ASSIGNMENTS.name, post.id, HOST)
    return step(f"draft {post.name}", about, work, patient=passing)


def submit(post: Post) -> Step:
    return _on_assignment("submit", post, OFFICER)


def approve(post: Post) -> Step:
    return _on_assignment("approve", post, SECOND_OFFICER)


def publish(post: Post) -> Step:
    return _on_assignment("publish", post, OFFICER)


def _on_assignment(verb: str, post: Post, account: str) -> Step:
    about = About("matching", ASSIGNMENTS.name, post.id, account)
    return step(f"{verb} {post.name}", about, acting(ASSIGNMENT, verb, post.id))


def apply(post: Post, person: Person, journal: Journal) -> Step:
    name = f"apply {person.name} {post.name}"
    command_id = derived_id("client", name)

    async def work(service: Any, cause: Cause) -> None:
        body = {
            "assignment": post.id,
            "expert": person.expert,
            "received_at": text_of(service.replica.kernel.runtime.now()),
        }
        match = derived_id(post.id, person.expert)
        receipt = await service.replica.intake.submit(APPLICATION, match, body, cause, office=OFFICE, channel="self")
        journal.receive(command_id, receipt)

    return step(name, About("matching", SUBMISSIONS.name, command_id, person.account), work)


def shortlist(post: Post, experts: tuple[str, ...], attempt: int | str, **again: str) -> Step:
    about = About("matching", ASSIGNMENTS.name, post.id)
    work = acting(ASSIGNMENT, "shortlist", post.id, experts=experts, override_reason="few_candidates", **again)
    passing = frozenset({"expert_unknown", "expert_not_screened", "expert_suspended"})
    return step(f"shortlist {post.name} {attempt}", about, work, patient=passing)


def on_match(verb: str, match: str, attempt: int, happened_at: datetime | None = None) -> Step:
    """What an officer does; `retract` for the one reason that breaks off no return."""

    async def retract(service: Any, cause: Cause) -> None:
        # As a withdrawn consent does it, whether or not the return is over.
        command = MATCH.ask("retract", reason=CONSENT_WITHDRAWN)
        await service.replica.kernel.execute(MATCHES, match, command, cause)

    reasons = {"decline": "family", "withdraw": "moved", "take-back": "mistake", "refuse-candidate": "other_profile"}
    said = {"reason": reasons[verb]} if verb in reasons else {}
    work = retract if verb == "retract" else acting(MATCH, verb, match, **said)
    about = About("matching", MATCHES.name, match)
    return step(f"{verb} {match} {attempt}", about, work, happened_at=happened_at)


# Placement.


def on_placement(verb: str, placement: str, attempt: int, **said: Any) -> Step:
    # A report is accepted by another account than the one that sent it in.
    account = SECOND_OFFICER if PLACEMENT.rows[verb][0].checked_by_another else OFFICER
    about = About("placement", PLACEMENTS.name, placement, account)
    name = " ".join((verb, placement, *(str(one) for one in said.values()), str(attempt)))
    return step(name, about, acting(PLACEMENT, verb, placement, **said), happened_at=said.get("happened_at"))


def passed_on(verb: str, case: Case[Any], subject: str, time: int, office: str, **said: Any) -> Step:
    """What an officer of that office does of a transfer."""
    service = "matching" if case is ASSIGNMENT else "registration"
    work = acting(case, verb, subject, Principal(OFFICER, "officer", office), **said)
    return step(f"{verb} {subject} {office} {time}", About(service, case.name, subject), work)


def acting(case: Case[Any], verb: str, subject: str, principal: Principal | None = None, **said: Any) -> Work:
    """The verb as its edge does it, once the caller is known."""

    async def work(service: Any, cause: Cause) -> None:
        served = next(one for one in service.cases if one.case is case)
        granted: Any = SimpleNamespace(principal=principal)
        body = case.ask(verb, **said).body
        document = await service.replica.ports.store.load(served.name, subject)
        call = Call(subject, verb, body, cause, None, document or NOTHING_YET, granted)
        await act(served, behind(service), call)

    return work


def behind(service: Any) -> Behind:
    """What the service's edge acts through; there is no edge here."""
    replica = service.replica
    return Behind(replica.kernel, Notes(replica.ports.keys, replica.kernel), replica.definitions)
