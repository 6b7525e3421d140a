"""What both edges do with the code of an account that is offered: look, accept, decline."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Request
from pydantic import BaseModel, BeforeValidator, StringConstraints

from services.registration.applying.opening import WRONG_AT_MOST, Tries
from services.registration.domain.handover import ACCEPT, DECLINE, Acceptance, DeclinedFor
from services.registration.identifiers import SERVICE
from services.registration.work.consenting import UNKNOWN, Causing, Consenting, Offered
from shared.cases.bodies import Input, Reason
from shared.contracts.base import Instant
from shared.errors import Refusal
from shared.identity.rights import Rights
from shared.store.aggregates import Cause
from shared.texts import one_line
from shared.web.bodies import Body
from shared.web.callers import Granted
from shared.web.commands import cause
from shared.web.pages.words import translations

HANDOVERS = "handovers"
RIGHTS: tuple[Rights, ...] = ((HANDOVERS, "find accept decline", {"expert": "own", "host": "own"}),)


class HandoverCode(Input):
    """The code as it was given, in any case, with or without its strokes."""

    code: Annotated[str, StringConstraints(min_length=1, max_length=64), BeforeValidator(one_line)]


class AcceptedWith(HandoverCode, Acceptance):
    """The code, and where whoever takes the account over is written to."""


class DeclinedWith(HandoverCode):
    """The code, and why the account is not taken over."""

    reason: DeclinedFor


class HandoverFound(BaseModel):
    """What is offered: the account of an institution by its name, or of a person, who is not named."""

    case: str
    name: str | None
    reason: str
    ends_at: Instant


class HandoverAnswered(BaseModel):
    """What became of it; `id`: of the case, which the caller reads from now on, where the account was taken over."""

    case: str
    id: str | None


def link(language: str) -> str:
    return translations(language).gettext("Somebody hands an account over to you")


def found(offered: Offered) -> HandoverFound:
    proposal = offered.state.handover
    if proposal is None:
        raise ValueError("nothing is offered")
    name = None if offered.person else offered.document["private"].get("name")
    return HandoverFound(case=offered.aggregate.name, name=name, reason=proposal.reason, ends_at=proposal.ends_at)


@dataclass(frozen=True)
class Answering:
    """`wrong`: codes that no account is offered under, by the account that asked."""

    consenting: Consenting
    wrong: Tries = field(default_factory=lambda: Tries(WRONG_AT_MOST))

    async def find(self, body: HandoverCode, granted: Granted) -> HandoverFound:
        """Raises as `Consenting.find`; Overloaded (429) for whoever tried too often."""
        with self._counted(granted):
            return found(await self.consenting.find(granted.principal, body.code))

    async def accept(self, request: Request, sent: Body[AcceptedWith], key: str, granted: Granted) -> HandoverAnswered:
        """Raises as `Consenting.accept`; Overloaded (429)."""
        said, body = Acceptance(email=sent.model.email), sent.model
        causing = self._causing(request, ACCEPT, sent, key, granted)
        with self._counted(granted):
            offered = await self.consenting.accept(granted.principal, body.code, said, causing)
        return HandoverAnswered(case=offered.aggregate.name, id=offered.id)

    async def decline(self, request: Request, sent: Body[DeclinedWith], key: str, granted: Granted) -> HandoverAnswered:
        """Raises as `Consenting.decline`; Overloaded (429)."""
        said, body = Reason(reason=sent.model.reason), sent.model
        causing = self._causing(request, DECLINE, sent, key, granted)
        with self._counted(granted):
            offered = await self.consenting.decline(granted.principal, body.code, said, causing)
        return HandoverAnswered(case=offered.aggregate.name, id=None)

    def _causing(self, request: Request, verb: str, sent: Body[Any], key: str, granted: Granted) -> Causing:
        """The digest ends with the person whom the account stands for."""

        async def causing(offered: Offered) -> Cause:
            digest = await granted.edge.digests.of(sent.digest, offered.person)
            what = f"POST /{SERVICE}/v1/{HANDOVERS}/{verb.partition('-')[0]}"
            return cause(request, granted, what, key, digest)

        return causing

    @contextmanager
    def _counted(self, granted: Granted) -> Iterator[None]:
        """A code that finds nothing is counted. Raises Overloaded (429)."""
        account, now = granted.principal.account, granted.edge.runtime.monotonic()
        self.wrong.check(account, now)
        try:
            yield
        except Refusal as refusal:
            if refusal.rule == UNKNOWN:
                self.wrong.count(account, now)
            raise
