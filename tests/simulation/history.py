"""What happens: five persons, one host, three posts, from the programme's publication to the completed returns.

The client looks at how things stand and asks for what is next, as officers do; so it gets on with whatever the
storm leaves. What it asks for is written down in the journal.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

from services.matching.domain.assignments import ASSIGNMENT
from services.matching.domain.matches import MATCH
from services.matching.store import ASSIGNMENTS, MATCHES
from services.placement.store import PLACEMENTS
from services.registration.domain.experts import EXPERT
from services.registration.domain.readings import Purpose
from services.registration.store import EXPERTS, PERSONS
from shared.cases.case import Case
from shared.clock import derived_id
from shared.identity.keyfiles import KeyDestroyed
from shared.intake.submissions import SUBMISSIONS
from tests.simulation import requests
from tests.simulation.accounts import hand_accounts_over
from tests.simulation.cast import (
    CHANGING,
    CODE,
    CONTESTING,
    CORRECTED,
    DOUBLE,
    FIRST,
    LEAST_YEARS,
    LEAVING,
    OFFICE,
    OFFICER,
    OTHER_OFFICE,
    POSTS,
    PROTECTION,
    SECOND_OFFICER,
    SUSPENDED,
    THIRD,
    WITHDRAWING,
    Person,
    Post,
)
from tests.simulation.cast import PERSONS as PEOPLE
from tests.simulation.client import Client
from tests.simulation.filing import Filing
from tests.simulation.journal import Journal
from tests.simulation.placing import Placing
from tests.simulation.plain import Plain
from tests.simulation.recount import figures_of
from tests.simulation.stating import Stating
from tests.simulation.walking import Walking
from tests.simulation.wandering import Wandering

LOOK_SECONDS = 1.0
ATTEMPTS = 12
OFFER_SECONDS = timedelta(days=1).total_seconds()
# When the training post begins, and so may be completed.
MONTHS_SECONDS = timedelta(days=106).total_seconds()
GLANCED_AT = frozenset({"registrations", "requests", "accepted", "women_share"})
READ_FOR: tuple[Purpose, ...] = ("contact", "identity_check")
EARLY, COMES_BACK, MISTAKEN = 0.4, 0.3, 0.1
GLANCES = 30
RECORDED_LATE, LEAVES, REFUSED = 0.4, 0.2, 0.1
LEAVES_BY_ITSELF = 0.5
MOMENT = timedelta(milliseconds=50)
# Why whoever lost a seat stands once more: by why the match ended; None: an answer that nobody gave.
AGAIN = {"visa_refused": "visa_granted", None: "mistake"}
CLAIMS, NOT_ANSWERED = 0.5, 0.3
# How often somebody does what nobody waits for, of a match.
ODD, ASIDE = 0.07, frozenset({"retract", "correct-time"})
MODALITIES = ("temporary", "virtual")
# Of a round's match that stands a moment later, where a crash came between.
NAMED = "named"
SEATED = frozenset({"allocated", "offered"})
MOVING = SEATED | {NAMED}


class History:
    """The steps of one run. `answering`: offers wait for nobody who lets another one run out."""

    def __init__(self, client: Client, journal: Journal) -> None:
        self.client = client
        self.journal = journal
        self.walking = Walking(client)
        self.placing = Placing(client, self.walking)
        self.posts = (*POSTS[:-1], replace(POSTS[-1], modality=client.rng.choice(MODALITIES)))
        self._plain = Plain(client, journal, self.walking)
        self._wandering = Wandering(client, journal, self.walking)
        self._filing = Filing(client, journal)
        self._stating = Stating(client, journal)
        self._answering = asyncio.Lock()
        self._ignored: set[str] = set()
        self._stays: set[str] = set()
        self._answered_for: set[str] = set()
        self._offers: Counter[str] = Counter()
        self._attempts: Counter[tuple[str, str]] = Counter()
        self._screened: Counter[str] = Counter()
        self._again: set[str] = set()
        self._over = False

    async def play(self) -> None:
        journal = self.journal
        journal.ask(CODE, requests.INSTITUTION, *(post.id for post in POSTS))
        for person in PEOPLE:
            journal.ask(person.id, person.expert, person.command_id)
        await self.client.put(requests.publish_programme(1))
        await asyncio.gather(self._screen_anew(), self._happen())

    async def _happen(self) -> None:
        await asyncio.gather(
            self._found(),
            self._publish_again(),
            *(self._join(person) for person in PEOPLE),
            *(self._fill(post) for post in self.posts),
            self._correct(CORRECTED),
            self._change(CHANGING),
            self._withdraw(WITHDRAWING),
            self._suspend(SUSPENDED),
            self._suspend(LEAVING),
            self._moves(CORRECTED),
            *(self._wanders(post) for post in POSTS[:2]),
            self._erase(LEAVING),
            *(self._add_file(person) for person in (THIRD, LEAVING)),
            *(self._read(person) for person in (CHANGING, LEAVING)),
            self._glance(),
            *self._plain.plays(),
            *self._wandering.plays(),
            self._stating.before(),
        )
        # A withdrawal or a refused placement may have set things in motion after an officer looked last.
        await asyncio.gather(*(self._see_through(post) for post in self.posts))
        self.client.world.leap(MONTHS_SECONDS)
        await asyncio.gather(*(self._see_through(post) for post in self.posts), self._stating.after())
        await self._pass_on(ASSIGNMENT, POSTS[0].id, OFFICE, OTHER_OFFICE)
        await self._filing.read_back()
        self._over = True

    # Registration.

    async def _screen_anew(self) -> None:
        """Cases that come back to screening, or were suspended in it, are screened as long as anything happens."""
        while not self._over:
            for person in (CONTESTING, CHANGING, SUSPENDED):
                if await self._stands(person) == "screening" and person.name in self._screened:
                    self._screened[person.name] += 1
                    await self.client.put(requests.screen(person, self._screened[person.name]))
            await self.client.pause(2 * LOOK_SECONDS)

    async def _stands(self, person: Person) -> str:
        async def status(service: Any) -> str:
            _, state = await service.replica.kernel.load(EXPERTS, person.expert)
            return str(state.status) if state else ""

        return await self.client.look("registration", status)

    async def _change(self, person: Person) -> None:
        """Too few years of experience, and the right ones again, whatever stands on the decision meanwhile."""
        await self._until_recorded(EXPERTS.name, person.expert)
        if self.client.rng.random() < EARLY:
            await self.client.pause(12.0)
        else:
            await self._until_placed(person)
        await self.client.put(requests.correct(person, experience_years=LEAST_YEARS - 1))
        await self.client.pause(6.0)
        await self.client.put(requests.correct(person, 2))

    async def _publish_again(self) -> None:
        """Some cases are opened under this version, of which not every replica has heard yet."""
        await self.client.pause(1.0)
        await self.client.put(requests.publish_programme(2))

    async def begin_institution(self) -> None:
        """The host institution, from its registration until it is active."""
        for step in requests.found_institution():
            await self.client.put(step)

    async def _found(self) -> None:
        await self.begin_institution()
        await self._until_recorded(PERSONS.name, CHANGING.id)
        for step in requests.assign_accounts(CHANGING):
            await self.client.put(step)
        await hand_accounts_over(self.client, CHANGING.id)
        await self._named_otherwise(CHANGING)

    async def _named_otherwise(self, person: Person) -> None:
        """Asked for by an officer, confirmed by another one; the first one tries it too."""
        document = {"type": "passport", "country": "AF", "number": "P 9"}
        said = {"family_name": "Other", "birth_year": 1981, "document": document, "reason": "new_document"}
        await self.client.put(requests.change_identity("request", person, **said))
        seen = {"reason": "document_seen"}
        if await self.client.put(requests.change_identity("confirm", person, **seen)):
            raise AssertionError("an officer confirmed the change of identity that the officer asked for")
        await self.client.put(requests.change_identity("confirm", person, 2, SECOND_OFFICER, **seen))
        if self.client.rng.random() < CLAIMS:
            await self._claims(person, seen)

    async def _claims(self, person: Person, seen: dict[str, str]) -> None:
        """Asks for the number of somebody else: confirmed like any other, and decided by the protection role."""
        said = {"document": {"type": "passport", "country": "AF", "number": FIRST.document}, "reason": "new_document"}
        await self._until_recorded(PERSONS.name, FIRST.id)
        await self.client.put(requests.change_identity("request", person, 2, **said))
        if await self.client.put(requests.change_identity("confirm", person, 3, SECOND_OFFICER, **seen)) is None:
            return
        while await self._stands(person) != "identity_clash":
            await self.client.pause(LOOK_SECONDS)
        said = {"outcome": self.client.rng.choice(("holds", "moves")), "reason": "documents_compared"}
        await self.client.put(requests.on_expert("settle-identity", person, 2, PROTECTION, **said))

    async def _join(self, person: Person) -> None:
        await self.client.put(requests.register(person, self.journal))
        if await self._decided("registration", person.command_id) != "accepted":
            return
        if await self._is_expert(person):
            if person in (CONTESTING, DOUBLE):
                # Both have one name; whoever came first is not flagged.
                await self.client.put(requests.on_expert("keep-apart", person, reason="documents_compared"))
            # Now and then by the verb that says which of the two it will be.
            verb = "declare-ineligible" if person.experience_years < LEAST_YEARS else "declare-eligible"
            await self.client.put(requests.on_expert(self.client.rng.choice(("screen", verb)), person))
            self._screened[person.name] = 1
            if person is CONTESTING:
                await self._contest(person)

    async def _suspend(self, person: Person) -> None:
        """For a moment, with a note that says why; whoever is erased meanwhile stays so."""
        await self._until_recorded(EXPERTS.name, person.expert)
        await self.client.pause(10.0)
        said = {"reason": "unreachable", "note": f"{person.name} does not answer the telephone."}
        if await self.client.put(requests.on_expert("suspend", person, **said)) is not None:
            await self.client.pause(3.0)
            await self.client.put(requests.on_expert("reinstate", person))

    async def _is_expert(self, person: Person) -> bool:
        """Whose document number somebody else holds waits for a decision, which may end the case."""
        # What comes of the number that this one asks for later, whoever asks for it waits for.
        if person is CHANGING or await self._stands(person) != "identity_clash":
            return True
        await self.client.pause(3.0)
        outcome = self.client.rng.choice(("holds", "moves", "same_person"))
        said = {"outcome": outcome, "reason": "documents_compared"}
        await self.client.put(requests.on_expert("settle-identity", person, account=PROTECTION, **said))
        return outcome != "same_person"

    async def _contest(self, person: Person) -> None:
        """An appeal, decided by another officer, and screening anew; now and then the first officer tries it too."""
        said = {"reason": "new_evidence"}
        await self.client.pause(2.0)
        statement = {"ground": "facts", "note": "It is twelve years."}
        await self.client.put(requests.on_expert("appeal", person, account=person.account, **statement))
        verdict = self.client.rng.choice(("uphold-appeal", "dismiss-appeal"))
        if await self.client.put(requests.on_expert(verdict, person, **said)):
            raise AssertionError("an officer decided on an appeal against the own decision")
        await self.client.put(requests.on_expert(verdict, person, 2, SECOND_OFFICER, **said))
        if verdict == "dismiss-appeal":
            await self.client.put(requests.on_expert("screen-again", person, **said))
        self._screened[person.name] = 2
        await self.client.put(requests.screen(person, 2))
        await self.client.pause(2.0)
        await self.client.put(requests.correct(person, experience_years=LEAST_YEARS))

    async def _decided(self, service: str, submission: str) -> str:
        async def status(replica: Any) -> str:
            document = await replica.ports.store.load(SUBMISSIONS.name, submission)
            return str(document["status"])

        while (found := await self.client.look(service, status)) == "pending":
            await self.client.pause(LOOK_SECONDS)
        return found

    async def _until_recorded(self, collection: str, id: str) -> None:
        async def stands(replica: Any) -> bool:
            return await replica.ports.store.load(collection, id) is not None

        while not await self.client.look("registration", stands):
            await self.client.pause(LOOK_SECONDS)

    async def _correct(self, person: Person) -> None:
        await self._until_recorded(PERSONS.name, person.id)
        await self.client.pause(4.0)
        await self.client.put(requests.correct(person, sex="female"))

    async def _withdraw(self, person: Person) -> None:
        """At some time, or soon after the person was accepted somewhere; sometimes to come back later."""
        await self._until_recorded(EXPERTS.name, person.expert)
        if self.client.rng.random() < EARLY:
            await self.client.pause(9.0)
        else:
            await self._until_placed(person)
            await self.client.pause(3.0)
        await self.client.put(requests.withdraw_consent(person))
        if self.client.rng.random() < COMES_BACK:
            await self.client.pause(5.0)
            await self.client.put(requests.give_consent(person))

    async def _erase(self, person: Person) -> None:
        """As soon as the case is there, or when it was decided long ago."""
        await self._until_recorded(EXPERTS.name, person.expert)
        if self.client.rng.random() >= EARLY:
            await self.client.pause(9.0)
        await self.client.put(requests.erase(person))

    async def _add_file(self, person: Person) -> None:
        await self._until_recorded(EXPERTS.name, person.expert)
        await self.client.pause(2.0)
        await self._filing.adds(person)

    async def _read(self, person: Person) -> None:
        """An officer reads who somebody is, until the person is erased."""
        await self._until_recorded(PERSONS.name, person.id)
        for purpose in READ_FOR:
            await self.client.pause(8.0)
            try:
                await self.client.look("registration", requests.reading(person, purpose))
            except KeyDestroyed:
                return
            self.journal.shown.append((OFFICER, person.id, purpose))

    async def _moves(self, person: Person) -> None:
        """To another office, and back."""
        await self._until_recorded(EXPERTS.name, person.expert)
        await self.client.pause(7.0)
        await self._pass_on(EXPERT, person.expert, OFFICE, OTHER_OFFICE, first="decline-transfer")
        await self._pass_on(EXPERT, person.expert, OTHER_OFFICE, OFFICE, first="withdraw-transfer")

    async def _wanders(self, post: Post) -> None:
        """A request goes to another office, which takes it the second time, and back, whatever happens on it."""
        while await self._office_of(ASSIGNMENT, post.id) is None:
            await self.client.pause(LOOK_SECONDS)
        await self.client.pause(5.0)
        await self._pass_on(ASSIGNMENT, post.id, OFFICE, OTHER_OFFICE, first="decline-transfer")
        await self._pass_on(ASSIGNMENT, post.id, OTHER_OFFICE, OFFICE, first="withdraw-transfer")

    async def _pass_on(self, case: Case[Any], id: str, left: str, to_office: str, *, first: str = "") -> None:
        """`first`: what becomes of it at the first time of asking. A case that has ended meanwhile stays."""
        asks = {"to_office": to_office, "reason": "workload"}
        offices = {"withdraw-transfer": left}
        for verb in (*((first,) if first else ()), "accept-transfer"):
            time = self._attempts["ask-transfer", id] = self._attempts["ask-transfer", id] + 1
            if await self.client.put(requests.passed_on("ask-transfer", case, id, time, left, **asks)) is None:
                return
            said = {"reason": "no_capacity"} if verb == "decline-transfer" else {}
            office = offices.get(verb, to_office)
            await self.client.put(requests.passed_on(verb, case, id, time, office, **said))
            if case is EXPERT and verb == "accept-transfer" and await self._office_of(case, id) == to_office:
                # Each of the two stands in the trail.
                self.journal.shown += [(OFFICER, CORRECTED.id, "transfer")] * 2

    async def _office_of(self, case: Case[Any], id: str) -> str | None:
        async def office(service: Any) -> str | None:
            document = await service.replica.ports.store.load(case.name, id)
            return case.scope(case.state.model_validate(document["state"])).office if document else None

        return await self.client.look("matching" if case is ASSIGNMENT else "registration", office)

    async def _until_placed(self, person: Person) -> None:
        async def placements(service: Any) -> int:
            return len(await service.ports.store.find(PLACEMENTS.name, "own", person.id))

        for _ in range(GLANCES):
            if await self.client.look("placement", placements):
                return
            await self.client.pause(LOOK_SECONDS)

    # Matching.

    async def _fill(self, post: Post) -> None:
        client = self.client
        for request in (requests.draft, requests.submit, requests.approve, requests.publish):
            await client.put(request(post))
        await asyncio.gather(*(self._apply(post, person) for person in post.applicants))
        await self._shortlist(post)
        await self._see_through(post)

    async def _apply(self, post: Post, person: Person) -> None:
        step = requests.apply(post, person, self.journal)
        self.journal.ask(derived_id(post.id, person.expert), derived_id("client", step.name))
        await self.client.put(step)
        await self._decided("matching", derived_id("client", step.name))

    async def _shortlist(self, post: Post) -> None:
        """Leaves out whoever must not be asked any more, until the shortlist stands."""
        sourced = list(post.sourced)
        self.journal.ask(*(derived_id(post.id, person.expert) for person in sourced))
        for attempt in range(ATTEMPTS):
            experts = tuple(person.expert for person in sourced)
            if await self.client.put(requests.shortlist(post, experts, attempt)) is not None:
                return
            # The withdrawn consent is the one thing that can refuse an expert of this list for good.
            sourced = [person for person in sourced if person is not WITHDRAWING]

    async def _see_through(self, post: Post) -> None:
        """Allocates, offers and answers until nothing of the post moves any more."""
        while True:
            assignment, matches, given = await self._stand(post)
            moved = False
            for match, status in matches:
                if match == matches[0][0]:
                    await self.walking.shares(MATCH, match)
                if self.client.rng.random() < ODD:
                    await self.walking.asks(MATCH, match, ASIDE)
                if status in ("shortlisted", "reserve") and self.client.rng.random() < ODD:
                    # Hosts may answer as soon as they see the shortlist.
                    await self._host_answers(match)
                if status == "shortlisted" and given < post.seats:
                    # Once every seat has been given, whoever is left follows as a reserve by himself.
                    given += 1
                    moved = await self._ask("allocate", match)
                elif status == "allocated":
                    moved = await self._offer(post, match)
                elif status == "reserve" and self._leaves(match):
                    moved = await self._lose(match)
                elif status in ("accepted", "retracting"):
                    moved = await self.placing.see_through(match)
                elif status == "retracted":
                    moved = await self._once_more(post, match)
            if not moved and self._rests(assignment, [status for _, status in matches]):
                return
            await self.client.pause(LOOK_SECONDS)

    async def _once_more(self, post: Post, match: str) -> bool:
        """A new round for a pair whose placement was cancelled, or whose answer nobody gave; one a pair."""
        if match in self._again:
            return False
        self._again.add(match)

        async def load(service: Any) -> Any:
            return (await service.replica.kernel.load(MATCHES, match))[1]

        state = await self.client.look("matching", load)
        if state.previous is not None or state.reason not in AGAIN:
            return False
        self.journal.ask(derived_id(match, "round"))
        again = {"again_reason": AGAIN[state.reason]}
        return await self.client.put(requests.shortlist(post, (state.parties.expert,), match, **again)) is not None

    def _leaves(self, match: str) -> bool:
        """Whether a reserve waits no longer; each decides once, and some while another one is just moving up."""
        if match in self._stays:
            return False
        self._stays.add(match)
        return self.client.rng.random() < LEAVES

    def _rests(self, assignment: Any, statuses: list[str]) -> bool:
        """Nobody has to do anything, and nothing is on its way to anybody."""
        if any(status in MOVING for status in statuses):
            return False
        seated = sum(status in ("accepted", "retracting") for status in statuses)
        waiting = sum(status in ("reserve", "shortlisted", "longlisted") for status in statuses)
        return seated >= assignment.terms.seats or not waiting

    async def _stand(self, post: Post) -> tuple[Any, list[tuple[str, str]], int]:
        """The assignment, its shortlist by rank, each with its status, and how many were ever given a seat: whoever was
        stopped before that never had one."""

        async def stand(service: Any) -> tuple[Any, list[tuple[str, str]], int]:
            kernel = service.replica.kernel
            document, assignment = await kernel.load(ASSIGNMENTS, post.id)
            found = []
            for match in assignment.shortlisted:
                _, state = await kernel.load(MATCHES, match)
                found.append((match, state.status if state else NAMED))
            return assignment, found, sum(hold["status"] != "refused" for hold in document["holds"].values())

        return await self.client.look("matching", stand)

    async def _ask(self, verb: str, match: str, *, late: bool = False) -> bool:
        """Under a new id after each refusal: what was refused once may be right later.

        `late`: recorded as of a moment ago, which by some replicas' clocks has not come.
        """
        attempt = self._attempts[verb, match]
        happened_at = self.client.world.loop.now() - MOMENT if late else None
        answer = await self.client.put(requests.on_match(verb, match, attempt, happened_at))
        self._attempts[verb, match] += answer is None
        return answer is not None

    async def _offer(self, post: Post, match: str) -> bool:
        async with self._answering:
            if not await self._host_answers(match):
                return True
            if not await self._ask("offer", match):
                return False
            if self.client.rng.random() < MISTAKEN and await self._ask("take-back", match):
                # It was meant for another one; made again, it is another request.
                self._attempts["offer", match] += 1
                self._attempts["take-back", match] += 1
                return True
            number = self._offers[post.name]
            self._offers[post.name] += 1
            answer = post.answers[number] if number < len(post.answers) else "accept"
            if answer != "ignore":
                done = await self._answer(answer, match)
                if done and answer == "decline" and self.client.rng.random() < NOT_ANSWERED:
                    await self._ask("take-back", match)
                return done
            # Nobody answers: all clocks go on by as long as the offer stands.
            self.client.world.leap(OFFER_SECONDS + 1)
        while (await self._status(match)) == "offered":
            await self.client.pause(LOOK_SECONDS)
        if self.client.rng.random() < NOT_ANSWERED:
            await self._ask("take-back", match)
        return True

    async def _host_answers(self, match: str) -> bool:
        """Whether the host agrees to the candidate, whom it is asked about once; else the next reserve follows."""
        if match in self._answered_for:
            return True
        self._answered_for.add(match)
        if self.client.rng.random() < REFUSED and await self._ask("refuse-candidate", match):
            return False
        while await self._ask("confirm-candidate", match) and self.client.rng.random() < MISTAKEN:
            # It had meant another one, and is asked once more.
            if not await self._ask("take-back", match):
                break
            self._attempts["confirm-candidate", match] += 1
            self._attempts["take-back", match] += 1
        return True

    async def _lose(self, match: str) -> bool:
        """A reserve leaves, or the host does not want it, which may turn out to be a mistake."""
        if self.client.rng.random() < LEAVES_BY_ITSELF:
            return await self._ask("withdraw", match)
        done = await self._ask("refuse-candidate", match)
        if done and self.client.rng.random() < COMES_BACK:
            await self._ask("take-back", match)
        return done

    async def _answer(self, verb: str, match: str) -> bool:
        if self.client.rng.random() < RECORDED_LATE:
            await self.client.pause(LOOK_SECONDS)
            if await self._ask(verb, match, late=True):
                return True
        return await self._ask(verb, match)

    async def _status(self, match: str) -> str:
        async def status(service: Any) -> str:
            _, state = await service.replica.kernel.load(MATCHES, match)
            return str(state.status)

        return await self.client.look("matching", status)

    # Monitoring.

    async def _glance(self) -> None:
        """Asks for figures as of the watermark; what was answered has to be answered again at the end."""
        await self.client.pause(12.0)

        async def figures(service: Any) -> tuple[int, Any]:
            as_of_ms = service.follower.watermark_ms
            return as_of_ms, figures_of(service.follower.model, as_of_ms, GLANCED_AT)

        self.journal.answers.append(await self.client.look("monitoring", figures))


async def history(client: Client, journal: Journal) -> None:
    await History(client, journal).play()
