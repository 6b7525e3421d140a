"""What a refusal of registration's edge says of the field: where it is, what would be right, and never what came in."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from services.registration.app import build
from services.registration.domain.examples import ATTRIBUTES, DEFINITION
from services.registration.domain.files import FILE_BYTES_AT_MOST
from services.registration.store import COLLECTIONS, SHADOWS
from shared.replica import stored
from shared.web.pages.words import rule_words
from tests.integration.test_registration_http import registered, registration
from tests.unit.pages.test_cases import Office, held
from tests.unit.registration.serving import Serving

pytestmark = pytest.mark.asyncio(loop_scope="module")
LOW = {**ATTRIBUTES, "education": 3}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def published() -> AsyncIterator[Serving]:
    async with Serving("registration", stored(COLLECTIONS, SHADOWS), build) as serving:
        await serving.publish(DEFINITION)
        yield serving


@pytest.mark.parametrize(
    ("changes", "pointer", "rule", "words"),
    [
        ({"consents": ["canary"]}, "/consents/0", "literal_error", "one of "),
        ({"email": "canary"}, "/person/email", "string_pattern_mismatch", "name@example.org"),
        (
            {"attributes": {**ATTRIBUTES, "nationality": "nl"}},
            "/person/attributes/nationality",
            "string_pattern_mismatch",
            "two capital letters",
        ),
        (
            {"attributes": {**ATTRIBUTES, "occupation": "٢٢"}},
            "/person/attributes/occupation",
            "string_pattern_mismatch",
            "digits 0 to 9",
        ),
        (
            {"attributes": {**ATTRIBUTES, "sex": "canary"}},
            "/person/attributes/sex",
            "literal_error",
            "one of female, male",
        ),
    ],
)
async def test_a_field_is_told_what_would_be_right(
    published: Serving, changes: dict[str, Any], pointer: str, rule: str, words: str
) -> None:
    answer = await published.post("/experts", "officer", registration(**changes))
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["pointer"], error["rule"]) == (422, pointer, rule)
    assert words in error["detail"]
    assert "canary" not in answer.text


async def test_a_programme_that_there_is_not_is_told_at_its_field(published: Serving) -> None:
    answer = await published.post("/experts", "officer", registration(programme="canary-1"))
    assert (answer.status_code, answer.json()["rule"]) == (404, "programme_unknown")
    assert answer.json()["errors"][0]["pointer"] == "/programme"
    assert "programme that was published" in answer.json()["detail"]
    assert "canary" not in answer.text


async def test_attributes_and_their_day_are_asked_for_where_they_lack(published: Serving) -> None:
    expert, _ = await registered(published, document=None)
    await published.post(f"/experts/{expert}/request-info", "officer", {"items": ["diploma"]})
    for body, pointer in (({"attributes": {}}, "/valid_from"), ({"valid_from": "2007-03-05"}, "/attributes")):
        answer = await published.post(f"/experts/{expert}/provide-info", "officer", body)
        (error,) = answer.json()["errors"]
        assert (answer.status_code, error["pointer"], error["rule"]) == (422, pointer, "attributes_with_valid_from")
        assert "attributes" in error["detail"]
    blank = await published.post(f"/experts/{expert}/provide-info", "officer", {"note": "   "})
    assert [(one["pointer"], one["rule"]) for one in blank.json()["errors"]] == [("/note", "string_too_short")]


async def test_purposes_and_types_of_files_are_listed_and_a_large_file_is_told_the_limit(published: Serving) -> None:
    expert, person = await registered(published, document=None)
    asked = await published.post(f"/persons/{person}/read-identity", "officer", {"purpose": "canary"})
    assert "one of contact, travel, screening" in asked.json()["errors"][0]["detail"]
    begun = {"document": "diploma", "media_type": "image/gif", "size": 5}
    refused = await published.post(f"/experts/{expert}/files", "officer", begun)
    assert refused.json()["errors"][0]["detail"] == "one of application/pdf, image/jpeg, image/png"
    begun = {**begun, "media_type": "image/png", "size": FILE_BYTES_AT_MOST + 1}
    large = await published.post(f"/experts/{expert}/files", "officer", begun)
    assert (large.json()["rule"], str(FILE_BYTES_AT_MOST) in large.json()["detail"]) == ("file_too_large", True)


async def test_what_holds_from_a_later_day_is_screened_from_then_on_and_says_so(published: Serving) -> None:
    """At noon in UTC the next day has begun in the east, and not in the office."""
    noon = datetime.combine(datetime.now(UTC).date() + timedelta(days=2), datetime.min.time(), UTC).replace(hour=12)
    published.clock.ahead = noon - datetime.now(UTC)
    tomorrow = (noon + timedelta(days=1)).date()
    after = registration(document=None, valid_from=str(tomorrow + timedelta(days=1)), attributes=LOW)
    refused = await published.post("/experts", "officer", after)
    assert (refused.status_code, refused.json()["rule"]) == (422, "valid_in_the_future")
    assert str(tomorrow) in refused.json()["detail"]
    expert, _ = await registered(published, document=None, valid_from=str(tomorrow), attributes=LOW)
    early = await published.post(f"/experts/{expert}/screen", "officer")
    assert (early.status_code, early.json()["rule"]) == (409, "profile_begins_later")
    assert str(tomorrow) in early.json()["detail"]
    async with Office(published).http as http:
        page = (await http.get(f"/registration/experts/{expert}")).text
        assert f'/registration/experts/{expert}/screen"' not in page
        assert f'datetime="{tomorrow}"' in page.partition("Possible from")[2][:80]
    published.clock.ahead += timedelta(days=1)
    async with Office(published).http as http:
        page = (await http.get(f"/registration/experts/{expert}")).text
        assert f'/registration/experts/{expert}/screen"' in page
        form = (await http.get(f"/registration/experts/{expert}/screen")).text
        assert re.search(r'data-label="Required">at least [^<]*<', form)


async def test_a_contact_that_changes_nothing_is_refused(published: Serving) -> None:
    _, person = await registered(published, document=None)
    path = f"/persons/{person}/set-contact"
    before = (await published.get(f"/persons/{person}")).headers["etag"]
    for nothing in ({}, {"often": "at_once"}):
        refused = await published.post(path, "officer", nothing)
        assert (refused.status_code, refused.json()["rule"]) == (409, "contact_unchanged")
    assert (await published.get(f"/persons/{person}")).headers["etag"] == before
    wished = {"often": "daily", "unwanted": ["reminder", "progress"]}
    for _ in range(2):
        assert (await published.post(path, "officer", wished, key="wished")).status_code == 200
    again = await published.post(path, "officer", {**wished, "unwanted": ["progress", "reminder"]})
    assert again.json()["rule"] == "contact_unchanged"
    # Said again, an address is taken as it is: a refusal would tell which one stands.
    for _ in range(2):
        assert (await published.post(path, "officer", {**wished, "email": "me@example.org"})).status_code == 200


async def test_pages_say_of_each_field_what_would_be_right(published: Serving) -> None:
    async with Office(published).http as http:
        form = held(await http.get("/registration/search"))
        for name, words in (("%", "at least one letter or digit"), ("x" * 3_000, "Shorten this text")):
            page = await http.post("/registration/search", data={"csrf": form["csrf"], "/name": name})
            assert (page.status_code, words in page.text) == (422, True)
        for limit in ("0", "abc"):
            page = await http.get(f"/registration/experts?limit={limit}")
            assert (page.status_code, "Ask for 1 to 200 rows" in page.text) == (422, True)
    assert "four digits" in rule_words("en", "greater_than_equal", "/person/attributes/birth_year")
    assert rule_words("en", "greater_than_equal", "/person/attributes/education") == "Enter a larger number"
    assert rule_words("en", "no_letter_or_digit", "/person/documents/0/number").startswith("Enter the number")
