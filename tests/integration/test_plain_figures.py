"""From a plain case's verbs to its programme's figures: all four services, the programmes' own files, one log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from deploy.cli.statements import publish_each
from shared.clock import RealRuntime
from shared.identity.roles import Role
from shared.messaging.local import LocalLog
from shared.messaging.port import Message
from shared.messaging.topics import TOPICS
from shared.programmes.loader import load_definition
from tests.integration.four import Four

PROGRAMMES = Path(__file__).parents[2] / "deploy/programmes"
TRAINING = {
    "programme": "institution-capacity",
    "office": "kabul",
    "title": "Planning of returns, for staff of ministries",
    "country": "AF",
    "sector": "governance",
    "training_kind": "workshop",
    "starts_on": "2010-12-27",
    "ends_on": "2010-12-31",
    "happened_at": "2010-12-01T09:00:00Z",
}
SITE = {
    "programme": "coswa-nar",
    "office": "nakhchivan",
    "title": "The kahriz above the village school",
    "country": "AZ",
    "area": "sharur",
    "sector": "water",
    "site_kind": "village",
    "happened_at": "2007-10-31T09:00:00Z",
}
WOMEN = {"sex": "female", "category": "ministry", "persons": 20}
MEN = {"sex": "male", "category": "ministry", "persons": 40}


class Clock(RealRuntime):
    """The wall clock, put forward by `ahead`."""

    ahead = timedelta()

    def now(self) -> datetime:
        return super().now() + self.ahead


@pytest.fixture
def runtime() -> Iterator[Clock]:
    runtime = Clock()
    yield runtime
    runtime.close()


@pytest.fixture
async def four(runtime: RealRuntime) -> AsyncIterator[Four]:
    async with Four(LocalLog(None, list(TOPICS.values()), runtime), runtime) as four:
        yield four


async def published(four: Four, code: str, office: str) -> None:
    definition = load_definition(PROGRAMMES / f"{code}.yaml")
    body = {"definition": definition.as_json()}
    await asked(four, "/registration/v1/programmes", body, office, "administrator")
    await four.client.wait_quiet()


async def asked(four: Four, path: str, body: Any, office: str, role: Role = "officer") -> dict[str, Any]:
    answer = await four.http.post(path, json=body, headers=four.bearer(role, office))
    assert answer.status_code in (200, 201), answer.text
    found: dict[str, Any] = answer.json()
    return found


async def figures(four: Four, programme: str, query: str = "", role: Role = "administrator") -> dict[str, Any]:
    await four.client.wait_quiet()
    path = f"/monitoring/v1/programmes/{programme}/indicators{query}"
    answer = await four.http.get(path, headers=four.bearer(role, "kabul"))
    assert answer.status_code == 200, answer.text
    return {one["code"]: one for one in answer.json()["items"]}


def values(found: dict[str, Any], *codes: str) -> list[Any]:
    return [found[code]["value"] for code in codes]


async def held(four: Four) -> str:
    training = await asked(four, "/placement/v1/trainings", TRAINING, "kabul")
    path = f"/placement/v1/trainings/{training['id']}"
    body = {"sessions": 5, "participants": [WOMEN, MEN], "happened_at": "2010-12-30T09:00:00Z"}
    await asked(four, f"{path}/hold", body, "kabul")
    return path


async def test_participants_are_counted_by_sex_and_a_correction_counts_when_the_training_was_held(four: Four) -> None:
    await published(four, "institution-capacity", "kabul")
    path = await held(four)
    before = await figures(four, "institution-capacity", "?by=sex&period=2010")
    assert values(before, "trainings_held", "sessions", "participants", "women_share") == [1, 5, 60, "33.3"]
    assert before["participants"]["by"] == [{"sex": "female", "value": 20}, {"sex": "male", "value": 40}]
    corrected = {"participants": [{**WOMEN, "persons": 22}, {**MEN, "persons": 22}], "reason": "attendance_list"}
    await asked(four, f"{path}/correct-participants", {**corrected, "happened_at": "2011-02-01T09:00:00Z"}, "kabul")
    whole = await figures(four, "institution-capacity", "?by=institution_type")
    assert values(whole, "trainings_held", "participants", "women_share") == [1, 44, "50.0"]
    assert whole["participants"]["by"] == [{"institution_type": "ministry", "value": 44}]
    for period, participants in (("2010", 44), ("2011", 0)):
        found = await figures(four, "institution-capacity", f"?period={period}")
        assert values(found, "participants") == [participants]


async def test_families_are_reached_in_the_phase_in_which_the_works_were_completed(four: Four) -> None:
    await published(four, "coswa-nar", "nakhchivan")
    site = await asked(four, "/placement/v1/sites", SITE, "nakhchivan")
    moves: list[tuple[str, str, dict[str, Any]]] = [
        ("assess", "2007-10-31", {}),
        ("begin-works", "2007-10-31", {"work_kind": "water_system"}),
        ("complete-works", "2007-11-02", {"work": 1, "families": 64}),
        ("hand-over", "2007-11-03", {}),
    ]
    for verb, day, body in moves:
        path = f"/placement/v1/sites/{site['id']}/{verb}"
        await asked(four, path, {**body, "happened_at": f"{day}T09:00:00Z"}, "nakhchivan")
    codes = ("systems_started", "systems_completed", "families", "sites_handed_over")
    for period, expected in (("earlier", [1, 0, 0, 0]), ("fourth", [0, 1, 64, 1]), ("whole", [1, 1, 64, 1])):
        assert values(await figures(four, "coswa-nar", f"?period={period}"), *codes) == expected
    by_district = await figures(four, "coswa-nar", "?by=district")
    assert by_district["families"]["by"] == [{"district": "sharur", "value": 64}]


async def test_few_things_are_no_secret_and_few_families_are(four: Four, runtime: Clock) -> None:
    await published(four, "coswa-nar", "nakhchivan")
    await asked(four, "/placement/v1/sites", SITE, "nakhchivan")
    await four.client.wait_quiet()
    maker, checker = (four.bearer("administrator", None, one)["Authorization"].split()[1] for one in ("a", "b"))
    publishing = asyncio.create_task(publish_each(four.client, "coswa-nar", ["earlier"], maker, checker))
    while not publishing.done():
        # By then whatever happened before is known, whichever clock told it.
        runtime.ahead += timedelta(seconds=10)
        await asyncio.sleep(0.05)
    await publishing
    found = await figures(four, "coswa-nar", "?period=earlier", role="evaluator")
    assert "withheld" not in found["systems_started"]
    assert (found["families"]["value"], found["families"]["withheld"]) == (None, "withheld")


async def test_every_message_twice_changes_no_figure_and_a_rebuild_finds_the_same(four: Four) -> None:
    await published(four, "institution-capacity", "kabul")
    await held(four)
    await four.client.wait_quiet()
    await twice(four)
    found = await figures(four, "institution-capacity")
    assert values(found, "trainings_held", "sessions", "participants") == [1, 5, 60]
    report = await asked(four, "/monitoring/v1/read-model/rebuild", {}, "kabul", "administrator")
    assert report["equal"], report["digests"]


async def test_a_training_that_never_took_place_is_taken_back_after_its_count_was_corrected(four: Four) -> None:
    await published(four, "institution-capacity", "kabul")
    path = await held(four)
    corrected = {"participants": [{**WOMEN, "persons": 22}], "reason": "attendance_list"}
    await asked(four, f"{path}/correct-participants", corrected, "kabul")
    officer = four.bearer("officer", "kabul")
    again = await four.http.post(f"{path}/correct-participants", json=corrected, headers=officer)
    assert (again.status_code, again.json()["rule"]) == (409, "participants_unchanged")
    earlier = {"happened_at": "2010-12-29T09:00:00Z", "reason": "wrong_date"}
    assert (await asked(four, f"{path}/correct-time", earlier, "kabul"))["participants"][0]["persons"] == 22
    found = await figures(four, "institution-capacity", "?period=2010")
    assert values(found, "trainings_held", "sessions", "participants") == [1, 5, 22]
    training = await asked(four, f"{path}/take-back", {"reason": "wrong_case"}, "kabul")
    assert (training["state"], training["participants"], training["correction"]) == ("announced", [], 0)
    await four.client.wait_quiet()
    await twice(four)
    found = await figures(four, "institution-capacity")
    assert values(found, "trainings_held", "sessions", "participants") == [0, 0, 0]
    report = await asked(four, "/monitoring/v1/read-model/rebuild", {}, "kabul", "administrator")
    assert report["equal"], report["digests"]


async def twice(four: Four) -> None:
    """Every message about trainings comes once more."""
    records = await four.log.read("placement.trainings", 0, 0)
    again = [Message((record.key or b"").decode(), record.value or b"", record.headers) for record in records]
    await four.log.append("placement.trainings", 0, again)
