"""What a job holds: its body and its files, sealed under the key of the day on which it was asked for.

A file is a list of pieces, which are documents of their own. The job's document names those that count, in the save
that moves its cursor: what a chunk wrote before it was cut off, or beside another replica, is nobody's.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import Any

from shared.clock import Runtime, retrying, text_of
from shared.errors import Conflict, Refusal, SankofaError, Unavailable
from shared.identity.keys import Keys
from shared.identity.sealing import SealBroken, open_bytes, open_sealed, seal, seal_bytes
from shared.jobs.documents import JOB_PIECES, JOBS
from shared.store.documents import slot_of
from shared.store.paging import every
from shared.store.port import Document, Store
from shared.telemetry.observability import logger

PIECE_BYTES_AT_MOST = 1_048_576
# A workbook of 20,000 rows, and what is written of it, is a tenth of it.
CONTENT_BYTES_AT_MOST = 128 * 1_048_576
# Pieces are long: so many are in memory while they are emptied.
AT_ONCE = 8
RETIRE_EVERY_SECONDS = 3_600.0
# The pieces of files in order, each as the name of its file, its id and its bytes.
Manifest = list[list[Any]]
_BODY = "body"
_PIECE_ID_BYTES = 16


class ContentGone(SankofaError):
    """The day's key was destroyed, or is in no folder of keys that this process has."""


class JobKeys:
    """One service's keys of days on which jobs were asked for."""

    def __init__(self, service: str, keys: Keys, runtime: Runtime, store: Store) -> None:
        self._service = service
        self._keys = keys
        self._runtime = runtime
        self._store = store

    def of(self, day: str) -> bytes:
        """Raises ContentGone for a past day without a key."""
        if day != self._today() and day not in self._keys.job_days(self._service):
            raise ContentGone
        return self._keys.job_day_key(self._service, day)

    def _today(self) -> str:
        return text_of(self._runtime.now())[:10]

    async def run(self) -> None:
        while True:
            await self._runtime.sleep(RETIRE_EVERY_SECONDS)
            try:
                await self.retire()
            except Unavailable as error:
                logger.warning("job_keys_wait", error=type(error).__name__)

    async def retire(self) -> None:
        """Destroys the key of each past day of whose jobs none holds anything. Raises Unavailable."""
        # Yesterday's key may still be in use by a replica whose clock is a little behind.
        yesterday = text_of(self._runtime.now() - timedelta(days=1))[:10]
        for day in self._keys.job_days(self._service):
            if day < yesterday and not await self._store.count(JOBS.name, "day", day, at_most=1):
                self._keys.destroy_job_day(self._service, day)


def sealed_body(key: bytes, id: str, body: Mapping[str, Any], runtime: Runtime) -> str:
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return seal(key, text, person=id, field=_BODY, rng=runtime.rng)


def opened_body(key: bytes, document: Document) -> Any:
    """Raises SealBroken."""
    return json.loads(open_sealed(key, document["body"], person=document["_id"], field=_BODY))


class Content:
    """The files of one job."""

    def __init__(self, id: str, key: bytes, manifest: Manifest, store: Store, runtime: Runtime) -> None:
        self._id = id
        self._key = key
        self._store = store
        self._runtime = runtime
        self._files: dict[str, list[tuple[str, int]]] = {}
        for name, piece, size in manifest:
            self._files.setdefault(name, []).append((piece, size))

    @property
    def manifest(self) -> Manifest:
        """As the job's document keeps it."""
        return [[name, piece, size] for name, pieces in self._files.items() for piece, size in pieces]

    async def append(self, name: str, content: bytes) -> None:
        """One more piece at the file's end, 1 MiB at most; it counts with the save of the chunk that wrote it.

        Refusal `too_large` (413) where the job would hold more than 128 MiB; raises Unavailable, UnknownOutcome.
        """
        if len(content) > PIECE_BYTES_AT_MOST:
            raise ValueError("more than a piece holds")
        if self.size() + len(content) > CONTENT_BYTES_AT_MOST:
            raise Refusal("too_large", "no more than a job holds", status=413)
        pieces = self._files.setdefault(name, [])
        id = f"{self._id}.{self._runtime.rng.randbytes(_PIECE_ID_BYTES).hex()}"
        sealed = seal_bytes(self._key, content, person=self._id, field=_place(name, len(pieces)), rng=self._runtime.rng)
        await self._store.save(JOB_PIECES.name, self._piece(id, sealed), 0)
        pieces.append((id, len(content)))

    def pieces(self, name: str) -> int:
        return len(self._files.get(name, ()))

    def size(self, name: str | None = None) -> int:
        """Bytes of the file, or of all of them."""
        named = self._files.values() if name is None else [self._files.get(name, [])]
        return sum(size for pieces in named for _, size in pieces)

    async def piece(self, name: str, number: int) -> bytes:
        """Raises SealBroken for one that is gone or was changed, Unavailable."""
        found = await self._store.load(JOB_PIECES.name, self._files[name][number][0])
        if found is None or found["sealed"] is None:
            raise SealBroken
        return open_bytes(self._key, found["sealed"], person=self._id, field=_place(name, number))

    async def read(self, name: str) -> AsyncIterator[bytes]:
        """The file piece by piece. Raises as `piece`."""
        for number in range(self.pieces(name)):
            yield await self.piece(name, number)

    def _piece(self, id: str, sealed: str) -> Document:
        return JOB_PIECES.indexed({"_id": id, "version": 1, "slot": slot_of(id), "job": self._id, "sealed": sealed})


def _place(name: str, number: int) -> str:
    return f"{name} {number}"


async def empty(store: Store, runtime: Runtime, job: str, kept: Manifest) -> None:
    """Empties the job's pieces but those that are kept. Raises Unavailable, UnknownOutcome."""
    stand = {id for _, id, _ in kept}
    async for piece in every(store, JOB_PIECES.name, "job", job, at_once=AT_ONCE):
        if piece["_id"] not in stand:
            await empty_piece(store, runtime, piece["_id"])


async def empty_piece(store: Store, runtime: Runtime, id: str) -> None:
    """Nothing is in the piece from then on; done again it does nothing. Raises Unavailable, UnknownOutcome."""

    async def once() -> None:
        piece = await store.load(JOB_PIECES.name, id)
        if piece is None or piece["sealed"] is None:
            return
        emptied = {**piece, "version": piece["version"] + 1, "sealed": None}
        await store.save(JOB_PIECES.name, JOB_PIECES.indexed(emptied), piece["version"])

    await retrying(once, runtime, (Conflict,))
