"""The compacted topic of profiles and the intake's decisions under repetition, crashes and stale heads."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from services.registration.app import build
from services.registration.domain.examples import ATTRIBUTES, DEFINITION, EXPERT
from services.registration.store import COLLECTIONS, EXPERTS, PERSONS, SHADOWS
from shared.contracts.base import Envelope
from shared.contracts.registry import read
from shared.errors import Unavailable
from shared.intake.submission import Opened, submission_of
from shared.messaging.port import Message, Record
from shared.messaging.reading import parse
from shared.replica import stored
from tests.unit.registration.serving import Serving


@pytest.fixture
async def edge() -> AsyncIterator[Serving]:
    async with Serving("registration", stored(COLLECTIONS, SHADOWS), build) as serving:
        await serving.publish(DEFINITION)
        yield serving


async def registered(edge: Serving) -> tuple[str, str]:
    """Receipt id and person id."""
    answer = await edge.post("/experts", "officer", EXPERT)
    await edge.quiet()
    expert = (await edge.get(f"/experts/{answer.json()['subject']}")).json()
    return answer.json()["id"], expert["person"]


async def profiles(edge: Serving, person: str) -> list[Record]:
    return [record for record in await edge.topic("registration.profiles") if record.key == person.encode()]


async def correct(edge: Serving, person: str, birth_year: int) -> None:
    body = {"attributes": {**ATTRIBUTES, "birth_year": birth_year}, "valid_from": "2007-03-05"}
    answer = await edge.post(f"/persons/{person}/correct-profile", "officer", body)
    assert answer.status_code == 200
    await edge.quiet()


async def append_again(edge: Serving, record: Record) -> None:
    message = Message((record.key or b"").decode(), record.value or b"", record.headers)
    await edge.log.append(record.topic, record.partition, [message])


def sequence(record: Record) -> int:
    return int(dict(record.headers)["ce_sequence"])


async def test_a_stale_head_of_the_compacted_topic_is_mended_once(edge: Serving) -> None:
    _, person = await registered(edge)
    await correct(edge, person, 1972)
    first, second = await profiles(edge, person)
    # A replica that slept sends its outbox again: the older record becomes the head.
    await append_again(edge, first)
    await edge.eventually(lambda: head_is(edge, person, 3))
    await edge.quiet()
    head = (await profiles(edge, person))[-1]
    assert b"1972" in (head.value or b"")
    # The stale record, delivered once more, does nothing; nor does a copy of the newest.
    stale = (await profiles(edge, person))[2]
    await edge.service.replica.consumer.deliver(stale)
    await append_again(edge, head)
    await edge.quiet()
    assert [sequence(record) for record in await profiles(edge, person)] == [1, 2, 1, 3, 3]
    # Two at once are one case, and another stale one is another.
    await append_again(edge, second)
    await append_again(edge, first)
    await edge.eventually(lambda: head_is(edge, person, 4))
    await edge.quiet()
    assert [sequence(record) for record in await profiles(edge, person)] == [1, 2, 1, 3, 3, 2, 1, 4]


async def head_is(edge: Serving, person: str, expected: int) -> bool:
    return sequence((await profiles(edge, person))[-1]) == expected


async def test_mending_that_fails_is_tried_again_later(edge: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    _, person = await registered(edge)
    await correct(edge, person, 1972)
    first = (await profiles(edge, person))[0]
    fire, tried = edge.service.replica.kernel.fire, list[str]()

    async def fails(*arguments: Any) -> Any:
        tried.append(arguments[1])
        if len(tried) == 1:
            raise ValueError
        return await fire(*arguments)

    monkeypatch.setattr(edge.service.replica.kernel, "fire", fails)
    await append_again(edge, first)
    await edge.eventually(lambda: head_is(edge, person, 3))
    assert tried == [person, person]


async def test_a_submission_that_is_decided_twice_does_everything_once(edge: Serving) -> None:
    receipt, person = await registered(edge)
    submission = await edge.store.load("submissions", receipt)
    assert submission is not None
    before = {name: await edge.store.load(name, id) for name, id in (("persons", person),)}
    body = copy.deepcopy(EXPERT)
    work = edge.service.work.registering
    again = submission_of(submission, Opened(body))
    await asyncio.gather(work.register(again), work.register(again))
    await edge.quiet()
    assert await edge.store.load("persons", person) == before["persons"]
    assert len(await edge.topic("registration.experts")) == 1


async def test_a_crash_between_guard_and_person_loses_nothing(edge: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    work = edge.service.work.registering
    record = work._record

    async def dies(*_: Any, **__: Any) -> None:
        raise Unavailable("store")

    monkeypatch.setattr(work, "_record", dies)
    answer = await edge.post("/experts", "officer", EXPERT)
    receipt = answer.json()

    async def held() -> bool:
        return any([True async for _ in edge.store.scan("documents")])

    await edge.eventually(held)
    monkeypatch.setattr(work, "_record", record)
    # The hold's time is over before the submission's timer came: its voiding finishes the submission.
    edge.clock.ahead = timedelta(seconds=90)

    async def accepted() -> bool:
        found = (await edge.get(f"/receipts/{receipt['id']}")).json()
        assert found["status"] != "refused"
        return bool(found["status"] == "accepted")

    await edge.eventually(accepted)
    await edge.quiet()

    async def confirmed() -> bool:
        holds = [hold async for one in edge.store.scan("documents") for hold in one["holds"].values()]
        return [hold["status"] for hold in holds] == ["confirmed"]

    await edge.eventually(confirmed)
    assert len(await edge.topic("registration.experts")) == 1


async def test_the_state_is_the_fold_of_the_topics(edge: Serving) -> None:
    _, person = await registered(edge)
    await correct(edge, person, 1972)
    await edge.post(f"/persons/{person}/withdraw-consent", "officer", {"purpose": "placement"})
    await edge.quiet()
    for aggregate, topics in (
        (PERSONS, ("registration.persons", "registration.profiles")),
        (EXPERTS, ("registration.experts",)),
    ):
        states: dict[str, Any] = {}
        for topic in topics:
            for record in await edge.topic(topic):
                envelope = parse(record)[0]  # type: ignore[index]
                assert isinstance(envelope, Envelope)
                event = read(envelope, record.value or b"")
                states[envelope.subject] = aggregate.evolve(states.get(envelope.subject), event)
        async for document in edge.store.scan(aggregate.name):
            assert states[document["_id"]].model_dump(mode="json", exclude_none=True) == document["state"]
