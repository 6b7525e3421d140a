"""People of a running system, seen from outside: tokens of any role, requests, and cases brought to a state."""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import yaml

from shared.clock import RealRuntime, derived_id, text_of
from shared.identity.issuers import DevelopmentIssuer
from shared.identity.keys import Keys
from shared.identity.roles import Role
from tests.e2e.system import SERVICES, System

OFFICE, OTHER_OFFICE = "kabul", "sarajevo"
# The office that examples ask to take a case over.
ASKED = "tbilisi"
PROGRAMME = "trqn-1"
PATIENCE_SECONDS = 20.0
PDF = b"%PDF-1.7\n%%EOF\n"
DEFINITION_FILE = Path(__file__).parents[2] / "deploy/programmes" / f"{PROGRAMME}.yaml"

ATTRIBUTES: dict[str, Any] = {
    "sex": "female",
    "birth_year": 1971,
    "nationality": "NL",
    "country_of_origin": "AF",
    "country_of_residence": "NL",
    "residence_status": "citizen",
    "education": 7,
    "occupation": "2310",
    "experience_years": 12,
    "sector": "education",
    "languages": [{"language": "en", "level": "B2"}],
}


def terms(institution: str, *, begins_in_days: int = 30, lasts_days: int = 90, **more: Any) -> dict[str, Any]:
    """Terms of reference that fit the programme."""
    starts = date.today() + timedelta(days=begins_in_days)
    return {
        "institution": institution,
        "country": "AF",
        "sector": "education",
        "host_type": "public",
        "occupation": "2310",
        "modality": "temporary",
        "seats": 1,
        "starts_on": starts.isoformat(),
        "ends_on": (starts + timedelta(days=lasts_days)).isoformat(),
        "languages": [{"language": "en", "level": "B1"}],
        **more,
    }


class People:
    """Who may do what they do: every request is made as somebody. `post` and `get` answer whatever comes."""

    def __init__(self, system: System) -> None:
        self.system = system
        self._runtime = RealRuntime()
        self._issuer = DevelopmentIssuer(Keys(system.keys), self._runtime)
        self._tokens: dict[tuple[Any, ...], str] = {}
        self._numbers = itertools.count(1)
        self._happened: dict[str, str] = {}
        self.http = httpx.Client(base_url=system.url, timeout=30)

    def close(self) -> None:
        self.http.close()
        self._runtime.close()

    @contextmanager
    def days_ago(self, days: int) -> Iterator[None]:
        """What is posted in the block happened then."""
        self._happened = {"happened_at": text_of(datetime.now(UTC) - timedelta(days=days))}
        yield
        self._happened = {}

    def token(self, role: Role, office: str | None, subject: str = "", hours: float = 8) -> str:
        key = (role, office, subject, hours)
        if key not in self._tokens:
            self._tokens[key] = self._issuer.issue(role, office, subject, timedelta(hours=hours))
        return self._tokens[key]

    def headers(self, role: Role, office: str | None = OFFICE, subject: str = "") -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token(role, office, subject)}"}

    def get(self, path: str, role: Role = "officer", office: str | None = OFFICE, subject: str = "") -> httpx.Response:
        return self.http.get(path, headers=self.headers(role, office, subject))

    def post(
        self,
        path: str,
        body: Any = None,
        role: Role = "officer",
        office: str | None = OFFICE,
        subject: str = "",
        **headers: str,
    ) -> httpx.Response:
        """Header names are given with underscores: `idempotency_key`, `if_match`."""
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        asked = {} if body is None else body
        sent = {**self._happened, **asked} if isinstance(asked, dict) else asked
        return self.http.post(path, json=sent, headers=self.headers(role, office, subject) | more)

    def done(self, path: str, body: Any = None, **how: Any) -> dict[str, Any]:
        """The answer of a request that must succeed; it is repeated while its ids are on their way (404, 409, 503)."""
        key = f"done-{next(self._numbers)}"
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            answer = self.post(path, body, **how, idempotency_key=key)
            if answer.is_success:
                return dict(answer.json())
            assert answer.status_code in (404, 409, 503), f"{path}: {answer.status_code} {answer.text}"
            assert time.monotonic() < deadline, f"{path}: {answer.status_code} {answer.text}"
            time.sleep(0.02)

    def eventually(self, holds: Callable[[], Any], what: str = "it") -> Any:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (found := holds()):
            assert time.monotonic() < deadline, f"{what} never came"
            time.sleep(0.02)
        return found

    def quiet(self) -> None:
        """Returns when every service reported nothing left to do, twice running."""
        for _ in range(2):
            for name in SERVICES:
                self.eventually(lambda name=name: self.http.get(f"/{name}/health/backlog").json()["quiet"], name)

    # Cases, each new and brought to a state by requests alone.

    def publish(self, definition: Mapping[str, Any] | None = None) -> dict[str, Any]:
        content = definition or running_programme()
        sent = yaml_as_json(content)
        return self.done("/registration/v1/programmes", {"definition": sent}, role="administrator", office=None)

    def institution(self, state: str = "active", *, account: str | None = None) -> str:
        body = {
            "name": "Teacher training college",
            "country": "AF",
            "sector": "education",
            "host_type": "public",
            "office": OFFICE,
            **({"account": account} if account else {}),
        }
        id = self.done("/registration/v1/institutions", body)["id"]
        for verb, reached in (("assess", "assessed"), ("accept-partner", "partner"), ("activate", "active")):
            if state == "proposed":
                break
            self.done(f"/registration/v1/institutions/{id}/{verb}")
            if reached == state:
                break
        return str(id)

    def imported(self) -> str:
        """A table of one institution, which waits to be confirmed."""
        headers = {**self.headers("officer"), "Content-Type": "text/csv"}
        table = b"name,country,sector,host_type\r\nOf a table,AF,education,public\r\n"
        answer = self.http.post("/registration/v1/imports?kind=institutions", content=table, headers=headers)
        assert answer.status_code == 202, answer.text
        place = answer.headers["location"]
        self.eventually(lambda: self.get(place).json()["state"] == "waiting", "the end of a look")
        return str(answer.json()["id"])

    def registration(self, programme: str = PROGRAMME, **person: Any) -> dict[str, Any]:
        return {
            "programme": programme,
            "office": OFFICE,
            "person": {
                "given_name": "Given",
                "family_name": f"Family {next(self._numbers)}",
                "valid_from": "2020-01-01",
                **person,
                "attributes": ATTRIBUTES | person.get("attributes", {}),
            },
            "consents": ["placement"],
        }

    def expert(self, state: str = "eligible", *, subject: str | None = None, **person: Any) -> str:
        """Registered through the officer, or by the expert who signs in as `subject`."""
        how: dict[str, Any] = {"role": "expert", "subject": subject} if subject else {}
        receipt = self.done("/registration/v1/experts", self.registration(**person), **how)
        self.accepted("registration", receipt["id"], **how)
        if state == "eligible":
            self.done(f"/registration/v1/experts/{receipt['subject']}/screen")
        return str(receipt["subject"])

    def draft(self, name: str = "") -> str:
        """An application without an account, of the office, that nobody has sent. `name`: the family name in it."""
        name = name or f"Drafted {next(self._numbers)}"
        with httpx.Client(base_url=self.system.url, timeout=30) as browser:
            browser.post(f"/registration/apply/{PROGRAMME}")
            for part, said in (("names", {"/person/family_name": name}), ("office", {"/office": OFFICE})):
                path = f"/registration/application/part/{part}"
                (token,) = set(re.findall(r'name="csrf" value="([^"]+)"', browser.get(path).text))
                assert browser.post(path, data={"csrf": token, **said}).status_code == 303
        asked = {"programme": PROGRAMME, "known_by": "family_name", "said": name}
        (found,) = self.done("/registration/v1/drafts/find", asked)["items"]
        return str(found["id"])

    def begun_file(self, expert: str, size: int = len(PDF), name: str = "scan.pdf", **how: Any) -> str:
        body = {"document": "diploma", "media_type": "application/pdf", "size": size, "name": name}
        return str(self.done(f"/registration/v1/experts/{expert}/files", body, **how)["id"])

    def file(self, expert: str, content: bytes = PDF, name: str = "scan.pdf", **how: Any) -> str:
        """One that is kept, of the case."""
        path = f"/registration/v1/experts/{expert}/files"
        id = self.begun_file(expert, len(content), name, **how)
        headers = self.headers(how.get("role", "officer"), OFFICE, how.get("subject", ""))
        headers |= {"Content-Type": "application/partial-upload", "Upload-Offset": "0", "Upload-Complete": "?1"}
        answer = self.http.patch(f"{path}/{id}", content=content, headers=headers)
        assert answer.status_code == 200, answer.text
        return str(id)

    def message(self, status: str, about: str) -> str:
        """One that stands so, and will for a while, about that case. Sent is what goes to somebody with an address."""
        soon = text_of(datetime.now(UTC) + timedelta(hours=1))

        def there() -> list[str]:
            found = self.get(f"/registration/v1/messages?status={status}&order=newest").json()["items"]
            stand = [one for one in found if status != "queued" or one["due_at"] > soon]
            return [one["id"] for one in stand if one["subject"] == about]

        return str(self.eventually(there, f"a {status} message")[0])

    def accepted(self, service: str, receipt: str, **how: Any) -> None:
        def status() -> str:
            return str(self.get(f"/{service}/v1/receipts/{receipt}", **how).json()["status"])

        self.eventually(lambda: status() != "pending", "a decision")
        assert status() == "accepted", self.get(f"/{service}/v1/receipts/{receipt}", **how).text

    def person_of(self, expert: str) -> str:
        return str(self.get(f"/registration/v1/experts/{expert}").json()["person"])

    def assignment(self, institution: str, state: str = "published", programme: str = PROGRAMME, **more: Any) -> str:
        body = {"programme": programme, "office": OFFICE, "terms": terms(institution, **more), "title": "Training"}
        id = self.done("/matching/v1/assignments", body)["id"]
        steps = (
            ("submit", "submitted", "maker"),
            ("approve", "approved", "checker"),
            ("publish", "published", "maker"),
        )
        for verb, reached, subject in steps:
            if state == "draft":
                break
            self.done(f"/matching/v1/assignments/{id}/{verb}", subject=subject)
            if reached == state:
                break
        return str(id)

    def match(self, assignment: str, expert: str, state: str = "shortlisted") -> str:
        body = {"experts": [expert], "override_reason": "few_candidates"}
        deadline = time.monotonic() + PATIENCE_SECONDS
        # Which experts there are reaches matching by events, and until then the body names an unknown one.
        while (answer := self.post(f"/matching/v1/assignments/{assignment}/shortlist", body)).is_error:
            assert time.monotonic() < deadline, answer.text
            time.sleep(0.02)
        match = derived_id(assignment, expert)
        for verb, reached in (("allocate", "allocated"), ("offer", "offered"), ("accept", "accepted")):
            if state == "shortlisted":
                break
            self.done(f"/matching/v1/matches/{match}/{verb}")
            if reached == state:
                break
        return match

    def placement(self, match: str, state: str = "host_confirmed", *, begun: bool = True) -> str:
        """`begun`: the contract's first day has come."""
        id = derived_id(match, "placement")
        path = f"/placement/v1/placements/{id}"
        self.eventually(lambda: self.get(path).is_success, "the placement")
        starts = date.today() + timedelta(days=-10 if begun else 30)
        days = {"starts_on": starts.isoformat(), "ends_on": (starts + timedelta(days=80)).isoformat()}
        contract = {**days, "override_reason": "host_asked"}
        steps: list[tuple[str, Any, str]] = [("contract", contract, "contracted")]
        steps += [("complete-step", {"step": step}, "prepared") for step in ("training", "insurance")]
        steps += [("complete-step", {"step": "ticket"}, "ready"), ("depart", {}, "travelling")]
        steps += [("confirm-arrival", {}, "active"), ("complete", {}, "completed")]
        for verb, body, reached in steps:
            if state == "host_confirmed":
                break
            self.done(f"{path}/{verb}", body)
            if reached == state:
                break
        return id


def running_programme(code: str = PROGRAMME) -> dict[str, Any]:
    """A programme as its file has it, but for its end: people act in it today."""
    content: dict[str, Any] = yaml.safe_load((DEFINITION_FILE.parent / f"{code}.yaml").read_text())
    return content | {"dates": {**content["dates"], "ends": date.today() + timedelta(days=2_000)}}


def asking_hosts(code: str) -> dict[str, Any]:
    """A programme of that code which makes no offer before the host has agreed to the candidate."""
    content = running_programme()
    return content | {"code": code, "selection": content["selection"] | {"shortlist": {"host_confirms": True}}}


def yaml_as_json(value: Any) -> Any:
    """Days as text, all else as it is."""
    if isinstance(value, Mapping):
        return {str(name): yaml_as_json(one) for name, one in value.items()}
    if isinstance(value, list):
        return [yaml_as_json(one) for one in value]
    return value.isoformat() if isinstance(value, date) else value
