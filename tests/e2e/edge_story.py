"""A small full history: a programme, two hosts, five experts, and assignments that end in every way there is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

from shared.clock import derived_id, text_of
from tests.e2e.edge_town import BEGAN, Town
from tests.e2e.edge_world import ASKED, ATTRIBUTES, OFFICE, PROGRAMME, running_programme, yaml_as_json

TODAY = BEGAN.date()
# Each has one digit less in common with the occupation that is asked for, which decides the ranks.
OCCUPATIONS = {"ada": "2310", "ben": "231", "cy": "2320", "dee": "2411", "eve": "9629"}

# Holds trainings and improves sites.
PLAIN: dict[str, Any] = {
    "code": "wells",
    "title": {"en": "Wells"},
    "phase": "one",
    "dates": {"starts": "2020-01-01", "ends": "2040-01-01"},
    "offices": [
        {"code": OFFICE, "name": {"en": "Kabul"}, "country": "AF", "time_zone": "Asia/Kabul"},
        {"code": ASKED, "name": {"en": "Tbilisi"}, "country": "GE", "time_zone": "Asia/Tbilisi"},
    ],
    "countries_of_origin": ["AF"],
    "sectors": [{"code": "water", "name": {"en": "Water"}}],
    "trainings": {"kinds": [{"code": "seminar", "name": {"en": "Seminar"}}]},
    "results": {
        "site_kinds": [{"code": "village", "name": {"en": "Village"}}],
        "work_kinds": [{"code": "well", "name": {"en": "Well"}}],
        "reached": ["families"],
    },
}


def day(number: int) -> str:
    return (TODAY + timedelta(days=number)).isoformat()


class Story:
    """Each chapter ends settled, since whoever comes next depends on what stands then."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self.experts: dict[str, str] = {}
        self.persons: dict[str, str] = {}
        self.host = ""

    async def tell(self) -> None:
        await self.beginning()
        await self.declined_then_served_to_the_end()
        await self.town.settle()
        await self.overlap_refused_then_expired()
        await self.no_show()
        await self.retracted_before_arrival()
        await self.ended_early()
        await self.cancelled_by_the_host()
        await self.suspended_and_reinstated()
        await self.decided_anew()
        await self.eligible_no_longer()
        await self.identity_settled()
        await self.handed_over()
        await self.agreed_by_two()
        await self.named_otherwise()
        await self.consent_withdrawn_and_given()
        await self.refused_or_asked_again()
        await self.reached_otherwise()
        await self.kept_apart()
        await self.passed_on()
        await self.erased()

    async def beginning(self) -> None:
        self.published = yaml_as_json(running_programme())
        await self.town.do("/registration/v1/programmes", {"definition": self.published}, "administrator", None)
        self.host = await self._institution("host", ("assess", "accept-partner", "activate"))
        other = await self._institution("other", ("assess", "accept-partner", "activate"))
        for name, occupation in OCCUPATIONS.items():
            await self._expert(name, occupation=occupation)
        unfit = await self._registered("fay", education=1)
        await self.town.do(f"/registration/v1/experts/{unfit}/screen")
        later = {"attributes": ATTRIBUTES | {"occupation": "9629", "sector": "health"}, "valid_from": "2025-01-01"}
        await self.town.do(f"/registration/v1/persons/{self.persons['eve']}/correct-profile", later)
        for number, verb in enumerate(("put-on-hold", "take-back", "put-on-hold", "correct-time", "close")):
            reason = {"put-on-hold": "relocating", "close": "merged"}.get(verb, "mistake")
            body = {"reason": reason, **(self._now() if verb == "correct-time" else {})}
            await self.town.do(f"/registration/v1/institutions/{other}/{verb}", body, subject=str(number))
        await self.town.settle()

    async def _institution(self, account: str, verbs: tuple[str, ...]) -> str:
        body = {"name": "College", "country": "AF", "sector": "education", "host_type": "public", "office": OFFICE}
        answer = await self.town.do("/registration/v1/institutions", {**body, "account": account}, subject=account)
        for verb in verbs:
            await self.town.do(f"/registration/v1/institutions/{answer['id']}/{verb}")
        return str(answer["id"])

    async def _registered(self, name: str, number: str = "", called: str = "", **attributes: Any) -> str:
        person = {
            "given_name": called or name,
            "family_name": "of the story",
            "document": {"type": "passport", "country": "NL", "number": number or f"N{name}"},
            "attributes": ATTRIBUTES | attributes,
            "valid_from": "2020-01-01",
        }
        body = {"programme": PROGRAMME, "office": OFFICE, "person": person, "consents": ["placement"]}
        # Ada registers herself, the others through an officer.
        how: Any = {"role": "expert", "office": None} if name == "ada" else {}
        receipt = await self.town.do("/registration/v1/experts", body, **how, subject=name)
        while not await self._recorded(receipt["subject"]):
            assert await self.town.deliver_some()
        self.experts[name] = receipt["subject"]
        self.persons[name] = (await self.town.get(f"/registration/v1/experts/{receipt['subject']}"))["person"]
        return str(receipt["subject"])

    async def _recorded(self, expert: str) -> bool:
        return await self.town.stores["registration"].load("experts", expert) is not None

    async def _expert(self, name: str, **attributes: Any) -> None:
        expert = await self._registered(name, **attributes)
        await self.town.do(f"/registration/v1/experts/{expert}/screen")

    async def _drafted(self, title: str, begins: int, ends: int, **more: Any) -> Any:
        terms = {
            "institution": self.host,
            "country": "AF",
            "sector": "education",
            "host_type": "public",
            "occupation": "2310",
            "modality": "temporary",
            "seats": 1,
            "starts_on": day(begins),
            "ends_on": day(ends),
            **more,
        }
        body = {"programme": PROGRAMME, "office": OFFICE, "terms": terms, "title": title}
        return await self.town.do("/matching/v1/assignments", body, subject=title)

    async def _assignment(self, title: str, begins: int, ends: int, **more: Any) -> str:
        answer = await self._drafted(title, begins, ends, **more)
        path = f"/matching/v1/assignments/{answer['id']}"
        for verb, subject in (("submit", "maker"), ("approve", "checker"), ("publish", "maker")):
            await self.town.do(f"{path}/{verb}", subject=subject)
        if title == "third":
            await self.town.do(f"{path}/take-back", {"reason": "mistake"})
            await self.town.do(f"{path}/correct-time", {"reason": "wrong_date", **self._now()})
            await self.town.do(f"{path}/publish", subject="again")
        return str(answer["id"])

    def _now(self) -> dict[str, str]:
        return {"happened_at": text_of(self.town.clock.now())}

    async def _shortlisted(self, title: str, begins: int, ends: int, *names: str, apply: bool = False) -> list[str]:
        """The matches of the assignment in the order of the names, which is that of their scores."""
        assignment = await self._assignment(title, begins, ends)
        if apply:
            for name in names:
                path = f"/matching/v1/assignments/{assignment}/applications"
                await self.town.do(path, {"expert": self.experts[name]}, subject=f"for-{name}")
            await self.town.settle()
        experts = [] if apply else [self.experts[name] for name in names]
        body = {"experts": experts, "override_reason": "few_candidates"}
        await self.town.do(f"/matching/v1/assignments/{assignment}/shortlist", body)
        return [assignment, *(derived_id(assignment, self.experts[name]) for name in names)]

    async def _match(self, match: str, *verbs: str) -> None:
        for verb in verbs:
            body = {"reason": "family"} if verb in ("decline", "retract") else {}
            await self.town.do(f"/matching/v1/matches/{match}/{verb}", body)

    async def _placement(self, match: str, *verbs: str, begins: int = 0, ends: int = 60) -> str:
        id = derived_id(match, "placement")
        bodies: dict[str, Any] = {
            "contract": {"starts_on": day(begins), "ends_on": day(ends), "override_reason": "host_asked"},
            "extend": {"ends_on": day(ends + 20)},
            "end-early": {"party": "expert", "reason": "family"},
            "take-back": {"reason": "wrong_case"},
            "correct-time": {"reason": "wrong_date", **self._now()},
            "correct-contract": {
                "reason": "typing_error",
                "starts_on": day(begins),
                "ends_on": day(ends - 1),
                "override_reason": "host_asked",
            },
        }
        for number, verb in enumerate(verbs):
            if verb == "prepare":
                for step in ("training", "insurance", "ticket"):
                    # One route thrice: the key has to be another one each time.
                    path = f"/placement/v1/placements/{id}/complete-step"
                    await self.town.do(path, {"step": step}, subject=step)
            else:
                # Done anew after it was taken back, it is another request.
                again = f"{verb} {number}" if verb in verbs[:number] else ""
                await self.town.do(f"/placement/v1/placements/{id}/{verb}", bodies.get(verb, {}), subject=again)
        return id

    async def declined_then_served_to_the_end(self) -> str:
        """The match of the completed return; not settled, so that whoever wants can still come between."""
        _, ada, ben, _ = await self._shortlisted("first", 0, 60, "ada", "ben", "cy", apply=True)
        await self._match(ada, "allocate", "offer", "decline")
        await self._match(ben, "offer", "accept")
        begun = ("contract", "correct-contract", "prepare", "depart", "confirm-arrival", "take-back")
        placement = await self._placement(ben, *begun, "confirm-arrival", "correct-time", "extend")
        path = f"/placement/v1/placements/{placement}"
        await self.town.do(f"{path}/submit-report", {"text": "Eighteen teachers were trained."})
        await self.town.do(f"{path}/accept-report", subject="checker")
        await self.town.do(f"{path}/certify")
        await self.town.do(f"{path}/complete")
        return ben

    async def overlap_refused_then_expired(self) -> None:
        _, ben, cy = await self._shortlisted("second", 10, 40, "ben", "cy")
        await self._match(ben, "allocate", "offer", "accept")
        await self._match(cy, "offer")
        await self.town.settle()
        await self.town.later(days=15)
        await self.town.settle()

    async def no_show(self) -> None:
        _, cy = await self._shortlisted("third", 0, 60, "cy")
        await self._match(cy, "allocate", "offer")
        await self.town.do(f"/matching/v1/matches/{cy}/take-back", {"reason": "wrong_case"})
        await self.town.do(f"/matching/v1/matches/{cy}/offer", subject="again")
        await self.town.do(f"/matching/v1/matches/{cy}/correct-time", {"reason": "wrong_date", **self._now()})
        await self._match(cy, "accept")
        await self._placement(cy, "contract", "report-no-show")
        await self.town.settle()

    async def retracted_before_arrival(self) -> None:
        _, ada, dee = await self._shortlisted("fourth", 0, 60, "ada", "dee")
        await self._match(ada, "allocate", "offer", "accept")
        await self._placement(ada, "contract")
        await self._match(ada, "retract")
        await self._match(dee, "offer", "decline")
        await self.town.settle()

    async def ended_early(self) -> None:
        _, ada = await self._shortlisted("fifth", 0, 60, "ada")
        await self._match(ada, "allocate", "offer", "accept")
        await self._placement(ada, "contract", "prepare", "depart")
        await self.town.settle()
        await self._placement(ada, "confirm-arrival")
        # Matching cannot have heard of the arrival, and placement breaks nothing off for this reason.
        await self.town.do(f"/matching/v1/matches/{ada}/retract", {"reason": "consent_withdrawn"})
        await self._placement(ada, "call-for-reports", "end-early")
        await self.town.settle()

    async def cancelled_by_the_host(self) -> None:
        assignment, dee, _ = await self._shortlisted("sixth", 100, 160, "dee", "eve")
        await self._match(dee, "allocate", "offer", "accept")
        await self.town.settle()
        await self.town.do(f"/matching/v1/assignments/{assignment}/cancel", {"reason": "host_withdrew"})
        await self.town.settle()

    async def suspended_and_reinstated(self) -> None:
        _, dee, _ = await self._shortlisted("seventh", 200, 260, "dee", "eve")
        await self._match(dee, "allocate", "offer")
        await self.town.settle()
        path = f"/registration/v1/experts/{self.experts['dee']}"
        await self.town.do(f"{path}/suspend", {"reason": "unreachable"})
        await self.town.settle()
        await self.town.do(f"{path}/reinstate")
        await self.town.settle()

    async def decided_anew(self) -> None:
        """Fay's appeal is upheld and she is found ineligible again; Dee's suspension falls, and she is screened."""
        for name, verbs in (("fay", ("appeal", "uphold-appeal", "screen")), ("dee", ("suspend", "appeal"))):
            await self._expert_does(name, *verbs)
        await self.town.settle()
        await self._expert_does("dee", "uphold-appeal", "screen", "screen-again")
        await self.town.settle()

    async def eligible_no_longer(self) -> None:
        """Gil's education is corrected: before an offer he is screened anew, after one he is flagged."""
        await self._expert("gil", occupation="2310")
        _, gil, _ = await self._shortlisted("ninth", 70, 90, "gil", "eve")
        await self._match(gil, "allocate")
        await self.town.settle()
        await self.corrected("gil", education=1)
        await self._expert_does("gil", "screen")
        await self.town.settle()
        await self.corrected("gil", education=7)
        await self._expert_does("gil", "screen", subject="later")
        _, gil = await self._shortlisted("tenth", 70, 90, "gil")
        await self._match(gil, "allocate", "offer")
        await self.town.settle()
        await self.corrected("gil", education=2)
        await self._match(gil, "decline")
        await self.town.settle()

    async def identity_settled(self) -> None:
        """Hal, Ian and Jo claim Gil's number: it moves to Hal, Ian goes on without it, and Jo is Hal."""
        for name, outcome in (("hal", "moves"), ("ian", "holds"), ("jo", "same_person")):
            path = f"/registration/v1/experts/{await self._registered(name, number='Ngil')}"
            body = {"outcome": outcome, "reason": "documents_compared"}
            await self.town.do(f"{path}/settle-identity", body, "protection", None)
            await self.town.settle()
            if outcome != "same_person":
                await self.town.do(f"{path}/screen")
        await self.town.settle()

    async def handed_over(self) -> None:
        """The host's contact leaves, and Ben, whom an officer registered, signs in."""
        for case, named, reason in (
            (f"institutions/{self.host}", "host2", "contact_left"),
            (f"persons/{self.persons['ben']}", "ben-signs-in", "first_sign_in"),
        ):
            body = {"account": named, "reason": reason}
            await self.town.do(f"/registration/v1/{case}/assign-account", body)
        await self.town.settle()

    async def agreed_by_two(self) -> None:
        """The host's new contact and Ada hand their accounts over: withdrawn, declined, left to lapse, accepted."""
        for role, case, holder, reason in (
            ("host", f"institutions/{self.host}", "host2", "task_passed_on"),
            ("expert", f"persons/{self.persons['ada']}", "ada", "mistaken_entry"),
        ):
            path, how = f"/registration/v1/{case}", (role, None)
            propose = f"{path}/propose-handover", {"reason": reason}, *how
            await self.town.do(*propose, holder)
            await self.town.do(f"{path}/withdraw-handover", {}, *how, holder)
            for number, answer in enumerate(("decline", "", "accept")):
                proposed = await self.town.call("POST", *propose, holder, f"propose-{number}-{role}")
                assert proposed.is_success, proposed.text
                seen = (await self.town.call("GET", path, None, *how, holder, "none")).json()
                code = seen["handover"]["code_for_the_other"]
                said = {"code": code, **({"reason": "not_wanted"} if answer == "decline" else {})}
                if answer:
                    await self.town.do(f"/registration/v1/handovers/{answer}", said, *how, f"{holder} and two")
                else:
                    await self.town.later(days=15)
                await self.town.settle()

    async def named_otherwise(self) -> None:
        """Eve's document and year of birth are another one's than was recorded, and Gil's is Cy's; Fay's change is
        refused."""
        document = {"type": "passport", "country": "NL", "number": "X0900001"}
        born = {"year": 1972, "month": 3}
        for name, verb, reason, said in (
            ("eve", "confirm", "document_seen", {"family_name": "Other", "born": born, "document": document}),
            ("gil", "confirm", "document_seen", {"document": {**document, "number": "Ncy"}}),
            ("fay", "refuse", "not_proven", {"family_name": "Other"}),
        ):
            path = f"/registration/v1/persons/{self.persons[name]}"
            await self.town.do(f"{path}/request-identity-change", {**said, "reason": "new_document"})
            await self.town.do(f"{path}/{verb}-identity-change", {"reason": reason}, subject="checker")
        await self.town.settle()
        body = {"outcome": "holds", "reason": "documents_compared"}
        path = f"/registration/v1/experts/{self.experts['gil']}/settle-identity"
        await self.town.do(path, body, "protection", None)
        await self.town.settle()

    async def corrected(self, name: str, **attributes: Any) -> None:
        body = {"attributes": ATTRIBUTES | attributes, "valid_from": "2020-01-01"}
        path = f"/registration/v1/persons/{self.persons[name]}/correct-profile"
        await self.town.do(path, body, subject=str(attributes))
        await self.town.settle()

    async def _expert_does(self, name: str, *verbs: str, subject: str = "maker") -> None:
        reasons = {"suspend": "conduct", "uphold-appeal": "new_evidence", "screen-again": "mistaken_entry"}
        for verb in verbs:
            body = {"ground": "facts", "note": "It is so."} if verb == "appeal" else {"reason": reasons.get(verb)}
            who = "checker" if verb == "uphold-appeal" else subject
            path = f"/registration/v1/experts/{self.experts[name]}/{verb}"
            await self.town.do(path, {} if verb == "screen" else body, subject=who)

    async def consent_withdrawn_and_given(self) -> None:
        _, cy = await self._shortlisted("eighth", 300, 360, "cy")
        await self._match(cy, "allocate", "offer", "accept")
        await self.town.settle()
        await self.withdraws("cy")
        await self.town.settle()
        path = f"/registration/v1/persons/{self.persons['cy']}"
        await self.town.do(f"{path}/give-consent", {"purpose": "placement"})
        await self.town.settle()

    async def refused_or_asked_again(self) -> None:
        """Terms that the office sends back and then rejects; an expert who is asked for papers, and an appeal that is
        dismissed."""
        answer = await self._drafted("twelfth", 500, 560)
        steps: list[tuple[str, Any]] = [
            ("submit", {}),
            ("request-edits", {"items": ["languages"]}),
            ("revise", {"terms": answer["terms"], "title": "twelfth"}),
            ("submit", {}),
            ("reject", {"reason": "outside_priorities"}),
        ]
        for number, (verb, body) in enumerate(steps):
            await self.town.do(f"/matching/v1/assignments/{answer['id']}/{verb}", body, subject=str(number))
        await self._registered("kay")
        path = f"/registration/v1/experts/{self.experts['kay']}"
        await self.town.do(f"{path}/request-info", {"items": ["diploma"]})
        await self.town.do(f"{path}/provide-info")
        await self._expert_does("kay", "screen", "suspend", "appeal")
        await self.town.do(f"{path}/dismiss-appeal", {"reason": "facts_established"}, subject="checker")
        await self.town.settle()

    async def reached_otherwise(self) -> None:
        """Eve and the host say by which address they are reached."""
        body = {"email": "somebody@example.org", "language": "fr", "often": "at_once", "unwanted": []}
        for case in (f"persons/{self.persons['eve']}", f"institutions/{self.host}"):
            await self.town.do(f"/registration/v1/{case}/set-contact", body)
        await self.town.settle()

    async def kept_apart(self) -> None:
        """Two of one name, year of birth and origin, who are two."""
        for name in ("lin", "linus"):
            await self._registered(name, called="Lin")
        path = f"/registration/v1/experts/{self.experts['linus']}/keep-apart"
        await self.town.do(path, {"reason": "relatives"})
        await self.town.settle()

    async def passed_on(self) -> None:
        """Cy, to whom the host has agreed, the host and a request with its match and placement go to another office,
        which first declines."""
        selection = self.published["selection"] | {"shortlist": {"host_confirms": True}}
        asking = {"definition": self.published | {"selection": selection}}
        await self.town.do("/registration/v1/programmes", asking, "administrator", None, "asking")
        await self.town.settle()
        assignment, cy = await self._shortlisted("eleventh", 600, 660, "cy")
        await self.town.do(f"/matching/v1/matches/{cy}/confirm-candidate", None, "host", None, "host2 and two")
        await self._match(cy, "allocate", "offer", "accept")
        await self.town.settle()
        asks = {"to_office": ASKED, "reason": "office_closes"}
        steps: list[tuple[str, str, dict[str, Any]]] = [
            ("ask-transfer", OFFICE, asks),
            ("decline-transfer", ASKED, {"reason": "no_capacity"}),
            ("ask-transfer", OFFICE, asks),
            ("withdraw-transfer", OFFICE, {}),
            ("ask-transfer", OFFICE, asks),
            ("accept-transfer", ASKED, {}),
        ]
        experts, hosts = f"registration/v1/experts/{self.experts['cy']}", f"registration/v1/institutions/{self.host}"
        plain = [case async for case in self._plain_cases()]
        for case in (experts, hosts, f"matching/v1/assignments/{assignment}", *plain):
            for number, (verb, office, body) in enumerate(steps):
                await self.town.do(f"/{case}/{verb}", body, "officer", office, subject=f"{office} {number}")
            await self.town.settle()
        path = f"/placement/v1/placements/{derived_id(cy, 'placement')}"
        await self.town.do(f"{path}/cancel", {"reason": "host_withdrew"}, "officer", ASKED)
        await self.town.settle()

    async def _plain_cases(self) -> AsyncIterator[str]:
        """A training and a site of a programme that selects nobody."""
        await self.town.do("/registration/v1/programmes", {"definition": PLAIN}, "administrator", None, "plain")
        case = {"programme": PLAIN["code"], "office": OFFICE, "title": "Wells", "country": "AF", "sector": "water"}
        days = {"starts_on": day(10), "ends_on": day(12)}
        for kind, said in (("trainings", {"training_kind": "seminar", **days}), ("sites", {"site_kind": "village"})):
            answer = await self.town.do(f"/placement/v1/{kind}", {**case, **said})
            yield f"placement/v1/{kind}/{answer['id']}"

    async def erased(self) -> None:
        """Ian, who was never placed."""
        path = f"/registration/v1/persons/{self.persons['ian']}/erase"
        await self.town.do(path, {"reason": "own_request"}, "protection", None)
        await self.town.settle()

    async def withdraws(self, name: str) -> None:
        path = f"/registration/v1/persons/{self.persons[name]}/withdraw-consent"
        await self.town.do(path, {"purpose": "placement"})
