"""The files of a case: handed over from the application, added where information is asked for, read for a purpose."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator

from services.registration.domain.experts import EXPERT, Expert
from services.registration.domain.files import (
    FILE_PURPOSES,
    FileBegun,
    FilePurpose,
    StoredFile,
    documents_of,
    missing,
    sized,
)
from services.registration.domain.requested import REQUESTED_DOCUMENTS
from services.registration.identifiers import SERVICE
from services.registration.store import EXPERTS
from services.registration.work.drafting import Drafting
from services.registration.work.filing import Filing, Held
from services.registration.work.readings import Readings
from services.registration.work.whole_files import Whole, begun_whole
from shared.errors import Problem, Refusal, TooEarly, rule_of
from shared.identity.keyfiles import KeyDestroyed
from shared.messaging.handlers import Delivery
from shared.programmes.definitions import Definitions
from shared.programmes.sections.selection import AskedDocument, SelectionSection
from shared.replica import Replica
from shared.store.aggregates import Cause
from shared.store.port import Document
from shared.web.callers import Granted
from shared.web.pages.languages import LANGUAGES
from shared.web.pages.words import code_key, translations

NOT_NOW, IS_KEPT = "files_not_asked", "file_is_kept"
PROVIDE = "provide-info"


class CaseFiles:
    """What both edges do with files of a case. `expert`: the case's document, as the caller was allowed to see it."""

    def __init__(self, replica: Replica, filing: Filing, drafting: Drafting, readings: Readings) -> None:
        self._runtime = replica.ports.runtime
        self._keys = replica.ports.keys.persons(SERVICE)
        self._definitions: Definitions = replica.definitions
        self.filing = filing
        self._drafting = drafting
        self._readings = readings

    async def registered(self, delivery: Delivery) -> None:
        """ExpertRegistered, ExpertIdentityClashed: what was added to the application is the person's from then on."""
        await self.take_over(delivery.subject)

    async def take_over(self, expert: str) -> None:
        """Of a case that stands; whatever is the person's already stays so. Raises SealBroken, Unavailable."""
        for id, state in await self.filing.of("expert", expert):
            if state.draft is None or state.status != "kept":
                continue
            before = await self._drafting.key_of(state.draft)
            try:
                owner = await self._keys.existing(state.person)
            except KeyDestroyed:
                return
            if before is not None and owner is not None:
                await self.filing.hand_over(id, before, owner)

    def asked(self, expert: Document) -> tuple[AskedDocument, ...]:
        """The documents that the case's programme lists, and those that were requested. None while the programme's
        version has not arrived here."""
        try:
            return self._asked(expert)
        except TooEarly:
            return ()

    def shown(self, expert: Document, files: Iterable[StoredFile]) -> tuple[AskedDocument, ...]:
        """The same, and those of which there are files although they are no longer asked for: these take no more."""
        asked = self.asked(expert)
        if not asked:
            return ()
        codes = dict.fromkeys(one.document for one in files if one.status == "kept")
        earlier = codes.keys() - {one.code for one in asked}
        return (*asked, *self._named(expert, (code for code in codes if code in earlier)))

    async def lacking(self, expert: Document) -> tuple[AskedDocument, ...]:
        """What is needed and of which no file is kept. Raises Unavailable."""
        asked = self.asked(expert)
        codes = missing(asked, (state for _, state in await self.of(expert)))
        return tuple(one for one in asked if one.code in codes)

    def _asked(self, expert: Document) -> tuple[AskedDocument, ...]:
        """Raises TooEarly."""
        state = EXPERTS.read(expert)
        if state is None:
            return ()
        return documents_of(self._section(state).documents, self._named(expert, state.items))

    def _section(self, state: Expert) -> SelectionSection:
        """Raises TooEarly."""
        version = state.programme_version or self._definitions.newest_version(state.programme)
        return self._definitions.version(state.programme, version).section(SelectionSection)

    def _named(self, expert: Document, items: Iterable[str]) -> Iterator[AskedDocument]:
        """Those of the items that are documents, by their names: the service's own, and the programme's further ones.

        Raises TooEarly.
        """
        state = EXPERTS.read(expert)
        further = {one.code: one.name for one in self._section(state).items} if state else {}
        for code in items:
            if code in further:
                yield AskedDocument(code=code, name=further[code])
            elif code in REQUESTED_DOCUMENTS:
                key = code_key("items", code)
                names = {language: translations(language).gettext(key) for language in LANGUAGES}
                yield AskedDocument(code=code, name=names)

    def takes(self, expert: Document, granted: Granted) -> bool:
        """Whether the caller may add one now: the person while information is asked for, officers until it is over."""
        role = granted.principal.role
        open_now = EXPERT.open_to(EXPERTS.read(expert), role)
        return bool(self.asked(expert)) and bool(open_now if role == "officer" else PROVIDE in open_now)

    async def of(self, expert: Document) -> list[tuple[str, StoredFile]]:
        """What is the person's; what an application still holds is not told here."""
        return [one for one in await self.filing.of("expert", expert["_id"]) if one[1].draft is None]

    async def one(self, expert: Document, id: str) -> StoredFile:
        """Raises Refusal 404."""
        state = await self.filing.state(id)
        if state.expert != expert["_id"] or state.draft is not None:
            raise Refusal("not_found", status=404)
        return state

    async def add(self, expert: Document, whole: Whole, granted: Granted, cause: Cause) -> StoredFile:
        """As `begin`, and as `Filing.receive_whole`."""
        said, parts = await begun_whole(whole)
        id, state = await self.begin(expert, said, granted, cause, whole=True)
        return await self.filing.receive_whole(id, await self._keys.key(state.person), parts)

    async def begin(
        self, expert: Document, said: FileBegun, granted: Granted, cause: Cause, *, whole: bool = False
    ) -> tuple[str, StoredFile]:
        """The file's id follows from the command's. `whole`: it comes at once, as a form sends it.

        Refusal `files_not_asked`, and as `sized` and `admitted` say.

        Raises TooEarly, KeyDestroyed, CommandReused, Unavailable, UnknownOutcome.
        """
        sized(said.size)
        asked = self._asked(expert)
        id = await self.filing.place_of(cause.command_id) if whole else cause.command_id
        others = [one for one in await self.of(expert) if one[0] != id]
        if not self.takes(expert, granted):
            raise Refusal(NOT_NOW, "files are added where information is asked for, or by the office")
        await self.filing.make_room(next((one for one in asked if one.code == said.document), None), others)
        now, person = self._runtime.now(), str(expert["state"]["person"])
        state = StoredFile(
            document=said.document,
            media_type=said.media_type,
            size=said.size,
            expert=expert["_id"],
            person=person,
            began_at=now,
            touched_at=now,
            account=granted.principal.account if granted.principal.role == "officer" else None,
        )
        owner = await self._keys.key(person)
        return id, await self.filing.begin(id, state, said.name, owner, whole=whole)

    async def receive(
        self, expert: Document, id: str, offset: int, parts: AsyncIterator[bytes], *, complete: bool
    ) -> StoredFile:
        """As `Filing.receive`."""
        state = await self.one(expert, id)
        owner = await self._keys.key(state.person)
        return await self.filing.receive(id, owner, offset, parts, complete=complete)

    async def remove(self, expert: Document, id: str, granted: Granted) -> None:
        """Takes what is not kept out of the list: what was refused, or is not finished.

        Refusal 404, `files_not_asked`, `file_is_kept`. Raises Unavailable, UnknownOutcome.
        """
        state = await self.one(expert, id)
        if not self.takes(expert, granted):
            raise Refusal(NOT_NOW, "files are added and taken out where information is asked for, or by the office")
        if state.status == "kept":
            raise Refusal(IS_KEPT, "what is kept stays with the case")
        await self.filing.remove(id)

    async def read(
        self, expert: Document, id: str, granted: Granted, purpose: FilePurpose | None
    ) -> tuple[Held, AsyncIterator[bytes]]:
        """Counted and written into the trail before it is opened; whoever reads the own one is not counted.

        Refusal 404, 422 without a purpose, `file_ended` (410), `readings_used_up` (429). Raises KeyDestroyed.
        """
        state = await self.one(expert, id)
        own = {grant.relation for grant in granted.grants} == {"own"}
        if not own and purpose not in FILE_PURPOSES:
            rule = rule_of("missing")
            raise Refusal("invalid", problems=(Problem(rule, "/purpose"),), status=422)
        owner = await self._keys.key(state.person)
        held = await self.filing.opened(id, owner)
        if state.status != "kept":
            raise Refusal("not_found", status=404)
        await self._readings.file(state.person, granted.principal, "own" if own or purpose is None else purpose)
        return held, self.filing.content(held)
