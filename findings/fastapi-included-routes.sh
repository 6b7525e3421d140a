#!/usr/bin/env bash
# FastAPI 0.165.0: each level of `include_router` makes it ask a route once more whether it is the one. The route that
# answers is asked twice for each request even where it is the application's only one, three times in a router that was
# included once more, four times with another level. So how routers are nested costs time at every request, not at the
# start, and a `matches` of one's own that counts, limits or logs does so several times for one request.
#
# Seen with fastapi 0.165.0, starlette as it asks for it, Python 3.11, Linux:
#   levels 0, 1, 2, 3: the route is asked 2, 3, 4, 5 times for one request
#
# Exit code 1 where the behaviour is another.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q fastapi==0.165.0
"$work/venv/bin/python" - <<'PYTHON'
import asyncio
import sys

import fastapi
from fastapi.routing import APIRoute

SCOPE = {"type": "http", "method": "GET", "path": "/x", "headers": [], "query_string": b"", "root_path": ""}


def asked(levels):
    """How often the only route is asked for one request that it answers."""
    times = 0

    class Counting(APIRoute):
        def matches(self, scope):
            nonlocal times
            times += 1
            return super().matches(scope)

    router = fastapi.APIRouter(route_class=Counting)
    router.get("/x")(lambda: {})
    for _ in range(levels):
        outer = fastapi.APIRouter()
        outer.include_router(router)
        router = outer
    app = fastapi.FastAPI()
    app.include_router(router)
    statuses = []

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    asyncio.run(app(dict(SCOPE), receive, send))
    assert statuses == [200], statuses
    return times


found = [asked(levels) for levels in range(4)]
print(f"fastapi {fastapi.__version__}: the route is asked {found} times at 0 to 3 levels")
sys.exit(0 if found == [2, 3, 4, 5] else "the behaviour is another")
PYTHON
