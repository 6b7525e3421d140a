"""One verb on many cases: each is a command of its own, so that what was done stays done and what is asked again goes
on where it stopped.

The command's key follows from the key of the whole, the case and the version of it that somebody has seen.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from fastapi import Request

from shared.cases.case import Asked, Move
from shared.cases.revisions import REVISING
from shared.clock import derived_id
from shared.errors import PreconditionFailed, Refusal
from shared.identity.roles import Role
from shared.store.port import Document
from shared.store.relations import RECEIVING
from shared.web.acting import Behind, Served, act, id_of
from shared.web.bodies import Body
from shared.web.callers import Granted, allowed
from shared.web.calling import Asking, call_of
from shared.web.problems import ANSWERS, REFUSED, answer_to

# So many cases at once, and so long in one request: what is left then is asked for again.
CASES_AT_MOST = 200
SECONDS_AT_MOST = 0.7
_MISSING, _TOO_MANY, _ERROR = 404, 429, 500

Kind = Literal["done", "refused", "changed", "missing", "left"]
KINDS: tuple[Kind, ...] = ("done", "left", "changed", "refused", "missing")


@dataclass(frozen=True)
class Chosen:
    """A case, and the version in which somebody has seen it."""

    id: str
    version: int


@dataclass(frozen=True)
class Outcome:
    """What became of one case. `rule`: by which it was refused; `left`: nothing is known to have been done yet."""

    chosen: Chosen
    kind: Kind
    rule: str = ""


@dataclass(frozen=True)
class Together:
    """One verb of a case, asked of many by one caller. `request`: in which they are asked."""

    request: Request
    granted: Granted
    served: Served
    behind: Behind
    move: Move

    @staticmethod
    def of(request: Request, granted: Granted, served: Served, behind: Behind, verb: str) -> Together:
        """With the caller's right to the verb. Raises Refusal 403."""
        grants = allowed(granted.edge, granted.principal, served.name, verb)
        return Together(request, replace(granted, grants=grants), served, behind, served.case.rows[verb][0])

    async def done(self, sent: Body[Any], key: str, chosen: Iterable[Chosen]) -> Sequence[Outcome]:
        """Does it to one after the other. What stands in the way of all, such as a store that does not answer, leaves
        the rest; so does the end of the request's time, after the first."""
        runtime = self.granted.edge.runtime
        found: list[Outcome] = []
        until, stopped = runtime.monotonic() + SECONDS_AT_MOST, False
        for one in chosen:
            stopped = stopped or (bool(found) and runtime.monotonic() >= until)
            outcome = Outcome(one, "left") if stopped else await self._outcome(sent, key, one)
            stopped = stopped or outcome.kind == "left"
            found.append(outcome)
        return found

    async def _outcome(self, sent: Body[Any], key: str, one: Chosen) -> Outcome:
        try:
            document = await self.granted.load(self.served.aggregate.name, id_of(one.id))
            asking = Asking(derived_id(key, one.id, str(one.version)), one.id, one.version, document)
            await act(
                self.served,
                self.behind,
                await call_of(self.request, self.granted, self.served, self.move, sent, asking),
            )
        except PreconditionFailed:
            return Outcome(one, "changed")
        except tuple(ANSWERS) as error:
            return _refused(one, error)
        return Outcome(one, "done")

    def refused_by(self, document: Document) -> str:
        """The rule that refuses it now whatever the body says; empty where none is known to.

        What another document says, nobody knows before it is done.
        """
        verb, body = self.move.verb, self.move.body
        if verb in self.served.works or any(field.is_required() for field in body.model_fields.values()):
            return ""
        state = self.served.aggregate.read(document)
        try:
            self.served.case.decide(state, Asked(verb, body()), self.granted.edge.runtime.now())
        except Refusal as refusal:
            return refusal.rule
        return ""


def verbs_for_many(served: Served, role: Role) -> tuple[str, ...]:
    """What the role may do to cases of its office, and to those that it is asked to take over; but what opens one, and
    what says something of one alone."""
    case = served.case
    return tuple(
        verb
        for verb in case.verbs
        if case.rows[verb][0].by.get(role) in ("office", RECEIVING)
        and not any(row.opens or row.of_one for row in case.rows[verb])
        and verb not in {*REVISING, *served.taken}
    )


def _refused(one: Chosen, error: Exception) -> Outcome:
    said = answer_to(error)
    if said.status_code == _TOO_MANY or said.status_code >= _ERROR:
        return Outcome(one, "left")
    if isinstance(error, Refusal):
        return Outcome(one, "missing" if error.status == _MISSING else "refused", error.problems[0].rule)
    return Outcome(one, "refused", str(json.loads(bytes(said.body))["rule"]) if said.body else REFUSED)
