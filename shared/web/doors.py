"""Where submissions come in: looked at before anything is read of them, and refused for next to nothing.

A refusal by the service's app costs a good part of what the registration would have cost: parsing, the signature, the
framework. Under ten times what can be decided that would leave nothing for deciding. So the server asks the door as
soon as the first bytes of a request name one, and answers with bytes that are made once.
"""

from __future__ import annotations

import re
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from http import HTTPStatus

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from shared.intake.admission import Admission
from shared.web.callers import Granted
from shared.web.envelope import SECURITY_HEADERS
from shared.web.problems import problem

_PARAMETER = re.compile(r"\{[^}]*\}")


class Door:
    """The paths of one service that take submissions, those that answer 202, and its admission."""

    def __init__(self, app: FastAPI, service: str, admission: Admission) -> None:
        self.admission = admission
        paths = [
            _PARAMETER.sub("[^/ ?]+", str(route.path))
            for route in iter_route_contexts(app.routes)
            if getattr(route, "status_code", None) == HTTPStatus.ACCEPTED
        ]
        self._line = re.compile(rf"POST /{service}(?:{'|'.join(paths)}) HTTP/1\.1\r\n".encode())

    def leads(self, begun: bytes) -> bool:
        """Whether a request that begins so is a submission here."""
        return self._line.match(begun) is not None


def entered(granted: Granted, address: str | None = None) -> AbstractContextManager[None]:
    """Counts the caller's submission while it is read and stored. Raises Overloaded (429) where there is no room.

    `address`: of somebody who submits without an account.
    """
    admission = granted.edge.admission
    return nullcontext() if admission is None else admission.entered(granted.principal.account, address)


@lru_cache(maxsize=512)
def written(status: int, rule: str, retry_after: int | None, closes: bool) -> bytes:
    """A problem as bytes of HTTP/1.1."""
    headers = {**SECURITY_HEADERS, **({"Retry-After": str(retry_after)} if retry_after is not None else {})}
    answer = problem(status, rule, headers={**headers, **({"Connection": "close"} if closes else {})})
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}".encode()]
    lines += [name + b": " + value for name, value in answer.raw_headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + bytes(answer.body)
