"""The files of an application that was begun: its own key opens them, until they are the person's."""

from __future__ import annotations

from collections.abc import AsyncIterator

from services.registration.domain.files import FileBegun, StoredFile, sized
from services.registration.store import EXPERTS
from services.registration.work.case_files import CaseFiles
from services.registration.work.drafting import SUBMITTED
from services.registration.work.drafts import Opened
from services.registration.work.filing import Held
from services.registration.work.handing_over import HandingOver
from services.registration.work.registering import handed_over
from services.registration.work.whole_files import Whole, begun_whole
from shared.clock import derived_id
from shared.errors import Refusal
from shared.identity.accounts import Accounts
from shared.programmes.sections.selection import AskedDocument, SelectionSection
from shared.replica import Replica


class DraftFiles:
    """`accounts`: of those who apply without one; from a draft's id follows whose its files will be."""

    def __init__(self, replica: Replica, cases: CaseFiles, handing_over: HandingOver, accounts: Accounts) -> None:
        self._store = replica.ports.store
        self._runtime = replica.ports.runtime
        self._definitions = replica.definitions
        self._cases = cases
        self._filing = cases.filing
        self._handing_over = handing_over
        self._accounts = accounts

    def asked(self, opened: Opened) -> tuple[AskedDocument, ...]:
        return self._definitions.newest(opened.draft.programme).section(SelectionSection).documents

    async def of(self, opened: Opened) -> list[Held]:
        """With their names, in the order in which they were begun; of a refused one no more than that it was.

        Raises SealBroken, Unavailable.
        """
        found = []
        for id, state in await self._filing.of("draft", opened.id):
            refused = Held(id, state, b"", "", (), None, 0)
            found.append(await self._filing.opened(id, opened.key) if state.counts else refused)
        return found

    async def begin(self, opened: Opened, said: FileBegun, key: str, *, whole: bool = False) -> tuple[str, StoredFile]:
        """Refusal `draft_submitted`, `account_handed_over`, and as `sized` and `admitted` say.

        Raises CommandReused, Unavailable, UnknownOutcome.
        """
        sized(said.size)
        id, person = derived_id(opened.id, "file", key), await self._person(opened)
        if whole:
            id = await self._filing.place_of(id)
        expert = derived_id(person, opened.draft.programme)
        if opened.draft.status != "open" or await self._store.load(EXPERTS.name, expert) is not None:
            raise Refusal(SUBMITTED, "files are added to what was not submitted yet")
        others = [one for one in await self._filing.of("draft", opened.id) if one[0] != id]
        asked = next((one for one in self.asked(opened) if one.code == said.document), None)
        await self._filing.make_room(asked, others)
        now = self._runtime.now()
        state = StoredFile(
            document=said.document,
            media_type=said.media_type,
            size=said.size,
            draft=opened.id,
            expert=expert,
            person=person,
            began_at=now,
            touched_at=now,
        )
        return id, await self._filing.begin(id, state, said.name, opened.key, whole=whole)

    async def add(self, opened: Opened, whole: Whole, key: str) -> StoredFile:
        """As `begin`, and as `Filing.receive_whole`."""
        said, parts = await begun_whole(whole)
        id, _ = await self.begin(opened, said, key, whole=True)
        return await self._followed(await self._filing.receive_whole(id, opened.key, parts))

    async def state(self, opened: Opened, id: str) -> StoredFile:
        """Raises Refusal 404."""
        state = await self._filing.state(id)
        if state.draft != opened.id:
            raise Refusal("not_found", status=404)
        return state

    async def receive(
        self, opened: Opened, id: str, offset: int, parts: AsyncIterator[bytes], *, complete: bool
    ) -> StoredFile:
        """As `Filing.receive`."""
        await self.state(opened, id)
        return await self._followed(await self._filing.receive(id, opened.key, offset, parts, complete=complete))

    async def _followed(self, state: StoredFile) -> StoredFile:
        """One that is kept only after its application was recorded goes where the others have gone."""
        if state.status == "kept" and await self._store.load(EXPERTS.name, state.expert) is not None:
            await self._cases.take_over(state.expert)
        return state

    async def remove(self, opened: Opened, id: str) -> None:
        """Raises Refusal 404, `draft_submitted`."""
        await self.state(opened, id)
        if opened.draft.status != "open":
            raise Refusal(SUBMITTED, "files are added to what was not submitted yet")
        await self._filing.remove(id)

    async def read(self, opened: Opened, id: str) -> tuple[Held, AsyncIterator[bytes]]:
        """Raises Refusal 404, 410, SealBroken, Unavailable."""
        state = await self.state(opened, id)
        if state.status != "kept":
            raise Refusal("not_found", status=404)
        held = await self._filing.opened(id, opened.key)
        return held, self._filing.content(held)

    async def _person(self, opened: Opened) -> str:
        person = await self._handing_over.person_of(self._accounts.of(opened.id))
        if person is None:
            raise handed_over()
        return person
