"""The page of what other systems are told: the messages of the last days, as the reader's own token gets them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from fastapi import Depends, Request
from starlette.responses import Response

from services.monitoring.feed.api import audience_of
from services.monitoring.feed.deliveries import earlier
from services.monitoring.feed.pulling import NOW, Pulling
from shared.clock import Runtime, instant_of
from shared.web.lists import query
from shared.web.pages.languages import PARAMETER
from shared.web.pages.readers import Admitted, reading_as
from shared.web.pages.rendering import render
from shared.web.pages.words import translations
from shared.web.routing import Routes

PATH = "/feed"
DAYS, AFTER = "days", "after"
# How far back one may look, and what is shown at first.
CHOICES = ("1", "7", "30")
USUAL = "7"
ON_A_PAGE = 50


@dataclass(frozen=True)
class Line:
    """One message: the words of its event, or its type where the catalogue has none."""

    at: datetime
    words: str
    type: str
    id: str
    subject: str
    office: str | None


def link(language: str) -> str:
    """What leads here from the page of today."""
    return translations(language).gettext("What other systems are told")


class FeedPages:
    """`GET /feed`."""

    def __init__(self, pulling: Pulling, runtime: Runtime) -> None:
        self._pulling = pulling
        self._runtime = runtime
        self.router = Routes(include_in_schema=False)
        self.router.add_api_route(PATH, self._shown(), methods=["GET"])

    def _shown(self) -> Callable[..., Any]:
        async def endpoint(request: Request, admitted: Admitted = Depends(reading_as("feed", "read"))) -> Response:
            given = query(request, DAYS, AFTER, PARAMETER)
            days = given.get(DAYS, USUAL)
            days = days if days in CHOICES else USUAL
            audience = audience_of(admitted)
            place = await self._pulling.place(given.get(AFTER, NOW), audience)
            if AFTER not in given:
                since = self._runtime.now() - timedelta(days=int(days))
                place = await earlier(self._pulling.log, place, since)
            some = await self._pulling.some(audience, place, ON_A_PAGE)
            language = admitted.reader.language
            following = self._pulling.cursors.written(some.positions, audience)
            return render(
                request,
                "feed.html",
                reader=admitted.reader,
                service=admitted.edge.service,
                lines=[line_of(one.text, language) for one in some.messages],
                days=days,
                following=following,
                more=not some.whole,
            )

        return endpoint


def line_of(text: bytes, language: str) -> Line:
    event = json.loads(text)["event"]
    key = f"did:{event['type'].rsplit('.', 1)[1]}"
    said = translations(language).gettext(key)
    words = "" if said == key else said
    return Line(instant_of(event["time"]), words, event["type"], event["id"], event["subject"], event.get("office"))
