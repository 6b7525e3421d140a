"""Narrowed lists over each store adapter: what a filter finds is what reading everything would, page after page."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

import pytest

from services.matching.domain.matches import MATCH
from services.matching.store import MATCHES
from services.placement.domain.placements import PLACEMENT
from services.placement.store import PLACEMENTS
from services.registration.domain.experts import EXPERT
from services.registration.store import EXPERTS, INSTITUTIONS
from shared.cases.case import Case
from shared.store import narrowing
from shared.store.collection import Collection, belongs
from shared.store.narrowing import narrowed, read
from shared.store.port import Document, Store
from shared.store.relations import value_at
from tests.contract.store_cases import Open, case

pytest_plugins = ["tests.contract.store_adapters"]

PROGRAMMES = {"health": ("kabul", "herat"), "water": ("kabul", "tbilisi")}
CASES: tuple[tuple[Case[Any], Collection], ...] = (
    (EXPERT, EXPERTS.collection),
    (MATCH, MATCHES.collection),
    (PLACEMENT, PLACEMENTS.collection),
)


def documents(of: Case[Any], many: int = 60) -> Iterator[Document]:
    chance = random.Random(of.name)
    for number in range(many):
        office = chance.choice(["kabul", "herat", "tbilisi"])
        programme = chance.choice([one for one, offices in PROGRAMMES.items() if office in offices])
        named = {
            "office": office,
            "programme": programme,
            **{name: f"{name}-{chance.randrange(3)}" for name in ("person", "assignment", "institution")},
        }
        state = {
            "status": chance.choice(of.statuses[:3]),
            "match": f"match-{number}",
            **dict.fromkeys(("registered_at", "opened_at"), f"2026-01-{chance.randrange(1, 28):02d}"),
            **(named if of is EXPERT else {"parties": named}),
        }
        yield case(f"{of.name}-{chance.randrange(10**9):09d}", state=state)


def questions(of: Case[Any]) -> Iterator[Mapping[str, str]]:
    """Every filter alone, and each with a status and a programme."""
    values: dict[str, list[str]] = {name: ["", f"{name}-1"] for name in of.filters}
    values |= {"status": ["", of.statuses[1]], "programme": ["", "health"]}
    for chosen in product(*values.values()):
        yield {name: value for name, value in zip(values, chosen, strict=True) if value}


def read_as(of: Case[Any], relation: str, document: Document, name: str) -> Any:
    """The value as the list's reader sees it: whom a case is about does not see every state."""
    value = value_at(document, name)
    return of.veiled.get(value, value) if (name, relation) == ("status", "own") else value


async def pages(
    store: Store, collection: str, where: narrowing.Listed, limit: int, *, descending: bool = False
) -> list[str]:
    found, after = list[str](), None
    for _ in range(200):
        page, after = await read(store, collection, where, after, limit, descending=descending)
        assert len(page) <= limit
        found += [document["_id"] for document in page]
        if after is None:
            return found
    raise AssertionError("no end")


@pytest.mark.parametrize(("of", "collection"), CASES, ids=lambda one: one.name)
async def test_a_filter_finds_what_reading_all_would_find_once_in_the_lists_order(
    of: Case[Any], collection: Collection, open_store: Open
) -> None:
    store = await open_store((collection,))
    for document in documents(of):
        await store.save(of.name, collection.indexed(document), 0)
    stored = [document async for document in store.scan(of.name)]
    places = {document["_id"]: document["ix"]["office"]["o"] for document in stored}
    hits: Counter[str] = Counter()
    relations = {"office": "kabul", "own": "person-0", "institution": "institution-2", "all": "all"}
    for relation, equals in ((one, value) for one, value in relations.items() if one in collection.indexes):
        for asked in questions(of):
            where = narrowed(of, relation, equals, asked, PROGRAMMES)
            mine = [one for one in stored if belongs(one, relation, equals)]
            right = [
                one["_id"] for one in mine if all(read_as(of, relation, one, name) == asked[name] for name in asked)
            ]
            for limit in (2, 50):
                found = await pages(store, of.name, where, limit)
                assert found == sorted(right, key=places.__getitem__), (relation, asked, limit)
            backwards = await pages(store, of.name, where, 3, descending=True)
            assert backwards == sorted(right, key=places.__getitem__, reverse=True), (relation, asked)
            hits[relation] += len(right) if asked else 0
    assert all(hits[relation] for relation in relations if relation in collection.indexes)


async def test_a_long_look_ends_and_the_next_page_goes_on_from_there(
    open_store: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is read through has a bound for each request; a page may be empty, and still is not the last one."""
    monkeypatch.setattr(narrowing, "LOOKED_AT_MOST", 7)
    store = await open_store((MATCHES.collection,))
    for document in documents(MATCH):
        await store.save(MATCH.name, MATCHES.collection.indexed(document), 0)
    where = narrowed(MATCH, "own", "person-0", {"status": MATCH.statuses[1]}, PROGRAMMES)
    right = [one async for one in store.scan(MATCH.name) if belongs(one, "own", "person-0")]
    wanted = {one["_id"] for one in right if one["state"]["status"] == MATCH.statuses[1]}
    first, after = await read(store, MATCH.name, where, None, 50)
    assert len(right) > 7
    assert after is not None
    assert len(first) <= 7
    assert set(await pages(store, MATCH.name, where, 50)) == wanted


async def test_a_document_that_moves_on_is_found_under_its_new_status_alone(open_store: Open) -> None:
    store = await open_store((EXPERTS.collection,))
    document = next(iter(documents(EXPERT)))
    before, after = EXPERT.statuses[:2]
    for version, status in enumerate((before, after), 1):
        state = {**document["state"], "status": status}
        changed = EXPERTS.collection.indexed({**document, "state": state, "version": version})
        await store.save("experts", changed, version - 1)
    office = document["state"]["office"]
    for relation, equals in (("office", office), ("all", "all"), ("own", document["state"]["person"])):
        for status, many in ((before, 0), (after, 1)):
            where = narrowed(EXPERT, relation, equals, {"status": status}, PROGRAMMES)
            assert len((await read(store, "experts", where, None, 10))[0]) == many, (relation, status)


@pytest.mark.parametrize("adapter", ["file", pytest.param("pymongo", marks=pytest.mark.real)])
async def test_what_stood_before_the_filters_is_found_by_them_after_the_next_start(open_store: Open) -> None:
    """Lists of a store whose documents were saved by code without filters."""
    plain = {name: index for name, index in EXPERTS.collection.indexes.items() if name in ("all", "own")}
    store = await open_store((Collection("experts", plain),))
    document = next(iter(documents(EXPERT)))
    await store.save("experts", Collection("experts", plain).indexed(document), 0)
    await store.stop()
    store = await open_store((EXPERTS.collection,))
    asked = {"status": document["state"]["status"]}
    where = narrowed(EXPERT, "office", document["state"]["office"], asked, PROGRAMMES)
    assert len((await read(store, "experts", where, None, 10))[0]) == 1


def entries(collection: Collection, document: Document) -> int:
    return sum(len(entry["e"]) for entry in collection.indexed(document)["ix"].values())


def test_a_registration_writes_five_entries_and_a_decision_on_it_moves_one() -> None:
    """Index rows are disk: beside own, office and everybody's two, of which a change of status moves the last one."""
    document = next(iter(documents(EXPERT)))
    assert entries(EXPERTS.collection, document) == 5
    moved = {**document, "state": {**document["state"], "status": EXPERT.statuses[-1]}}
    before, after = (EXPERTS.collection.indexed(one)["ix"] for one in (document, moved))
    changed = {name: set(after[name]["e"]) - set(before[name]["e"]) for name in after}
    assert {name: len(texts) for name, texts in changed.items() if texts} == {"office": 1}
    institution = {"status": "proposed", "office": "kabul", "account": "a", "registered_at": "2026-01-01"}
    assert entries(INSTITUTIONS.collection, case("i", state=institution)) == 4
