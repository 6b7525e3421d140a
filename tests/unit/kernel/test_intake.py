"""Intake: a receipt is a promise; the same key gives the same receipt; a crash is finished by any replica."""

from __future__ import annotations

import asyncio
import json
import random
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from shared.errors import CommandReused, Overloaded, Problem, Refusal, UnknownOutcome
from shared.identity.keys import Keys, verify_receipt
from shared.intake import submissions
from shared.intake.daykeys import IntakeKeyMissing
from shared.intake.receipts import signed_bytes
from shared.intake.submission import Submission
from shared.intake.submissions import SUBMISSIONS, Intake
from tests.unit.kernel.case import INSTITUTIONS, Case, Register, cause


class Desk:
    def __init__(self, case: Case) -> None:
        self.case = case
        self.decided: list[Submission] = []
        self.answer: Exception | None = None
        self.keys = Keys.in_memory(random.Random(1))
        self.intake = self.replica()

    def replica(self) -> Intake:
        return Intake("registration", self.case.store, self.case.clock, self.keys, {"registration": self.decide})

    async def decide(self, submission: Submission) -> None:
        self.decided.append(submission)
        if self.answer:
            raise self.answer

    async def submit(
        self, name: str = "k", body: dict[str, Any] | None = None, digest: str = "d", person: str | None = None
    ) -> dict[str, Any]:
        why, sent = cause(name, digest=digest, account="acc"), body or {"n": 1}
        return await self.intake.submit("registration", "e1", sent, why, office="NL", channel="officer", person=person)

    async def stored(self, id: str) -> dict[str, Any]:
        document = await self.case.store.load(SUBMISSIONS.name, id)
        assert document
        return document

    async def until_decided(self, id: str) -> dict[str, Any]:
        for _ in range(300):
            document = await self.stored(id)
            if document["status"] != "pending":
                return document
            await asyncio.sleep(0.01)
        raise AssertionError("undecided")


async def test_the_receipt_is_signed_stored_and_the_same_for_the_same_key() -> None:
    async with Case() as case:
        desk = Desk(case)
        desk.intake.start()
        receipts = await asyncio.gather(*(desk.submit() for _ in range(20)))
        assert all(receipt == receipts[0] for receipt in receipts)
        receipt = receipts[0]
        public = desk.keys.receipt_public_keys("registration")
        assert verify_receipt(public, receipt["key_id"], signed_bytes(receipt), receipt["signature"])
        changed = signed_bytes({**receipt, "subject": "e2"})
        assert not verify_receipt(public, receipt["key_id"], changed, receipt["signature"])
        decided = await desk.until_decided(receipt["id"])
        assert (decided["status"], decided["body"], decided["timed"]) == ("accepted", None, False)
        assert [dict(s.body) for s in desk.decided] == [{"n": 1}]
        with pytest.raises(CommandReused):
            await desk.submit(digest="other")
        await desk.intake.stop()


async def test_a_body_waits_sealed() -> None:
    async with Case() as case:
        desk = Desk(case)
        desk.answer = UnknownOutcome("store")
        desk.intake.start()
        receipt = await desk.submit(body={"given_name": "CANARY"})
        assert "CANARY" not in json.dumps(await desk.stored(receipt["id"]))
        await desk.intake.stop()


async def _left_pending(desk: Desk) -> dict[str, Any]:
    """The receipt of a submission that nobody decided before the replica ended."""
    desk.answer = UnknownOutcome("crash")
    desk.intake.start()
    receipt = await desk.submit()
    await asyncio.sleep(0.05)
    await desk.intake.stop()
    return receipt


async def test_what_a_crash_left_is_decided_by_another_replica() -> None:
    async with Case() as case:
        desk = Desk(case)
        receipt = await _left_pending(desk)
        document = await desk.stored(receipt["id"])
        assert (document["status"], document["timed"]) == ("pending", True)
        assert document["next_at"] <= submissions.text_of(case.clock.now() + timedelta(seconds=10))
        desk.answer = None
        await desk.replica().decide(receipt["id"])
        assert (await desk.stored(receipt["id"]))["status"] == "accepted"


async def test_a_clock_that_is_behind_the_one_that_gave_the_receipt_refuses_nothing() -> None:
    async with Case() as case:
        desk = Desk(case)
        receipt = await _left_pending(desk)
        case.clock.ahead = -timedelta(seconds=1)

        async def registers(submission: Submission) -> None:
            await case.kernel.execute(INSTITUTIONS, "i1", Register(), submission.cause.step("further"))

        behind = Intake("registration", case.store, case.clock, desk.keys, {"registration": registers})
        await behind.decide(receipt["id"])
        assert (await desk.stored(receipt["id"]))["status"] == "accepted"
        assert (await case.kernel.load(INSTITUTIONS, "i1"))[1] is not None


async def test_a_refusal_is_kept_with_its_problems() -> None:
    async with Case() as case:
        desk = Desk(case)
        desk.answer = Refusal("document_held_elsewhere", problems=(Problem("held", "/person/document/number"),))
        desk.intake.start()
        document = await desk.until_decided((await desk.submit())["id"])
        assert document["status"] == "refused"
        assert document["problems"] == [{"pointer": "/person/document/number", "rule": "held"}]
        await desk.intake.stop()


async def test_a_full_queue_refuses_before_anything_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Case() as case:
        monkeypatch.setattr(submissions, "QUEUE_AT_MOST", 0)
        desk = Desk(case)
        with pytest.raises(Overloaded) as refused:
            await desk.submit()
        assert refused.value.status == 429
        assert await case.store.count(SUBMISSIONS.name, "undecided", "undecided") == 0


async def test_a_store_that_does_not_acknowledge_gives_no_receipt() -> None:
    async with Case() as case:
        desk = Desk(case)

        async def lost(*_: object) -> list[str]:
            raise UnknownOutcome("timeout")

        append = case.store.append
        case.store.append = lost  # type: ignore[method-assign,assignment]
        desk.intake.start()
        with pytest.raises(UnknownOutcome):
            await desk.submit()
        case.store.append = append  # type: ignore[method-assign]
        assert (await desk.submit())["subject"] == "e1"
        await desk.intake.stop()


async def test_a_clock_that_is_off_refuses_intake() -> None:
    async with Case() as case:
        desk = Desk(case)

        async def elsewhere() -> str:
            return submissions.text_of(case.clock.now() - timedelta(seconds=3))

        case.store.clock = elsewhere  # type: ignore[method-assign]
        with pytest.raises(Overloaded) as refused:
            await desk.submit()
        assert refused.value.status == 503


async def test_a_days_key_dies_with_its_last_decision() -> None:
    async with Case() as case:
        desk = Desk(case)
        desk.answer = UnknownOutcome("store")
        desk.intake.start()
        receipt = await desk.submit()
        day = (await desk.stored(receipt["id"]))["day"]
        case.clock.ahead = timedelta(days=3)
        await desk.intake._days.retire()
        assert desk.keys.intake_days("registration") == [day]
        desk.answer = None
        await desk.intake.decide(receipt["id"])
        await desk.intake._days.retire()
        assert desk.keys.intake_days("registration") == []
        await desk.intake.stop()


async def test_what_is_never_decided_keeps_its_key_and_is_named_in_the_log() -> None:
    async with Case() as case:
        desk = Desk(case)
        desk.answer = UnknownOutcome("store")
        desk.intake.start()
        receipt = await desk.submit()
        day = (await desk.stored(receipt["id"]))["day"]
        case.clock.ahead = timedelta(days=32)
        with capture_logs() as logs:
            await desk.intake._days.retire()
        assert [(line["event"], line["day"], line["count"]) for line in logs if line["log_level"] == "error"] == [
            ("intake_day_overdue", day, 1)
        ]
        assert desk.keys.intake_days("registration") == [day]
        desk.answer = None
        await desk.intake.decide(receipt["id"])
        assert (await desk.stored(receipt["id"]))["status"] == "accepted"
        await desk.intake.stop()


async def test_a_submission_whose_key_is_missing_waits_for_it() -> None:
    async with Case() as case:
        desk = Desk(case)
        desk.answer = UnknownOutcome("store")
        desk.intake.start()
        receipt = await desk.submit()
        await desk.intake.stop()
        document = await desk.stored(receipt["id"])
        case.clock.ahead = timedelta(days=2)
        desk.keys.destroy_intake_day("registration", document["day"])
        with pytest.raises(IntakeKeyMissing):
            await desk.intake.decide(receipt["id"])
        waiting = await desk.stored(receipt["id"])
        assert (waiting["status"], waiting["body"]) == ("pending", document["body"])
        assert waiting["next_at"] > submissions.text_of(case.clock.now())


async def test_a_decider_that_fails_is_tried_again_after_a_pause() -> None:
    async with Case() as case:
        desk = Desk(case)
        desk.answer = ZeroDivisionError()
        desk.intake.start()
        receipt = await desk.submit()
        before = (await desk.stored(receipt["id"]))["next_at"]
        await desk.intake.stop()
        case.clock.ahead = timedelta(seconds=11)
        with pytest.raises(ZeroDivisionError):
            await desk.intake.decide(receipt["id"])
        waiting = await desk.stored(receipt["id"])
        assert (waiting["status"], waiting["timed"]) == ("pending", True)
        assert waiting["next_at"] > before


async def test_decisions_that_come_together_begin_together_and_the_first_at_once() -> None:
    async with Case() as case:
        desk, began = Desk(case), list[float]()

        async def decide(_submission: Submission) -> None:
            began.append(asyncio.get_running_loop().time())

        desk.intake._deciders = {"registration": decide}
        desk.intake.start()
        asked = asyncio.get_running_loop().time()
        await desk.submit("k0")
        for n in range(1, 5):
            await asyncio.sleep(0.005)
            await desk.submit(f"k{n}")
        async with asyncio.timeout(10):
            while len(began) < 5:
                await asyncio.sleep(0.01)
        await desk.intake.stop()
        first, *others = began
        assert min(others) - first > submissions.ROUND_SECONDS * 0.9 > first - asked
        assert max(others) - min(others) < submissions.ROUND_SECONDS / 2


async def test_what_was_left_is_decided_beside_one_another_and_each_once() -> None:
    """After an overload or a crash: ten have to be in hand at the same time for any of them to end."""
    async with Case() as case:
        desk = Desk(case)
        desk.answer = UnknownOutcome("crash")
        desk.intake.start()
        left = [(await desk.submit(f"k{number}"))["id"] for number in range(40)]
        await asyncio.sleep(0.05)
        await desk.intake.stop()
        together, begun = asyncio.Barrier(10), []

        async def decide(submission: Submission) -> None:
            begun.append(submission.id)
            await together.wait()

        another = Intake("registration", case.store, case.clock, desk.keys, {"registration": decide})
        another.start()
        for _ in range(3):
            for id in left:
                await another.take_up(await desk.stored(id))
        for id in left:
            assert (await desk.until_decided(id))["status"] == "accepted"
        assert sorted(begun) == sorted(left)
        assert another.admission.waiting == 0
        await another.stop()


async def test_many_decisions_at_once_put_the_next_round_off_by_one_round() -> None:
    """Else the last ones of a burst, as many as there are deciders, would wait for a round of each before them."""
    async with Case() as case:
        desk = Desk(case)
        desk.intake.start()
        many = range(6 * submissions.DECIDERS)
        receipts = await asyncio.gather(*(desk.submit(f"k{number}") for number in many))
        for receipt in receipts:
            await desk.until_decided(receipt["id"])
        assert desk.intake._next_round <= case.clock.monotonic() + submissions.LONGEST_ROUND_SECONDS
        await desk.intake.stop()


async def test_the_more_were_in_a_round_the_longer_until_the_next_but_nobody_waits_for_it_where_all_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(submissions, "ROUND_SECONDS", 0.1)
    async with Case() as case:
        desk = Desk(case)
        desk.intake.start()
        await desk.submit("first")
        several = await asyncio.gather(*(desk.submit(f"k{number}") for number in range(3)))
        for receipt in several:
            await desk.until_decided(receipt["id"])
        longer = desk.intake._next_round - case.clock.monotonic()
        assert longer > 2 * submissions.ROUND_SECONDS
        monkeypatch.setattr(submissions, "ROUND_SECONDS", 60.0)
        monkeypatch.setattr(submissions, "LONGEST_ROUND_SECONDS", 60.0)
        await asyncio.sleep(longer)
        await desk.submit("opens a long round")
        many = await asyncio.gather(*(desk.submit(f"m{number}") for number in range(submissions.DECIDERS)))
        for receipt in many:
            await desk.until_decided(receipt["id"])
        await desk.intake.stop()
