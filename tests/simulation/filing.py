"""Files of persons: an officer adds them in pieces, whatever falls over meanwhile, and reads them back in the end."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from types import SimpleNamespace
from typing import Any

from services.registration.domain.files import ENDED, OFFSET, FileBegun, StoredFile
from services.registration.identifiers import SERVICE
from services.registration.store import EXPERTS, FILES, PERSONS
from services.registration.work.case_files import NOT_NOW
from shared.clock import derived_id
from shared.errors import Overloaded, PortError, Refusal, TooEarly
from shared.identity.keyfiles import KeyDestroyed
from shared.identity.tokens import Principal
from shared.store.aggregates import Cause
from tests.simulation.cast import DOCUMENT, OFFICE, OFFICER, Person
from tests.simulation.client import PAUSE_SECONDS, Client
from tests.simulation.evidence import Evidence, Violation
from tests.simulation.journal import Journal

# In two pieces of the store, sent in three parts that end elsewhere.
FILE_BYTES, PART_BYTES = 300_000, 110_000
# Why a file cannot be added any more: the case is over, or the person is erased.
OVER = frozenset({NOT_NOW, ENDED, "not_found", "erased"})
GRANTED: Any = SimpleNamespace(principal=Principal(OFFICER, "officer", OFFICE), grants=())


class Filing:
    """`journal.files`: by the file's id, the person and what was acknowledged as kept."""

    def __init__(self, client: Client, journal: Journal) -> None:
        self._client = client
        self._journal = journal

    async def adds(self, person: Person) -> None:
        """One file, to its end; None of it counts where the person was erased before."""
        id = derived_id("client", f"file of {person.name}")
        content = _pdf(person)
        self._journal.ask(id)

        async def begin(service: Any) -> StoredFile:
            expert = await service.replica.ports.store.load(EXPERTS.name, person.expert)
            said = FileBegun(document=DOCUMENT, media_type="application/pdf", size=len(content), name=person.name)
            return (await service.files.begin(expert, said, GRANTED, Cause(id)))[1]

        state = await self._until_answered(begin)
        while state is not None and state.status == "receiving":
            state = await self._until_answered(self._sends(person, id, content, state.received))
        if state is not None:
            self._journal.files[id] = (person.id, content)

    def _sends(self, person: Person, id: str, content: bytes, offset: int) -> Callable[[Any], Awaitable[StoredFile]]:
        async def send(service: Any) -> StoredFile:
            expert = await service.replica.ports.store.load(EXPERTS.name, person.expert)
            part = content[offset : offset + PART_BYTES]
            complete = offset + len(part) == len(content)
            try:
                found: StoredFile = await service.files.receive(expert, id, offset, _of(part), complete=complete)
            except Refusal as refusal:
                if refusal.rule != OFFSET:
                    raise
                # An answer that was lost: it is further than the client knows.
                found = await service.files.one(expert, id)
            return found

        return send

    async def read_back(self) -> None:
        """Every file that was kept is what was sent, unless its person is erased. AssertionError for another one."""
        for id, (person, content) in self._journal.files.items():
            found = await self._until_answered(_content(id, person))
            erased = await self._client.look(SERVICE, _is_erased(person))
            if found != content and not (found is None and erased):
                raise AssertionError(f"file {id} was kept and is {'lost' if found is None else 'another one'}")

    async def _until_answered(self, work: Callable[[Any], Awaitable[Any]]) -> Any:
        """None where it is over for good."""
        while True:
            try:
                return await self._client.world.call(SERVICE, work)
            except (PortError, Overloaded, TooEarly):
                await asyncio.sleep(self._client.rng.uniform(0, PAUSE_SECONDS))
            except KeyDestroyed:
                return None
            except Refusal as refusal:
                if refusal.rule not in OVER:
                    raise
                return None


def _content(id: str, person: str) -> Callable[[Any], Awaitable[bytes]]:
    async def read(service: Any) -> bytes:
        filing = service.filing
        if (await filing.state(id)).status != "kept":
            raise Refusal(ENDED, status=410)
        held = await filing.opened(id, await service.replica.ports.keys.persons(SERVICE).key(person))
        return b"".join([part async for part in filing.content(held)])

    return read


def _is_erased(person: str) -> Callable[[Any], Awaitable[bool]]:
    async def erased(service: Any) -> bool:
        state = PERSONS.read(await service.replica.ports.store.load(PERSONS.name, person))
        return state is not None and state.status == "erased"

    return erased


async def _of(part: bytes) -> AsyncIterator[bytes]:
    yield part


def _pdf(person: Person) -> bytes:
    begin, end = b"%PDF-1.7\n", b"\nstartxref\n0\n%%EOF\n"
    return begin + random.Random(person.name).randbytes(FILE_BYTES - len(begin) - len(end)) + end


def check_files(evidence: Evidence, journal: Journal) -> Iterator[Violation]:
    """I1 and I12: what was kept stands, and of an erased person no file has its key or anything in its pieces."""
    owner = evidence.documents[SERVICE]
    erased = {one["_id"] for one in owner[PERSONS.name] if (one["state"] or {}).get("status") == "erased"}
    stored = {one["_id"]: one for one in owner[FILES.name]}
    for id, (person, _) in journal.files.items():
        if person not in erased and stored.get(id, {}).get("state", {}).get("status") != "kept":
            yield Violation("I1", f"files/{id}", "was acknowledged as kept and is not")
    for id, one in stored.items():
        if id not in journal.asked:
            yield Violation("I2", f"files/{id}", "nobody asked for it")
        if one["state"]["person"] in erased and one["private"]:
            yield Violation("I12", f"files/{id}", f"keeps {', '.join(one['private'])} of somebody who was erased")
    for piece in owner["file_pieces"]:
        of = stored.get((piece["state"] or {}).get("file", ""))
        if of is not None and of["state"]["person"] in erased and piece["private"]:
            yield Violation("I12", f"file_pieces/{piece['_id']}", "holds something of somebody who was erased")
