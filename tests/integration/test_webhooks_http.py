"""Subscriptions through the public edge, and what arrives at the other end: in order and at least once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from services.monitoring.app import MonitoringService
from services.monitoring.feed import progress
from services.monitoring.feed.deliveries import Deliveries, Round
from services.monitoring.feed.outbound import Answer
from services.monitoring.settings import Settings
from services.monitoring.store import COLLECTIONS, DELIVERIES, SHADOWS
from shared.canonical import canonical_json
from shared.clock import text_of
from shared.errors import Unavailable
from shared.identity.keys import verify_receipt
from shared.identity.roles import Role
from shared.identity.sealing import SealBroken
from shared.replica import Ports, stored
from tests.integration.feed_town import two_offices
from tests.unit.monitoring.story import Story
from tests.unit.monitoring.telling import append
from tests.unit.registration.serving import Serving

URL = "https://partner.example.org/sankofa"
BODY = {"url": URL, "content": "everything"}


class Partner:
    """The other system: what it is sent, and what it says to that."""

    def __init__(self) -> None:
        self.local = False
        self.came: list[tuple[dict[str, str], bytes]] = []
        self.says = [Answer("delivered", 200)]
        self.then: Any = None

    async def post(self, url: str, headers: dict[str, str], body: bytes) -> Answer:
        assert url == URL
        self.came.append((dict(headers), body))
        if self.then is not None:
            await self.then()
        return self.says.pop(0) if len(self.says) > 1 else self.says[0]

    @property
    def ids(self) -> list[str]:
        return [headers["webhook-id"] for headers, _ in self.came]


class Linked:
    """Monitoring with one partner."""

    def __init__(self, edge: Serving, story: Story, partner: Partner) -> None:
        self.edge = edge
        self.story = story
        self.partner = partner

    async def made(self, role: Role = "officer", **how: Any) -> dict[str, Any]:
        answer = await self.edge.post("/subscriptions", role, BODY, **how)
        assert answer.status_code == 201, answer.text
        return await self.seen(answer.json()["id"], role, **how)

    async def seen(self, id: str, role: Role = "officer", **how: Any) -> dict[str, Any]:
        answer = await self.edge.get(f"/subscriptions/{id}", role, **how)
        assert answer.status_code == 200, answer.text
        said: dict[str, Any] = answer.json()
        return said

    async def ask(self, id: str, verb: str, body: Any = None, status: int = 200) -> dict[str, Any]:
        answer = await self.edge.post(f"/subscriptions/{id}/{verb}", "officer", body)
        assert answer.status_code == status, answer.text
        said: dict[str, Any] = answer.json()
        return said

    async def happen(self, *names: str, office: str = "kabul") -> None:
        stood = len(self.story.records)
        self.story.office = office
        for name in names:
            self.story.person(name)
        await append(self.edge, self.story.records[stood:])

    async def arrive(self, many: int) -> None:
        async def there() -> bool:
            return len(self.partner.came) >= many

        await self.edge.eventually(there)

    async def progress(self, id: str) -> progress.Progress:
        document = await self.edge.store.load(DELIVERIES.name, id)
        assert document is not None
        return progress.read(document)


@asynccontextmanager
async def linking(folder: Path) -> AsyncIterator[Linked]:
    def build(ports: Ports, _settings: Any) -> MonitoringService:
        return MonitoringService(ports, Settings(data=folder))

    async with Serving("monitoring", stored(COLLECTIONS, SHADOWS), build) as edge:
        story, partner = two_offices(), Partner()
        edge.service.deliveries.outbound = partner
        await append(edge, story.records)
        yield Linked(edge, story, partner)


@pytest.fixture
async def linked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Linked]:
    monkeypatch.setattr("shared.store.sweeper.INTERVAL_SECONDS", 0.02)
    async with linking(tmp_path) as one:
        yield one


async def test_what_happens_from_then_on_arrives_in_order_signed_twice(linked: Linked) -> None:
    made = await linked.made()
    assert made["secret"].startswith("whsec_")
    await linked.happen("eva", "finn")
    await linked.happen("gina", office="bogota")
    await linked.arrive(4)
    keys = (await linked.edge.client.get("/v1/keys")).json()
    pulled = (await linked.edge.get("/feed/messages?limit=200", "officer")).json()["items"]
    for (headers, body), expected in zip(linked.partner.came, pulled[-4:], strict=True):
        message = Webhook(made["secret"]).verify(body, headers)
        assert message == expected
        event = message["event"]
        assert verify_receipt(keys, message["key_id"], canonical_json(event), message["signature"])
        assert headers["webhook-id"] == event["id"]
        assert headers["content-type"] == "application/json"
    await asyncio.sleep(0.1)
    assert len(linked.partner.came) == 4, "another office's events are not its own"
    seen = await linked.seen(made["id"])
    assert (seen["delivered"], seen["failing_since"]) == (4, None)
    assert [one["outcome"] for one in seen["deliveries"]] == ["delivered"] * 4


async def test_a_secret_is_told_to_whoever_made_it_for_ten_minutes_and_sealed_at_rest(linked: Linked) -> None:
    made = await linked.made()
    document = await linked.edge.store.load("subscriptions", made["id"])
    kept = json.dumps(document)
    assert made["secret"] not in kept
    assert made["secret"].removeprefix("whsec_") not in kept
    assert (await linked.seen(made["id"], subject="a colleague"))["secret"] is None
    listed = (await linked.edge.get("/subscriptions", "officer")).json()["items"]
    assert not [one for one in listed if one.get("secret")]
    linked.edge.clock.ahead += timedelta(minutes=10)
    assert (await linked.seen(made["id"]))["secret"] is None


async def test_while_a_secret_rotates_both_sign_and_after_a_day_the_new_one_alone(linked: Linked) -> None:
    made = await linked.made()
    await linked.ask(made["id"], "rotate")
    new = (await linked.seen(made["id"]))["secret"]
    assert new != made["secret"]
    await linked.happen("eva")
    await linked.arrive(2)
    headers, body = linked.partner.came[0]
    for one in (made["secret"], new):
        assert Webhook(one).verify(body, headers)
    linked.edge.clock.ahead += timedelta(days=1, seconds=1)
    linked.edge.service.deliveries.secrets._runtime = linked.edge.clock
    document = await linked.edge.store.load("subscriptions", made["id"])
    assert document is not None
    assert linked.edge.service.deliveries.secrets.signing(document) == [new]


async def test_others_offices_subscriptions_are_not_there(linked: Linked) -> None:
    made = await linked.made()
    for role, how in (("officer", {"office": "bogota"}), ("evaluator", {})):
        assert (await linked.edge.get(f"/subscriptions/{made['id']}", role, **how)).status_code == 404  # type: ignore[arg-type]
        assert (await linked.edge.get("/subscriptions", role, **how)).json()["items"] == []  # type: ignore[arg-type]
        for verb in ("pause", "end", "rotate", "test"):
            refused = await linked.edge.post(f"/subscriptions/{made['id']}/{verb}", role, **how)  # type: ignore[arg-type]
            assert refused.status_code == 404
    own = await linked.made("evaluator", subject="eve")
    assert (await linked.edge.get(f"/subscriptions/{own['id']}", "evaluator", subject="mallory")).status_code == 404
    for role in ("expert", "host", "panel", "finance", "protection"):
        assert (await linked.edge.post("/subscriptions", role, BODY)).status_code == 403  # type: ignore[arg-type]


async def test_evaluators_are_sent_published_statements_alone(linked: Linked) -> None:
    await linked.made("evaluator")
    await linked.happen("eva")
    await asyncio.sleep(0.15)
    assert linked.partner.came == []


async def test_a_failure_keeps_the_order_and_the_next_try_has_the_same_id(linked: Linked) -> None:
    made = await linked.made()
    linked.partner.says = [Answer("answered", 500), Answer("timed_out"), Answer("delivered", 204)]
    await linked.happen("eva")
    await linked.arrive(1)

    async def failed() -> bool:
        return (await linked.progress(made["id"])).failures == 1

    await linked.edge.eventually(failed)
    seen = await linked.seen(made["id"])
    assert seen["failing_since"] is not None
    assert seen["next_try_at"] is not None
    assert (seen["deliveries"][0]["outcome"], seen["deliveries"][0]["status"]) == ("answered", 500)
    linked.edge.clock.ahead += timedelta(seconds=6)
    await linked.arrive(2)
    linked.edge.clock.ahead += timedelta(seconds=70)
    await linked.arrive(4)
    first, second, third, fourth = linked.partner.ids
    assert first == second == third != fourth
    timestamps = [int(headers["webhook-timestamp"]) for headers, _ in linked.partner.came]
    assert timestamps[2] - timestamps[0] >= 70, "the time of the try, not of the event"


async def test_after_days_it_stops_an_officer_sees_why_and_it_goes_on_where_it_was(linked: Linked) -> None:
    made = await linked.made()
    linked.partner.says = [Answer("unreachable")]
    await linked.happen("eva")
    await linked.arrive(1)
    linked.edge.clock.ahead += timedelta(days=5, minutes=1)

    async def stopped() -> bool:
        return bool((await linked.seen(made["id"]))["state"] == "stopped")

    await linked.edge.eventually(stopped)
    seen = await linked.seen(made["id"])
    assert (seen["reason"], seen["open"]) == ("address_silent", ["test", "resume", "rotate", "resend", "end"])
    linked.partner.says = [Answer("delivered", 200)]
    await linked.happen("finn")
    had = len(linked.partner.came)
    await linked.ask(made["id"], "resume")
    await linked.arrive(had + 4)
    assert (await linked.seen(made["id"]))["state"] == "active"
    assert linked.partner.ids[had] == linked.partner.ids[0]


async def test_an_address_that_says_it_is_gone_stops_at_once(linked: Linked) -> None:
    made = await linked.made()
    linked.partner.says = [Answer("answered", 410)]
    await linked.happen("eva")

    async def stopped() -> bool:
        return bool((await linked.seen(made["id"]))["reason"] == "address_gone")

    await linked.edge.eventually(stopped)


async def test_a_pause_loses_nothing_and_an_end_is_for_good(linked: Linked) -> None:
    made = await linked.made()
    await linked.ask(made["id"], "pause")
    await linked.happen("eva")
    await asyncio.sleep(0.15)
    assert linked.partner.came == []
    await linked.ask(made["id"], "resume")
    await linked.arrive(2)
    await linked.ask(made["id"], "end")
    await linked.happen("finn")
    await asyncio.sleep(0.15)
    assert len(linked.partner.came) == 2
    refused = await linked.ask(made["id"], "resume", status=409)
    assert refused["rule"] == "illegal_transition"


async def test_a_test_is_a_signed_message_and_comes_also_while_nothing_else_does(linked: Linked) -> None:
    made = await linked.made()
    await linked.ask(made["id"], "pause")
    linked.partner.says = [Answer("answered", 404)]
    await linked.ask(made["id"], "test")
    await linked.arrive(1)
    headers, body = linked.partner.came[0]
    assert Webhook(made["secret"]).verify(body, headers)["event"]["type"] == "org.sankofa.monitoring.Ping"

    async def told() -> bool:
        return bool((await linked.seen(made["id"]))["deliveries"])

    await linked.edge.eventually(told)
    seen = await linked.seen(made["id"])
    assert [(one["outcome"], one["status"]) for one in seen["deliveries"]] == [("answered", 404)]
    await asyncio.sleep(0.1)
    assert len(linked.partner.came) == 1, "a test is one try"


async def test_from_an_instant_on_everything_comes_again_under_the_same_ids(linked: Linked) -> None:
    made = await linked.made()
    await linked.happen("eva")
    await linked.arrive(2)
    since = text_of(linked.edge.clock.now())
    linked.edge.clock.ahead += timedelta(seconds=5)
    await linked.happen("finn")
    await linked.arrive(4)
    await linked.ask(made["id"], "resend", {"since": since})
    await linked.arrive(6)
    assert linked.partner.ids[4:] == linked.partner.ids[2:4]
    await linked.ask(made["id"], "resend", {"since": "2020-01-01T00:00:00Z"})
    whole = [
        one["event"]["id"] for one in (await linked.edge.get("/feed/messages?limit=200", "officer")).json()["items"]
    ]
    await linked.arrive(6 + len(whole))
    assert linked.partner.ids[6:] == whole
    ahead = text_of(linked.edge.clock.now() + timedelta(hours=1))
    refused = await linked.ask(made["id"], "resend", {"since": ahead}, status=422)
    assert refused["rule"] == "happened_in_the_future"


async def test_a_crash_between_the_answer_and_the_place_sends_the_same_once_more(
    linked: Linked, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await linked.made()
    save, left = linked.edge.store.save, [1]

    async def lost(collection: str, document: Any, version: int) -> None:
        if collection == DELIVERIES.name and document["state"]["delivered"] and left:
            left.pop()
            raise Unavailable("killed")
        await save(collection, document, version)

    monkeypatch.setattr(linked.edge.store, "save", lost)
    await linked.happen("eva")
    await linked.arrive(1)
    await linked.edge.service.deliveries.settled()
    assert (await linked.progress(made["id"])).delivered == 0
    # The claim of the one that was killed is over.
    linked.edge.clock.ahead += timedelta(seconds=61)
    await linked.arrive(3)
    first, again, second = linked.partner.ids
    assert first == again != second


async def test_a_round_whose_claim_another_replica_has_taken_stops(linked: Linked) -> None:
    made = await linked.made()
    other = Deliveries(linked.edge.service.replica, linked.edge.service.deliveries.pulling, linked.partner)  # type: ignore[arg-type]

    async def taken() -> None:
        linked.partner.then = None
        document = await linked.edge.store.load(DELIVERIES.name, made["id"])
        assert document is not None
        await Round(other, document).done()

    linked.partner.then = taken
    await linked.happen("eva")
    await linked.arrive(3)
    await linked.edge.service.deliveries.settled()
    # What was in flight came twice, everything else once, and the place is behind the last one.
    first, *rest = linked.partner.ids
    assert rest[0] == first
    assert len(set(linked.partner.ids)) == 2
    assert (await linked.progress(made["id"])).delivered == 2


async def test_what_wakes_it_amid_a_round_is_not_lost(linked: Linked) -> None:
    made = await linked.made()

    async def asked() -> None:
        linked.partner.then = None
        await linked.ask(made["id"], "test")

    linked.partner.then = asked
    await linked.happen("eva")
    await linked.arrive(3)
    types = [json.loads(body)["event"]["type"].rsplit(".", 1)[1] for _, body in linked.partner.came]
    assert sorted(types) == ["ExpertDeclaredEligible", "ExpertRegistered", "Ping"]


async def test_asking_twice_makes_one_and_what_cannot_be_asked_is_refused(linked: Linked) -> None:
    one = await linked.edge.post("/subscriptions", "officer", BODY, key="a")
    again = await linked.edge.post("/subscriptions", "officer", BODY, key="a")
    assert (one.status_code, again.status_code) == (201, 200)
    assert one.json()["id"] == again.json()["id"]
    secret = (await linked.seen(one.json()["id"]))["secret"]
    assert secret
    for url, rule in (
        ("http://partner.example.org/x", "address_not_https"),
        ("https://10.0.0.1/x", "address_not_public"),
        ("https://a:b@partner.example.org/x", "address_with_password"),
        ("ftp://partner.example.org/x", "string_pattern_mismatch"),
        ("https://partner.example.org/" + "x" * 600, "string_pattern_mismatch"),
    ):
        refused = await linked.edge.post("/subscriptions", "officer", {**BODY, "url": url})
        problem = refused.json()
        assert (refused.status_code, problem["errors"][0]["rule"]) == (422, rule), url
    nowhere = await linked.edge.post("/subscriptions", "officer", BODY, office="")
    assert (nowhere.status_code, nowhere.json()["rule"]) == (403, "token_without_office")


async def test_a_place_beyond_the_log_goes_back_to_its_end(linked: Linked) -> None:
    made = await linked.made()
    document = await linked.edge.store.load(DELIVERIES.name, made["id"])
    assert document is not None
    known = progress.read(document)
    ahead = known.at({one: at + 7 for one, at in known.place.items()})
    draft = progress.written(document, ahead, linked.edge.clock.now())
    await linked.edge.store.save(DELIVERIES.name, draft, document["version"])

    async def back() -> bool:
        return (await linked.progress(made["id"])).place == known.place

    await linked.edge.eventually(back)
    await linked.happen("eva")
    await linked.arrive(2)


async def test_a_secret_that_cannot_be_opened_is_not_tried_each_second(
    linked: Linked, monkeypatch: pytest.MonkeyPatch
) -> None:
    await linked.made()
    tried = []

    def broken(_document: Any) -> list[str]:
        tried.append(1)
        raise SealBroken

    monkeypatch.setattr(linked.edge.service.deliveries.secrets, "signing", broken)
    await linked.happen("eva")
    await asyncio.sleep(0.2)
    assert tried == [1]
    assert linked.partner.came == []
    monkeypatch.undo()
    linked.edge.clock.ahead += timedelta(seconds=61)
    await linked.arrive(2)


async def test_what_waits_for_news_is_no_timer_that_nobody_fired(linked: Linked) -> None:
    await linked.made()
    await asyncio.sleep(0.1)
    replica = linked.edge.service.replica
    assert (await replica.measured(await replica.backlog())).due_timers == 0


async def test_a_slow_partner_holds_up_nobody(linked: Linked) -> None:
    waiting = asyncio.Event()
    await linked.made()

    async def slow() -> None:
        await waiting.wait()

    linked.partner.then = slow
    await linked.happen("eva")
    await linked.arrive(1)
    before = linked.edge.clock.monotonic()
    await linked.edge.service.replica._sweeper.sweep()
    assert linked.edge.clock.monotonic() - before < 1
    waiting.set()
