"""What a table of moves promises, on a smallest case of its own: a kernel's institution with a checked text."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, ValidationError

from shared.cases.bodies import Change, Reason
from shared.cases.case import NEW, Case, Move, Turn
from shared.contracts.base import Event
from shared.contracts.registration.institutions import (
    InstitutionActivated,
    InstitutionAssessed,
    InstitutionClosed,
    InstitutionPutOnHold,
    InstitutionRegistered,
)
from shared.errors import Refusal
from shared.store.aggregates import WRITTEN_BY, Aggregate
from shared.store.collection import Collection
from tests.unit.kernel.case import Case as Kernel
from tests.unit.kernel.case import cause

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
OFFICER: Any = {"officer": "office"}


class State(BaseModel):
    model_config = ConfigDict(frozen=True)

    status: Literal["proposed", "assessed", "active", "on_hold", "closed"]
    office: str
    reason: str | None = None


class Registration(Change):
    office: str


def of_kabul(state: State) -> None:
    if state.office != "kabul":
        raise Refusal("only_in_kabul")


def not_for_fun(turn: Turn[State, Reason]) -> dict[str, Any]:
    if turn.body.reason == "fun":
        raise Refusal("for_fun")
    return {"reason": f"{turn.body.reason}-{turn.given or 'asked'}"}


def registered(turn: Turn[State, Registration]) -> list[Event]:
    told = {"country": "AF", "sector": "health", "host_type": "public"}
    return [InstitutionRegistered(happened_at=turn.now, office=turn.body.office, **told)]


REASONS = ("moving", "fun")
MOVES = (
    Move(
        "register", frozenset({NEW}), InstitutionRegistered, body=Registration, by=OFFICER, rule=registered, writes=True
    ),
    Move("assess", frozenset({"proposed"}), InstitutionAssessed, by=OFFICER, checked_by_another=True),
    Move(
        "activate", frozenset({"assessed", "on_hold"}), InstitutionActivated, by=OFFICER, already=frozenset({"active"})
    ),
    Move(
        "hold",
        frozenset({"active"}),
        InstitutionPutOnHold,
        body=Reason,
        by=OFFICER,
        rule=not_for_fun,
        when=of_kabul,
        reasons=REASONS,
    ),
    Move("close", frozenset({"on_hold"}), InstitutionClosed, body=Reason, overtaken="nothing"),
    Move(
        "drop",
        frozenset({"active"}),
        InstitutionClosed,
        body=Reason,
        by=OFFICER,
        named={"closed": "closed_before"},
        reasons=REASONS,
    ),
)
CASE = Case("institutions", State, MOVES, readers=OFFICER)


def at(*verbs: Any) -> State:
    state: State | None = None
    for verb in (CASE.ask("register", office="kabul"), *verbs):
        for event in CASE.decide(state, verb, NOW):
            state = CASE.evolve(state, event)
    assert state is not None
    return state


def refused(state: State | None, command: Any) -> Refusal:
    with pytest.raises(Refusal) as raised:
        CASE.decide(state, command, NOW)
    return raised.value


ACTIVE = at(CASE.ask("assess"), CASE.ask("activate"))


def test_a_status_follows_from_the_event() -> None:
    assert (at().status, ACTIVE.status) == ("proposed", "active")
    assert CASE.statuses == ("proposed", "assessed", "active", "on_hold", "closed")


def test_an_event_says_what_the_rule_tells_before_what_the_body_says() -> None:
    (event,) = CASE.decide(ACTIVE, CASE.ask("hold", given="told", reason="moving"), NOW)
    assert event == InstitutionPutOnHold(happened_at=NOW, reason="moving-told")
    assert CASE.evolve(ACTIVE, event).reason == "moving-told"


def test_refusals_name_the_state_and_what_would_be_possible() -> None:
    assert refused(at(), CASE.ask("activate")).detail == "possible from assessed, on_hold; the case is proposed"
    assert refused(None, CASE.ask("activate")).status == 404
    assert refused(at(), CASE.ask("register", office="kabul")).rule == "already_exists"
    assert refused(ACTIVE, CASE.ask("hold", reason="fun")).rule == "for_fun"
    elsewhere = ACTIVE.model_copy(update={"office": "tbilisi"})
    assert refused(elsewhere, CASE.ask("hold", reason="moving")).rule == "only_in_kabul"
    closed = ACTIVE.model_copy(update={"status": "closed"})
    assert refused(closed, CASE.ask("drop", reason="moving")).rule == "closed_before"


def test_what_comes_too_late_changes_nothing_where_the_table_says_so() -> None:
    assert CASE.decide(ACTIVE, CASE.ask("activate"), NOW) == ()
    assert CASE.decide(ACTIVE, CASE.ask("close", reason="moving"), NOW) == ()


def test_what_is_open_follows_from_state_role_and_what_a_move_applies_to() -> None:
    assert dict(CASE.open_to(ACTIVE, "officer")) == {"hold": "office", "drop": "office"}
    elsewhere = ACTIVE.model_copy(update={"office": "tbilisi"})
    assert "hold" not in CASE.open_to(elsewhere, "officer")
    assert CASE.open_to(ACTIVE, "host") == {}


def test_the_shortest_way_to_a_state() -> None:
    assert [move.verb for move in CASE.way_to("on_hold")] == ["register", "assess", "activate", "hold"]
    assert [move.verb for move in CASE.way_to("closed")] == ["register", "assess", "activate", "drop"]
    with pytest.raises(ValueError, match="no way"):
        CASE.way_to("elsewhere")


def test_a_body_of_another_verb_is_refused_and_so_is_a_strange_event() -> None:
    with pytest.raises(ValidationError):
        CASE.ask("assess", reason="moving")
    with pytest.raises(TypeError):
        CASE.evolve(None, InstitutionAssessed(happened_at=NOW))


def test_rows_of_one_verb_agree_and_do_not_overlap() -> None:
    twice = Move("hold", frozenset({"active"}), InstitutionPutOnHold, body=Reason, by=OFFICER, reasons=REASONS)
    with pytest.raises(ValueError, match="begin in one state"):
        Case("institutions", State, (*MOVES, twice))
    other = Move("hold", frozenset({"proposed"}), InstitutionPutOnHold)
    with pytest.raises(ValueError, match="differ"):
        Case("institutions", State, (*MOVES, other))


async def test_whoever_wrote_it_may_not_approve_it() -> None:
    aggregate = Aggregate.of(CASE, Collection("institutions"))
    async with Kernel() as kernel:

        async def told(name: str, account: str | None, command: Any) -> Any:
            return await kernel.kernel.execute(aggregate, "one", command, cause(name, account=account))

        saved = await told("register", "maker", CASE.ask("register", office="kabul"))
        assert saved.document["private"][WRITTEN_BY] == ["maker"]
        for account in ("maker", None):
            with pytest.raises(Refusal, match="four_eyes"):
                await told(f"assess-{account}", account, CASE.ask("assess"))
        assert (await told("assess", "checker", CASE.ask("assess"))).state.status == "assessed"
        # The same request again is answered, not compared anew.
        assert (await told("assess", "checker", CASE.ask("assess"))).repeated
