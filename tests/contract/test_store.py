"""What every adapter of the store port does: one suite over SQLite in memory and on file, motor and PyMongo."""

from __future__ import annotations

import asyncio
import enum
import random
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.clock import instant_of
from shared.errors import Conflict, UniqueViolated, UnknownOutcome
from shared.store.collection import SEPARATOR, Collection, Index, belongs
from shared.store.documents import NotStorable, Undeclared, digest
from shared.store.local import LocalStore
from shared.store.port import OUTBOX_INDEX, TIMER_INDEX, Store
from tests.contract.store_cases import CASES, DRIVERS, Open, case, unsent

pytest_plugins = ["tests.contract.store_adapters"]


def ids(documents: list[dict[str, Any]]) -> list[str]:
    return [document["_id"] for document in documents]


class Colour(enum.StrEnum):
    RED = "red"


async def test_a_saved_document_is_loaded_as_it_was(store: Store) -> None:
    document = case("a", office="dakar", numbers=["n1"], state={"deep": [{"x": None, "y": True}]})
    await store.save("cases", document, 0)
    assert await store.load("cases", "a") == CASES.indexed(document)
    assert await store.load("cases", "b") is None
    assert await store.load("others", "a") is None


async def test_what_was_loaded_or_saved_is_the_callers_own(store: Store) -> None:
    document = case("a", state={"list": [1]})
    await store.save("cases", document, 0)
    document["state"]["list"].append(2)
    loaded = await store.load("cases", "a")
    assert loaded is not None
    loaded["state"]["list"].append(3)
    again = await store.load("cases", "a")
    assert again is not None
    assert again["state"] == {"list": [1]}


async def test_a_save_replaces_the_whole_document(store: Store) -> None:
    await store.save("cases", case("a", office="dakar", numbers=["n1"], gone=1), 0)
    await store.save("cases", case("a", 2, tags=["x"]), 1)
    assert await store.load("cases", "a") == CASES.indexed(case("a", 2, tags=["x"]))
    assert await store.find("cases", "office", "dakar") == []
    assert ids(await store.find("cases", "tag", "x")) == ["a"]
    await store.save("cases", case("b", numbers=["n1"]), 0)


async def test_documents_are_found_by_what_their_ids_begin_with(store: Store) -> None:
    """As people write a reference: eight characters of it, or more."""
    tails = ("0000-5000-8000-000000000000", "0a2b-5111-8111-111111111111", "ffff-5fff-bfff-ffffffffffff")
    among = [f"1a2b3c4d-{tail}" for tail in tails]
    beside = ["1a2b3c4c-ffff-5fff-bfff-ffffffffffff", "1a2b3c4e-0000-5000-8000-000000000000", "1a2b3c4d"]
    for id in (*among, *beside):
        await store.save("cases", case(id, office="x"), 0)
    assert ids(await store.beginning("cases", "1a2b3c4d")) == among
    assert ids(await store.beginning("cases", "1a2b3c4d", limit=2)) == among[:2]
    assert ids(await store.beginning("cases", "1a2b3c4d-0a")) == among[1:2]
    assert ids(await store.beginning("cases", among[2])) == among[2:]
    assert ids(await store.beginning("others", "1a2b3c4d")) == []
    assert ids(await store.beginning("cases", "00000000")) == []
    for wrong in ("", "1a2b3c4", "1a2b3c4g", "1A2B3C4D", f"{among[0]}0", "1a2b3c4d0"):
        with pytest.raises(ValueError, match="no UUID"):
            await store.beginning("cases", wrong)


@pytest.mark.parametrize("expected", [0, 2, 7])
async def test_another_version_than_the_expected_is_a_conflict(store: Store, expected: int) -> None:
    await store.save("cases", case("a"), 0)
    with pytest.raises(Conflict):
        await store.save("cases", case("a", expected + 1, office="x"), expected)
    assert await store.load("cases", "a") == CASES.indexed(case("a"))
    assert await store.count("cases", "office", "x") == 0


async def test_a_missing_document_conflicts_with_an_expected_version(store: Store) -> None:
    with pytest.raises(Conflict):
        await store.save("cases", case("a", 2), 1)
    assert await store.load("cases", "a") is None


async def test_of_200_concurrent_writers_on_one_version_one_wins(
    open_store: Open, motor_workers: None, in_flight: Any, adapter: str
) -> None:
    store = await open_store(options="&maxPoolSize=220&waitQueueTimeoutMS=60000")
    await store.save("cases", case("a"), 0)
    await asyncio.gather(*(store.load("cases", "a") for _ in range(200)))
    in_flight.peak = 0
    version, enough = 1, 100 if adapter in DRIVERS else 0
    # How many of the 200 overlap on the wire depends on the machine's load, so it gets more rounds to show it.
    while version <= 3 or (in_flight.peak < enough and version <= 15):
        writes = (store.save("cases", case("a", version + 1, writer=w), version) for w in range(200))
        answers = await asyncio.gather(*writes, return_exceptions=True)
        winners = [writer for writer, answer in enumerate(answers) if answer is None]
        assert Counter(type(answer) for answer in answers) == {type(None): 1, Conflict: 199}
        document = await store.load("cases", "a")
        assert document is not None
        assert (document["version"], document["writer"]) == (version + 1, winners[0])
        version += 1
    if adapter in DRIVERS:
        assert in_flight.peak >= 30


async def test_of_200_concurrent_creators_one_wins(open_store: Open, motor_workers: None) -> None:
    store = await open_store(options="&maxPoolSize=220&waitQueueTimeoutMS=60000")
    answers = await asyncio.gather(
        *(store.save("cases", case("a", writer=w), 0) for w in range(200)), return_exceptions=True
    )
    assert Counter(type(answer) for answer in answers) == {type(None): 1, Conflict: 199}
    document = await store.load("cases", "a")
    assert document is not None
    assert document["writer"] == answers.index(None)


async def test_of_100_concurrent_holders_of_one_key_one_wins(open_store: Open, motor_workers: None) -> None:
    store = await open_store(options="&maxPoolSize=220&waitQueueTimeoutMS=60000")
    answers = await asyncio.gather(
        *(store.save("cases", case(f"d{w}", numbers=["same"]), 0) for w in range(100)), return_exceptions=True
    )
    assert Counter(type(answer) for answer in answers) == {type(None): 1, UniqueViolated: 99}
    assert len([document async for document in store.scan("cases")]) == 1


async def test_a_unique_key_belongs_to_one_document(store: Store) -> None:
    await store.save("cases", case("a", numbers=["n1", "n2"]), 0)
    await store.save("cases", case("b", numbers=["n3"]), 0)
    with pytest.raises(UniqueViolated) as created:
        await store.save("cases", case("c", office="x", numbers=["n0", "n2"]), 0)
    assert created.value.key == "n2"
    with pytest.raises(UniqueViolated):
        await store.save("cases", case("b", 2, office="x", numbers=["n3", "n1"]), 1)
    assert await store.load("cases", "c") is None
    assert await store.load("cases", "b") == CASES.indexed(case("b", numbers=["n3"]))
    assert await store.count("cases", "office", "x") == 0
    await store.save("cases", case("a", 2, numbers=["n2"]), 1)
    await store.save("cases", case("c", numbers=["n0", "n1"]), 0)


async def test_documents_without_a_unique_key_do_not_meet(store: Store) -> None:
    for id in ("a", "b"):
        await store.save("cases", case(id), 0)
        await store.save("others", case(id), 0)


async def test_refused_saves_do_not_spoil_those_beside_them(store: Store) -> None:
    await store.save("cases", case("old", numbers=["n"]), 0)
    answers = await asyncio.gather(
        *(store.save("cases", case(f"good{n}", office="x"), 0) for n in range(20)),
        *(store.save("cases", case("old", 9), 8) for _ in range(20)),
        *(store.save("cases", case(f"bad{n}", office="x", numbers=["n"]), 0) for n in range(20)),
        *(store.save("cases", case(f"more{n}", office="x"), 0) for n in range(20)),
        return_exceptions=True,
    )
    assert Counter(type(answer) for answer in answers) == {type(None): 40, Conflict: 20, UniqueViolated: 20}
    assert await store.count("cases", "office", "x") == 40


async def test_append_says_of_each_document_whether_it_was_written(store: Store) -> None:
    await store.save("cases", case("old", text="first"), 0)
    batch = [case("n1", tags=["t"]), case("old", text="second"), case("n2"), case("n1", text="again")]
    assert await store.append("cases", batch) == ["written", "existed", "written", "existed"]
    assert await store.append("cases", batch) == ["existed"] * 4
    assert await store.append("cases", []) == []
    assert await store.load("cases", "old") == CASES.indexed(case("old", text="first"))
    assert await store.load("cases", "n1") == CASES.indexed(case("n1", tags=["t"]))
    assert ids(await store.find("cases", "tag", "t")) == ["n1"]


async def test_two_batches_at_once_write_each_document_once(store: Store) -> None:
    batch = [case(f"d{n}") for n in range(50)]
    answers = await asyncio.gather(*(store.append("cases", batch) for _ in range(4)))
    for place in range(50):
        assert Counter(answer[place] for answer in answers) == {"written": 1, "existed": 3}


async def test_any_other_error_makes_the_batch_unknown(store: Store) -> None:
    await store.save("cases", case("a", numbers=["n"]), 0)
    with pytest.raises(UnknownOutcome):
        await store.append("cases", [case("b"), case("c", numbers=["n"])])
    assert await store.load("cases", "c") is None


async def test_what_passes_is_there_until_it_is_none(store: Store) -> None:
    """A field that is long while it stands: saved, appended, found, changed and gone like any other."""
    await store.save("cases", case("a", office="x", letter="first", answer=None), 0)
    assert await store.append("cases", [case("b", office="x", letter="other", answer={"n": 1})]) == ["written"]
    assert await store.append("cases", [case("b", office="x", letter="again")]) == ["existed"]
    assert [one["letter"] for one in await store.find("cases", "office", "x")] == ["first", "other"]
    changed = unsent("a", 2, office="x", letter="second", answer="yes")
    await store.save("cases", changed, 1)
    with pytest.raises(Conflict):
        await store.save("cases", case("a", 3, letter="late"), 1)
    assert await store.load("cases", "a") == CASES.indexed(changed)
    assert await store.sent("cases", "a", 2)
    assert await store.load("cases", "a") == CASES.indexed(case("a", 2, office="x", letter="second", answer="yes"))
    ended = case("a", 3, office="x", letter=None)
    await store.save("cases", ended, 2)
    assert await store.load("cases", "a") == CASES.indexed(ended)
    assert {one["_id"]: one["letter"] async for one in store.scan("cases")} == {"a": None, "b": "other"}


async def test_sent_empties_the_outbox_of_that_very_version(store: Store) -> None:
    await store.save("cases", unsent("a", office="x"), 0)
    await store.save("cases", unsent("a", 2, office="x"), 1)
    assert ids(await store.find("cases", OUTBOX_INDEX, "pending")) == ["a"]
    assert not await store.sent("cases", "a", 1)
    assert not await store.sent("cases", "a", 3)
    assert not await store.sent("cases", "missing", 1)
    assert await store.load("cases", "a") == CASES.indexed(unsent("a", 2, office="x"))
    assert await store.sent("cases", "a", 2)
    assert await store.load("cases", "a") == CASES.indexed(case("a", 2, office="x"))
    assert await store.find("cases", OUTBOX_INDEX, "pending") == []
    assert ids(await store.find("cases", "office", "x")) == ["a"]
    assert await store.sent("cases", "a", 2)
    await store.save("cases", unsent("a", 3), 2)
    assert await store.count("cases", OUTBOX_INDEX, "pending") == 1


async def test_sent_and_saves_at_once_lose_no_event(store: Store) -> None:
    """Whoever comes first: the outbox is emptied at the old version or stands at the new one."""
    for round_ in range(10):
        await store.save("cases", unsent(f"d{round_}"), 0)
        two = unsent(f"d{round_}", 2)
        emptied, _ = await asyncio.gather(store.sent("cases", f"d{round_}", 1), store.save("cases", two, 1))
        assert isinstance(emptied, bool)
        assert await store.load("cases", f"d{round_}") == CASES.indexed(two)


async def test_a_list_gives_an_entry_for_each_element(store: Store) -> None:
    await store.save("cases", case("a", tags=["x", "y", "x"]), 0)
    await store.save("cases", case("b", tags=["y"]), 0)
    assert ids(await store.find("cases", "tag", "x")) == ["a"]
    assert ids(await store.find("cases", "tag", "y")) == ["a", "b"]
    assert await store.count("cases", "tag", "x") == 1
    await store.save("cases", case("a", 2, tags=["z", "y"]), 1)
    assert await store.find("cases", "tag", "x") == []
    assert ids(await store.find("cases", "tag", "y")) == ["a", "b"]
    found = (await store.find("cases", "tag", "z"))[0]
    assert belongs(found, "tag", "z")
    assert not belongs(found, "tag", "x")


async def test_find_gives_the_declared_order_between_its_bounds(store: Store) -> None:
    days = ["2026-01-03", "2026-01-01", "2026-01-02", "2026-01-01"]
    for n, day in enumerate(days):
        await store.save("cases", case(f"d{n}", office="x", at=day), 0)
    await store.save("cases", case("other", office="y", at="2026-01-02"), 0)
    assert ids(await store.find("cases", "office", "x")) == ["d1", "d3", "d2", "d0"]
    assert ids(await store.find("cases", "office", "x", limit=2)) == ["d1", "d3"]
    assert ids(await store.find("cases", "office", "x", limit=0)) == []
    first = f"2026-01-01{SEPARATOR}d1"
    assert ids(await store.find("cases", "office", "x", after=first)) == ["d3", "d2", "d0"]
    assert ids(await store.find("cases", "office", "x", after=first, until="2026-01-03")) == ["d3", "d2"]
    assert ids(await store.find("cases", "office", "x", until=f"2026-01-02{SEPARATOR}d2")) == ["d1", "d3"]
    assert await store.count("cases", "office", "x") == 4
    assert [await store.count("cases", "office", "x", at_most=bound) for bound in (3, 4, 5)] == [3, 4, 4]
    assert ids(await store.find("cases", "office", "x", descending=True)) == ["d0", "d2", "d3", "d1"]
    last = ids(await store.find("cases", "office", "x", descending=True, until="2026-01-03", limit=2))
    assert last == ["d2", "d3"]
    assert ids(await store.find("cases", "office", "x", descending=True, after=first, until="2026-01-03")) == last
    assert await store.count("cases", "office", "nowhere") == 0


async def test_what_holds_something_due_is_among_what_is_searched(store: Store) -> None:
    both = ("others", "cases")
    await store.save("cases", {**case("late"), "timed": True, "next_at": "2026-01-03"}, 0)
    local = isinstance(store, LocalStore)
    for until, due in (("2026-01-04", ["cases"]), ("2026-01-03", []), ("2026-01-02", [])):
        found = await store.holding(both, TIMER_INDEX, "timed", until=until)
        assert found == (due if local else list(both)), until
    await store.save("others", {**case("soon"), "timed": True, "next_at": "2026-01-01"}, 0)
    assert await store.holding(both, TIMER_INDEX, "timed", until="2026-01-04") == list(both)
    assert await store.holding((), TIMER_INDEX, "timed", until="2026-01-04") == []
    with pytest.raises(Undeclared):
        await store.holding(("cases", "nowhere"), TIMER_INDEX, "timed", until="2026-01-04")


async def test_order_is_by_code_point_in_every_adapter(store: Store) -> None:
    texts = ["Z", "a", "é", "z", "Ω", "ﷺ", "𐍈", "10", "9", "A b"]
    for text in texts:
        await store.save("cases", case(f"id-{text}", tags=["t"]), 0)
    assert ids(await store.find("cases", "tag", "t")) == sorted(f"id-{text}" for text in texts)


async def test_a_page_misses_and_repeats_nothing_that_stands(store: Store) -> None:
    for n in range(120):
        await store.save("cases", case(f"s{n:03}", office="x", at=f"{n % 7}"), 0)
    stop = asyncio.Event()
    writes = 0

    async def write(rng: random.Random) -> None:
        nonlocal writes
        while not stop.is_set():
            n = rng.randrange(120)
            loaded = await store.load("cases", f"s{n:03}")
            assert loaded is not None
            try:
                await store.save("cases", loaded | {"version": loaded["version"] + 1, "n": writes}, loaded["version"])
                await store.append("cases", [case(f"new{writes}-{n}", office="x", at=f"{n % 7}")])
            except Conflict:
                pass
            writes += 1
            await asyncio.sleep(0)

    writers = [asyncio.create_task(write(random.Random(seed))) for seed in range(3)]
    while writes < 60:
        seen: list[str] = []
        after = None
        while page := await store.find("cases", "office", "x", after=after, until="7", limit=13):
            seen += ids(page)
            after = page[-1]["ix"]["office"]["o"]
            await asyncio.sleep(0)
        assert Counter(id for id in seen if id.startswith("s")) == {f"s{n:03}": 1 for n in range(120)}
    stop.set()
    await asyncio.gather(*writers)


async def test_scan_gives_every_document(store: Store) -> None:
    await store.append("cases", [case(f"d{n}", text="t" * 50) for n in range(1_203)])
    await store.save("others", case("else"), 0)
    assert sorted([d["_id"] async for d in store.scan("cases")]) == sorted(f"d{n}" for n in range(1_203))


async def test_only_what_is_declared_is_found(store: Store) -> None:
    await store.save("cases", case("a", office="x"), 0)
    with pytest.raises(Undeclared):
        await store.find("cases", "state", "x")
    with pytest.raises(Undeclared):
        await store.count("cases", "state", "x")
    for call in (store.load("nothing", "a"), store.save("nothing", case("a"), 0), store.sent("nothing", "a", 1)):
        with pytest.raises(Undeclared):
            await call
    settings = await store.settings()
    assert settings["indexes of cases"] == "office, outbox, tag, timer"


async def test_index_entries_are_written_by_the_declaration_alone(store: Store) -> None:
    forged = case("a", office="x") | {"ix": {"office": {"e": ["y"], "o": "a"}, "secret": {"e": ["z"], "o": "a"}}}
    await store.save("cases", forged | {"uq": ["n"]}, 0)
    assert await store.load("cases", "a") == CASES.indexed(case("a", office="x"))
    assert await store.count("cases", "office", "y") == 0
    await store.save("cases", case("b", numbers=["n"]), 0)


VALUES: dict[str, Any] = {
    "integers": [0, -1, 2**31, -(2**31) - 1, 2**53, 2**53 + 1, 2**63 - 1, -(2**63)],
    "numbers": [1.0, -0.5, 1e300, 5e-324, 0.1],
    "texts": ["", "nul\0inside", "\u0001", "é\u0301", "مرحبا", "𐍈", '"\\/\n', "\u2028"],
    "nested": {"list": [[], {}, [None, [True, False]]], "": {"key with space": 1, "emoji 🙂": 2}},
    "time": "2026-11-22T19:25:00.000001Z",
}
PINNED = "0865c968c92fdc6fa01453199823b7c04e4ba4ebecc9b6d66650bd914897ef17"


async def test_every_adapter_digests_a_document_alike(store: Store) -> None:
    document = case("a", office="x", numbers=["n"], values=VALUES)
    await store.save("cases", document, 0)
    loaded = await store.load("cases", "a")
    assert loaded == CASES.indexed(document)
    assert loaded is not None
    assert digest(loaded) == digest(CASES.indexed(document))
    assert digest(loaded) == PINNED
    assert [type(n) for n in loaded["values"]["integers"]] == [int] * 8
    changed = loaded | {"values": {**VALUES, "integers": [*VALUES["integers"][:6], 2**63 - 2, -(2**63)]}}
    assert digest(changed) != digest(loaded)


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        (datetime(2026, 1, 1, tzinfo=UTC), "not_json"),
        (b"bytes", "not_json"),
        ((1, 2), "not_json"),
        ({1, 2}, "not_json"),
        (Colour.RED, "not_json"),
        (2**63, "integer_beyond_64_bits"),
        (-(2**63) - 1, "integer_beyond_64_bits"),
        (float("nan"), "number_not_finite"),
        (float("inf"), "number_not_finite"),
        ({"$set": 1}, "key_with_dollar_dot_or_nul"),
        ({"a.b": 1}, "key_with_dollar_dot_or_nul"),
        ({"a\0": 1}, "key_with_dollar_dot_or_nul"),
        ({1: 1}, "key_not_text"),
        ("secret \ud800", "lone_surrogate"),
    ],
)
async def test_what_is_not_plain_json_is_refused(store: Store, value: Any, rule: str) -> None:
    document = case("a", state={"list": [0, value]})
    for call in (store.save("cases", document, 0), store.append("cases", [case("b"), document])):
        with pytest.raises(NotStorable) as refused:
            await call
        assert refused.value.rule == rule
        assert refused.value.pointer.startswith("/state/list/1")
        assert "secret" not in str(refused.value)
    assert [d async for d in store.scan("cases")] == []


async def test_a_document_without_id_or_raised_version_is_refused(store: Store) -> None:
    deep: list[Any] = []
    for _ in range(200):
        deep = [deep]
    for bad in (case(""), {"_id": 7, "version": 1}, {"_id": "a"}, case("a", 0), case("a", deep=deep)):
        with pytest.raises(NotStorable):
            await store.save("cases", bad, 0)


async def test_an_order_that_could_tie_is_refused(open_store: Open) -> None:
    store = await open_store((Collection("loose", {"all": Index(lambda d: ["x"], lambda d: "same")}),))
    with pytest.raises(NotStorable, match="order_without_id"):
        await store.save("loose", case("a"), 0)


async def test_a_store_can_be_stopped_and_started_again(store: Store) -> None:
    await store.save("cases", case("a", office="x", numbers=["n"]), 0)
    await store.stop()
    await store.stop()
    await store.start()
    await store.start()
    assert ids(await store.find("cases", "office", "x")) == ["a"]
    with pytest.raises(UniqueViolated):
        await store.save("cases", case("b", numbers=["n"]), 0)


async def test_the_clock_is_near_and_in_utc(store: Store, adapter: str) -> None:
    text = await store.clock()
    assert text.endswith("Z")
    assert len(text) == len("2026-11-22T19:25:00.000000Z")
    assert abs((instant_of(text) - datetime.now(UTC)).total_seconds()) < 2


async def test_settings_name_the_adapter(store: Store, adapter: str) -> None:
    settings = await store.settings()
    assert all(isinstance(value, str) for value in settings.values())
    if adapter in DRIVERS:
        assert (settings["adapter"], settings["driver"], settings["journal"]) == ("mongodb", adapter, "true")
        assert settings["undeclared indexes"] == "none"
    else:
        assert (settings["adapter"], settings["synchronous"], settings["secure_delete"]) == ("local", "2", "1")
