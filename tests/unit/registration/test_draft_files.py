"""Files of an application: added whole from a form or in pieces, and the person's once the application is recorded."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
import pytest

from services.registration.domain.files import FILE_BYTES_AT_MOST, PIECE_BYTES
from services.registration.files.resumed import PARTIAL
from services.registration.store import DRAFTS, FILE_PIECES, FILES
from shared.clock import together
from tests.unit.registration.test_applying import APPLICATION, begun, documents, filled, sent, town
from tests.unit.registration.test_entrance import Town, enter, hidden
from tests.unit.registration.test_file_content import CANARY, pdf, png

__all__ = ("town",)
PAGE = f"{APPLICATION}/files"
NAME = "Qzcanary diploma.pdf"
PIECE = {"Content-Type": PARTIAL, "Upload-Complete": "?0"}


@dataclass
class Again:
    """A delivery of the event that the case stands."""

    subject: str


async def added(
    browser: httpx.AsyncClient, content: bytes, kind: str = "application/pdf", name: str = NAME, **more: str
) -> httpx.Response:
    page = await browser.get(PAGE)
    fields = {"csrf": hidden(page), "idempotency-key": hidden(page, "idempotency-key"), **more}
    return await browser.post(f"{PAGE}/whole/diploma", data=fields, files={"file": (name, content, kind)})


async def the_file(town: Town, document: str = "diploma") -> dict[str, Any]:
    all_of_them = [one for one in await documents(town, FILES.name) if one["state"]["document"] == document]
    (found,) = [one for one in all_of_them if one["state"]["status"] != "gone"]
    return found


async def test_the_form_says_its_limits_first_and_a_file_is_added_opened_and_removed(town: Town) -> None:
    async with town.browser() as browser:
        await begun(browser)
        tasks = await browser.get(APPLICATION)
        assert "Documents that are still missing: Diploma" in tasks.text
        page = await browser.get(PAGE)
        assert "PDF, JPEG or PNG, of" in page.text
        assert (await added(browser, pdf())).status_code == 303
        page = await browser.get(PAGE)
        assert NAME in page.text
        assert "still missing" not in (await browser.get(f"{APPLICATION}/check")).text
        id = (await the_file(town))["_id"]
        read = await browser.post(f"{PAGE}/{id}/read", data={"csrf": hidden(page)})
        assert read.content == pdf()
        assert NAME not in str(read.headers)
        async with town.browser() as stranger:
            await begun(stranger)
            token = hidden(await stranger.get(PAGE))
            assert (await stranger.post(f"{PAGE}/{id}/read", data={"csrf": token})).status_code == 404
            assert (await stranger.post(f"{PAGE}/{id}/remove", data={"csrf": token})).status_code == 404
        assert (await browser.post(f"{PAGE}/{id}/remove", data={"csrf": "x"})).status_code == 403
        assert (await browser.post(f"{PAGE}/{id}/remove", data={"csrf": hidden(page)})).status_code == 303
        assert NAME not in (await browser.get(PAGE)).text
        assert [one for one in await documents(town, FILE_PIECES.name) if one["private"]] == []


REFUSED = (
    (b"", "application/pdf", "empty.pdf", "This file is empty"),
    (pdf(size=FILE_BYTES_AT_MOST + 1), "application/pdf", "long.pdf", "This file is too large"),
    (pdf(size=30_000_000), "application/pdf", "thirty.pdf", "This file is too large"),
    (b"PK\x03\x04" + bytes(100), "application/pdf", "bomb.pdf", "Archives and office documents"),
    (b"PK\x03\x04", "application/vnd.ms-word.document.macroEnabled.12", "a.docm", "Archives and office documents"),
    (b"<?xml version='1.0'?>", "application/xml", "bomb.xml", "neither a PDF nor"),
    (b"=cmd|' /C calc'!A0", "text/csv", "formula.csv", "neither a PDF nor"),
    (png(9_000, 9_000), "image/png", "large.png", "too many dots"),
    (pdf(), "image/png", "../../etc/passwd", "of another kind"),
)
# As browsers send a field in which nothing was chosen.
UNCHOSEN = b'--b\r\nContent-Disposition: form-data; name="csrf"\r\n\r\n%s\r\n--b\r\nContent-Disposition: form-data; '
UNCHOSEN += b'name="file"; filename=""\r\nContent-Type: application/octet-stream\r\n\r\n\r\n--b--\r\n'


async def test_what_is_refused_is_said_in_words_on_the_same_page(town: Town) -> None:
    async with town.browser() as browser:
        await begun(browser)
        for content, kind, name, words in REFUSED:
            answer = await added(browser, content, kind, name)
            assert answer.status_code == 422, (name, answer.text)
            assert words in answer.text, name
            assert "<title>Error:" in answer.text
            assert [one for one in await documents(town, FILE_PIECES.name) if one["private"]] == [], name
        body = UNCHOSEN % hidden(await browser.get(PAGE)).encode()
        headers = {"Content-Type": "multipart/form-data; boundary=b"}
        answer = await browser.post(f"{PAGE}/whole/diploma", content=body, headers=headers)
        assert (answer.status_code, "Choose a file first" in answer.text) == (422, True)
        assert (await added(browser, pdf())).status_code == 303


async def test_a_form_is_checked_before_its_file_is_taken_and_twice_is_once(town: Town) -> None:
    async with town.browser() as browser:
        await begun(browser)
        assert (await added(browser, pdf(), csrf="of nobody")).status_code == 403
        for _ in range(2):
            assert (await added(browser, pdf(), **{"idempotency-key": "one"})).status_code == 303
        assert (await the_file(town))["state"]["status"] == "kept"
        # Pressed twice before the first was answered.
        page = await browser.get(PAGE)
        fields, given = {"csrf": hidden(page), "idempotency-key": "both"}, ("a.pdf", pdf(size=PIECE_BYTES * 2), "")
        both = [browser.post(f"{PAGE}/whole/diploma", data=fields, files={"file": given}) for _ in range(2)]
        assert {answer.status_code for answer in await together(*both)} <= {303, 409, 503}
        assert (await browser.post(f"{PAGE}/whole/diploma", data=fields, files={"file": given})).status_code == 303
        assert (await browser.get(PAGE)).text.count("a.pdf</span>") >= 1
        body = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + pdf()
        headers = {"Content-Type": "multipart/form-data; boundary=b"}
        assert (await browser.post(f"{PAGE}/whole/diploma", content=body, headers=headers)).status_code == 403
        for wrong in ("multipart/form-data", "multipart/form-data; boundary=", "text/plain"):
            answer = await browser.post(f"{PAGE}/whole/diploma", content=body, headers={"Content-Type": wrong})
            assert answer.status_code in (415, 422)


async def test_another_file_from_the_same_form_is_said_and_a_mended_one_is_taken(town: Town) -> None:
    async with town.browser() as browser:
        await begun(browser)
        same = {"idempotency-key": "one"}
        assert (await added(browser, pdf(), **same)).status_code == 303
        for content, name in ((pdf(size=2_000), NAME), (pdf()[:-1] + b"x", NAME), (pdf(), "other.pdf")):
            answer = await added(browser, content, name=name, **same)
            assert (answer.status_code, "This form was sent before" in answer.text) == (422, True), name
        answer = await added(browser, png(10, 10), "image/png", **same)
        assert (answer.status_code, "This form was sent before" in answer.text) == (422, True)
        assert (await added(browser, pdf(), **same)).status_code == 303
        mended = {"idempotency-key": "two"}
        for content in (pdf()[:-20], b"", pdf(size=FILE_BYTES_AT_MOST + 1), pdf()[:-20]):
            assert (await added(browser, content, **mended)).status_code == 422
        for _ in range(2):
            answer = await added(browser, png(10, 10), "image/png", name="mended.png", **mended)
            assert answer.status_code == 303, answer.text
        assert "mended.png" in (await browser.get(PAGE)).text
        answer = await added(browser, pdf(), **mended)
        assert (answer.status_code, "This form was sent before" in answer.text) == (422, True)


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", "does not ask for"), ("fr", "ne demande pas"), ("ar", "لا يطلب")],
)
async def test_a_document_that_nobody_asks_for_is_refused_in_words(town: Town, language: str, words: str) -> None:
    async with town.browser() as browser:
        await begun(browser)
        page = await browser.get(PAGE)
        fields, given = {"csrf": hidden(page), "idempotency-key": "one"}, {"file": (NAME, pdf(), "application/pdf")}
        answer = await browser.post(f"{PAGE}/whole/nope?lang={language}", data=fields, files=given)
        assert (answer.status_code, words in answer.text) == (422, True)


async def test_pieces_go_on_where_they_were(town: Town) -> None:
    content = pdf(size=PIECE_BYTES + 100)
    async with town.browser() as browser:
        await begun(browser)
        page = await browser.get(PAGE)
        said = {
            "csrf": hidden(page),
            "idempotency-key": "one",
            "/document": "diploma",
            "/media_type": "application/pdf",
            "/size": str(len(content)),
            "/name": NAME,
        }
        answer = await browser.post(PAGE, data=said)
        at = answer.headers["location"]
        assert (answer.status_code, answer.headers["upload-offset"]) == (201, "0")

        async def piece(offset: int, part: bytes, complete: str) -> httpx.Response:
            headers = {"Content-Type": PARTIAL, "Upload-Offset": str(offset), "Upload-Complete": complete}
            return await browser.patch(at, content=part, headers=headers)

        assert (await piece(0, content[:PIECE_BYTES], "?0")).headers["upload-offset"] == str(PIECE_BYTES)
        wrong = await piece(0, content[:PIECE_BYTES], "?0")
        assert (wrong.status_code, wrong.headers["upload-offset"]) == (409, str(PIECE_BYTES))
        page = await browser.get(PAGE)
        assert "Choose the same file again" in page.text
        assert (await browser.head(at)).headers["upload-offset"] == str(PIECE_BYTES)
        assert (await piece(PIECE_BYTES, content[PIECE_BYTES:], "?1")).headers["upload-complete"] == "?1"
        assert (await the_file(town))["state"]["status"] == "kept"
        foreign = {"Sec-Fetch-Site": "cross-site", "Content-Type": PARTIAL}
        assert (await browser.patch(at, content=b"", headers=foreign)).status_code == 403
    async with town.browser() as nobody:
        assert (await nobody.patch(at, content=b"", headers={"Content-Type": PARTIAL})).status_code == 303


async def test_what_is_still_coming_in_has_its_place_until_nobody_goes_on_with_it(town: Town) -> None:
    async with town.browser() as browser:
        await begun(browser)
        said = {"csrf": hidden(await browser.get(PAGE)), "/document": "curriculum-vitae", "/size": "100"}
        said |= {"/media_type": "application/pdf", "/name": NAME}
        first = (await browser.post(PAGE, data={**said, "idempotency-key": "one"})).headers["location"]
        # The field stays: the same file goes on in it.
        assert 'id="file-curriculum-vitae"' in (await browser.get(PAGE)).text
        other = {**said, "idempotency-key": "two"}
        refused = await browser.post(PAGE, data=other, headers={"Accept": "application/json"})
        assert (refused.status_code, refused.json()["rule"]) == (409, "files_too_many")
        fields, given = {"csrf": said["csrf"], "idempotency-key": "three"}, {"file": (NAME, pdf(), "application/pdf")}
        whole = await browser.post(f"{PAGE}/whole/curriculum-vitae", data=fields, files=given)
        assert (whole.status_code, "still coming in. Remove one first" in whole.text) == (409, True)
        assert (await browser.patch(first, content=b"1", headers={**PIECE, "Upload-Offset": "0"})).status_code == 204
        # Its end is a day after the last piece, also where its timer has not come yet.
        town.clock.instant += timedelta(days=1, minutes=1)
        assert (await browser.post(PAGE, data=other)).status_code == 201
        assert (await browser.patch(first, content=b"1", headers={**PIECE, "Upload-Offset": "1"})).status_code == 410


async def test_files_of_what_was_sent_lead_to_its_receipt(town: Town) -> None:
    async with town.browser() as browser:
        await filled(browser)
        assert (await added(browser, pdf())).status_code == 303
        page, file = await browser.get(PAGE), (await the_file(town))["_id"]
        assert (await sent(browser)).status_code == 303
        fields, given = {"csrf": hidden(page), "idempotency-key": "late"}, {"file": (NAME, pdf(), "application/pdf")}
        late = await browser.post(f"{PAGE}/whole/curriculum-vitae", data=fields, files=given)
        assert (late.status_code, "The application was sent before" in late.text) == (409, True)
        for answer in (
            await browser.post(f"{PAGE}/{file}/remove", data={"csrf": hidden(page)}),
            await browser.get(PAGE),
        ):
            assert (answer.status_code, answer.headers["location"]) == (303, f"{APPLICATION}/receipt")


async def recorded(browser: httpx.AsyncClient, town: Town) -> str:
    """The address of the case's files, by the person's own session."""
    for _ in range(200):
        receipt = await browser.get(f"{APPLICATION}/receipt")
        if "was recorded" in receipt.text:
            break
        await town.clock.sleep(0.02)
    await browser.post(f"{APPLICATION}/enter", data={"csrf": hidden(receipt)})
    cases = await browser.get("/registration/experts", follow_redirects=True)
    found = re.search(r"/registration/experts/[0-9a-f-]{36}", cases.text)
    assert found, cases.text
    return f"{found[0]}/files"


async def test_once_recorded_it_is_the_persons_and_outlives_the_application(town: Town) -> None:
    async with town.browser() as browser:
        await filled(browser)
        await added(browser, pdf())
        before = await the_file(town)
        page = await browser.get(PAGE)
        said = {"csrf": hidden(page), "idempotency-key": "late", "/document": "curriculum-vitae", "/size": "100"}
        at = (await browser.post(PAGE, data={**said, "/media_type": "application/pdf"})).headers["location"]
        assert (await sent(browser)).status_code == 303
        late = await browser.post(f"{PAGE}/whole/diploma", data={"csrf": "x"}, files={"file": (NAME, pdf(), "")})
        assert late.status_code == 403
        assert (await browser.get(PAGE)).headers["location"] == f"{APPLICATION}/receipt"
        await recorded(browser, town)
        for _ in range(200):
            after = await the_file(town)
            if after["state"]["draft"] is None:
                break
            await town.clock.sleep(0.02)
        assert after["state"]["draft"] is None
        assert after["private"]["key"] != before["private"]["key"]
        # One whose last piece came after the application was recorded.
        headers = {**PIECE, "Upload-Complete": "?1", "Upload-Offset": "0"}
        assert (await browser.patch(at, content=pdf(size=100), headers=headers)).status_code == 204
        assert (await the_file(town, "curriculum-vitae"))["state"]["draft"] is None
        # The application ends, and takes with it only what is still its own.
        registration = town.services["registration"]
        (draft,) = await documents(town, DRAFTS.name)
        town.clock.instant += timedelta(days=31)
        await registration.drafting.fire(draft)
        after = await the_file(town)
        assert after["state"]["status"] == "kept"
        key = await town.keys.persons("registration").key(after["state"]["person"])
        held = await registration.filing.opened(after["_id"], key)
        assert held.name == NAME
        assert b"".join([part async for part in registration.filing.content(held)]) == pdf()
        # After a crash the event comes again.
        await registration.files.registered(Again(after["state"]["expert"]))
        assert await the_file(town) == after
        assert CANARY not in str(await documents(town, FILE_PIECES.name)).encode()


async def test_a_person_adds_files_where_asked_and_an_officer_opens_them_for_a_purpose(town: Town) -> None:
    async with town.browser() as browser, town.browser() as office:
        await filled(browser)
        await added(browser, pdf())
        await sent(browser)
        at = await recorded(browser, town)
        page = await browser.get(at)
        assert "Files" in (await browser.get(at.removesuffix("/files"))).text
        # Nothing is asked now, so nothing is added.
        assert 'type="file"' not in page.text
        token = hidden(page)
        fields = {"csrf": token, "idempotency-key": "late"}
        late = await browser.post(f"{at}/whole/diploma", data=fields, files={"file": (NAME, pdf(), "application/pdf")})
        assert (late.status_code, "No files are added now" in late.text) == (409, True)
        own = await browser.post((await opens(town, browser, at))[0], data={"csrf": token})
        assert own.content == pdf()

        await enter(office, "officer@kabul")
        page = await office.get(at, follow_redirects=True)
        token = hidden(page)
        assert NAME not in page.text
        (path, *_) = re.findall(rf'action="({at}/[^"]+/read)"', page.text)
        assert (await office.post(path, data={"csrf": token})).status_code == 422
        assert (await office.post(path, data={"csrf": "x", "/purpose": "screening"})).status_code == 403
        read = await office.post(path, data={"csrf": token, "/purpose": "screening"})
        assert read.content == pdf()
        assert "sandbox" in read.headers["content-security-policy"]
        fields = {"csrf": token, "idempotency-key": "one"}
        for _ in range(2):
            given = {"file": ("scan.png", png(10, 10), "image/png")}
            answer = await office.post(f"{at}/whole/residence-permit", data=fields, files=given)
            assert answer.status_code == 303, answer.text
        page = await browser.get(at)
        assert "the office" in page.text
        person = (await the_file(town, "diploma"))["state"]["person"]
        looked = await browser.get(f"/registration/persons/{person}/readings")
        assert looked.text.count("To compare what was stated with the documents") == 1
        assert "Files" in looked.text

        verb = at.removesuffix("/files") + "/request-info"
        form = await office.get(verb)
        said = {"csrf": hidden(form), "idempotency-key": "two", "version": hidden(form, "version"), "/items": "diploma"}
        assert (await office.post(verb, data=said)).status_code == 303
        page = await browser.get(at)
        fields = {"csrf": hidden(page), "idempotency-key": "asked"}
        given = {"file": ("scan.png", png(10, 10), "image/png")}
        answer = await browser.post(f"{at}/whole/diploma", data=fields, files=given)
        assert answer.status_code == 303, answer.text
        page = await browser.get(at)
        said = {"csrf": hidden(page), "idempotency-key": "pieces", "/document": "curriculum-vitae", "/size": "100"}
        begun_now = await browser.post(at, data={**said, "/media_type": "application/pdf"})
        assert begun_now.status_code == 201
        headers = {**PIECE, "Upload-Offset": "0", "Upload-Complete": "?1"}
        where = begun_now.headers["location"]
        assert (await browser.head(where)).headers["upload-length"] == "100"
        assert (await browser.patch(where, content=pdf(size=100), headers=headers)).status_code == 204
        assert len(await opens(town, browser, at)) == 4


async def test_what_is_asked_for_can_be_handed_in_and_the_receipt_says_where_the_case_stands(town: Town) -> None:
    async with town.browser() as browser, town.browser() as office:
        await filled(browser)
        await added(browser, pdf())
        await sent(browser)
        at = await recorded(browser, town)
        case = at.removesuffix("/files")
        assert "Proof of employment" not in (await browser.get(at)).text
        await enter(office, "officer@kabul")
        form = await office.get(f"{case}/request-info", follow_redirects=True)
        said = {"csrf": hidden(form), "idempotency-key": "ask", "version": hidden(form, "version")}
        asked = {**said, "/items": ["employment_proof", "curriculum_vitae", "education"]}
        assert (await office.post(f"{case}/request-info", data=asked)).status_code == 303
        receipt = (await browser.get(f"{APPLICATION}/receipt")).text
        assert ("Information needed" in receipt, "looks at it next" in receipt) == (True, False)
        for page_of_it in (case, f"{case}/provide-info"):
            text = (await browser.get(page_of_it)).text
            assert re.search(r"Still needed: <?[^<]*Proof of employment", text), page_of_it
        page = await browser.get(at)
        open_now = set(re.findall(rf'action="{at}/whole/([^"]+)"', page.text))
        # What the programme lists under the same name stands there once, and what is no document is not there.
        assert open_now == {"diploma", "curriculum-vitae", "residence-permit", "employment_proof"}
        for number in ("1", "2"):
            fields = {"csrf": hidden(page), "idempotency-key": number}
            given = {"file": ("scan.png", png(10, 10), "image/png")}
            answer = await browser.post(f"{at}/whole/employment_proof", data=fields, files=given)
            assert answer.status_code == 303, answer.text
        other = await browser.post(f"{at}/whole/transcript", data={**fields, "idempotency-key": "no"}, files=given)
        assert (other.status_code, "document" in other.text) == (422, True)
        assert not re.search(r"Still needed: [^<]*Proof of employment", (await browser.get(case)).text)
        form = await browser.get(f"{case}/provide-info")
        said = {"csrf": hidden(form), "idempotency-key": "given", "version": hidden(form, "version")}
        assert (await browser.post(f"{case}/provide-info", data=said)).status_code == 303
        # What was handed in is seen afterwards, and takes no more.
        page = await office.get(at)
        assert page.text.count("Proof of employment") >= 3
        assert f"{at}/whole/employment_proof" not in page.text
        assert "Being checked" in (await browser.get(f"{APPLICATION}/receipt")).text


async def opens(town: Town, browser: httpx.AsyncClient, at: str) -> list[str]:
    """Where the files of the case are opened, once they are the person's."""
    for _ in range(200):
        found = re.findall(rf'action="({at}/[^"]+/read)"', (await browser.get(at)).text)
        if found:
            break
        await town.clock.sleep(0.02)
    return list(found)


async def test_an_application_that_ends_ends_its_files(town: Town) -> None:
    async with town.browser() as browser:
        await begun(browser)
        await added(browser, pdf())
        (draft,) = await documents(town, DRAFTS.name)
        town.clock.instant += timedelta(days=31)
        await town.services["registration"].drafting.fire(draft)
        assert [one for one in await documents(town, FILES.name) if one["private"]] == []
        assert [one for one in await documents(town, FILE_PIECES.name) if one["private"]] == []
