"""The requests of one host, one expert and one assignment of a chapter of returns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta

from pydantic import JsonValue

from deploy.replay.returns.assignments import Assignment
from deploy.replay.returns.hosts import Host
from deploy.replay.returns.model import Deliveries
from deploy.replay.returns.people import Expert
from deploy.replay.steps import KEPT, Await, Phase, Step
from shared.clock import short_hash, text_of
from shared.contracts.matching.assignments import Modality
from shared.contracts.placement.placements import PreparationStep

# Nobody registers for a programme that is not published yet.
PUBLISHED = "programme/publish"
# From the draft of the terms to the arrival; nothing may lie before the programme began.
LEAD_DAYS = 56
# From the first application to the arrival.
APPLIED_DAYS = 45
# From a registration to what the expert is first in.
KNOWN_DAYS = 8
# An offer that nobody may follow was made to the only one on its list.
ALONE = "single_candidate"


def at(day: date, hour: int = 9) -> datetime:
    """In working hours of most offices, and on the same calendar day in each of them."""
    return datetime.combine(day, time(hour), tzinfo=UTC)


def officer(
    id: str,
    phase: Phase,
    needs: tuple[str, ...],
    path: str,
    body: Mapping[str, JsonValue],
    when: datetime,
    office: str,
    account: str = "officer",
) -> Step:
    """A step that an officer of the office records late; `account` tells four eyes apart."""
    told = {**body, "happened_at": text_of(when)}
    return Step(id, phase, needs, path, told, when, "officer", office, f"{account}-{office}")


def host_steps(host: Host, opened: datetime) -> Iterator[Step]:
    first = f"{host.name}/register"
    body: dict[str, JsonValue] = {
        "name": f"Host {host.office} {host.sector} {host.number}",
        "country": host.country,
        "sector": host.sector,
        "host_type": host.host_type,
        "office": host.office,
    }
    if host.area is not None:
        body |= {"area": host.area, "name": f"Host {host.area} {host.sector} {host.number}"}
    yield officer(first, "registration", (PUBLISHED,), "/registration/v1/institutions", body, opened, host.office)
    before = first
    for days, verb in enumerate(("assess", "accept-partner", "activate"), 2):
        path = f"/registration/v1/institutions/{{{first}.id}}/{verb}"
        when = opened + timedelta(days=days)
        yield officer(f"{host.name}/{verb}", "registration", (before,), path, {}, when, host.office)
        before = f"{host.name}/{verb}"


@dataclass(frozen=True)
class Registering:
    """How the people of a history register. `code`: the history's, of whose hash document numbers are made: they are
    folded when they are compared, and two codes may differ in case and separators alone."""

    code: str
    programme: str
    consents: tuple[str, ...]

    def steps(self, expert: Expert, day: datetime) -> Iterator[Step]:
        """Registration and screening."""
        first, office = f"{expert.name}/register", expert.group.office
        attributes = expert.first_said or expert.attributes
        body: dict[str, JsonValue] = {
            "programme": self.programme,
            "office": office,
            "person": {
                "given_name": expert.given_name,
                "family_name": expert.family_name,
                "document": {
                    "type": "passport",
                    "country": expert.attributes.country_of_residence,
                    "number": f"{short_hash(self.code)}-{expert.number:06d}",
                },
                "attributes": attributes.model_dump(mode="json", exclude_none=True),
                "valid_from": day.date().isoformat(),
            },
            "consents": list(self.consents),
        }
        yield officer(first, "registration", (PUBLISHED,), "/registration/v1/experts", body, day, office)
        path = f"/registration/v1/experts/{{{first}.subject}}"
        when = day + timedelta(days=3)
        screen = officer(f"{expert.name}/screen", "registration", (first,), f"{path}/screen", {}, when, office)
        awaits = Await(path, receipt=f"/registration/v1/receipts/{{{first}.id}}")
        yield replace(screen, awaits=(awaits,), keeps=(*KEPT, "person"))

    def afterwards(self, expert: Expert, registered: date, when: datetime) -> Iterator[Step]:
        """What is put right, or taken back, once all else is done."""
        screen, office = f"{expert.name}/screen", expert.group.office
        path = f"/registration/v1/persons/{{{screen}.person}}"
        if expert.first_said is not None:
            body: dict[str, JsonValue] = {
                "attributes": expert.attributes.model_dump(mode="json", exclude_none=True),
                "valid_from": registered.isoformat(),
            }
            id = f"{expert.name}/correct"
            yield officer(id, "afterwards", (screen,), f"{path}/correct-profile", body, when, office)
        if expert.withdraws:
            id, body = f"{expert.name}/withdraw", {"purpose": expert.withdraws}
            yield officer(id, "afterwards", (screen,), f"{path}/withdraw-consent", body, when, office)


@dataclass(frozen=True)
class Running:
    """What all assignments of a chapter share."""

    programme: str
    deliveries: Deliveries
    preparation: Mapping[Modality, tuple[PreparationStep, ...]]


@dataclass
class Walk:
    """One assignment from its draft to its end."""

    assignment: Assignment
    running: Running

    def steps(self) -> Iterator[Step]:
        one = self.assignment
        yield from self._request()
        if one.reached not in ("filled", "declined"):
            return
        yield from self._applications()
        yield from self._offers()
        if one.reached == "filled":
            yield from self._placement()

    def _step(
        self,
        verb: str,
        day: int,
        needs: tuple[str, ...],
        path: str,
        body: Mapping[str, JsonValue],
        account: str = "officer",
    ) -> Step:
        when = at(self.assignment.starts_on + timedelta(days=day))
        step_id = f"{self.assignment.name}/{verb}"
        return officer(step_id, "delivery", self._named(needs), path, body, when, self.assignment.office, account)

    def _named(self, needs: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(need if "/" in need else f"{self.assignment.name}/{need}" for need in needs)

    @property
    def _path(self) -> str:
        return f"/matching/v1/assignments/{{{self.assignment.name}/draft.id}}"

    def _match_of(self, expert: Expert) -> str:
        return f"{self.assignment.name}/draft.id + {expert.name}/register.subject"

    def _request(self) -> Iterator[Step]:
        one, running = self.assignment, self.running
        host = one.host.name
        terms = one.terms().model_dump(mode="json", exclude_none=True)
        described = {"description": running.deliveries.description} if running.deliveries.description else {}
        body: dict[str, JsonValue] = {
            "programme": running.programme,
            "office": one.office,
            "terms": {**terms, "institution": f"{{{host}/register.id}}"},
            "title": f"{running.deliveries.title}: {one.host.sector}",
            **described,
        }
        yield self._step("draft", -LEAD_DAYS, (f"{host}/activate",), "/matching/v1/assignments", body)
        yield self._step("submit", 1 - LEAD_DAYS, ("draft",), f"{self._path}/submit", {})
        if one.reached == "submitted":
            return
        yield self._step("approve", 3 - LEAD_DAYS, ("submit",), f"{self._path}/approve", {}, "approver")
        if one.reached == "approved":
            return
        yield self._step("publish", 4 - LEAD_DAYS, ("approve",), f"{self._path}/publish", {})

    def _applications(self) -> Iterator[Step]:
        """Some of the shortlist apply; the others are sourced by the officer."""
        listed = self.assignment.listed
        applying, sourced = listed[: self.applying], listed[self.applying :]
        awaits = []
        for number, expert in enumerate(applying, 1):
            needs: tuple[str, ...] = ("publish", f"{expert.name}/screen")
            body: dict[str, JsonValue] = {"expert": f"{{{expert.name}/register.subject}}"}
            day = min(number - 1 - APPLIED_DAYS, -39)
            step = self._step(f"apply-{number}", day, needs, f"{self._path}/applications", body)
            yield replace(step, about=(expert.name,))
            receipt = f"/matching/v1/receipts/{{{step.id}.id}}"
            awaits.append(Await(f"/matching/v1/matches/{{{self._match_of(expert)}}}", receipt=receipt))
        needs = (*(f"apply-{number}" for number in range(1, len(applying) + 1)), "publish")
        needs += tuple(f"{expert.name}/screen" for expert in sourced)
        body = {"experts": [f"{{{expert.name}/register.subject}}" for expert in sourced]}
        if len(listed) < self.running.deliveries.shortlist.names:
            body["override_reason"] = ALONE
        step = self._step("shortlist", -38, needs, f"{self._path}/shortlist", body)
        yield replace(step, about=tuple(one.name for one in listed), awaits=tuple(awaits))

    @property
    def applying(self) -> int:
        return min(self.running.deliveries.shortlist.applying, len(self.assignment.listed))

    def _offers(self) -> Iterator[Step]:
        one = self.assignment
        first = one.listed[0]
        yield self._match("allocate", -37, "shortlist", first, {})
        yield self._match("offer", -36, "allocate", first, {})
        if not one.declined and one.reached == "filled":
            yield self._match("accept", -30, "offer", first, {})
            return
        yield self._match("decline", -33, "offer", first, {"reason": "family"})
        if one.reached == "filled":
            yield from self._reserve(one.listed[1])

    def _reserve(self, second: Expert) -> Iterator[Step]:
        """The reserve follows by itself; where it has not yet, the officer does it."""
        allocate = self._match("allocate", -32, "decline", second, {}, again=True)
        awaits = Await(f"/matching/v1/matches/{{{self._match_of(second)}}}")
        yield replace(allocate, awaits=(awaits,), settled=("allocated", "offered", "accepted"))
        yield self._match("offer", -31, "allocate-reserve", second, {}, again=True)
        yield self._match("accept", -29, "offer-reserve", second, {}, again=True)

    def _match(
        self, verb: str, day: int, need: str, expert: Expert, body: Mapping[str, JsonValue], *, again: bool = False
    ) -> Step:
        path = f"/matching/v1/matches/{{{self._match_of(expert)}}}/{verb}"
        step = self._step(f"{verb}-reserve" if again else verb, day, (need,), path, body)
        return replace(step, about=(expert.name,))

    def _placement(self) -> Iterator[Step]:
        one = self.assignment
        before = "accept-reserve" if one.declined else "accept"
        waits = (Await(f"/placement/v1/placements/{{{self._match_of(one.goes)} + 'placement'}}"),)
        if one.outcome == "cancelled" and not one.contracted:
            yield replace(self._placed("cancel", -24, before, {"reason": one.reason}), awaits=waits)
            return
        dates: dict[str, JsonValue] = {"starts_on": one.starts_on.isoformat(), "ends_on": one.ends_on.isoformat()}
        yield replace(self._placed("contract", -25, before, dates), awaits=waits)
        before = "contract"
        if one.outcome == "cancelled":
            yield self._placed("cancel", -20, before, {"reason": one.reason})
            return
        for number, name in enumerate(self.running.preparation.get(one.modality, ())):
            yield self._placed(name, -18 + 3 * number, before, {"step": name}, verb="complete-step")
            before = name
        if one.outcome == "no_show":
            yield self._placed("report-no-show", 3, before, {})
            return
        if one.modality != "virtual":
            yield self._placed("depart", -1, before, {})
            before = "depart"
        yield self._placed("confirm-arrival", 0, before, {})
        yield from self._end()

    def _end(self) -> Iterator[Step]:
        one = self.assignment
        days = (one.ends_on - one.starts_on).days
        if one.early is not None:
            body: dict[str, JsonValue] = {"party": one.early.party, "reason": one.early.reason}
            yield self._placed("end-early", days // 2, "confirm-arrival", body)
            return
        before = "confirm-arrival"
        for number, more in enumerate(one.extensions, 1):
            later: dict[str, JsonValue] = {"ends_on": (one.starts_on + timedelta(days=days + more)).isoformat()}
            name = "extend" if number == 1 else f"extend-{number}"
            yield self._placed(name, max(days - 5, 0), before, later, verb="extend")
            before, days = name, days + more
        yield self._placed("complete", days, before, {})

    def _placed(self, name: str, day: int, need: str, body: Mapping[str, JsonValue], *, verb: str = "") -> Step:
        expert = self.assignment.goes
        path = f"/placement/v1/placements/{{{self._match_of(expert)} + 'placement'}}/{verb or name}"
        return replace(self._step(name, day, (need,), path, body), about=(expert.name,))
