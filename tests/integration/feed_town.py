"""What is told of two offices, and the feed of it as a server carries it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shared.identity.roles import Role
from tests.unit.monitoring.story import Story
from tests.unit.registration.serving import Serving
from tests.unit.streams import Listening, open_stream

WAIT_SECONDS = 5.0


def two_offices() -> Story:
    story = Story()
    story.published()
    for name in ("ali", "ben", "cem"):
        story.person(name)
        story.accepted(name)
    story.office = "bogota"
    story.person("dan")
    return story


@asynccontextmanager
async def listening(
    edge: Serving, role: Role, after: str = "", *, office: str | None = None, method: str = "GET", **headers: str
) -> AsyncIterator[Listening]:
    """The feed, for as long as the block runs."""
    office = "kabul" if office is None and role == "officer" else office
    given = {"authorization": f"Bearer {edge.issuer.issue(role, office)}", **headers}
    address = f"/v1/feed?after={after}" if after else "/v1/feed"
    async with open_stream(edge.clock, edge.service.app, address, given, method, WAIT_SECONDS) as one:
        yield one
