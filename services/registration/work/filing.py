"""Files as documents: each sealed in pieces under a key of its own, which its owner's key opens.

The owner is first an application that was begun, later the person. What is destroyed is the file's key: the pieces are
emptied afterwards, by whoever gets to it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from services.registration.domain.file_content import Inspection
from services.registration.domain.files import (
    EMPTY,
    ENDED,
    FILE_BYTES_AT_MOST,
    LARGE,
    OFFSET,
    PIECE_BYTES,
    UNFINISHED,
    StoredFile,
    admitted,
    sized,
)
from services.registration.store import FILE_PIECES, FILES
from shared.clock import derived_id, retrying, text_of
from shared.errors import CommandReused, Conflict, Refusal
from shared.identity.digests import derived_key
from shared.identity.sealing import SealBroken, open_bytes, open_sealed, seal, seal_bytes
from shared.programmes.sections.selection import AskedDocument
from shared.replica import Replica
from shared.store.documents import new_document
from shared.store.paging import every
from shared.store.port import Document

KEY_BYTES = 32
# Pieces are long: so many are in memory while a file is emptied.
PIECES_AT_ONCE = 8
FILES_PURPOSE = "files"
TOO_LARGE = "too_large"
# Of a file's private part: the piece that is being written.
COMING = "coming"


@dataclass(frozen=True)
class Held:
    """A file, with its own key. `name`: under which its owner knows it."""

    id: str
    state: StoredFile
    key: bytes
    name: str
    pieces: tuple[str, ...]
    digest: str | None
    version: int


class Filing:
    """Keeps files; who may add or read one is for its callers to say. `owner`: the key of the draft or the person."""

    def __init__(self, replica: Replica) -> None:
        self._store = replica.ports.store
        self._runtime = replica.ports.runtime

    async def begin(self, id: str, state: StoredFile, name: str, owner: bytes, *, whole: bool = False) -> StoredFile:
        """A file of which nothing was received; the same one asked for again is there already.

        `whole`: it comes at once, and how long it is shows at its end.

        Raises CommandReused where another one stands under the id; Unavailable, UnknownOutcome.
        """
        key, rng = self._runtime.rng.randbytes(KEY_BYTES), self._runtime.rng
        wrapped = seal(_of_files(owner), base64.b64encode(key).decode(), person=id, field="key", rng=rng)
        private = {"key": wrapped, "name": seal(key, name, person=id, field="name", rng=rng), "pieces": []}
        document = {**new_document(id), "private": private}
        try:
            await self._save(document, state)
        except Conflict:
            there, found = await self._load(id)
            said = ("document", "media_type", "draft", "expert", *(() if whole else ("size",)))
            if any(getattr(found, field) != getattr(state, field) for field in said):
                raise CommandReused from None
            # Of one that was refused or removed the name is gone with its key.
            if "key" in there["private"] and _held(there, found, owner).name != name:
                raise CommandReused from None
            return found
        return state

    async def place_of(self, id: str) -> str:
        """Where a file stands that comes at once: at another id, where what came under this one was refused.

        So a form that is sent again with a mended file is not answered by what was wrong with the one before.
        """
        while (document := await self._store.load(FILES.name, id)) is not None and _state(document).rule is not None:
            id = derived_id(id, "again")
        return id

    async def of(self, index: str, equals: str) -> list[tuple[str, StoredFile]]:
        """The files of a draft, a case or a person that are not gone, in the order in which they were begun."""
        found = [(one["_id"], _state(one)) async for one in every(self._store, FILES.name, index, equals)]
        return sorted(found, key=lambda one: (one[1].began_at, one[0]))

    async def make_room(self, asked: AskedDocument | None, others: Sequence[tuple[str, StoredFile]]) -> None:
        """What was refused of the document is told no more, and what nobody went on with until its end has ended, also
        where its timer has not come yet. Refusal as `admitted`."""
        standing, now = dict(others), self._runtime.now()
        for id, one in others:
            told = asked is not None and one.document == asked.code and one.status == "refused"
            if told or one.is_left(now):
                await self.remove(id)
                del standing[id]
        admitted(asked, standing.values())

    async def state(self, id: str) -> StoredFile:
        """Raises Refusal 404."""
        return (await self._load(id))[1]

    async def opened(self, id: str, owner: bytes) -> Held:
        """Raises Refusal 404, SealBroken, Unavailable."""
        document, state = await self._load(id)
        return _held(document, state, owner)

    async def receive(
        self, id: str, owner: bytes, offset: int, parts: AsyncIterator[bytes], *, complete: bool
    ) -> StoredFile:
        """What was sent from that offset on, written as it comes; with `complete` the file is then looked at.

        Refusal 404, `file_ended` (410), `upload_offset_differs`, `too_large` (413), `upload_unfinished` (422), and the
        rule that refuses the content (422). Asked again after it was kept or refused, it is answered the same.
        """
        document, state = await self._load(id)
        if state.status == "receiving":
            if offset != state.received:
                raise Refusal(OFFSET, "from where the last piece ended on")
            document, state = await self._append(document, state, owner, parts)
            if not complete:
                return state
            if state.received != state.size:
                raise Refusal(UNFINISHED, "all of the size that was said", status=422)
            state = await self._looked_at(document, state, owner)
        elif state.status == "gone" or offset != state.size or not complete:
            raise Refusal(ENDED, status=410)
        if state.rule is not None:
            raise Refusal(state.rule, status=422)
        return state

    async def receive_whole(self, id: str, owner: bytes, parts: AsyncIterator[bytes]) -> StoredFile:
        """A file that comes at once and whose length nobody has said; what came of it before is begun anew.

        Refusal as `receive`; `file_empty`, `file_too_large` (422): then nothing of it is left. Raises CommandReused
        where another file is kept there.
        """
        document, state = await self._load(id)
        if state.status == "receiving":
            document, state = await self._begun_anew(document, state)
            try:
                document, state = await self._append(document, state, owner, parts)
                sized(state.received)
            except Refusal as refusal:
                # A second press sends the same form again: what one of the two has begun anew the other leaves alone.
                if refusal.rule in (EMPTY, TOO_LARGE):
                    await self.remove(id, EMPTY if refusal.rule == EMPTY else LARGE)
                if refusal.rule == TOO_LARGE:
                    sized(FILE_BYTES_AT_MOST + 1)
                raise
            state = await self._looked_at(document, state.model_copy(update={"size": state.received}), owner)
        elif state.status == "kept":
            await self._same(_held(document, state, owner), parts)
        if state.status == "gone":
            raise Refusal(ENDED, status=410)
        if state.rule is not None:
            raise Refusal(state.rule, status=422)
        return state

    async def content(self, held: Held) -> AsyncIterator[bytes]:
        """The file part by part. Raises SealBroken for what is missing or was changed; Conflict, Unavailable."""
        mac = _mac(held.key)
        for number, piece in enumerate(held.pieces):
            part = await self._piece(held, number, piece)
            mac.update(part)
            yield part
        if held.digest is not None and not hmac.compare_digest(mac.hexdigest(), held.digest):
            raise SealBroken

    async def hand_over(self, id: str, before: bytes, owner: bytes) -> None:
        """From then on the person's key opens it, and the draft's no more; done once, it is done."""

        async def once() -> None:
            document, state = await self._load(id)
            if state.draft is None or state.status != "kept":
                return
            key = open_sealed(_of_files(before), document["private"]["key"], person=id, field="key")
            wrapped = seal(_of_files(owner), key, person=id, field="key", rng=self._runtime.rng)
            private = {**document["private"], "key": wrapped}
            await self._save({**document, "private": private}, state.model_copy(update={"draft": None}))

        await retrying(once, self._runtime, (Conflict,))

    async def remove(self, id: str, rule: str | None = None) -> None:
        """Destroys the file's key, then what was sealed under it; asked again, it goes on. Raises Refusal 404.

        `rule`: by which it was refused; what was refused before and is removed stays refused.
        """

        async def once() -> None:
            document, state = await self._load(id)
            if state.status != "gone":
                document = await self._destroyed(document, state, "gone", rule or state.rule)
            await self._empty(document)

        await retrying(once, self._runtime, (Conflict,))

    async def end(self, index: str, equals: str) -> None:
        """Removes all files of a draft or a person."""
        while found := [one["_id"] async for one in every(self._store, FILES.name, index, equals)]:
            for id in found:
                await self.remove(id)

    async def fire(self, document: Document) -> None:
        """Ends what nobody goes on with and what was refused for long enough, and empties what is ended."""
        state = _state(document)
        if state.is_left(self._runtime.now()):
            document = await self._destroyed(document, state, "gone", state.rule)
        if not _state(document).counts:
            await self._empty(document)

    async def _append(
        self, document: Document, state: StoredFile, owner: bytes, parts: AsyncIterator[bytes]
    ) -> tuple[Document, StoredFile]:
        held = _held(document, state, owner)
        begun = state.received % PIECE_BYTES
        waiting = bytearray(await self._piece(held, len(held.pieces) - 1, held.pieces[-1]) if begun else b"")
        async for part in parts:
            waiting += part
            if state.received - state.received % PIECE_BYTES + len(waiting) > state.size:
                raise Refusal(TOO_LARGE, "no more than the size that was said", status=413)
            while len(waiting) >= PIECE_BYTES:
                document, state = await self._put(document, state, held.key, bytes(waiting[:PIECE_BYTES]))
                del waiting[:PIECE_BYTES]
        if waiting and state.received % PIECE_BYTES != len(waiting):
            document, state = await self._put(document, state, held.key, bytes(waiting))
        return document, state

    async def _same(self, held: Held, parts: AsyncIterator[bytes]) -> None:
        """Reads what was sent again. Raises CommandReused where it is not what is kept."""
        mac, length = _mac(held.key), 0
        async for part in parts:
            mac.update(part)
            length += len(part)
            if length > held.state.size:
                raise CommandReused
        if held.digest is not None and not hmac.compare_digest(mac.hexdigest(), held.digest):
            raise CommandReused

    async def _begun_anew(self, document: Document, state: StoredFile) -> tuple[Document, StoredFile]:
        if not state.received:
            return document, state
        before = document["private"]["pieces"]
        private = {**document["private"], "pieces": []}
        saved = await self._save({**document, "private": private}, state.model_copy(update={"received": 0}))
        await self._empty_pieces(before)
        return saved, _state(saved)

    async def _put(
        self, document: Document, state: StoredFile, key: bytes, content: bytes
    ) -> tuple[Document, StoredFile]:
        """The piece at the end is durable, and then one of the file's: one that was cut off is nobody's.

        Under a name of its own each time, so that of two who send at once neither changes what the other has written.
        The file knows the name before: a piece that lands late, after a crash or a removal, finds its place taken.
        """
        id, number, rng = document["_id"], state.received // PIECE_BYTES, self._runtime.rng
        piece = f"{id}.{number}.{rng.randbytes(8).hex()}"
        sealed = seal_bytes(key, content, person=id, field=f"piece {number}", rng=rng)
        written = {**new_document(piece), "version": 1, "state": {"file": id}, "private": {"sealed": sealed}}
        before = document["private"]["pieces"]
        after = {"received": number * PIECE_BYTES + len(content), "touched_at": self._runtime.now()}
        try:
            document = await self._announced(document, state, piece)
        except Conflict:
            raise Refusal(OFFSET, "from where the last piece ended on") from None
        try:
            await self._store.save(FILE_PIECES.name, written, 0)
            private = {**document["private"], "pieces": [*before[:number], piece], COMING: None}
            saved = await self._save({**document, "private": private}, state.model_copy(update=after))
        except Conflict:
            await self._shut(piece)
            raise Refusal(OFFSET, "from where the last piece ended on") from None
        await self._empty_pieces(before[number:])
        return saved, _state(saved)

    async def _announced(self, document: Document, state: StoredFile, piece: str) -> Document:
        """The file with the piece that is written next; the one before that never became the file's is nobody's."""
        cut_off = document["private"].get(COMING)
        saved = await self._save({**document, "private": {**document["private"], COMING: piece}}, state)
        if cut_off is not None:
            await self._shut(cut_off)
        return saved

    async def _shut(self, piece: str) -> None:
        """Nothing is in the piece, and nothing comes into it that is still under way."""

        async def once() -> None:
            await self._empty_piece(await self._store.load(FILE_PIECES.name, piece) or new_document(piece))

        await retrying(once, self._runtime, (Conflict,))

    async def _looked_at(self, document: Document, state: StoredFile, owner: bytes) -> StoredFile:
        """Kept, or refused and destroyed, by what is in it."""
        held = _held(document, state, owner)
        inspection, mac = Inspection(state.media_type), _mac(held.key)
        async for part in self.content(held):
            await self._runtime.in_pool(partial(inspection.take, part))
            mac.update(part)
        problem = inspection.refused()
        if problem is not None:
            refused = await self._destroyed(document, state, "refused", problem.rule)
            await self._empty(refused)
            return _state(refused)
        kept = state.model_copy(update={"status": "kept", "kept_at": self._runtime.now()})
        private = {**document["private"], "digest": mac.hexdigest()}
        await self._save({**document, "private": private}, kept)
        return kept

    async def _destroyed(self, document: Document, state: StoredFile, status: str, rule: str | None) -> Document:
        after = state.model_copy(update={"status": status, "rule": rule, "touched_at": self._runtime.now()})
        coming = {COMING: document["private"].get(COMING)}
        return await self._save({**document, "private": coming}, after)

    async def _empty(self, document: Document) -> None:
        id, coming = document["_id"], document["private"].get(COMING)
        if coming is not None:
            await self._shut(coming)
        while pieces := await self._store.find(FILE_PIECES.name, "file", id, limit=PIECES_AT_ONCE):
            for piece in pieces:
                await self._empty_piece(piece)
        state = _state(document)
        if not state.emptied:
            await self._save({**document, "private": {}}, state.model_copy(update={"emptied": True}))

    async def _empty_pieces(self, names: Sequence[str]) -> None:
        for name in names:
            if (found := await self._store.load(FILE_PIECES.name, name)) is not None:
                await self._empty_piece(found)

    async def _empty_piece(self, piece: Document) -> None:
        emptied = {**piece, "version": piece["version"] + 1, "state": None, "private": {}}
        await self._store.save(FILE_PIECES.name, emptied, piece["version"])

    async def _piece(self, held: Held, number: int, piece: str) -> bytes:
        found = await self._store.load(FILE_PIECES.name, piece)
        if found is None or "sealed" not in found["private"]:
            document, _ = await self._load(held.id)
            # Somebody else began it anew or removed it meanwhile.
            raise Conflict if document["version"] != held.version else SealBroken
        return open_bytes(held.key, found["private"]["sealed"], person=held.id, field=f"piece {number}")

    async def _load(self, id: str) -> tuple[Document, StoredFile]:
        document = await self._store.load(FILES.name, id)
        if document is None:
            raise Refusal("not_found", status=404)
        return document, _state(document)

    async def _save(self, document: Document, state: StoredFile) -> Document:
        """Its timer follows from the state: what is unfinished ends, and what has ended is emptied at once."""
        ends = state.until if state.status in ("receiving", "refused") else None
        waits = ends if state.counts or state.emptied else state.touched_at
        saved = {
            **document,
            "version": document["version"] + 1,
            "state": state.model_dump(mode="json"),
            "timed": waits is not None,
            "next_at": text_of(waits) if waits is not None else None,
        }
        await self._store.save(FILES.name, saved, document["version"])
        return saved


def _state(document: Mapping[str, Any]) -> StoredFile:
    return StoredFile.model_validate(document["state"])


def _held(document: Document, state: StoredFile, owner: bytes) -> Held:
    id, private = document["_id"], document["private"]
    if "key" not in private:
        raise Refusal(ENDED, status=410)
    key = base64.b64decode(open_sealed(_of_files(owner), private["key"], person=id, field="key"))
    name = open_sealed(key, private["name"], person=id, field="name")
    return Held(id, state, key, name, tuple(private["pieces"]), private.get("digest"), document["version"])


def _of_files(owner: bytes) -> bytes:
    return derived_key(owner, FILES_PURPOSE)


def _mac(key: bytes) -> hmac.HMAC:
    """Keyed, so that nobody can find out by a guess which file it is; its key dies with the file's."""
    return hmac.new(derived_key(key, "digest"), digestmod=hashlib.sha256)
