"""What follows a case of a person to another office: who may read the person.

An office reads the persons of its cases. The mark of the office that a case left goes with the last case that the
person has there, and the office that answers for the person changes with it.
"""

from __future__ import annotations

from services.registration.domain.persons import PERSON
from services.registration.store import EXPERTS, PERSONS, office_mark
from shared.contracts.registration.experts import ExpertTransferred
from shared.errors import TooEarly
from shared.messaging.handlers import Delivery
from shared.replica import Replica
from shared.store.paging import every


class Moving:
    """Follows the own topic, however often it is heard."""

    def __init__(self, replica: Replica) -> None:
        self._kernel = replica.kernel
        self._store = replica.ports.store

    async def followed(self, delivery: Delivery) -> None:
        """ExpertTransferred: by where the person's cases are by now, so that a later move stands."""
        event, expert = delivery.event, EXPERTS.read(await self._store.load(EXPERTS.name, delivery.subject))
        if not isinstance(event, ExpertTransferred):
            raise TypeError(type(event).__name__)
        if expert is None:
            raise TooEarly("expert")
        person = PERSONS.read(await self._store.load(PERSONS.name, expert.person))
        if person is None or person.status == "erased":
            return
        cases = every(self._store, EXPERTS.name, "own", expert.person)
        offices = {str(one["state"]["office"]) async for one in cases}
        stays = event.left in offices
        await self._kernel.execute(
            PERSONS,
            expert.person,
            PERSON.ask("follow", office=expert.office, left=None if stays else event.left),
            delivery.cause("follow"),
            private={
                **{office_mark(office): True for office in offices},
                **({} if stays else {office_mark(event.left): None}),
            },
        )
