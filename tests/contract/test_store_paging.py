"""Every document of an index, a page at a time, whatever becomes of the documents meanwhile: on every adapter."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest

from shared.store.collection import SEPARATOR
from shared.store.paging import every
from shared.store.port import Document, Store
from tests.contract.store_cases import case

pytest_plugins = ["tests.contract.store_adapters"]

DAYS, STOOD, AT_ONCE = 7, 40, 5


async def changed(store: Store, id: str, **fields: Any) -> None:
    """The document with other fields; None takes one away."""
    document = await store.load("cases", id)
    assert document is not None
    said = {name: value for name, value in {**document, **fields}.items() if value is not None}
    await store.save("cases", said | {"version": document["version"] + 1}, document["version"])


async def ids_of(store: Store, at_once: int = AT_ONCE) -> list[str]:
    return [one["_id"] async for one in every(store, "cases", "office", "x", at_once=at_once)]


@pytest.mark.parametrize("at_once", [1, 4, 5, 6, 10, 100])
async def test_every_document_comes_once_in_the_order_of_the_index(store: Store, at_once: int) -> None:
    assert await ids_of(store, at_once) == []
    # By their ids they stand the other way round, and two of one day by their ids.
    documents = [case(f"d{9 - n}", office="x", at=f"2026-01-0{1 + n // 2}") for n in range(10)]
    await store.append("cases", [*documents, case("other", office="y"), case("none")])
    assert await ids_of(store, at_once) == ["d8", "d9", "d6", "d7", "d4", "d5", "d2", "d3", "d0", "d1"]


@pytest.mark.parametrize("leaves", [{"office": None}, {"office": "y"}])
async def test_each_may_be_taken_out_as_it_comes(store: Store, leaves: dict[str, Any]) -> None:
    await store.append("cases", [case(f"d{n:02}", office="x", at=f"{n % 3}") for n in range(17)])
    seen = []
    async for one in every(store, "cases", "office", "x", at_once=AT_ONCE):
        seen.append(one["_id"])
        await changed(store, one["_id"], **leaves)
    assert Counter(seen) == {f"d{n:02}": 1 for n in range(17)}
    assert await ids_of(store) == []


async def test_what_the_taker_does_to_a_document_moves_no_page(store: Store) -> None:
    await store.append("cases", [case(f"d{n:02}", office="x") for n in range(12)])
    seen = []
    async for one in every(store, "cases", "office", "x", at_once=AT_ONCE):
        seen.append(one["_id"])
        one.clear()
    assert seen == [f"d{n:02}" for n in range(12)]


async def test_what_is_gone_before_its_page_is_read_does_not_come(store: Store) -> None:
    await store.append("cases", [case(f"d{n}", office="x") for n in range(9)])
    seen = []
    async for one in every(store, "cases", "office", "x", at_once=3):
        seen.append(one["_id"])
        if one["_id"] == "d2":
            await changed(store, "d4", office=None)
    assert seen == ["d0", "d1", "d2", "d3", "d5", "d6", "d7", "d8"]


@pytest.mark.parametrize("seed", range(6))
async def test_nothing_that_stands_is_skipped_and_nothing_comes_twice(store: Store, seed: int) -> None:
    """Whoever takes the documents, and others, write between any two of them: into the pages read and those to come."""
    rng, stood = random.Random(seed), {f"s{n:03}" for n in range(STOOD)}
    await store.append("cases", [case(id, office="x", at=str(rng.randrange(DAYS))) for id in sorted(stood)])
    seen: list[Document] = []
    left: list[str] = []
    written = Counter[str]()
    async for one in every(store, "cases", "office", "x", at_once=rng.choice((1, 3, AT_ONCE, STOOD))):
        seen.append(one)
        for _ in range(rng.randrange(4) if len(seen) < 3 * STOOD else 0):
            written[await _meanwhile(store, rng, stood, left, f"new{len(seen)}-{rng.randrange(10**6)}")] += 1
    counts = Counter(one["_id"] for one in seen)
    assert set(counts.values()) == {1}
    assert stood <= set(counts)
    places = [f"{one['at']}{SEPARATOR}{one['_id']}" for one in seen]
    assert places == sorted(places)
    assert set(written) == {"out", "back", "changed", "new"}


async def _meanwhile(store: Store, rng: random.Random, stood: set[str], left: list[str], id: str) -> str:
    """One write of somebody else, and what it was."""
    match rng.randrange(4):
        case 0 if len(stood) > STOOD // 2:
            gone = rng.choice(sorted(stood))
            stood.discard(gone)
            left.append(gone)
            await changed(store, gone, office=None)
            return "out"
        case 1 if left:
            # To the place that it had.
            await changed(store, left.pop(rng.randrange(len(left))), office="x")
            return "back"
        case 2:
            await changed(store, rng.choice(sorted(stood)), noted=id)
            return "changed"
    await store.append("cases", [case(id, office="x", at=str(rng.randrange(DAYS)))])
    return "new"
