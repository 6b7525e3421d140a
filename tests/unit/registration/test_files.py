"""Files of a case: sent in pieces that resume, looked at without being unpacked, sealed, read for a purpose, erased."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio

from services.registration.app import build
from services.registration.domain.examples import DEFINITION
from services.registration.domain.files import FILE_BYTES_AT_MOST, PIECE_BYTES
from services.registration.files.resumed import PARTIAL
from services.registration.store import COLLECTIONS, FILE_PIECES, FILES, SHADOWS
from shared.errors import Conflict, UnknownOutcome
from shared.identity.roles import Role
from shared.replica import stored
from tests.unit.registration.serving import Serving
from tests.unit.registration.test_file_content import CANARY, PDF, pdf
from tests.unit.registration.test_readings import Bureau

NAME = "Qzcanary diploma.pdf"


pytestmark = pytest.mark.asyncio(loop_scope="module")


class Desk(Bureau):
    """Sends files of a case."""

    def path(self, expert: str, file: str = "") -> str:
        return f"/experts/{expert}/files{file and f'/{file}'}"

    async def expert(self, given: str = "Given") -> str:
        person = await self.person(given, "Family", email=None)
        (found,) = await self.serving.store.find("experts", "own", person)
        return str(found["_id"])

    async def begun(self, expert: str, size: int, media_type: str = PDF, **how: Any) -> httpx.Response:
        body = {"document": "diploma", "media_type": media_type, "size": size, "name": NAME}
        return await self.serving.post(self.path(expert), how.pop("role", "officer"), body, **how)

    async def piece(
        self, expert: str, file: str, offset: int, content: bytes, complete: bool, role: Role = "officer", **how: Any
    ) -> httpx.Response:
        issued = self.serving.issuer.issue(role, how.get("office", "kabul"), how.get("subject", ""))
        headers = {"authorization": f"Bearer {issued}", "content-type": PARTIAL, "upload-offset": str(offset)}
        headers["upload-complete"] = "?1" if complete else "?0"
        return await self.serving.client.patch(f"/v1{self.path(expert, file)}", headers=headers, content=content)

    async def sent(self, expert: str, content: bytes, media_type: str = PDF) -> httpx.Response:
        file = (await self.begun(expert, len(content), media_type)).json()["id"]
        for at in range(0, len(content), PIECE_BYTES):
            part = content[at : at + PIECE_BYTES]
            answer = await self.piece(expert, file, at, part, at + len(part) == len(content))
        return answer

    async def progress(self, expert: str, file: str) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.serving.issuer.issue('officer', 'kabul')}"}
        return await self.serving.client.head(f"/v1{self.path(expert, file)}", headers=headers)

    async def removed(self, expert: str, file: str) -> httpx.Response:
        return await self.serving.post(f"{self.path(expert, file)}/remove", "officer")

    async def read(self, expert: str, file: str, role: Role = "officer", **how: Any) -> httpx.Response:  # type: ignore[override]
        body = how.pop("body", {"purpose": "screening"})
        return await self.serving.post(f"{self.path(expert, file)}/read", role, body, **how)

    async def stored(self) -> str:
        found = []
        for collection in COLLECTIONS:
            found += [one async for one in self.serving.store.scan(collection.name)]
        return json.dumps(found)

    async def pieces(self, file: str) -> list[dict[str, Any]]:
        return await self.serving.store.find(FILE_PIECES.name, "file", file)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def desk() -> AsyncIterator[Desk]:
    async with Serving("registration", stored(COLLECTIONS, SHADOWS), build) as serving:
        one = Desk(serving)
        definition = copy.deepcopy(DEFINITION)
        assert (await serving.post("/programmes", "administrator", {"definition": definition})).status_code == 201

        async def known() -> bool:
            return definition["code"] in serving.service.replica.definitions.codes()

        await serving.eventually(known)
        yield one


async def test_a_file_comes_in_pieces_and_goes_on_where_it_broke_off(desk: Desk) -> None:
    expert, content = await desk.expert(), pdf(size=PIECE_BYTES * 2 + 1_000)
    begun = await desk.begun(expert, len(content), key="once")
    assert (begun.status_code, begun.headers["upload-offset"]) == (201, "0")
    file = begun.json()["id"]
    assert (await desk.begun(expert, len(content), key="once")).json()["id"] == file
    assert (await desk.begun(expert, len(content) + 1, key="once")).status_code == 422
    body = {"document": "diploma", "media_type": PDF, "size": len(content), "name": "another.pdf"}
    other = await desk.serving.post(desk.path(expert), "officer", body, key="once")
    assert (other.status_code, other.json()["rule"]) == (422, "idempotency_key_reused")
    assert begun.headers["location"] == f"/registration/v1/experts/{expert}/files/{file}"
    first = await desk.piece(expert, file, 0, content[:100_000], False)
    assert (first.status_code, first.headers["upload-offset"], first.headers["upload-complete"]) == (
        204,
        "100000",
        "?0",
    )
    again = await desk.piece(expert, file, 0, content[:100_000], False)
    assert (again.status_code, again.json()["rule"], again.headers["upload-offset"]) == (
        409,
        "upload_offset_differs",
        "100000",
    )
    early = await desk.piece(expert, file, 100_000, b"", True)
    assert (early.status_code, early.json()["rule"]) == (422, "upload_unfinished")
    there = await desk.progress(expert, file)
    assert (there.headers["upload-offset"], there.headers["upload-length"]) == ("100000", str(len(content)))
    assert (await desk.read(expert, file)).status_code == 404
    rest = await desk.piece(expert, file, 100_000, content[100_000:], True)
    assert (rest.status_code, rest.json()["state"], rest.headers["upload-complete"]) == (200, "kept", "?1")
    assert (await desk.piece(expert, file, len(content), b"", True)).status_code == 200
    assert (await desk.piece(expert, file, len(content), b"x", False)).status_code == 410
    # Whatever was replaced while it came is emptied.
    assert len(await desk.pieces(file)) == 3
    read = await desk.read(expert, file)
    assert read.content == content
    assert read.headers["content-disposition"] == f'attachment; filename="diploma-{file[:8]}.pdf"'
    assert "sandbox" in read.headers["content-security-policy"]
    assert (read.headers["cache-control"], read.headers["x-content-type-options"]) == ("no-store", "nosniff")
    listed = (await desk.serving.get(desk.path(expert))).json()
    assert [(one["document"], one["state"], one["added_by"]) for one in listed["files"]] == [
        ("diploma", "kept", "officer")
    ]
    assert listed["missing"] == []


async def test_nothing_of_it_stands_in_clear_and_reading_is_written_down(desk: Desk) -> None:
    expert, content = await desk.expert("Clear"), pdf()
    kept = (await desk.sent(expert, content)).json()
    for topic in ("registration.experts", "registration.persons"):
        assert not [one for one in await desk.serving.topic(topic) if b"Qzcanary" in one.value]
    dumped = await desk.stored()
    for form in (CANARY, NAME.encode()):
        assert form.decode() not in dumped
        for shift in range(3):
            # Wherever it stood within what was encoded, its middle would be this text.
            encoded = base64.b64encode(b"\0" * shift + form).decode()[4:-4]
            assert encoded not in dumped
    (case,) = [await desk.serving.store.load("experts", expert)]
    assert case
    person = case["state"]["person"]
    assert await desk.entries(person) == []
    assert (await desk.read(expert, kept["id"], body={})).status_code == 422
    assert (await desk.read(expert, kept["id"], body={"purpose": "contact"})).status_code == 422
    assert (await desk.read(expert, kept["id"], office="herat")).status_code == 404
    assert (await desk.read(expert, kept["id"])).content == content
    (entry,) = await desk.entries(person)
    assert (entry["purpose"], entry["fields"], entry["role"]) == ("screening", ["files"], "officer")
    another = await desk.expert("Another")
    assert (await desk.read(another, kept["id"])).status_code == 404


async def test_an_officer_reads_no_more_of_them_than_of_names(desk: Desk) -> None:
    expert = await desk.expert("Capped")
    kept = (await desk.sent(expert, pdf())).json()
    for _ in range(60):
        answer = await desk.read(expert, kept["id"], subject="greedy")
    assert answer.status_code == 200
    beyond = await desk.read(expert, kept["id"], subject="greedy")
    assert (beyond.status_code, beyond.json()["rule"]) == (429, "readings_used_up")


async def test_what_is_refused_leaves_nothing_and_says_its_rule(desk: Desk) -> None:
    expert = await desk.expert("Refused")
    for size, rule in ((0, "file_empty"), (FILE_BYTES_AT_MOST + 1, "file_too_large")):
        answer = await desk.begun(expert, size)
        assert (answer.status_code, answer.json()["errors"][0]) == (422, {"pointer": "/size", "rule": rule})
    packed = b"PK\x03\x04" + bytes(1000)
    answer = await desk.sent(expert, packed)
    assert (answer.status_code, answer.json()["rule"]) == (422, "file_packed")
    (listed,) = (await desk.serving.get(desk.path(expert))).json()["files"]
    assert (listed["state"], listed["rule"]) == ("refused", "file_packed")
    again = await desk.piece(expert, listed["id"], len(packed), b"", True)
    assert (again.status_code, again.json()["rule"]) == (422, "file_packed")
    assert await desk.pieces(listed["id"]) == []
    document = await desk.serving.store.load(FILES.name, listed["id"])
    assert document
    assert document["private"] == {}
    filing, clock = desk.serving.service.filing, desk.serving.clock
    await filing.fire(document)
    assert len((await desk.serving.get(desk.path(expert))).json()["files"]) == 1
    assert (await desk.sent(expert, packed)).status_code == 422
    (listed,) = (await desk.serving.get(desk.path(expert))).json()["files"]
    assert listed["id"] != document["_id"], "what was refused gives way to the next file of the document"
    assert [(await desk.removed(expert, listed["id"])).status_code for _ in range(2)] == [200, 200]
    assert (await desk.serving.get(desk.path(expert))).json()["files"] == []
    assert (await desk.sent(expert, packed)).status_code == 422
    (listed,) = (await desk.serving.get(desk.path(expert))).json()["files"]
    clock.ahead = timedelta(days=1, minutes=1)
    try:
        await filing.fire(await desk.serving.store.load(FILES.name, listed["id"]))
    finally:
        clock.ahead = timedelta()
    assert (await desk.serving.get(desk.path(expert))).json()["files"] == []
    file = (await desk.begun(expert, 10)).json()["id"]
    assert (await desk.piece(expert, file, 0, bytes(11), False)).status_code == 413
    for wrong in ({"upload-offset": "x"}, {"upload-complete": "yes"}, {"content-type": "text/plain"}):
        bearer = desk.serving.issuer.issue("officer", "kabul")
        headers = {"content-type": PARTIAL, "upload-offset": "0", "upload-complete": "?0", **wrong}
        answer = await desk.serving.client.patch(
            f"/v1{desk.path(expert, file)}", headers={"authorization": f"Bearer {bearer}", **headers}, content=b"1"
        )
        assert answer.status_code == (415 if "content-type" in wrong else 422)


async def test_a_programme_asks_for_so_many_of_each_and_for_nothing_else(desk: Desk) -> None:
    expert = await desk.expert("Many")
    assert (await desk.serving.get(desk.path(expert))).json()["missing"] == ["diploma"]
    for _ in range(3):
        assert (await desk.sent(expert, pdf())).status_code == 200
    assert (await desk.begun(expert, 10)).json()["rule"] == "files_too_many"
    kept = (await desk.serving.get(desk.path(expert))).json()["files"][0]["id"]
    assert (await desk.removed(expert, kept)).json()["rule"] == "file_is_kept"
    body = {"document": "poem", "media_type": PDF, "size": 10}
    answer = await desk.serving.post(desk.path(expert), "officer", body)
    assert answer.json()["rule"] == "document_not_asked"
    assert (await desk.begun(expert, 10, role="protection")).status_code == 403


async def test_a_crash_between_a_piece_and_its_file_costs_the_piece_alone(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    expert, content = await desk.expert("Crash"), pdf(size=PIECE_BYTES + 10)
    file = (await desk.begun(expert, len(content))).json()["id"]
    store, save = desk.serving.store, desk.serving.store.save

    async def crashing(collection: str, document: Any, expected: int) -> None:
        if collection == FILES.name and document["private"]["pieces"]:
            raise UnknownOutcome("crashed")
        await save(collection, document, expected)

    monkeypatch.setattr(store, "save", crashing)
    lost = await desk.piece(expert, file, 0, content[:PIECE_BYTES], False)
    assert lost.status_code == 503
    monkeypatch.setattr(store, "save", save)
    assert (await desk.progress(expert, file)).headers["upload-offset"] == "0"
    assert (await desk.piece(expert, file, 0, content, True)).status_code == 200
    assert (await desk.read(expert, file)).content == content
    assert len(await desk.pieces(file)) == 2


@pytest.mark.parametrize("goes_on", [True, False])
async def test_a_piece_that_lands_late_finds_its_place_taken(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, goes_on: bool
) -> None:
    """Whether the file goes on with another piece or is removed meanwhile."""
    expert, content = await desk.expert("Resumed" if goes_on else "Removed"), pdf(size=1_000)
    file = (await desk.begun(expert, len(content))).json()["id"]
    store, save = desk.serving.store, desk.serving.store.save
    late = list[tuple[str, Any, int]]()

    async def held_up(collection: str, document: Any, expected: int) -> None:
        if collection == FILE_PIECES.name and not late:
            late.append((collection, document, expected))
            raise UnknownOutcome("under way")
        await save(collection, document, expected)

    monkeypatch.setattr(store, "save", held_up)
    assert (await desk.piece(expert, file, 0, content, True)).status_code == 503
    if goes_on:
        assert (await desk.piece(expert, file, 0, content, True)).status_code == 200
    else:
        assert (await desk.removed(expert, file)).status_code == 200
    ((collection, document, expected),) = late
    with pytest.raises(Conflict):
        await save(collection, document, expected)
    assert len(await desk.pieces(file)) == (1 if goes_on else 0)


async def test_what_nobody_goes_on_with_ends_after_a_day(desk: Desk) -> None:
    expert = await desk.expert("Unfinished")
    file = (await desk.begun(expert, PIECE_BYTES * 2)).json()["id"]
    await desk.piece(expert, file, 0, pdf(size=PIECE_BYTES), False)
    filing, clock = desk.serving.service.filing, desk.serving.clock
    document = await desk.serving.store.load(FILES.name, file)
    await filing.fire(document)
    assert len(await desk.pieces(file)) == 1
    clock.ahead = timedelta(days=1, minutes=1)
    try:
        await filing.fire(document)
    finally:
        clock.ahead = timedelta()
    assert await desk.pieces(file) == []
    assert (await desk.piece(expert, file, PIECE_BYTES, b"1", False)).status_code == 410
    assert (await desk.serving.get(desk.path(expert))).json()["files"] == []


async def test_an_erased_persons_files_are_gone(desk: Desk) -> None:
    expert = await desk.expert("Erased")
    kept = (await desk.sent(expert, pdf())).json()
    case = await desk.serving.store.load("experts", expert)
    assert case
    answer = await desk.serving.post(
        f"/persons/{case['state']['person']}/erase", "protection", {"reason": "own_request"}
    )
    assert answer.status_code == 200, answer.text
    assert await desk.pieces(kept["id"]) == []
    document = await desk.serving.store.load(FILES.name, kept["id"])
    assert document
    assert document["private"] == {}
    assert (await desk.read(expert, kept["id"])).status_code == 410
