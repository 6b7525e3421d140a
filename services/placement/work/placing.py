"""Placements and the calendars of their persons: load, decide, save. Rules are in domain/."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.placement.domain import calendars
from services.placement.domain.dates import still_to_do
from services.placement.domain.placements import PLACEMENT, Report
from services.placement.domain.revisions import PlacementRevision
from services.placement.domain.standing import GIVES_DAYS_BACK, HOLDS_DAYS, Placement, Preparation
from services.placement.store import CALENDARS, PLACEMENTS, SHADOWS, usage
from shared.cases.case import Asked
from shared.cases.opening import Days
from shared.cases.revisions import REVISING
from shared.clock import derived_id, short_hash
from shared.contracts.matching.assignments import Terms
from shared.contracts.matching.matches import MatchParties, MatchRetracting, MatchTransferred, OfferAccepted
from shared.contracts.placement.placements import PreparationStep
from shared.contracts.registration.persons import ConsentGiven, ConsentWithdrawn
from shared.errors import PreconditionFailed, Refusal, TooEarly
from shared.identity.policy import Subjects
from shared.messaging.handlers import Delivery
from shared.programmes.model import Definition
from shared.programmes.sections.placement import PlacementSection
from shared.replica import Replica
from shared.store.aggregates import UNREAD, Cause, Saved, check_version, settled
from shared.store.guards import Guard, Holds
from shared.store.port import Document
from shared.web.acting import Call
from shared.web.notes import Notes
from shared.web.revising import standing_ids

PURPOSE = "placement"
CONSENT_FLAG = "consent_withdrawn"
ERASED = "person_erased"
PUT_RIGHT = REVISING | {"correct-contract"}


def placement_of(match: str) -> str:
    """The id of the placement that follows from a match."""
    return derived_id(match, "placement")


def claim_of(match: str, parties: MatchParties, terms: Terms) -> dict[str, Any]:
    """What a placement claims of its person's calendar, and what is needed to refuse it when the hold runs out."""
    return {
        "starts_on": terms.starts_on.isoformat(),
        "ends_on": terms.ends_on.isoformat(),
        "modality": terms.modality,
        "match": match,
        "parties": parties.model_dump(mode="json", exclude_none=True),
    }


def _retraction(match: str, parties: MatchParties, reason: str, running: bool) -> Asked:
    return PLACEMENT.ask("retract", match=match, parties=parties, reason=reason, running=running)


class Placing:
    """The commands of placement that touch more than one document, or need the programme's definition."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        self._kernel = replica.kernel
        self._store = replica.ports.store
        self._notes = Notes(replica.ports.keys, replica.kernel)
        self.guard = Guard(CALENDARS, PLACEMENTS.name, self._admit, usage, self._void)

    @staticmethod
    def _admit(_calendar: Document, standing: Holds, claim: Mapping[str, Any]) -> None:
        calendars.admit(claim, standing)

    async def _void(self, _person: str, placement_id: str, claim: Mapping[str, Any]) -> None:
        """A hold that nobody used in time: the placement is refused, so that the match goes back."""
        parties = MatchParties.model_validate(claim["parties"])
        command = PLACEMENT.ask("refuse", match=claim["match"], parties=parties, reason="hold_expired")
        await self._kernel.execute(PLACEMENTS, placement_id, command, Cause(derived_id(placement_id, "void")))

    async def subjects_of(self, account: str) -> Subjects:
        """Which person or institution an account stands for, as registration told."""
        found = await self._store.find(SHADOWS.name, "account", account, limit=2)
        ids = {who: shadow["_id"] for shadow in found for who in shadow["knowledge"]}
        return Subjects(ids.get("person"), ids.get("institution"))

    async def open(self, delivery: Delivery) -> None:
        """OfferAccepted: the calendar first; what it refuses is a placement in state refused (kernel.md, section 3).

        So is a placement of a programme that places nobody.
        """
        event = delivery.event
        if not isinstance(event, OfferAccepted):
            raise TypeError(type(event).__name__)
        match, parties, terms = delivery.subject, event.parties, event.terms
        placement_id = placement_of(match)
        # Asked first: before the definition has come, nothing is held for a placement that cannot open yet.
        zone = self._time_zone(parties)
        command = PLACEMENT.ask("open", match=match, parties=parties, terms=terms, time_zone=zone)
        claim = claim_of(match, parties, terms)
        calendar: Document | None = UNREAD
        try:
            if definition := self._definition(parties):
                definition.section(PlacementSection)
            calendar = await self._replica.guards.take(self.guard, parties.person, placement_id, claim)
        except Refusal as refusal:
            command = PLACEMENT.ask("refuse", match=match, parties=parties, reason=refusal.rule)
        # Only a second delivery, or the end of a hold's time, finds the placement there already.
        saved = await self._kernel.execute(PLACEMENTS, placement_id, command, delivery.cause("open"), known=None)
        await self._replica.guards.settle(
            self.guard, parties.person, placement_id, known=calendar, target=saved.document
        )

    async def retract(self, delivery: Delivery) -> None:
        """MatchRetracting: the placement answers: cancelled before the arrival, ended early after it.

        A withdrawn consent comes this way too, through the match, and breaks off no return that runs (see `withdraw`).
        """
        event, placement_id = delivery.event, placement_of(delivery.subject)
        _, state = await self._kernel.load(PLACEMENTS, placement_id)
        if not isinstance(event, MatchRetracting) or state is None:
            # OfferAccepted precedes it on the same topic, so the placement stands, opened or refused.
            raise TooEarly("placement")
        running = event.reason != CONSENT_FLAG
        command = _retraction(state.match, state.parties, event.reason, running)
        saved = await self._kernel.execute(PLACEMENTS, placement_id, command, delivery.cause("retract"))
        await self._give_back(placement_id, saved.state)

    async def follow(self, delivery: Delivery) -> None:
        """MatchTransferred: the placement is of the match's office, wherever it stands; most matches have none."""
        event, placement_id = delivery.event, placement_of(delivery.subject)
        if not isinstance(event, MatchTransferred):
            raise TypeError(type(event).__name__)
        if await self._store.load(PLACEMENTS.name, placement_id) is None:
            return
        place, said = delivery.envelope, {"office": event.office, "time_zone": event.time_zone}
        command = PLACEMENT.ask("follow", **said, after_epoch=place.epoch, after_sequence=place.sequence)
        await self._kernel.execute(PLACEMENTS, placement_id, command, delivery.cause("follow"))

    async def withdraw(self, delivery: Delivery) -> None:
        """ConsentWithdrawn: the calendar closes first, then whatever has not begun is cancelled.

        A return that runs is not broken off by a message: it is flagged, and the officer ends it.
        """
        event, person = delivery.event, delivery.subject
        if not isinstance(event, ConsentWithdrawn) or event.purpose != PURPOSE:
            return
        order = (delivery.envelope.epoch, delivery.envelope.sequence)
        for placement_id in await self._replica.guards.close(self.guard, person, CONSENT_FLAG, order):
            claim = await self._claim(person, placement_id)
            parties = MatchParties.model_validate(claim["parties"])
            command = _retraction(claim["match"], parties, CONSENT_FLAG, running=False)
            cause = delivery.cause(f"withdraw:{placement_id}")
            await self._kernel.execute(PLACEMENTS, placement_id, command, cause, private={CONSENT_FLAG: True})
            await self._settle(person, placement_id)

    async def erase(self, delivery: Delivery) -> None:
        """PersonErased: the calendar closes for good, and what was written beside the placements goes with the key.

        The consents that ended before it have cancelled whatever had not begun.
        """
        order = (delivery.envelope.epoch, delivery.envelope.sequence)
        await self._replica.guards.close(self.guard, delivery.subject, ERASED, order)
        await self._replica.ports.keys.persons(self._replica.service).destroy(delivery.subject)
        await self._store.truncate()

    async def consent(self, delivery: Delivery) -> None:
        """ConsentGiven: the calendar takes placements again, and the flag goes from what still runs."""
        event, person = delivery.event, delivery.subject
        if not isinstance(event, ConsentGiven) or event.purpose != PURPOSE:
            return
        order = (delivery.envelope.epoch, delivery.envelope.sequence)
        calendar = await self._replica.guards.reopen(self.guard, person, order)
        if calendar["closed"]:
            # A later withdrawal was heard ahead of its turn.
            return
        for placement_id in calendar["holds"]:
            document = await self._store.load(PLACEMENTS.name, placement_id)
            if document is not None and document["private"].get(CONSENT_FLAG):
                cause = delivery.cause(f"consent:{placement_id}")
                command = PLACEMENT.ask("note-consent")
                await self._kernel.execute(PLACEMENTS, placement_id, command, cause, private={CONSENT_FLAG: False})

    async def promise(self, call: Call[Any]) -> Saved[Placement]:
        """What changes the days of a placement, or may: asks the rules, then the calendar, then saves.

        A repetition is answered, and asks neither again.
        """
        document, state = await self._kernel.load(PLACEMENTS, call.id)
        if document is None or state is None:
            raise Refusal("not_found", status=404)
        command, expected = Asked(call.verb, call.body, self._given(call, document, state)), call.expected_version
        if not settled(document, call.cause):
            check_version(document, expected)
            await self._hold_before(call, command, state)
            if call.verb in PUT_RIGHT:
                # What is put right was looked at with the flag of a withdrawn consent, which is none of the state.
                expected = int(document["version"])
        try:
            return await self._kernel.execute(PLACEMENTS, call.id, command, call.cause, expected_version=expected)
        except PreconditionFailed:
            if call.expected_version is None:
                raise Refusal("another_fact_since", "another fact was recorded meanwhile") from None
            raise
        finally:
            # Also where another request came between: the days that were just added may belong to nobody now.
            await self._align_days(call.id)

    def _given(self, call: Call[Any], document: Document, state: Placement) -> Any:
        programme = self._programme_days(state)
        if call.verb not in PUT_RIGHT:
            return programme
        ids = standing_ids(PLACEMENTS, self._kernel.service, document)
        return PlacementRevision(ids, self.preparation(state), programme, bool(document["private"].get(CONSENT_FLAG)))

    async def _hold_before(self, call: Call[Any], command: Asked, state: Placement) -> None:
        """Has the calendar hold the days that the placement will have beside those that it has."""
        at, after = call.cause.happened_at or self._replica.ports.runtime.now(), state
        for event in PLACEMENT.decide(state, command, at):
            after = PLACEMENT.evolve(after, event)
        starts_on, ends_on = after.starts_on, after.ends_on
        held = call.verb in PUT_RIGHT and (state.starts_on, state.ends_on) == (starts_on, ends_on)
        if starts_on is None or ends_on is None or held:
            return
        asked = short_hash(call.cause.command_id)
        await self._replica.guards.extend(
            self.guard,
            state.parties.person,
            call.id,
            lambda claim: calendars.widened(claim, starts_on, ends_on, asked),
        )

    async def _align_days(self, placement_id: str) -> None:
        """The calendar holds the days of the placement as it stands, or gives back what it gave up."""
        document, state = await self._kernel.load(PLACEMENTS, placement_id)
        if document is None or state is None:
            return
        if state.status in GIVES_DAYS_BACK:
            await self._give_back(placement_id, state)
        else:
            await self._hold_contract(document, state)

    async def promised(self, delivery: Delivery) -> None:
        """The own topic: what a crash left between a contract and its calendar is done here."""
        await self._align_days(delivery.subject)

    async def _hold_contract(self, document: Document, state: Placement) -> None:
        """The calendar holds the contract's days and no others, unless a further promise is on its way."""
        starts_on, ends_on = state.starts_on, state.ends_on
        if state.status not in HOLDS_DAYS or starts_on is None or ends_on is None:
            return
        applied = document["applied"]
        try:
            await self._replica.guards.extend(
                self.guard,
                state.parties.person,
                document["_id"],
                lambda claim: calendars.promised(claim, starts_on, ends_on, applied),
                although_closed=True,
            )
        except Refusal as refusal:
            # The placement has ended since, and its hold was released.
            if refusal.rule != "hold_missing":
                raise

    async def prepare(self, call: Call[Any]) -> Saved[Placement]:
        """What hangs on the steps of the preparation, by the version that the case was opened under."""
        _, state = await self._kernel.load(PLACEMENTS, call.id)
        command = Asked(call.verb, call.body, self.preparation(state) if state else Preparation())
        return await self._execute(call, command)

    async def end(self, call: Call[Any]) -> Saved[Placement]:
        """What ends the placement gives its days back at once."""
        saved = await self._execute(call, Asked(call.verb, call.body))
        await self._give_back(call.id, saved.state)
        return saved

    async def report(self, call: Call[Report]) -> Saved[Placement]:
        """The text is a note, sealed under the person's key; what stands on the log is that there is one."""
        _, state = await self._kernel.load(PLACEMENTS, call.id)
        if state is None:
            raise Refusal("not_found", status=404)
        cause = await self._notes.write(state.parties.person, call.verb, call.body.text, call.cause)
        return await self._kernel.execute(
            PLACEMENTS, call.id, Asked(call.verb, call.body), cause, expected_version=call.expected_version
        )

    async def _execute(self, call: Call[Any], command: Asked) -> Saved[Placement]:
        return await self._kernel.execute(
            PLACEMENTS, call.id, command, call.cause, expected_version=call.expected_version
        )

    async def ended(self, delivery: Delivery) -> None:
        """The own topic: what a crash left between a placement's end and its calendar is done here."""
        _, state = await self._kernel.load(PLACEMENTS, delivery.subject)
        if state is not None:
            await self._give_back(delivery.subject, state)

    def missing_steps(self, state: Placement) -> tuple[PreparationStep, ...]:
        """The obligatory ones that are not done."""
        return still_to_do(self.preparation(state), state)

    def preparation(self, state: Placement) -> Preparation:
        """What the programme asks for before somebody departs, by the version that the case was opened under."""
        definition, terms = self._definition(state.parties), state.terms
        if definition is None or terms is None:
            return Preparation()
        section = definition.section(PlacementSection)
        return Preparation(section.obligatory_steps(terms.modality), section.early_arrival_days)

    def _programme_days(self, state: Placement | None) -> Days | None:
        definition = self._definition(state.parties) if state else None
        return Days(definition.dates.starts, definition.dates.ends) if definition else None

    def _definition(self, parties: MatchParties) -> Definition | None:
        """The version that the case was opened under; TooEarly where it has not arrived here."""
        if parties.programme is None:
            return None
        definitions = self._replica.definitions
        version = parties.programme_version or definitions.newest_version(parties.programme)
        return definitions.version(parties.programme, version)

    def _time_zone(self, parties: MatchParties) -> str | None:
        """The office's, by the case's definition; None for an office that no version lists."""
        if parties.programme is None:
            return None
        named = parties.programme, parties.programme_version, parties.office
        office = self._replica.definitions.office(*named)
        return office.time_zone if office else None

    async def _give_back(self, placement_id: str, state: Placement) -> None:
        """Releases a spent hold; of one that ended early, only the days that were not worked."""
        person, ends_on = state.parties.person, state.ends_on
        if state.status == "ended_early" and ends_on is not None:
            await self._replica.guards.extend(
                self.guard, person, placement_id, lambda claim: calendars.cut(claim, ends_on), although_closed=True
            )
        await self._settle(person, placement_id)

    async def _claim(self, person: str, placement_id: str) -> Mapping[str, Any]:
        calendar = await self._store.load(CALENDARS.name, person)
        claim: Mapping[str, Any] = (calendar or {})["holds"][placement_id]["claim"]
        return claim

    async def _settle(self, person: str, placement_id: str) -> None:
        await self._replica.guards.settle(self.guard, person, placement_id)
