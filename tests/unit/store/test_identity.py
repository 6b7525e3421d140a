"""A store names the identity key that its ids were made with, and opens for no other."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator

import pytest

from shared.clock import RealRuntime
from shared.errors import SettingsError
from shared.identity.keys import Keys
from shared.store.collection import Collection
from shared.store.documents import new_document
from shared.store.identity import check_identity
from shared.store.local import LocalStore

META, PERSONS = Collection("meta"), Collection("persons")
COLLECTIONS = (META.name, PERSONS.name)


def keys(seed: int) -> Keys:
    return Keys.in_memory(random.Random(seed))


@pytest.fixture
async def store() -> AsyncIterator[LocalStore]:
    opened = LocalStore(None, (META, PERSONS), RealRuntime())
    await opened.start()
    yield opened
    await opened.stop()


async def check(store: LocalStore, own: Keys) -> None:
    await check_identity(store, META.name, (PERSONS.name,), own, "registration")


async def holds_a_person(store: LocalStore) -> None:
    await store.save(PERSONS.name, PERSONS.indexed({**new_document("p"), "version": 1}), 0)


async def test_an_empty_store_takes_the_key_and_knows_it_again(store: LocalStore) -> None:
    own = keys(1)
    await check(store, own)
    await holds_a_person(store)
    await check(store, own)
    mark = await store.load(META.name, "identity")
    assert mark is not None
    assert len(mark["fingerprint"]) == 16
    assert own.identity_key().hex() not in str(mark)


async def test_a_store_under_another_key_is_refused_in_one_line(store: LocalStore) -> None:
    own, other = keys(1), keys(2)
    await check(store, own)
    other.identity_key()
    with pytest.raises(SettingsError, match="under another identity key") as refused:
        await check(store, other)
    assert "\n" not in str(refused.value)


async def test_a_missing_key_is_named_and_no_other_one_made_in_its_place(store: LocalStore) -> None:
    await check(store, keys(1))
    lost = keys(2)
    with pytest.raises(SettingsError, match="is missing"):
        await check(store, lost)
    assert not lost.has_identity_key()


async def test_a_store_that_names_no_key_is_refused(store: LocalStore) -> None:
    await holds_a_person(store)
    with pytest.raises(SettingsError, match="before ids were keyed"):
        await check(store, keys(1))
    assert await store.load(META.name, "identity") is None


async def test_documents_of_an_earlier_form_are_refused_in_one_line(store: LocalStore) -> None:
    own = keys(1)
    await check(store, own)
    mark = await store.load(META.name, "identity")
    assert mark is not None
    del mark["form"]
    await store.save(META.name, {**mark, "version": 2}, 1)
    with pytest.raises(SettingsError, match="documents of form 1") as refused:
        await check(store, own)
    assert "\n" not in str(refused.value)
