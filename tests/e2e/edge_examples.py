"""Each POST's example from the OpenAPI documents, and the cases whose ids it needs."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from shared.cases.transfers import ASK
from shared.clock import text_of
from shared.identity.roles import Role
from tests.e2e.edge_periods import Periods
from tests.e2e.edge_plain import brought, plain_cases
from tests.e2e.edge_world import ASKED, OFFICE, People, asking_hosts, running_programme, terms

# What follows a request to take a case over, and what of it the office does that is asked.
_ANSWERED = ("withdraw_transfer", "accept_transfer", "decline_transfer")
_BY_THE_OTHER = _ANSWERED[1:]
# A programme of the examples' own.
ASKING_HOSTS = "asking-hosts"
# No name server knows it, so nothing is ever sent.
SUBSCRIPTION = {"url": "https://nobody.invalid/x", "content": "statements"}
SERVICE_NAMES = ("registration", "matching", "placement", "monitoring")


@dataclass(frozen=True)
class Operation:
    """One POST of a service's OpenAPI document."""

    service: str
    path: str
    id: str
    example: dict[str, Any]
    schema: dict[str, Any]

    def url(self, id: str = "", file: str = "") -> str:
        path = self.path.replace("{id}", id).replace("{code}", id).replace("{file}", file)
        return f"/{self.service}{path}"


@dataclass(frozen=True)
class Ready:
    """Who sends the example about which case, and which file of it; `ids` replaces what the example names
    (pointer -> id)."""

    id: str = ""
    ids: dict[str, Any] = field(default_factory=dict)
    role: Role = "officer"
    office: str | None = OFFICE
    subject: str = ""
    file: str = ""


def documents(people: People) -> dict[str, dict[str, Any]]:
    return {name: people.http.get(f"/{name}/openapi.json").json() for name in SERVICE_NAMES}


def posts(people: People) -> Iterator[Operation]:
    """Every POST of the four services that takes JSON, with its example."""
    for service, document in documents(people).items():
        for path, operations in document["paths"].items():
            post = operations.get("post")
            if post is not None and (content := post["requestBody"]["content"].get("application/json")):
                example = content["examples"]["example"]["value"]
                yield Operation(service, path, f"{service}:{post['operationId']}", example, content["schema"])


def substituted(example: dict[str, Any], ids: dict[str, Any]) -> dict[str, Any]:
    """The example with other ids at these pointers."""
    body = copy.deepcopy(example)
    for pointer, value in ids.items():
        *parents, last = pointer.strip("/").split("/")
        place: Any = body
        for name in parents:
            place = place[name]
        assert last in place, f"the example has no {pointer}"
        place[last] = value
    return body


def _now(ready: Ready) -> Ready:
    """Its last fact happened a moment later."""
    return replace(ready, ids={"/happened_at": text_of(datetime.now(UTC))})


class Cases:
    """A case for each operation, in a state from which the operation is allowed."""

    def __init__(self, people: People) -> None:
        self._people = people
        self.host = people.institution(account="college")
        self._asks = False
        self._periods = Periods(people)

    def _expert(self, state: str) -> Ready:
        return Ready(self._people.expert(state))

    def _by_protection(self) -> Ready:
        return replace(self._person(), role="protection", office=None)

    def _clashing(self) -> Ready:
        """Brings the document number of another person."""
        document = {"type": "passport", "country": "NL", "number": "X0000002"}
        self._people.expert("registered", document=document)
        clashing = self._people.expert("registered", document=document, given_name="Other")
        return Ready(clashing, role="protection", office=None)

    def _unfit(self) -> Ready:
        """Fails one of the programme's criteria."""
        return Ready(self._people.expert("registered", attributes={"education": 1}))

    def _person(self) -> Ready:
        return Ready(self._people.person_of(self._people.expert("registered")))

    def _renaming(self) -> Ready:
        """A change of identity that another account decides."""
        person, body = self._person(), {"family_name": "Other", "reason": "marriage"}
        self._people.done(f"/registration/v1/persons/{person.id}/request-identity-change", body)
        return Ready(person.id, subject="checker")

    def _withdrawn(self) -> Ready:
        person = self._person()
        self._people.done(f"/registration/v1/persons/{person.id}/withdraw-consent", {"purpose": "placement"})
        return person

    def _suspended(self) -> Ready:
        expert = self._people.expert()
        self._people.done(f"/registration/v1/experts/{expert}/suspend", {"reason": "unreachable"})
        return Ready(expert)

    def _ineligible(self) -> Ready:
        expert = self._unfit().id
        self._people.done(f"/registration/v1/experts/{expert}/screen")
        return Ready(expert)

    def _appealed(self) -> Ready:
        """An appeal that another account decides."""
        expert = self._suspended().id
        self._people.done(f"/registration/v1/experts/{expert}/appeal", {"ground": "facts", "note": "It is so."})
        return Ready(expert, subject="checker")

    def _alike(self) -> Ready:
        """Two of one name."""
        name = self._people.registration()["person"]["family_name"]
        return Ready([self._people.expert("registered", family_name=name) for _ in range(2)][1])

    def _named_otherwise(self) -> Ready:
        """Registers for a second programme under another name than for the first."""
        people, somebody, code = self._people, self._somebody(), "trqn-1-again"
        people.publish({**running_programme(), "code": code})
        people.expert("registered", subject=somebody)
        body = {**people.registration(), "programme": code}
        receipt = people.done("/registration/v1/experts", body, role="expert", subject=somebody)
        people.accepted("registration", receipt["id"], role="expert", subject=somebody)
        return Ready(receipt["subject"])

    def _asked(self) -> Ready:
        expert = self._people.expert("registered")
        self._people.done(f"/registration/v1/experts/{expert}/request-info", {"items": ["diploma"]})
        return Ready(expert)

    def _held(self) -> Ready:
        """What tells somebody of a refusal waits for an officer."""
        expert = self._people.expert("registered", attributes={"education": 1})
        self._people.done(f"/registration/v1/experts/{expert}/screen")
        return Ready(self._people.message("held", expert))

    def _reminding(self) -> Ready:
        """A reminder of an offer waits for half of its time."""
        return Ready(self._people.message("queued", self.match("offered")))

    def _institution(self, state: str) -> Ready:
        return Ready(self._people.institution(state))

    def _assignment(self, state: str) -> Ready:
        return Ready(self._people.assignment(self.host, state))

    def _approvable(self) -> Ready:
        return Ready(self._people.assignment(self.host, "submitted"), subject="checker")

    def _revisable(self) -> Ready:
        assignment = self._people.assignment(self.host, "submitted")
        self._people.done(f"/matching/v1/assignments/{assignment}/request-edits", {"items": ["languages"]})
        return Ready(assignment, {"/terms/institution": self.host})

    def _applicable(self) -> Ready:
        return Ready(self._people.assignment(self.host), {"/expert": self._people.expert()})

    def _shortlistable(self) -> Ready:
        experts = [self._people.expert() for _ in range(3)]
        self._people.quiet()
        return Ready(self._people.assignment(self.host), {"/experts": experts})

    def match(self, state: str) -> str:
        assignment = self._people.assignment(self.host)
        return self._people.match(assignment, self._people.expert(), state)

    def _of_a_host_that_is_asked(self) -> Ready:
        """A candidate of a programme that makes no offer before the host has agreed."""
        people = self._people
        if not self._asks:
            people.publish(asking_hosts(ASKING_HOSTS))
            self._asks = True
        assignment = people.assignment(self.host, programme=ASKING_HOSTS)
        return Ready(people.match(assignment, people.expert(programme=ASKING_HOSTS)))

    def _own_institution(self) -> Ready:
        """Asked about by whoever signs in for it."""
        holder = self._somebody()
        return Ready(self._people.institution(account=holder), role="host", office=None, subject=holder)

    def _own_person(self) -> Ready:
        holder = self._somebody()
        expert = self._people.expert("registered", subject=holder)
        return Ready(self._people.person_of(expert), role="expert", office=None, subject=holder)

    def _proposed(self, cases: str) -> Ready:
        """Whose account is offered to another person."""
        ready = self._own_institution() if cases == "institutions" else self._own_person()
        how: Any = {"role": ready.role, "office": None, "subject": ready.subject}
        reason = "contact_left" if cases == "institutions" else "applied_for_another"
        self._people.done(f"/registration/v1/{cases}/{ready.id}/propose-handover", {"reason": reason}, **how)
        return ready

    def _offered(self) -> Ready:
        """The code of an institution's account, in the hands of another person."""
        offered = self._proposed("institutions")
        path = f"/registration/v1/institutions/{offered.id}"
        code = self._people.get(path, "host", None, offered.subject).json()["handover"]["code_for_the_other"]
        return Ready(ids={"/code": code}, role="host", office=None, subject=self._somebody())

    def _shared_view(self) -> Ready:
        body = {"list": "registration/experts", "name": self._somebody(), "shared": True}
        return Ready(ids={"/id": self._people.done("/registration/v1/saved-views/save", body)["id"]})

    def _looked_through(self) -> Ready:
        """A table that waits to be confirmed."""
        return Ready(self._people.imported())

    def _somebody(self) -> str:
        """Who has signed in for nothing yet."""
        return f"{self._people.registration()['person']['family_name']}@example.org"

    def _match(self, state: str) -> Ready:
        return Ready(self.match(state))

    def _offer_that_is_over(self) -> Ready:
        """Recorded long after it was over."""
        with self._people.days_ago(60):
            return self._match("offered")

    def _placement(self, state: str, *, begun: bool = True) -> Ready:
        return Ready(self._people.placement(self.match("accepted"), state, begun=begun))

    def _dated(self, state: str) -> Ready:
        """A contract within the terms, whose days follow from today."""
        placement, days = self._placement(state), terms(self.host)
        return replace(placement, ids={f"/{name}": days[name] for name in ("starts_on", "ends_on")})

    def _reported(self) -> Ready:
        """A report that another account accepts."""
        placement = self._placement("active")
        self._people.done(f"/placement/v1/placements/{placement.id}/submit-report", {"text": "All was done."})
        return Ready(placement.id, subject="checker")

    def of(self, operation: str) -> Callable[[], Ready]:
        """How the case of an operation is made; KeyError for an operation that nobody has thought of here."""
        by_administrator = Ready(role="administrator", office=None)
        registration: dict[str, Callable[[], Ready]] = {
            "programmes_publish": lambda: by_administrator,
            "persons_correct_profile": self._person,
            "persons_request_identity_change": self._person,
            "persons_confirm_identity_change": self._renaming,
            "persons_refuse_identity_change": self._renaming,
            "persons_give_consent": self._withdrawn,
            "persons_withdraw_consent": self._person,
            "persons_erase": self._by_protection,
            # Under an account of their own: generated requests use up what one reads in an hour.
            "persons_read_identity": lambda: replace(self._person(), subject="reader"),
            "persons_copy": lambda: replace(self._person(), role="protection", office=None, subject="copier"),
            "persons_search": lambda: Ready(subject="reader"),
            "persons_set_contact": self._person,
            "institutions_set_contact": lambda: self._institution("proposed"),
            "messages_release": self._held,
            "messages_discard": self._held,
            "messages_hold_back": self._reminding,
            "drafts_find": Ready,
            "experts_files_begin": lambda: self._expert("eligible"),
            "experts_files_read": self._filed,
            "experts_files_remove": self._filing,
            "drafts_give_back": lambda: Ready(self._people.draft()),
            "experts_create": lambda: Ready(ids={"/programme": "trqn-1", "/person/document/number": "X0000001"}),
            "experts_screen": lambda: self._expert("registered"),
            "experts_declare_eligible": lambda: self._expert("registered"),
            "experts_declare_ineligible": self._unfit,
            "experts_provide_info": self._asked,
            "experts_request_info": lambda: self._expert("registered"),
            "experts_settle_identity": self._clashing,
            "experts_keep_apart": self._alike,
            "experts_keep_identity": self._named_otherwise,
            "experts_suspend": lambda: self._expert("eligible"),
            "experts_reinstate": self._suspended,
            "experts_screen_again": lambda: self._expert("eligible"),
            "persons_assign_account": self._person,
            "institutions_assign_account": lambda: self._institution("proposed"),
            "persons_propose_handover": self._own_person,
            "persons_withdraw_handover": lambda: self._proposed("persons"),
            "institutions_propose_handover": self._own_institution,
            "institutions_withdraw_handover": lambda: self._proposed("institutions"),
            "jobs_cancel": self._looked_through,
            "jobs_confirm": self._looked_through,
            "saved_views_save": Ready,
            "saved_views_stop_sharing": self._shared_view,
            "saved_views_remove": self._shared_view,
            "handovers_find": self._offered,
            "handovers_accept": self._offered,
            "handovers_decline": self._offered,
            "experts_appeal": self._ineligible,
            "experts_uphold_appeal": self._appealed,
            "experts_dismiss_appeal": self._appealed,
            "institutions_create": Ready,
            "institutions_assess": lambda: self._institution("proposed"),
            "institutions_accept_partner": lambda: self._institution("assessed"),
            "institutions_activate": lambda: self._institution("partner"),
            "institutions_put_on_hold": lambda: self._institution("active"),
            "institutions_close": lambda: self._institution("active"),
            "institutions_correct_time": lambda: _now(self._institution("active")),
            "institutions_take_back": lambda: self._institution("active"),
        }
        matching: dict[str, Callable[[], Ready]] = {
            "assignments_create": lambda: Ready(ids={"/terms": terms(self.host)}),
            "assignments_submit": lambda: self._assignment("draft"),
            "assignments_revise": self._revisable,
            "assignments_approve": self._approvable,
            "assignments_request_edits": lambda: self._assignment("submitted"),
            "assignments_reject": lambda: self._assignment("submitted"),
            "assignments_publish": lambda: self._assignment("approved"),
            "assignments_cancel": lambda: self._assignment("published"),
            "assignments_correct_time": lambda: _now(self._assignment("approved")),
            "assignments_take_back": lambda: self._assignment("published"),
            "applications_create": self._applicable,
            "assignments_shortlist": self._shortlistable,
            "matches_confirm_candidate": self._of_a_host_that_is_asked,
            "matches_refuse_candidate": self._of_a_host_that_is_asked,
            "matches_allocate": lambda: self._match("shortlisted"),
            "matches_offer": lambda: self._match("allocated"),
            "matches_accept": lambda: self._match("offered"),
            "matches_decline": lambda: self._match("offered"),
            "matches_expire": self._offer_that_is_over,
            "matches_withdraw": lambda: self._match("shortlisted"),
            "matches_retract": lambda: self._match("allocated"),
            "matches_correct_time": lambda: _now(self._match("offered")),
            "matches_take_back": lambda: self._match("offered"),
        }
        placement: dict[str, Callable[[], Ready]] = {
            "placements_contract": lambda: self._dated("host_confirmed"),
            "placements_correct_contract": lambda: self._dated("contracted"),
            "placements_correct_time": lambda: _now(self._placement("active")),
            "placements_take_back": lambda: self._placement("active"),
            "placements_complete_step": lambda: self._placement("contracted"),
            "placements_depart": lambda: self._placement("ready"),
            "placements_confirm_arrival": lambda: self._placement("travelling"),
            "placements_call_for_reports": lambda: self._placement("active"),
            "placements_submit_report": lambda: self._placement("active"),
            "placements_accept_report": self._reported,
            "placements_certify": lambda: self._placement("active"),
            "placements_complete": lambda: self._placement("active"),
            "placements_extend": lambda: self._placement("active"),
            "placements_end_early": lambda: self._placement("active"),
            "placements_report_no_show": lambda: self._placement("contracted"),
            "placements_cancel": lambda: self._placement("contracted"),
        }
        parked = {
            "parked_replay": lambda: self._parked(operation.split(":")[0]),
            "parked_drop": lambda: self._droppable(operation.split(":")[0]),
        }
        services = {
            "registration": registration | parked,
            "matching": matching | parked,
            "placement": placement | parked,
            "monitoring": {
                "read_model_rebuild": lambda: by_administrator,
                "statements_freeze": lambda: by_administrator,
                "exports_create": lambda: Ready(self._periods.ready_for("restate").programme),
                "subscriptions_subscribe": Ready,
                "subscriptions_resume": lambda: self._subscription("pause"),
                **{
                    f"subscriptions_{verb}": self._subscription for verb in ("test", "pause", "rotate", "resend", "end")
                },
            },
        }
        service, name = operation.split(":")
        if name.split("_")[0] in plain_cases():
            return lambda: self._plain(name)
        if name in services[service]:
            return services[service][name]
        if name.startswith("statements_"):
            return lambda: self._period(name.removeprefix("statements_"))
        return self._shared(service, *name.split("_", 1))

    def _period(self, verb: str) -> Ready:
        """Verified by another than whoever froze it."""
        one = self._periods.ready_for(verb)
        ids = {"/counted": one.counted} if verb == "verify" else {}
        return Ready(one.id, ids, "administrator", None, "checker" if verb == "verify" else "maker")

    def _filed(self) -> Ready:
        """Under an account of its own, as readings of identifiers are."""
        expert = self._expert("eligible")
        return replace(expert, file=self._people.file(expert.id), subject="reader")

    def _filing(self) -> Ready:
        """One that nobody has finished."""
        expert = self._expert("eligible")
        return replace(expert, file=self._people.begun_file(expert.id))

    def _shared(self, service: str, cases: str, verb: str) -> Callable[[], Ready]:
        """What officers do with cases of every kind that they work on; KeyError for another verb."""
        opened: dict[str, Callable[[], Ready]] = {
            "experts": lambda: self._expert("eligible"),
            "institutions": lambda: self._institution("active"),
            "assignments": lambda: self._assignment("draft"),
            "matches": lambda: self._match("shortlisted"),
            "placements": lambda: self._placement("contracted"),
        }
        before = {"pass_on": "take", "give_back": "take", **dict.fromkeys(_ANSWERED, ASK)}
        if verb not in ("take", "ask_transfer", *before):
            raise KeyError(verb)

        def ready() -> Ready:
            case = opened[cases]()
            if first := before.get(verb):
                said = {"to_office": ASKED, "reason": "workload"} if first == ASK else {}
                self._people.done(f"/{service}/v1/{cases}/{case.id}/{first}", said)
            return replace(case, office=ASKED) if verb in _BY_THE_OTHER else case

        return ready

    def _subscription(self, verb: str = "") -> Ready:
        path = "/monitoring/v1/subscriptions"
        id = self._people.done(path, SUBSCRIPTION)["id"]
        if verb:
            self._people.done(f"{path}/{id}/{verb}")
        return Ready(id)

    def _plain(self, operation: str) -> Ready:
        id, office = brought(self._people, operation)
        ready = Ready(id, office=office)
        return _now(ready) if operation.endswith("_correct_time") else ready

    def _parked(self, service: str) -> Ready:
        items = self._people.get(f"/{service}/v1/parked", "administrator", None).json()["items"]
        return Ready(items[0]["id"], role="administrator", office=None)

    def _droppable(self, service: str) -> Ready:
        ready = self._parked(service)
        first = self._people.get(f"/{service}/v1/parked/{ready.id}", "administrator", None).json()["parked"][0]
        return replace(ready, ids={f"/{name}": first[name] for name in ("topic", "partition", "offset")})
