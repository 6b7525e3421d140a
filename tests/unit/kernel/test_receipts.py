"""Receipts: they prove what was sent to whoever has both, and end with the person's key."""

from __future__ import annotations

import json

import pytest

from shared.errors import CommandReused
from shared.identity.keyfiles import KeyDestroyed
from shared.intake.receipts import is_of
from tests.unit.kernel.case import Case
from tests.unit.kernel.test_intake import Desk

PERSON = "1f1cf7e6-3d0c-5b43-8d6b-5a4b0f7a5a4e"


async def test_a_receipt_proves_its_body_to_whoever_has_both_and_tells_nothing_alone() -> None:
    """The digest is of salt and body, and neither it nor the signature stands in the store where a guess could try."""
    async with Case() as case:
        desk = Desk(case)
        desk.intake.start()
        receipt = await desk.submit(person=PERSON)
        assert receipt["digest"] != "d"
        assert is_of(receipt, "d")
        assert not is_of(receipt, "e")
        for state in (desk.stored, desk.until_decided):
            kept = json.dumps(await state(receipt["id"]))
            assert not any(receipt[name] in kept for name in ("digest", "salt", "signature"))
        await desk.intake.stop()


async def test_what_was_sent_ends_with_the_persons_key() -> None:
    """Once the person is erased a repeated key finds nothing to compare with, whatever the body is (410)."""
    async with Case() as case:
        desk = Desk(case)
        desk.intake.start()
        receipt = await desk.submit(person=PERSON)
        await desk.until_decided(receipt["id"])
        assert await desk.submit(person=PERSON) == receipt
        with pytest.raises(CommandReused):
            await desk.submit(person=PERSON, digest="other")
        await desk.keys.persons("registration").destroy(PERSON)
        for digest in ("d", "other"):
            with pytest.raises(KeyDestroyed):
                await desk.submit(person=PERSON, digest=digest)
        await desk.intake.stop()


async def test_an_erased_persons_submission_is_refused_and_keeps_no_receipt() -> None:
    async with Case() as case:
        desk = Desk(case)
        desk.answer = KeyDestroyed()
        await desk.keys.persons("registration").destroy(PERSON)
        desk.intake.start()
        document = await desk.until_decided((await desk.submit(person=PERSON))["id"])
        assert (document["status"], document["problems"]) == ("refused", [{"pointer": "", "rule": "erased"}])
        assert (document["body"], document["proof"]) == (None, None)
        with pytest.raises(KeyDestroyed):
            await desk.intake.receipt(document)
        await desk.intake.stop()
