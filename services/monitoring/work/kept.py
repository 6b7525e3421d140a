"""What periods were counted to and what statements say, each kept for good under its digest."""

from __future__ import annotations

import hashlib
from typing import TypeVar

from pydantic import BaseModel, ConfigDict

from services.monitoring.domain.counted import CountedPeriod
from services.monitoring.store import COUNTED, ISSUED
from shared.canonical import canonical_json
from shared.contracts.monitoring.statements import Digest, Signature, Statement
from shared.store.collection import Collection
from shared.store.documents import new_document
from shared.store.port import Store

T = TypeVar("T", bound=BaseModel)


def digest_of(counted: CountedPeriod) -> str:
    """SHA-256 of its canonical form, by which it is kept and verified."""
    return hashlib.sha256(canonical_json(counted.model_dump(mode="json"))).hexdigest()


class Signed(BaseModel):
    """A statement as it is sent, stored and verified; `frozen`: the digest of what had been counted for it."""

    model_config = ConfigDict(frozen=True)

    statement: Statement
    digest: Digest
    key_id: str
    signature: Signature
    frozen: Digest


class Kept:
    """Raises Unavailable and UnknownOutcome as the store does; the same content twice is kept once."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def keep_counted(self, counted: CountedPeriod) -> str:
        """Its digest."""
        digest = digest_of(counted)
        await self._keep(COUNTED, digest, counted)
        return digest

    async def counted(self, digest: str) -> CountedPeriod:
        return await self._load(COUNTED, digest, CountedPeriod)

    async def keep_signed(self, signed: Signed) -> None:
        await self._keep(ISSUED, signed.digest, signed)

    async def signed(self, digest: str) -> Signed:
        return await self._load(ISSUED, digest, Signed)

    async def _keep(self, collection: Collection, digest: str, content: BaseModel) -> None:
        document = new_document(digest)
        document["version"], document["state"] = 1, content.model_dump(mode="json", exclude_none=True)
        await self._store.append(collection.name, [collection.indexed(document)])

    async def _load(self, collection: Collection, digest: str, kind: type[T]) -> T:
        document = await self._store.load(collection.name, digest)
        if document is None:
            raise LookupError(f"nothing is kept under a digest that {collection.name} names")
        return kind.model_validate(document["state"])
