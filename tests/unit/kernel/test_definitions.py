"""Published definitions: a replica knows them all before it is ready; a version that is not here yet is too early."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from shared.clock import text_of
from shared.contracts.base import Envelope
from shared.contracts.registration.programmes import ProgrammePublished
from shared.errors import Refusal, TooEarly
from shared.messaging.port import Message
from shared.programmes.definitions import Definitions
from shared.programmes.loader import load_definition
from shared.programmes.sections.placement import PlacementSection
from shared.programmes.sections.selection import SelectionSection
from tests.unit.kernel.case import Case

FILE = Path(__file__).parents[3] / "deploy/programmes/trqn-1.yaml"
TOPIC = "registration.programmes"
# What stood at the top of a definition before there were sections.
FLAT = {
    "modalities": ["temporary"],
    "host_types": [{"code": "public", "name": {"en": "Public"}}],
    "offer_expires_days": 3,
    "preparation": {"temporary": ["training"]},
}


async def publish(case: Case, version: int, code: str = "trqn-1", **changes: Any) -> None:
    definition = {**load_definition(FILE).as_json(), **changes}
    event = ProgrammePublished(
        happened_at=case.clock.now(), code=code, definition_version=version, definition=definition
    )
    envelope = Envelope(
        id=f"e{version}",
        type=event.type_name(),
        version=1,
        source="/registration",
        subject=code,
        time=text_of(case.clock.now()),
        epoch=1,
        sequence=version,
    )
    headers = tuple((name, text.encode()) for name, text in envelope.headers().items())
    await case.log.append(TOPIC, 0, [Message(code, event.body().encode(), headers)])


async def until(condition: object) -> None:
    for _ in range(300):
        if condition():  # type: ignore[operator]
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come about")


async def test_it_is_ready_when_the_end_asked_for_at_start_is_reached() -> None:
    async with Case() as case:
        await publish(case, 1)
        definitions = Definitions(case.log, case.clock)
        assert not definitions.ready
        with pytest.raises(TooEarly):
            definitions.newest("trqn-1")
        definitions.start()
        await until(lambda: definitions.ready)
        assert definitions.newest("trqn-1").code == "trqn-1"
        await definitions.stop()


async def test_a_case_keeps_its_version_and_new_ones_take_the_newest() -> None:
    async with Case() as case:
        definitions = Definitions(case.log, case.clock)
        definitions.start()
        await publish(case, 1)
        await publish(case, 2)
        await until(lambda: definitions.ready and definitions.codes() and definitions.newest_version("trqn-1") == 2)
        assert definitions.version("trqn-1", 1) is not definitions.version("trqn-1", 2)
        with pytest.raises(TooEarly):
            definitions.version("trqn-1", 3)
        with pytest.raises(Refusal) as refused:
            definitions.newest("nothing")
        assert refused.value.status == 404
        await definitions.stop()


async def test_a_definition_that_was_published_in_the_flat_shape_stays_readable() -> None:
    async with Case() as case:
        await publish(case, 1, selection=None, placement=None, **FLAT)
        definitions = Definitions(case.log, case.clock)
        definitions.start()
        await until(lambda: definitions.ready)
        definition = definitions.version("trqn-1", 1)
        assert definition.section(PlacementSection).obligatory_steps("temporary") == ("training",)
        assert definition.section(SelectionSection).offers.expires_days == 3
        await definitions.stop()


async def test_an_unreadable_definition_hides_no_other() -> None:
    async with Case() as case:
        await case.log.append(TOPIC, 0, [Message("x", b"{", ())])
        await publish(case, 1)
        await publish(case, 1)
        definitions = Definitions(case.log, case.clock)
        definitions.start()
        await until(lambda: definitions.ready)
        assert definitions.newest_version("trqn-1") == 1
        await definitions.stop()


async def test_a_definition_that_cannot_be_used_hides_no_other_programme_and_is_none() -> None:
    async with Case() as case:
        definitions = Definitions(case.log, case.clock)
        definitions.start()
        await until(lambda: definitions.ready)
        await publish(case, 1, "broken", offices="Amina")
        await publish(case, 1)
        await until(lambda: definitions.codes() == ["trqn-1"])
        with pytest.raises(Refusal) as refused:
            definitions.newest("broken")
        assert (refused.value.rule, refused.value.status) == ("programme_unknown", 404)
        await publish(case, 2, "trqn-1", offices=[])
        await publish(case, 3)
        await until(lambda: definitions.newest_version("trqn-1") == 3)
        with pytest.raises(TooEarly):
            definitions.version("trqn-1", 2)
        assert case.clock.ended == []
        again = Definitions(case.log, case.clock)
        again.start()
        await until(lambda: again.ready)
        await definitions.stop()
        await again.stop()
