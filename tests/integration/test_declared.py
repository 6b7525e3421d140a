"""Every answer that histories of all kinds get is one that the services' documents declare."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from shared.clock import RealRuntime
from shared.messaging.local import LocalLog
from shared.messaging.topics import TOPICS
from tests.declared import Declared, Undeclared
from tests.integration.four import EVERY_TOPIC, Four, small_history


@pytest.fixture
def runtime() -> Iterator[RealRuntime]:
    runtime = RealRuntime()
    yield runtime
    runtime.close()


@pytest.mark.timeout(200)
async def test_every_answer_of_three_histories_is_declared(runtime: RealRuntime, tmp_path: Path) -> None:
    async with Four(LocalLog(None, list(TOPICS.values()), runtime), runtime) as four:
        for code, ends in EVERY_TOPIC.items():
            await four.put(small_history(*ends, code=code), tmp_path / code)
        answered = set(four.client.declared.seen)
        for name in ("trqn-1", "institution-capacity", "coswa-nar"):
            path = f"/monitoring/v1/programmes/{name}/indicators"
            for query in ("", "?by=sex", "?as_of=20080105", "?period=none"):
                await four.http.get(path + query, headers=four.bearer("administrator"))
        for path in ("matching/openapi.json", "placement/asyncapi.json", "placement/v1/placements", "matching/nothing"):
            await four.http.get(f"/{path}")
    done = {(service, path) for service, path, status in answered if 200 <= status < 300}
    assert {service for service, _ in done} == {"registration", "matching", "placement", "monitoring"}
    assert len(done) >= 40, sorted(done)
    assert ("registration", "/v1/experts") in done
    assert ("placement", "/v1/placements/{id}/complete") in done


ANSWER = {"keys": [{"kty": "OKP"}]}


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, json={**ANSWER, "more": 1}),
        httpx.Response(200, json={"keys": "none"}),
        httpx.Response(201, json=ANSWER),
        httpx.Response(200, json=ANSWER, headers={"ETag": '"1"'}),
        httpx.Response(200, content=json.dumps(ANSWER), headers={"Content-Type": "text/plain"}),
        httpx.Response(503, json={"type": "urn:x"}, headers={"Content-Type": "application/problem+json"}),
    ],
)
async def test_what_is_not_declared_is_found(answer: httpx.Response) -> None:
    async def asked(handler_answer: httpx.Response) -> httpx.Response:
        transport = Declared({"": "registration"}, httpx.MockTransport(lambda _: handler_answer))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.get("/v1/keys")

    assert (await asked(httpx.Response(200, json=ANSWER))).status_code == 200
    with pytest.raises(Undeclared):
        await asked(answer)
