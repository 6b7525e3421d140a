"""The feed's HTTP edge: what is told, from any place on, by asking or by listening."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any

from fastapi import Depends, Request
from pydantic import BaseModel
from starlette.responses import Response

from services.monitoring.domain.telling import Audience
from services.monitoring.feed.cursors import CHARACTERS_AT_MOST, Positions
from services.monitoring.feed.messages import FeedMessage
from services.monitoring.feed.pulling import NOW, Message, Pulling
from services.monitoring.feed.tailing import Tail
from services.monitoring.streaming import HEARTBEAT, HEARTBEAT_SECONDS, RETRY, Places, Stream
from shared.clock import Runtime
from shared.errors import Refusal
from shared.web.answers import answered, refused_by, turned_away
from shared.web.callers import Granted, may
from shared.web.lists import PARAMETERS, limit_of, query
from shared.web.pages.kept import EVENTS
from shared.web.routing import Routes

AFTER: dict[str, Any] = {
    "name": "after",
    "in": "query",
    "schema": {"type": "string", "maxLength": CHARACTERS_AT_MOST},
    "description": f"A cursor, behind which it goes on; `{NOW}`: behind all that there is. Without it from the "
    "beginning.",
}
LIMIT = PARAMETERS[0]


class FeedPage(BaseModel):
    """Messages in the order in which their events were recorded on the log. `next`: where to go on; it may have moved
    where there are none."""

    items: tuple[FeedMessage, ...]
    next: str


def audience_of(granted: Granted) -> Audience:
    """By the caller's rights. Raises Refusal (403) for whoever follows the cases of an office and has none."""
    cases = granted.edge.policy.allowed(granted.principal, "feed", "follow-cases")
    if not cases:
        return Audience("published")
    if cases[0].relation == "all":
        return Audience("all")
    if granted.principal.office is None:
        raise Refusal("token_without_office", status=403)
    return Audience("office", granted.principal.office)


STREAM = (
    "Server-Sent Events. Each has a message as `data` and, as `id`, the cursor behind it. They end with the token; "
    "whoever comes back with the last id goes on behind it."
)
RESTORED = refused_by("cursor_before_restore")
STREAMED: dict[str, Any] = {
    "200": {
        "description": STREAM,
        "content": {EVENTS: {"schema": {"type": "string", "contentMediaType": EVENTS}}},
    },
    "409": RESTORED,
    "429": turned_away("The account has several streams open already, or there are too many in all."),
}
LAST_EVENT_ID: dict[str, Any] = {
    "name": "Last-Event-ID",
    "in": "header",
    "schema": AFTER["schema"],
    "description": "As `after`, before which it counts.",
}


class FeedApi:
    """`GET /feed` and `GET /feed/messages`."""

    def __init__(self, pulling: Pulling, runtime: Runtime) -> None:
        self._pulling = pulling
        self._runtime = runtime
        self.tail = Tail(pulling, runtime)
        self.places = Places()
        self.router = Routes()
        pulled = {
            **answered(FeedPage, "Some of them; the next ones by `next`, which is never null."),
            "409": RESTORED,
            "429": turned_away("Many are asking at once."),
        }
        self.router.add_read(
            "/feed",
            self._listen_route(),
            summary="Events as signed messages, as they come",
            tag="feed",
            responses=STREAMED,
            parameters=[AFTER, LAST_EVENT_ID],
            response_class=Response,
        )
        self.router.add_read(
            "/feed/messages",
            self._pull_route(),
            summary="Events as signed messages, from a place in the log on",
            tag="feed",
            responses=pulled,
            parameters=[LIMIT, AFTER],
        )

    def _listen_route(self) -> Callable[..., Any]:
        async def feed_listen(request: Request, granted: Granted = Depends(may("feed", "read"))) -> Response:
            given, audience = query(request, "after"), audience_of(granted)
            after = request.headers.get("last-event-id") or given.get("after")
            place = await self._pulling.place(after, audience)
            account, until = granted.principal.account, granted.principal.until
            seconds = 0.0 if until is None else (until - self._runtime.now()).total_seconds()
            self.places.take(account)
            return Stream(self._told(audience, place, seconds), lambda: self.places.leave(account))

        return feed_listen

    async def _told(self, audience: Audience, place: Positions, seconds: float) -> AsyncGenerator[bytes]:
        last = self._runtime.monotonic()
        until = last + seconds
        yield RETRY
        async with aclosing(self.tail.messages(audience, place)) as messages:
            async for one in messages:
                now = self._runtime.monotonic()
                if now >= until or self.tail.ended.is_set():
                    return
                if one is not None:
                    yield self._event(one, audience)
                elif now - last >= HEARTBEAT_SECONDS:
                    yield HEARTBEAT
                else:
                    continue
                last = now

    def _event(self, message: Message, audience: Audience) -> bytes:
        cursor = self._pulling.cursors.written(message.positions, audience).encode()
        return b"id: " + cursor + b"\ndata: " + message.text + b"\n\n"

    def _pull_route(self) -> Callable[..., Any]:
        async def feed_pull(request: Request, granted: Granted = Depends(may("feed", "read"))) -> Response:
            given, audience = query(request, "limit", "after"), audience_of(granted)
            limit = limit_of(given)
            place = await self._pulling.place(given.get("after"), audience)
            some = await self._pulling.some(audience, place, limit)
            following = json.dumps(self._pulling.cursors.written(some.positions, audience)).encode()
            items = b",".join(one.text for one in some.messages)
            return Response(b'{"items":[' + items + b'],"next":' + following + b"}", media_type="application/json")

        return feed_pull
