"""The steps of one host, one expert and one assignment of a history."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta

from pydantic import JsonValue

from deploy.replay.history import History
from deploy.replay.returns.checks import LEAD_DAYS
from deploy.replay.returns.people import Expert
from deploy.replay.returns.schedule import Assignment, Host
from deploy.replay.steps import Await, Phase, Step
from shared.clock import text_of
from shared.contracts.placement import PreparationStep

# Nobody registers for a programme that is not published yet.
PUBLISHED = "programme/publish"


def at(day: date, hour: int = 9) -> datetime:
    """In working hours of every office, and on the same calendar day in each of them."""
    return datetime.combine(day, time(hour), tzinfo=UTC)


def officer(
    id: str,
    phase: Phase,
    needs: tuple[str, ...],
    path: str,
    body: dict[str, JsonValue],
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
    yield officer(first, "registration", (PUBLISHED,), "/registration/v1/institutions", body, opened, host.office)
    before = first
    for days, verb in enumerate(("assess", "accept-partner", "activate"), 2):
        path = f"/registration/v1/institutions/{{{first}.id}}/{verb}"
        when = opened + timedelta(days=days)
        yield officer(f"{host.name}/{verb}", "registration", (before,), path, {}, when, host.office)
        before = f"{host.name}/{verb}"


def expert_steps(history: History, expert: Expert, day: datetime) -> Iterator[Step]:
    first = f"{expert.name}/register"
    office = expert.group.office
    document = {"type": "passport", "country": history.population.residence, "number": f"X{expert.number:07d}"}
    body: dict[str, JsonValue] = {
        "programme": history.programme,
        "office": office,
        "person": {
            "given_name": expert.given_name,
            "family_name": expert.family_name,
            "document": dict(document),
            "attributes": expert.attributes.model_dump(mode="json", exclude_none=True),
            "valid_from": day.date().isoformat(),
        },
        "consents": ["placement"],
    }
    yield officer(first, "registration", (PUBLISHED,), "/registration/v1/experts", body, day, office)
    expert_path = f"/registration/v1/experts/{{{first}.subject}}"
    screen = officer(
        f"{expert.name}/screen",
        "registration",
        (first,),
        f"{expert_path}/screen",
        {},
        day + timedelta(days=3),
        office,
    )
    yield replace(screen, awaits=(Await(expert_path),))


@dataclass
class Case:
    """One assignment from its draft to its end."""

    assignment: Assignment
    programme: str
    preparation: tuple[PreparationStep, ...]

    def steps(self) -> Iterator[Step]:
        one = self.assignment
        yield from self._request()
        if one.reached != "filled":
            return
        yield from self._applications()
        yield from self._offers()
        yield from self._placement()

    def _step(
        self,
        verb: str,
        day: int,
        needs: tuple[str, ...],
        path: str,
        body: dict[str, JsonValue],
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

    def _pair(self, kind: str, expert: Expert) -> str:
        return f"{{{kind}({self.assignment.name}/draft.id, {expert.name}/register.subject)}}"

    def _request(self) -> Iterator[Step]:
        one = self.assignment
        host = one.host.name
        terms = one.terms().model_dump(mode="json", exclude_none=True)
        body: dict[str, JsonValue] = {
            "programme": self.programme,
            "office": one.office,
            "terms": {**terms, "institution": f"{{{host}/register.id}}"},
            "title": f"Training of trainers: {one.host.sector}",
            "description": "Trains the host's own trainers and hands over the material.",
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
        """The first two of the shortlist apply; the third is sourced by the officer."""
        *applying, sourced = self.assignment.listed
        needs: tuple[str, ...]
        for number, expert in enumerate(applying):
            needs = ("publish", f"{expert.name}/screen")
            body: dict[str, JsonValue] = {"expert": f"{{{expert.name}/register.subject}}"}
            step = self._step(f"apply-{number + 1}", -45 + number, needs, f"{self._path}/applications", body)
            yield replace(step, about=(expert.name,))
        needs = (*(f"apply-{number + 1}" for number in range(len(applying))), f"{sourced.name}/screen")
        body = {"experts": [f"{{{sourced.name}/register.subject}}"]}
        step = self._step("shortlist", -38, needs, f"{self._path}/shortlist", body)
        awaits = tuple(Await(f"/matching/v1/matches/{self._pair('match', expert)}") for expert in applying)
        yield replace(step, about=tuple(one.name for one in self.assignment.listed), awaits=awaits)

    def _offers(self) -> Iterator[Step]:
        first, second = self.assignment.listed[:2]
        yield self._match("allocate", -37, "shortlist", first, {})
        yield self._match("offer", -36, "allocate", first, {})
        if not self.assignment.declined:
            yield self._match("accept", -30, "offer", first, {})
            return
        yield self._match("decline", -33, "offer", first, {"reason": "family"})
        # The reserve follows by itself; where it has not yet, the officer does it.
        allocate = self._match("allocate", -32, "decline", second, {}, again=True)
        awaits = Await(f"/matching/v1/matches/{self._pair('match', second)}")
        yield replace(allocate, awaits=(awaits,), settled=("allocated", "offered", "accepted"))
        yield self._match("offer", -31, "allocate-reserve", second, {}, again=True)
        yield self._match("accept", -29, "offer-reserve", second, {}, again=True)

    def _match(
        self, verb: str, day: int, need: str, expert: Expert, body: dict[str, JsonValue], *, again: bool = False
    ) -> Step:
        path = f"/matching/v1/matches/{self._pair('match', expert)}/{verb}"
        step = self._step(f"{verb}-reserve" if again else verb, day, (need,), path, body)
        return replace(step, about=(expert.name,))

    def _placement(self) -> Iterator[Step]:
        one = self.assignment
        accepted = "accept-reserve" if one.declined else "accept"
        dates: dict[str, JsonValue] = {"starts_on": one.starts_on.isoformat(), "ends_on": one.ends_on.isoformat()}
        contract = self._placed("contract", -25, accepted, dates)
        awaits = Await(f"/placement/v1/placements/{self._pair('placement', one.goes)}")
        yield replace(contract, awaits=(awaits,))
        before = "contract"
        for number, name in enumerate(self.preparation):
            yield self._placed(name, -18 + 4 * number, before, {"step": name}, verb="complete-step")
            before = name
        if one.outcome == "no_show":
            yield self._placed("report-no-show", 3, before, {})
            return
        yield self._placed("depart", -1, before, {})
        yield self._placed("confirm-arrival", 0, "depart", {})
        yield from self._end()

    def _end(self) -> Iterator[Step]:
        one = self.assignment
        days = (one.ends_on - one.starts_on).days
        if one.outcome == "ended_early":
            body: dict[str, JsonValue] = {"party": "expert", "reason": "family"}
            yield self._placed("end-early", days // 2, "confirm-arrival", body)
            return
        before = "confirm-arrival"
        if one.extended_days:
            later = one.ends_on + timedelta(days=one.extended_days)
            yield self._placed("extend", days - 5, before, {"ends_on": later.isoformat()})
            before = "extend"
        yield self._placed("complete", days + one.extended_days, before, {})

    def _placed(self, name: str, day: int, need: str, body: dict[str, JsonValue], *, verb: str = "") -> Step:
        expert = self.assignment.goes
        path = f"/placement/v1/placements/{self._pair('placement', expert)}/{verb or name}"
        return replace(self._step(name, day, (need,), path, body), about=(expert.name,))
