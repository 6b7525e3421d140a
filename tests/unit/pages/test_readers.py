"""A page is read by a pass of this service alone, for five minutes, and its forms come from its own session."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, Depends, Request
from starlette.responses import JSONResponse, Response

from shared.clock import derived_id
from shared.errors import Refusal
from shared.identity.keys import Keys
from shared.identity.passes import Pass, sign_pass
from shared.identity.roles import Role
from shared.identity.tokens import Principal
from shared.web.callers import guarded_routes
from shared.web.pages.readers import Admitted, check_forgery, reading_as
from tests.unit.web.service import Small

pytest_plugins = ["tests.unit.web.small"]

SESSION = derived_id("a session")


@pytest.fixture(autouse=True)
def pages(small: Small) -> None:
    router = APIRouter(include_in_schema=False)

    async def read(found: Admitted = Depends(reading_as("cases", "read"))) -> Response:
        reader = found.reader
        said = [reader.principal.role, reader.principal.office, reader.language, reader.csrf]
        return JSONResponse({"reader": said, "equalities": await found.equalities()})

    async def approve(request: Request, found: Admitted = Depends(reading_as("cases", "approve"))) -> Response:
        try:
            check_forgery(request, dict(request.query_params), found.reader)
        except Refusal as refusal:
            return JSONResponse(refusal.rule, refusal.status)
        return JSONResponse("done")

    router.add_api_route("/page", read, methods=["GET"])
    router.add_api_route("/page", approve, methods=["POST"])
    small.app.include_router(router)


def signed(small: Small, service: str = "matching", role: Role = "officer", language: str | None = None) -> str:
    account = small.accounts.of("somebody")
    given = Pass(Principal(account, role, "kabul"), SESSION, language)
    return sign_pass(keys_of(small), service, given, small.clock.now())


def keys_of(small: Small) -> Keys:
    keys: Keys = small.app.state.edge.readers.keys
    return keys


def cookie(text: str) -> dict[str, str]:
    return {"Cookie": f"sankofa-pass={text}"}


async def read(http: httpx.AsyncClient, text: str, path: str = "/matching/page") -> httpx.Response:
    return await http.get(path, headers=cookie(text))


async def test_a_pass_tells_who_reads_and_what_the_table_grants(http: httpx.AsyncClient, small: Small) -> None:
    found = (await read(http, signed(small))).json()
    assert found["reader"][:3] == ["officer", "kabul", "en"]
    assert found["equalities"] == [["office", "kabul"]]
    assert (await read(http, signed(small, language="ar"))).json()["reader"][2] == "ar"
    assert (await read(http, signed(small, language="ar"), "/matching/page?lang=fr")).json()["reader"][2] == "fr"
    assert (await read(http, signed(small, role="evaluator"))).status_code == 403
    rights = {(one.method, one.right.verb) for one in guarded_routes(small.app) if one.path == "/page" and one.right}
    assert rights == {("GET", "read"), ("POST", "approve")}


async def test_it_dies_after_five_minutes(http: httpx.AsyncClient, small: Small) -> None:
    text = signed(small)
    small.clock.instant += timedelta(minutes=5, seconds=29)
    assert (await read(http, text)).status_code == 200
    small.clock.instant += timedelta(seconds=1)
    assert (await read(http, text)).status_code == 303


def changed(text: str, **claims: Any) -> str:
    head, body, signature = text.split(".")
    told = json.loads(base64.urlsafe_b64decode(body + "=="))
    new = base64.urlsafe_b64encode(json.dumps({**told, **claims}).encode()).decode().rstrip("=")
    return f"{head}.{new}.{signature}"


async def test_nothing_else_opens_a_page(http: httpx.AsyncClient, small: Small) -> None:
    bearer = small.bearer("officer", "kabul")
    token = bearer["Authorization"].removeprefix("Bearer ")
    others = ["", "nonsense", token, signed(small, "placement"), changed(signed(small), role="administrator")]
    for text in others:
        answer = await read(http, text, "/matching/page?state=opened&lang=fr")
        assert answer.status_code == 303, text
        to = "%2Fmatching%2Fpage%3Fstate%3Dopened%26lang%3Dfr"
        assert answer.headers["location"] == f"/registration/pass?service=matching&to={to}"
    assert (await http.get("/matching/page", headers=bearer)).status_code == 303
    assert (await http.post("/matching/page")).status_code == 401
    long = await http.get(f"/matching/page?q={'x' * 2_000}")
    assert long.headers["location"] == "/registration/pass?service=matching&to=%2Fmatching%2Fpage"


async def test_a_pass_is_no_bearer_token_and_no_cookie_opens_the_json_edge(
    http: httpx.AsyncClient, small: Small
) -> None:
    text = signed(small)
    answer = await http.get("/matching/v1/cases", headers={"Authorization": f"Bearer {text}"})
    assert (answer.status_code, answer.json()["rule"]) == (401, "unknown_key")
    answer = await http.get("/matching/v1/cases", headers=cookie(text))
    assert (answer.status_code, answer.json()["rule"]) == (401, "not_signed_in")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "null"}, 200),
        ({"Origin": "null"}, 200),
        ({"Origin": "http://sankofa.test"}, 200),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "none"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://sankofa.test"}, 403),
        ({"Origin": "http://elsewhere.test"}, 403),
        ({"Origin": "http://sankofa.test:81"}, 403),
    ],
)
async def test_a_form_is_sent_by_a_page_of_this_site(
    http: httpx.AsyncClient, small: Small, headers: dict[str, str], status: int
) -> None:
    text = signed(small)
    csrf = (await read(http, text)).json()["reader"][3]
    answer = await http.post(f"/matching/page?csrf={csrf}", headers={**cookie(text), **headers})
    assert answer.status_code == status


async def test_a_form_holds_the_token_of_its_own_session(http: httpx.AsyncClient, small: Small) -> None:
    of_another = small.app.state.edge.readers.forms_of(derived_id("another session"))
    for wrong in ("", f"csrf={of_another}", "csrf=%C3%A9"):
        answer = await http.post(f"/matching/page?{wrong}", headers=cookie(signed(small)))
        assert (answer.status_code, answer.json()) == (403, "forged")
