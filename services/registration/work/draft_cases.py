"""What became of drafts that were submitted: the case, the office that has it, and whether its person is another's."""

from __future__ import annotations

from services.registration.store import EXPERTS, PERSONS
from services.registration.work.drafts import Opened
from services.registration.work.handing_over import person_following
from shared.clock import derived_id, text_of
from shared.contracts.registration.experts import ExpertTransferred
from shared.identity.accounts import Accounts
from shared.store.past import PAST
from shared.store.port import Document, Store


class DraftCases:
    """`applicants`: the accounts of those who apply without one. Everything here raises Unavailable."""

    def __init__(self, store: Store, applicants: Accounts) -> None:
        self._store = store
        self._applicants = applicants

    def id_of(self, opened: Opened) -> str:
        """The case that the draft becomes when it is sent: people call it by that from the beginning on."""
        return derived_id(self._person_of(opened), opened.draft.programme)

    async def office_of(self, opened: Opened) -> str:
        """The office that has the case which came of the draft, for its code leads to all of that person; without a
        case the one that was chosen. A crash may leave the case without the draft's own word that it was submitted."""
        case = EXPERTS.read(await self._case_of(opened))
        return opened.office if case is None else case.office

    async def handed_over(self, opened: Opened) -> bool:
        """Whether another account than the draft's stands for its person: what was typed is that person's by now."""
        account = self._applicants.of(opened.id)
        person = PERSONS.read(await self._store.load(PERSONS.name, self._person_of(opened)))
        return person is not None and person.account not in (None, account)

    async def passed_on_since(self, opened: Opened) -> bool:
        """Whether the code is one that an office gave, and knows, which has passed the case on since."""
        given = opened.draft.office_knows
        if given is None:
            return False
        case = await self._case_of(opened)
        if case is None:
            return False
        moved = [row["at"] for row in case.get(PAST, ()) if row["fact"] == ExpertTransferred.__name__]
        # Two replicas' clocks differ, so the office itself counts too.
        return bool(moved) and (case["state"]["office"] != given.office or max(moved) > text_of(given.at))

    async def _case_of(self, opened: Opened) -> Document | None:
        return await self._store.load(EXPERTS.name, self.id_of(opened))

    def _person_of(self, opened: Opened) -> str:
        return opened.draft.person or person_following(self._applicants.of(opened.id))
