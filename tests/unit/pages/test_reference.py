"""Cases are found by what people call them by: the reference on pages, in mails and on receipts."""

from __future__ import annotations

import re

import pytest

from tests.unit.pages.test_cases import Office
from tests.unit.pages.test_yours import applied, office

__all__ = ["office"]
pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_case_is_found_by_what_people_call_it(office: Office) -> None:
    expert, other = [await applied(office.serving, one, document=None) for one in ("hers", "his")]
    async with office.browser("officer") as http:
        for written in (expert[:8], expert[:8].upper(), f" {expert[:13]} ", expert):
            answer = await http.get("/registration/experts", params={"reference": written})
            assert (answer.status_code, answer.headers["location"]) == (303, f"/registration/experts/{expert}")
        for unknown in ("00000000", expert[:7], "Given Family", "7K2M-QX9D-4WTN", ""):
            page = await http.get("/registration/experts", params={"reference": unknown})
            assert page.status_code == 200
            assert (f"/registration/experts/{other}" in page.text) is (unknown == "")
            assert ("Nothing matches what you chose." in page.text) is (unknown != "")
        search = (await http.get("/registration/search")).text
        assert re.search(r'<form method="get" action="/registration/experts">.*name="reference"', search, re.DOTALL)
    async with office.browser("officer", office="the-hague") as elsewhere:
        page = await elsewhere.get("/registration/experts", params={"reference": expert})
        assert (page.status_code, "Nothing matches what you chose." in page.text) == (200, True)
    for subject, finds in (("hers", True), ("his", False)):
        async with office.browser("expert", account=office.serving.account(subject)) as own:
            answer = await own.get("/registration/experts", params={"reference": expert[:8]})
            assert answer.status_code == (303 if finds else 200)
