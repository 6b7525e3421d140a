"""An index that is declared over documents that stand: their entries are written at the next start, once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
import pytest_asyncio

from shared.store import building
from shared.store.collection import Collection, Index
from shared.store.documents import Declared
from shared.store.port import OUTBOX_INDEX, Document, Store
from tests.contract.store_cases import CASES, Open, case, unsent

pytest_plugins = ["tests.contract.store_adapters"]
Again = Callable[[Sequence[Collection]], Awaitable[Store]]


def area(document: Document) -> list[str]:
    return [document["area"]] if "area" in document else []


def with_index(equals: Callable[[Document], list[str]] = area, version: int = 1) -> Collection:
    return Collection("cases", {**CASES.indexes, "area": Index(equals, version=version)}, CASES.unique)


@pytest_asyncio.fixture
async def again(store: Store, open_store: Open, adapter: str) -> Again:
    """Stops the store and starts it with other declarations, as a new version of the code does."""
    last = store

    async def start(collections: Sequence[Collection]) -> Store:
        nonlocal last
        await last.stop()
        if adapter != "memory":
            last = await open_store(collections)
            return last
        # What is in memory is gone with its store, so the declarations change under it.
        last._declared = Declared(collections)  # type: ignore[attr-defined]
        await last.start()
        return last

    return start


def ids(documents: list[dict[str, Any]]) -> list[str]:
    return [document["_id"] for document in documents]


async def test_documents_that_stand_are_found_over_a_new_index(
    store: Store, again: Again, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "BATCH", 2)
    for number in range(7):
        fields = {"area": "north" if number % 2 else "south", "office": "kabul", "numbers": [f"n{number}"]}
        await store.save("cases", case(f"d{number}", **fields), 0)
    await store.save("cases", unsent("e", area="north"), 0)
    await store.save("cases", case("f"), 0)
    collection = with_index()
    newer = await again((collection,))
    assert ids(await newer.find("cases", "area", "north")) == ["d1", "d3", "d5", "e"]
    assert await newer.count("cases", "area", "south") == 4
    assert ids(await newer.find("cases", "area", "south", after="d2")) == ["d4", "d6"]
    assert ids(await newer.find("cases", OUTBOX_INDEX, "pending")) == ["e"]
    assert len(await newer.find("cases", "office", "kabul")) == 7
    for id, fields in (("d1", {"area": "north", "office": "kabul", "numbers": ["n1"]}), ("f", {})):
        assert await newer.load("cases", id) == collection.indexed(case(id, **fields))
    await newer.save("cases", case("d1", 2, area="south"), 1)
    assert ids(await newer.find("cases", "area", "north")) == ["d3", "d5", "e"]
    assert await newer.sent("cases", "e", 1)


async def test_an_index_of_another_version_is_built_anew_and_one_that_was_built_is_not(
    store: Store, again: Again
) -> None:
    await store.save("cases", case("a", area="north", tags=["t"]), 0)
    await store.save("cases", case("b", area="south"), 0)
    await again((with_index(),))
    asked: list[str] = []

    def counting(document: Document) -> list[str]:
        asked.append(document["_id"])
        return area(document)

    await again((with_index(counting),))
    assert asked == []

    def north_alone(document: Document) -> list[str]:
        return ["yes"] if document.get("area") == "north" else []

    newer = await again((with_index(north_alone, version=2),))
    assert ids(await newer.find("cases", "area", "yes")) == ["a"]
    assert await newer.find("cases", "area", "north") == await newer.find("cases", "area", "south") == []
    assert ids(await newer.find("cases", "tag", "t")) == ["a"]
    assert "area" not in ((await newer.load("cases", "b")) or {})["ix"]
    # Older code that is started once more leaves what newer code built.
    older = await again((with_index(),))
    assert ids(await older.find("cases", "area", "yes")) == ["a"]


async def test_what_a_crash_left_is_built_at_the_next_start(
    store: Store, again: Again, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "BATCH", 2)
    for number in range(9):
        await store.save("cases", case(f"d{number}", area="north"), 0)
    left = 6

    def failing(document: Document) -> list[str]:
        nonlocal left
        left -= 1
        if left < 0:
            raise RuntimeError
        return area(document)

    with pytest.raises(RuntimeError):
        await again((with_index(failing),))
    newer = await again((with_index(),))
    assert len(await newer.find("cases", "area", "north")) == 9
    assert {document["version"] async for document in newer.scan("cases")} == {1}


async def test_a_collection_that_is_new_has_nothing_to_build(again: Again) -> None:
    newer = await again((CASES, Collection("fresh", {"area": Index(area)})))
    await newer.save("fresh", {**case("a"), "area": "north"}, 0)
    assert ids(await newer.find("fresh", "area", "north")) == ["a"]
