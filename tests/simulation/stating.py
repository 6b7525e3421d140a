"""The office's figures: periods are frozen, verified by another, published and restated in the same storm."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from services.monitoring.counting import ToCount, counted_period, facts_digest
from services.monitoring.domain.statements import STATEMENT, statement_id
from services.monitoring.store import STATEMENTS, ReadModel
from services.monitoring.work.kept import digest_of
from shared.canonical import canonical_json
from shared.clock import derived_id, instant_of
from shared.identity.tokens import Principal
from tests.simulation.cast import CODE, DEFINITION
from tests.simulation.client import Client
from tests.simulation.evidence import Evidence, Violation
from tests.simulation.journal import Journal
from tests.simulation.requests import About, acting, step

MAKER, CHECKER = (derived_id("account", one) for one in ("maker of figures", "checker of figures"))
BEFORE, FIRST_MONTH = "before", "first-month"
PAUSE_SECONDS = 3.0
REOPENED = 0.4
# What the definition says is still on its way to this replica.
PASSING = frozenset({"programme_unknown"})
DONE = frozenset({"published", "restated", "verified"})


class Stating:
    """Publishes a period that was over before anything happened, then one in which much did, and restates both."""

    def __init__(self, client: Client, journal: Journal) -> None:
        self._client = client
        self._journal = journal

    async def before(self) -> None:
        """In the middle of all that happens."""
        await self._client.pause(PAUSE_SECONDS * 10)
        await self._freeze(BEFORE)
        await self._publish(BEFORE, "first")

    async def after(self) -> None:
        """Once the month is over."""
        await self._freeze(FIRST_MONTH)
        if self._client.rng.random() < REOPENED:
            await self._settled(FIRST_MONTH, "frozen")
            await self._put(FIRST_MONTH, "reopen", "first", reason="facts_missing")
            await self._put(FIRST_MONTH, "freeze-again", "first")
        await self._publish(FIRST_MONTH, "first")
        await self._put(BEFORE, "restate", "second", by=CHECKER, reason="late_facts")
        await self._publish(BEFORE, "second", maker=CHECKER, checker=MAKER)

    async def _freeze(self, period: str) -> None:
        id = statement_id(CODE, period)
        self._journal.ask(id)
        work = acting(STATEMENT, "freeze", id, _administrator(MAKER), programme=CODE, period=period)
        about = About("monitoring", STATEMENTS.name, id, MAKER)
        await self._client.put(step(f"freeze {period}", about, work, patient=PASSING))

    async def _publish(self, period: str, time: str, *, maker: str = MAKER, checker: str = CHECKER) -> None:
        counted = (await self._settled(period, "frozen"))["counted"]
        await self._put(period, "verify", time, by=checker, counted=counted)
        await self._put(period, "publish", time, by=maker)
        await self._settled(period, *DONE)

    async def _put(self, period: str, verb: str, time: str, *, by: str = MAKER, **said: Any) -> None:
        await self._client.pause(PAUSE_SECONDS)
        id = statement_id(CODE, period)
        work = acting(STATEMENT, verb, id, _administrator(by), **said)
        about = About("monitoring", STATEMENTS.name, id, by)
        await self._client.put(step(f"{verb} {period} {time}", about, work))

    async def _settled(self, period: str, *states: str) -> dict[str, Any]:
        """The period's state once it is one of these; timers lead there by themselves."""

        async def state(service: Any) -> dict[str, Any]:
            document = await service.replica.ports.store.load(STATEMENTS.name, statement_id(CODE, period))
            return dict(document["state"]) if document else {"status": "-"}

        while (found := await self._client.look("monitoring", state))["status"] not in states:
            await self._client.pause(PAUSE_SECONDS)
        return found


def _administrator(account: str) -> Principal:
    return Principal(account=account, role="administrator", office=None)


def check_statements(evidence: Evidence) -> Iterator[Violation]:
    """Each statement is what its digest says and names the one before it; it is made once, and its period knows it."""
    documents = evidence.documents["monitoring"]
    issued = {one["_id"]: one["state"] for one in documents["issued"]}
    told = [read for read in evidence.reads("monitoring.statements") if read.name == "StatementIssued"]
    for series in documents["series"]:
        before = None
        for number, place in enumerate(series["state"]["issued"], 1):
            signed = issued.get(place["digest"])
            if signed is None or hashlib.sha256(canonical_json(signed["statement"])).hexdigest() != place["digest"]:
                yield Violation("I7", place["digest"], "a statement is not what its digest says")
                continue
            statement = signed["statement"]
            if (statement["number"], statement.get("previous")) != (number, before):
                yield Violation("I7", place["digest"], "a statement does not follow the one before it")
            before = place["digest"]
        frozen = [place["frozen"] for place in series["state"]["issued"]]
        if len(set(frozen)) < len(frozen):
            yield Violation("I2", series["_id"], "a period's tables were published twice")
        if len({read.envelope.sequence for read in told}) != len(frozen):
            yield Violation("I1", series["_id"], f"{len(frozen)} statements, {len(told)} told")
    for period in documents[STATEMENTS.name]:
        state = period["state"]
        if state["status"] in ("published", "restated") and state["digest"] not in issued:
            yield Violation("I7", period["_id"], "a published period has no statement")


def check_recounted(evidence: Evidence, model: ReadModel) -> Iterator[Violation]:
    """What was counted then comes out once more of all that is known by the end."""
    for period in evidence.documents["monitoring"][STATEMENTS.name]:
        state = period["state"]
        if state.get("counted") is None:
            continue
        declared = DEFINITION.period(state["period"])
        assert declared is not None
        asked = ToCount(DEFINITION, state["definition_version"], declared, instant_of(state["as_of"]))
        with model.database.reader() as connection:
            if digest_of(counted_period(connection, asked)) != state["counted"]:
                yield Violation("I7", period["_id"], "the tables of a frozen period come out otherwise by now")
            if facts_digest(connection, asked) != state["facts"]:
                yield Violation("I7", period["_id"], "the facts of a frozen period are others by now")
