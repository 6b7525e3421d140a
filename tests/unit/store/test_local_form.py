"""How the local store's file keeps documents: what it leaves out comes back; form 3 is lifted, another one refused."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from shared.clock import RealRuntime
from shared.errors import SettingsError, UniqueViolated
from shared.store import former_form, local_statements
from shared.store.collection import Collection, Index
from shared.store.documents import USUAL, digest, new_document
from shared.store.local import LocalStore
from shared.store.packing import shipped_words
from shared.store.port import Document
from tests.contract import store_cases
from tests.contract.store_cases import case, unsent
from tests.store_files import rows_in

# A store of `tests.contract.store_cases` as form 3 wrote it, by `iterdump`.
FORM_3 = Path(__file__).with_name("form_3.sql")
CASES = Collection("cases", {"said": Index(lambda d: d["said"], lambda d: f"{d['said'][0]}\x1f{d['_id']}")})


@pytest.fixture
async def store() -> AsyncIterator[LocalStore]:
    opened = LocalStore(None, [CASES], RealRuntime())
    await opened.start()
    yield opened
    await opened.stop()


def document(id: str, **fields: Any) -> Document:
    return {**new_document(id), "version": 1, "said": [id], **fields}


@pytest.mark.parametrize(
    "given",
    [
        document("as it begins"),
        document("another value that is equal", late=0, timed=0.0, closed=False),
        document("other values", private={"a": {}}, holds={}, state={"private": None}, timed=True, next_at="later"),
        {"_id": "without a field", "version": 1, "said": ["x"], **{n: v for n, v in USUAL.items() if n != "late"}},
        {"_id": "without any", "version": 1, "said": ["x"], "late": False},
        document("1", said=["1", "11", "\x01", "1\\u0001", "another"]),
        document('"\\\x01\n', said=['"\\\x01\n', "\\n", '"', "\\\\n"]),
        document("n", said=["\n", "\\n", "nn"]),
    ],
    ids=lambda given: ascii(given["_id"]),
)
async def test_what_is_left_out_comes_back(store: LocalStore, given: Document) -> None:
    wanted = CASES.indexed(given)
    await store.save("cases", given, 0)
    assert digest(await store.load("cases", given["_id"]) or {}) == digest(wanted)
    changed = {**given, "version": 2, "said": [*given["said"], "once more"], "late": True}
    await store.save("cases", changed, 1)
    assert [digest(one) for one in await store.find("cases", "said", "once more")] == [digest(CASES.indexed(changed))]
    for text in given["said"]:
        assert [one["_id"] for one in await store.find("cases", "said", text)] == [given["_id"]]
    await store.save("cases", {**changed, "version": 3, "said": ["nothing else"]}, 2)
    assert [await store.count("cases", "said", text) for text in changed["said"]] == [0] * len(changed["said"])
    assert await store.count("cases", "said", "nothing else") == 1


async def test_what_was_usual_before_is_still_read(tmp_path: Path) -> None:
    path, runtime = tmp_path / "store.sqlite", RealRuntime()
    given = document("a")
    for usual in (None, {**USUAL, "late": True}, {}):
        store = LocalStore(path, [Collection("cases", CASES.indexes, usual=usual)], runtime)
        await store.start()
        if usual is None:
            await store.save("cases", given, 0)
        assert digest(await store.load("cases", "a") or {}) == digest(CASES.indexed(given))
        await store.stop()
    runtime.close()


@pytest.fixture
def of_form_3(tmp_path: Path) -> Path:
    path = tmp_path / "store.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(FORM_3.read_text())
    return path


def id_of(number: int) -> str:
    return f"{number:08x}-1111-5222-8333-44444444{number:04x}"


async def test_a_file_of_form_3_is_lifted(of_form_3: Path) -> None:
    runtime = RealRuntime()
    tags, timed = ["a", "kabul\x1f" + "ab" * 32, "Ünder"], "2026-11-29T17:05:37.271382Z"
    given = [
        case("plain", office="kabul", tags=tags, numbers=["X1"], text='Zwölf Ärzte "said"\\n'),
        case(id_of(1), office="kabul", tags=[id_of(2), id_of(1)], numbers=[id_of(3)]),
        unsent(id_of(4), office="dili"),
        case("0f" * 32, 2, office="dili", letter=None, answer="yes", tags=["y"]),
        {**new_document(id_of(5)), "version": 1, "at": timed, "timed": True, "next_at": timed, "office": "kabul"},
    ]
    wanted = {document["_id"]: store_cases.CASES.indexed(document) for document in given}
    # The second time it is opened as what it was made.
    for _ in range(2):
        store = LocalStore(of_form_3, store_cases.COLLECTIONS, runtime)
        await store.start()
        assert {document["_id"]: document async for document in store.scan("cases")} == wanted
        assert await store.load("others", "plain") == store_cases.OTHERS.indexed(case("plain", tags=["a"]))
        for index in ("office", "tag", "outbox", "timer"):
            for equals in {e for document in wanted.values() for e in document["ix"].get(index, {"e": ()})["e"]}:
                holds = [d for d in wanted.values() if equals in d["ix"].get(index, {"e": ()})["e"]]
                holds.sort(key=lambda d, index=index: d["ix"][index]["o"])  # type: ignore[misc]
                assert await store.find("cases", index, equals) == holds
        await store.stop()
    await store.start()
    with pytest.raises(UniqueViolated):
        await store.save("cases", case("another", numbers=[id_of(3)]), 0)
    assert await store.sent("cases", id_of(4), 1)
    await store.save("cases", case("plain", 2), 1)
    assert await store.count("cases", "outbox", "pending") == 0
    assert [await store.count("cases", "tag", tag) for tag in tags] == [0, 0, 0]
    await store.save("cases", case("another", numbers=["X1"]), 0)
    await store.stop()
    runtime.close()


async def test_a_lift_that_does_not_end_leaves_the_file_as_it_was(
    of_form_3: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime, whole_lift = RealRuntime(), former_form.LIFTS[3]

    def cut_off(connection: sqlite3.Connection) -> None:
        whole_lift(connection)
        raise sqlite3.OperationalError("disk full")

    monkeypatch.setattr(former_form, "LIFTS", {3: cut_off})
    with pytest.raises(SettingsError, match="cannot be used"):
        await LocalStore(of_form_3, store_cases.COLLECTIONS, runtime).start()
    with closing(sqlite3.connect(of_form_3)) as connection:
        assert "\n".join(["PRAGMA user_version=3;", *connection.iterdump(), ""]) == FORM_3.read_text()
    runtime.close()


async def test_rows_of_an_earlier_dictionary_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, runtime = tmp_path / "store.sqlite", RealRuntime()
    for turn, words in enumerate((b"another dictionary: office, kabul" * 8, shipped_words())):
        monkeypatch.setattr(local_statements, "shipped_words", lambda words=words: words)
        store = LocalStore(path, [CASES], runtime)
        await store.start()
        await store.save("cases", document(str(turn), office="kabul"), 0)
        for id in map(str, range(turn + 1)):
            assert await store.load("cases", id) == CASES.indexed(document(id, office="kabul"))
        await store.stop()
    assert [len(row.words) for row in rows_in(path)] == [33 * 8, len(shipped_words())]
    runtime.close()


async def test_a_document_is_packed_by_what_many_have_in_common(tmp_path: Path) -> None:
    path, runtime = tmp_path / "store.sqlite", RealRuntime()
    store = LocalStore(path, [CASES], runtime)
    await store.start()
    state = {"person": id_of(1), "programme": "trqn-1", "programme_version": 1, "office": "kabul", "channel": "self"}
    state |= {"registered_at": "2031-05-07T09:00:00.000000Z", "status": "screening", "items": [], "criteria": []}
    await store.save("cases", document(id_of(2), state=state, last_recorded_at="2031-05-07T09:00:00.000000Z"), 0)
    (row,) = rows_in(path)
    # Ids, times and codes are what it is about.
    assert len(row.packed) < len(row.text) / 3
    await store.stop()
    runtime.close()


async def test_a_file_of_another_form_is_not_opened(tmp_path: Path) -> None:
    path, runtime = tmp_path / "store.sqlite", RealRuntime()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE documents (id TEXT)")
    connection.close()
    with pytest.raises(SettingsError, match=r"store\.sqlite was written by another version"):
        await LocalStore(path, [CASES], runtime).start()
    path.unlink()
    for _ in range(2):
        store = LocalStore(path, [CASES], runtime)
        await store.start()
        await store.stop()
    runtime.close()
