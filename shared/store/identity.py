"""A store names the identity key under which its ids were made and the form of its documents, and opens for no other
(kernel.md, section 10)."""

from __future__ import annotations

from collections.abc import Iterable

from shared.errors import Conflict, SettingsError, UnknownOutcome
from shared.identity.accounts import fingerprint_of
from shared.identity.keys import Keys
from shared.store.port import Document, Store

IDENTITY_ID = "identity"
# Raised when what stands in documents can no longer be read as it was written; such stores are refused, not migrated.
# 2: a case's number of events is in its state, whatever the case.
FORM = 2
ATTEMPTS = 5


async def check_identity(store: Store, meta: str, collections: Iterable[str], keys: Keys, service: str) -> None:
    """Names the key in a store that is still empty. `meta`: the collection of what the store says of itself.

    Raises SettingsError where the store names another key or none, where its key is missing, or where its documents are
    of another form; Unavailable, UnknownOutcome where the store does not answer.
    """
    for attempt in range(ATTEMPTS):
        named = await store.load(meta, IDENTITY_ID)
        if named is None and await _holds_any(store, collections):
            # Another replica may have named its key and begun between the two looks.
            named = await store.load(meta, IDENTITY_ID)
            if named is None:
                raise SettingsError(
                    f"the store of {service} was made before ids were keyed and cannot be used; begin with an empty one"
                )
        if named is not None:
            _compare(named, keys, service)
            return
        fingerprint = fingerprint_of(keys.identity_key())
        mark: Document = {"_id": IDENTITY_ID, "version": 1, "fingerprint": fingerprint, "form": FORM}
        try:
            await store.save(meta, mark, 0)
            return
        except (Conflict, UnknownOutcome):
            # The next look says who named which key.
            if attempt == ATTEMPTS - 1:
                raise


def _compare(named: Document, keys: Keys, service: str) -> None:
    if not keys.has_identity_key():
        raise SettingsError(
            f"the identity key of {service}'s store is missing: SANKOFA_KEYS needs its identity/account.key again"
        )
    if named["fingerprint"] != fingerprint_of(keys.identity_key()):
        raise SettingsError(
            f"the store of {service} was made under another identity key than identity/account.key in SANKOFA_KEYS"
        )
    if (form := named.get("form", 1)) != FORM:
        raise SettingsError(
            f"the store of {service} has documents of form {form}, and this version reads form {FORM} alone; begin with"
            " an empty one, or run the version that made it"
        )


async def _holds_any(store: Store, collections: Iterable[str]) -> bool:
    for name in collections:
        async for _ in store.scan(name):
            return True
    return False
