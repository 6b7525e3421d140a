"""Tables of institutions and experts through the public edge: looked through, confirmed, recorded once."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio
from openpyxl import Workbook
from openpyxl.utils.datetime import CALENDAR_MAC_1904

from services.registration.app import build
from services.registration.domain.examples import DEFINITION
from services.registration.domain.imports import EXPERTS
from services.registration.store import COLLECTIONS, SHADOWS
from services.registration.store import EXPERTS as OF_EXPERTS
from services.registration.store import INSTITUTIONS as OF_INSTITUTIONS
from shared.errors import UnknownOutcome
from shared.identity.roles import Role
from shared.jobs import running
from shared.jobs.documents import JOB_PIECES, JOBS
from shared.replica import stored
from tests.unit.pages.test_cases import held, reader
from tests.unit.registration.serving import Serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
NAMES = ["name", "country", "sector", "host_type", "email"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def edge() -> AsyncIterator[Serving]:
    async with Serving("registration", stored(COLLECTIONS, SHADOWS), build) as serving:
        await serving.publish(DEFINITION)
        yield serving


def csv_text(rows: Sequence[Sequence[str]], names: Sequence[str] = NAMES, delimiter: str = ",") -> bytes:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows([names, *rows])
    return text.getvalue().encode()


def college(name: str, **other: str) -> list[str]:
    row = {"name": name, "country": "AF", "sector": "education", "host_type": "public", "email": "", **other}
    return [row[one] for one in NAMES]


async def sent(
    edge: Serving,
    raw: bytes,
    kind: str = "institutions",
    *,
    media_type: str = "text/csv",
    role: Role = "officer",
    office: str | None = "kabul",
    key: str | None = None,
    more: str = "",
) -> httpx.Response:
    headers = {"authorization": f"Bearer {edge.issuer.issue(role, office, role)}", "content-type": media_type}
    headers |= {"idempotency-key": key} if key else {}
    return await edge.client.post(f"/v1/imports?kind={kind}{more}", headers=headers, content=raw)


async def until(edge: Serving, id: str, *states: str) -> dict[str, Any]:
    found: dict[str, Any] = {}

    async def holds() -> bool:
        answer = await edge.get(f"/jobs/{id}", "officer", subject="officer")
        found.update(answer.json())
        return found["state"] in states

    await edge.eventually(holds)
    return found


async def looked_through(edge: Serving, raw: bytes, kind: str = "institutions", **how: Any) -> dict[str, Any]:
    answer = await sent(edge, raw, kind, **how)
    assert answer.status_code == 202, answer.text
    return await until(edge, answer.json()["id"], "waiting", "done", "failed")


async def confirmed(edge: Serving, job: Mapping[str, Any]) -> dict[str, Any]:
    answer = await edge.post(f"/jobs/{job['id']}/confirm", "officer", subject="officer")
    assert answer.status_code == 200, answer.text
    return await until(edge, job["id"], "done", "failed")


async def rejected(edge: Serving, job: Mapping[str, Any]) -> list[list[str]]:
    answer = await edge.get(f"/jobs/{job['id']}/files/rejected.csv", "officer", subject="officer")
    assert answer.status_code == 200, answer.text
    return list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))


async def count(edge: Serving, collection: str = OF_INSTITUTIONS.name) -> int:
    return len([one async for one in edge.store.scan(collection)])


async def test_nothing_is_recorded_before_it_is_confirmed_and_each_row_once(edge: Serving) -> None:
    before = await count(edge)
    raw = csv_text(
        [
            college("First college"),
            college("Second, with a comma", email="second@example.org"),
            college("No such sector", sector="mining"),
            college("No such country", country="ZZ"),
            college("First college"),
            college(""),
        ]
    )
    job = await looked_through(edge, raw)
    assert (job["state"], job["done"], job["total"]) == ("waiting", 6, 6)
    assert job["result"]["counts"] == {"rows": 6, "right": 2, "wrong": 4, "known": 0}
    assert [(one["row"], one["column"], one["cell"], one["rule"]) for one in job["problems"]] == [
        (4, "sector", "C4", "code_not_listed"),
        (5, "country", "B5", "country_unknown"),
        (6, "", "", "row_repeated"),
        (7, "name", "A7", "required"),
    ]
    assert await count(edge) == before
    done = await confirmed(edge, job)
    assert (done["state"], done["result"]["counts"]["recorded"]) == ("done", 2)
    assert await count(edge) == before + 2
    items = (await edge.get("/institutions?limit=200")).json()["items"]
    assert {"First college", "Second, with a comma"} <= {one["name"] for one in items}
    # The same file, from a colleague and under another key.
    again = await looked_through(edge, raw.replace(b"First college", b"  First   college "))
    assert again["result"]["counts"]["known"] == 2
    assert (await confirmed(edge, again))["state"] == "done"
    assert await count(edge) == before + 2
    # Nobody is written to of what was recorded late before an officer has looked.
    records = [json.loads(one.value) for one in await edge.topic("registration.institutions")]
    assert records
    assert all(one["recorded_late"] for one in records)


async def test_a_cell_that_is_too_long_is_wrong_wherever_it_stands(edge: Serving) -> None:
    raw = csv_text([college("x" * 1_001), college("y" * 201), *([college("z" * 900, sector="mining")] * 400)])
    job = await looked_through(edge, raw)
    wrong = [(one["cell"], one["rule"]) for one in job["problems"]]
    assert wrong[:2] == [("A2", "string_too_long"), ("A3", "string_too_long")]
    assert (job["problem_count"], job["result"]["counts"]["wrong"], len(job["problems"])) == (402, 402, 200)
    assert len(await rejected(edge, job)) == 403


async def test_what_was_rejected_is_mended_and_sent_again(edge: Serving) -> None:
    raw = csv_text([college("=HYPERLINK(1)", sector="mining"), college("+93 700", country="ZZ")])
    job = await looked_through(edge, raw)
    assert (job["state"], job["open"]) == ("done", []), "no row can be recorded"
    names, first, second = await rejected(edge, job)
    assert names == [*NAMES, "problem"]
    assert (first[0], second[0]) == ("'=HYPERLINK(1)", "'+93 700")
    assert first[-1].startswith("Sector:")
    assert second[-1].startswith("Country:")
    mended = [[first[0], "AF", "education", "public", "", first[-1]], [*second[:1], "AF", *second[2:]]]
    again = await looked_through(edge, csv_text(mended, names))
    assert again["result"]["counts"]["right"] == 2, again["problems"]
    await confirmed(edge, again)
    named = {one["name"] for one in (await edge.get("/institutions?limit=200")).json()["items"]}
    assert {"=HYPERLINK(1)", "+93 700"} <= named


def workbook(rows: Mapping[str, Any], *, old: bool = False) -> bytes:
    book = Workbook()
    book.epoch = CALENDAR_MAC_1904 if old else book.epoch
    for place, value in rows.items():
        book.active[place] = value
        if isinstance(value, date):
            book.active[place].number_format = "dd/mm/yyyy"
    raw = io.BytesIO()
    book.save(raw)
    return raw.getvalue()


async def test_a_workbook_tells_its_own_rows_and_cells(edge: Serving) -> None:
    cells = {f"{'BCDEF'[n]}3": name for n, name in enumerate(NAMES)}
    cells |= {"B5": "In a workbook", "C5": "AF", "D5": "education", "E5": "public"}
    cells |= {"B7": "With an error", "C7": "#N/A", "D7": "education", "E7": "public"}
    cells |= {"B8": '=CONCATENATE("a","b")', "C8": "AF", "D8": "education", "E8": "public"}
    cells |= {"B9": 1234567890123456789, "C9": "AF", "D9": "education", "E9": "public"}
    cells |= {"B10": timedelta(hours=30), "C10": "AF", "D10": "education", "E10": "public"}
    job = await looked_through(edge, workbook(cells), media_type=XLSX)
    assert [(one["row"], one["column"], one["cell"], one["rule"]) for one in job["problems"]] == [
        (7, "country", "C7", "cell_error"),
        (8, "name", "B8", "formula_not_computed"),
        (9, "name", "B9", "number_too_long"),
        (10, "name", "B10", "cell_is_a_duration"),
    ]
    done = await confirmed(edge, job)
    assert done["result"]["counts"] == {"rows": 5, "right": 1, "wrong": 4, "known": 0, "recorded": 1}


@pytest.mark.parametrize("old", [False, True])
async def test_experts_are_registered_from_a_workbook(edge: Serving, old: bool) -> None:
    names = ["given_name", "telephone", "birth_year", "country_of_residence", "education", "languages", "valid_from"]
    names += ["document_type", "document_country", "document_number", "consents", "nationality"]
    rows: list[list[Any]] = [
        [f"Amina {old}", "+31 20 000 00 00", 1971, "NL", 7, "fa C2, en:B2", date(2020, 3, 5)],
        [f"Born early {old}", "", 1971, "NL", 7, "", "2020-13-05"],
        [f"Too old {old}", "", 2019, "NL", 7, "", date(2020, 3, 5)],
    ]
    for number, row in enumerate(rows):
        row += ["passport", "NL", f"0{number}X{old}", "placement", "NL"]
    cells = {f"{chr(65 + n)}1": name for n, name in enumerate(names)}
    cells |= {f"{chr(65 + n)}{line}": one for line, row in enumerate(rows, 2) for n, one in enumerate(row)}
    raw, before = workbook(cells, old=old), await count(edge, OF_EXPERTS.name)
    job = await looked_through(edge, raw, "experts", media_type=XLSX, more="&programme=example-1")
    wrong = [(one["cell"], one["column"], one["rule"]) for one in job["problems"]]
    assert wrong[0][:2] == ("G3", "valid_from")
    assert {one[0] for one in wrong} == {"G3", "E4"}
    done = await confirmed(edge, job)
    assert done["result"]["counts"]["recorded"] == 1
    assert await count(edge, OF_EXPERTS.name) == before + 1
    again = await looked_through(edge, raw, "experts", media_type=XLSX, more="&programme=example-1")
    assert again["result"]["counts"]["known"] == 1
    await confirmed(edge, again)
    assert await count(edge, OF_EXPERTS.name) == before + 1
    (expert,) = [one async for one in edge.store.scan(OF_EXPERTS.name) if one["state"]["channel"] == "officer"][-1:]
    assert expert["state"]["office"] == "kabul"


async def test_text_stays_text(edge: Serving) -> None:
    """Namibia is NA, and a number that begins with noughts keeps them; a semicolon parts as well as a comma."""
    names = ["given_name", "telephone", "country_of_residence", "nationality", "document_number", "document_type"]
    names += ["document_country", "valid_from"]
    row = ["NA", "061234567", "NA", "NA", "007", "passport", "NA", "2021-05-06"]
    raw = b"\xef\xbb\xbf" + csv_text([row], names, ";")
    job = await looked_through(edge, raw, "experts", more="&programme=example-1")
    assert job["state"] == "waiting", job["problems"]
    assert (await confirmed(edge, job))["result"]["counts"]["recorded"] == 1
    slashes = csv_text([[*row[:-1], "05/06/2021"]], names)
    job = await looked_through(edge, slashes, "experts", more="&programme=example-1")
    assert [(one["cell"], one["column"]) for one in job["problems"]] == [("H2", "valid_from")]


async def test_a_document_that_another_person_holds_goes_the_usual_way(edge: Serving) -> None:
    names = [one.name for one in EXPERTS.columns if one.name not in ("programme", "office")]
    said = {"given_name": "One", "valid_from": "2020-01-01", "country_of_residence": "NL", "birth_year": "1980"}
    document = {"document_type": "passport", "document_country": "NL", "document_number": "HELD77"}
    rows = [{**said, **document}, {**said, **document, "given_name": "Other"}]
    raw = csv_text([[row.get(name, "") for name in names] for row in rows], names)
    job = await looked_through(edge, raw, "experts", more="&programme=example-1")
    assert (await confirmed(edge, job))["result"]["counts"]["recorded"] == 2
    states = [one["state"]["status"] async for one in edge.store.scan(OF_EXPERTS.name)]
    assert states.count("identity_clash") == 1


@pytest.mark.parametrize(
    ("raw", "rule", "problems"),
    [
        (b"name,country\n", "table_without_rows", []),
        ("name,country\nÉcole,AF\n".encode("latin-1"), "table_not_utf8", []),
        (b'name,country\n"open', "table_unreadable", []),
        (
            b"name,colour,country,name,sector\nx,y,z,a,b\n",
            "columns_wrong",
            [("B1", "column_unknown"), ("D1", "column_repeated"), ("", "column_missing")],
        ),
    ],
)
async def test_a_table_that_cannot_be_read_fails_with_what_is_wrong(
    edge: Serving, raw: bytes, rule: str, problems: list[tuple[str, str]]
) -> None:
    job = await looked_through(edge, raw)
    assert (job["state"], job["rule"]) == ("failed", rule)
    assert [(one["cell"], one["rule"]) for one in job["problems"]] == problems


async def test_what_is_no_table_is_refused_at_once(edge: Serving) -> None:
    raw = csv_text([college("x")])
    for media_type in ("application/json", "text/csv; charset=latin-1", "application/vnd.ms-excel", ""):
        answer = await sent(edge, raw, media_type=media_type)
        assert answer.status_code == 415, media_type
    assert (await sent(edge, raw, "persons")).status_code == 422
    assert (await sent(edge, raw, more="&colour=red")).status_code == 422
    assert (await sent(edge, b"")).json()["rule"] == "file_empty"
    assert (await sent(edge, b"x" * (5 * 1_048_576 + 1))).status_code == 413
    for role in ("expert", "host", "protection", "finance"):
        assert (await sent(edge, raw, role=role)).status_code == 403
    broken = await looked_through(edge, b"PK\x03\x04nonsense", media_type=XLSX)
    assert broken["rule"] == "table_unreadable"


async def test_the_example_of_the_contract_is_accepted(edge: Serving) -> None:
    contract = (await edge.client.get("/openapi.json")).json()
    post = contract["paths"]["/v1/imports"]["post"]
    example = post["requestBody"]["content"]["text/csv"]["examples"]["example"]["value"]
    job = await looked_through(edge, example.encode())
    assert (job["state"], job["problems"]) == ("waiting", [])


async def test_the_same_key_is_the_same_import(edge: Serving) -> None:
    raw = csv_text([college("Under a key")])
    first, second = [(await sent(edge, raw, key="k1")).json()["id"] for _ in range(2)]
    assert first == second
    other = await sent(edge, csv_text([college("Another")]), key="k1")
    assert (other.status_code, other.json()["rule"]) == (422, "idempotency_key_reused")


async def test_an_officer_imports_for_the_own_office_and_an_administrator_for_any(edge: Serving) -> None:
    names = [*NAMES, "office"]
    job = await looked_through(edge, csv_text([[*college("Elsewhere"), "osh"]], names))
    assert [(one["column"], one["rule"]) for one in job["problems"]] == [("office", "other_office")]
    answer = await sent(edge, csv_text([college("By administrator")]), role="administrator", office=None)
    id = answer.json()["id"]

    async def settled() -> bool:
        found.update((await edge.get(f"/jobs/{id}", "administrator", subject="administrator")).json())
        return found["state"] in ("waiting", "done")

    found: dict[str, Any] = {}
    await edge.eventually(settled)
    assert [(one["column"], one["rule"]) for one in found["problems"]] == [("office", "required")]
    answer = await sent(
        edge, csv_text([college("By administrator")]), role="administrator", office=None, more="&office=kabul"
    )
    id = answer.json()["id"]
    await edge.eventually(settled)
    assert found["state"] == "waiting"


async def test_nothing_of_a_file_is_readable_in_the_store_and_nothing_is_left_of_it(edge: Serving) -> None:
    raw = csv_text([college("CANARY college", sector="mining"), college("CANARY right")])
    job = await looked_through(edge, raw)
    pieces = [one async for one in edge.store.scan(JOB_PIECES.name) if one["job"] == job["id"]]
    document = await edge.store.load(JOBS.name, job["id"])
    assert "CANARY" not in str([document, pieces])
    await confirmed(edge, job)
    pieces = [one async for one in edge.store.scan(JOB_PIECES.name) if one["job"] == job["id"] and one["sealed"]]
    document = await edge.store.load(JOBS.name, job["id"])
    assert document
    assert [piece["_id"] for piece in pieces] == [id for name, id, _ in document["pieces"] if name == "rejected.csv"]


async def test_a_replica_that_dies_while_it_records_leaves_nothing_undone_or_doubled(
    edge: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await count(edge)
    job = await looked_through(edge, csv_text([college(f"Numbered {n}") for n in range(50)]))
    save, fallen = edge.store.save, 0

    async def falling(collection: str, document: Any, expected: int) -> None:
        nonlocal fallen
        if collection == JOBS.name and document["cursor"].get("stage") == "record" and fallen < 2:
            fallen += 1
            raise UnknownOutcome("crash")
        await save(collection, document, expected)

    monkeypatch.setattr(edge.store, "save", falling)
    monkeypatch.setattr(running, "HELD_SECONDS", 0)
    jobs = edge.service.jobs
    await edge.post(f"/jobs/{job['id']}/confirm", "officer", subject="officer")
    done = await until(edge, job["id"], "done", "failed")
    assert (done["state"], done["result"]["counts"]["recorded"], fallen) == ("done", 50, 2)
    assert await count(edge) == before + 50
    await jobs.take_up(await edge.store.load(JOBS.name, job["id"]))
    await asyncio.sleep(0)
    assert await count(edge) == before + 50


async def test_a_person_sends_a_table_by_a_page(edge: Serving) -> None:
    service, account = edge.service.app, edge.account("officer")
    async with reader("registration", service, edge.keys, edge.clock, account=account) as http:
        page = await http.get("/registration/imports")
        assert page.status_code == 200
        assert 'href="/registration/imports"' in (await http.get("/registration/today")).text
        empty = await http.get("/registration/imports/experts.csv")
        assert empty.text.lstrip("\ufeff").startswith('"programme","office","given_name"')
        assert (await http.get("/registration/imports/persons.csv")).status_code == 404
        form = held(page)
        told = csv_text([["Nom de page", "AF", "education", "public"]], ["Nom", "Pays", "Secteur", "host_type"])
        fields = {"csrf": form["csrf"], "idempotency-key": form["idempotency-key"], "kind": "institutions"}
        answer = await http.post("/registration/imports", data=fields, files={"file": ("a.csv", told, "text/csv")})
        assert answer.status_code == 303, answer.text
        id = answer.headers["location"].rpartition("/")[2]
        again = await http.post("/registration/imports", data=fields, files={"file": ("a.csv", told, "text/csv")})
        assert again.headers["location"] == answer.headers["location"]
        job = await until(edge, id, "waiting", "failed", "done")
        assert job["state"] == "waiting", job
        shown = await http.get(f"/registration/jobs/{id}?lang=fr")
        assert "Enregistrer les lignes correctes" in shown.text
        assert "code:" not in shown.text.partition("</main>")[0]
        sent_on = await http.post(f"/registration/jobs/{id}/confirm", data={"csrf": held(shown)["csrf"]})
        assert sent_on.status_code == 303
        await until(edge, id, "done")
        nothing = await http.post(
            "/registration/imports",
            data={**fields, "idempotency-key": "another"},
            files={"file": ("", b"", "application/octet-stream")},
        )
        assert (nothing.status_code, "<title>Error:" in nothing.text) == (422, True)
        image = await http.post(
            "/registration/imports",
            data={**fields, "idempotency-key": "third"},
            files={"file": ("a.png", b"x", "image/png")},
        )
        assert image.status_code == 415
        forged = await http.post(
            "/registration/imports", data={**fields, "csrf": "x"}, files={"file": ("a.csv", told, "text/csv")}
        )
        assert forged.status_code == 403
