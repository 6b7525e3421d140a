"""A plain case behind an edge: what its verbs do and what its readers see follow from its table (shared.cases.opening).

The office is the caller's; codes come from the programme's lists, ids are of subjects that the service was told of.
"""

from __future__ import annotations

from typing import Any, get_type_hints

from pydantic import BaseModel, create_model

from shared.cases.bodies import Private
from shared.cases.case import Asked, Case
from shared.cases.movable import Movable
from shared.cases.named import marked, unlisted
from shared.cases.opening import Days, Framed, Opening, Under, frame_of
from shared.cases.revisions import REVISING
from shared.cases.trail import Trailed
from shared.cases.transfers import TRANSFERS
from shared.contracts.frame import Frame, Known
from shared.errors import Problem, Refusal
from shared.identity.tokens import Principal
from shared.programmes.checks import named_codes
from shared.programmes.model import Definition
from shared.programmes.reasons import CODE_NOT_LISTED
from shared.programmes.sections.base import Section
from shared.replica import Replica
from shared.store.aggregates import Aggregate, Cause, Saved
from shared.store.port import Document
from shared.store.relations import Plain
from shared.web.acting import Call, Represent, Seen, Served, Work
from shared.web.callers import Granted
from shared.web.revising import FactSeen, last_fact, revising
from shared.web.transferring import transferring


def plain(one: Plain, replica: Replica) -> Served:
    """The case with its routes' work."""
    case, seen, work = one.case, seen_model(one.case), _Work(one.aggregate, one.section, replica)
    works: dict[str, Work] = {verb: work.open if case.rows[verb][0].opens else work.go_on for verb in case.verbs}
    if set(case.verbs) >= REVISING:
        works |= revising(one.aggregate, replica.kernel, work.under_which)
    if set(case.verbs) >= TRANSFERS:
        works |= transferring(one.aggregate, replica)
    return Served(
        case,
        one.aggregate,
        seen,
        _represent(case, seen),
        works,
        section=one.section,
        columns=("title", *_kinds(case), "frame.programme", "frame.office", "opened_at"),
        parts=("frame.institution",),
    )


def _kinds(case: Case[Any]) -> tuple[str, ...]:
    """The fields that say what kind of one it is."""
    return tuple(name for name in case.state.model_fields if name.endswith("_kind"))


def seen_model(case: Case[Any]) -> type[Seen]:
    """What a reader sees: the state's fields, and the texts that stay in the service."""
    # With what stands on the types, such as the one form of times.
    hints = get_type_hints(case.state, include_extras=True)
    fields: dict[str, Any] = {
        name: (hints[name], field.default if not field.is_required() else ...)
        for name, field in case.state.model_fields.items()
        if name not in {"status", *Trailed.model_fields, *Movable.model_fields}
    }
    if issubclass(case.state, Trailed):
        fields["last_fact"] = (FactSeen | None, None)
    bodies = [case.rows[verb][0].body for verb in case.verbs]
    fields |= {name: (str | None, None) for body in bodies for name in _private(body)}
    model: type[Seen] = create_model(f"{case.state.__name__}Seen", __base__=Seen, __doc__=case.state.__doc__, **fields)
    return model


def _represent(case: Case[Any], seen: type[Seen]) -> Represent:
    def represent(document: Document, _principal: Principal) -> Seen:
        state = case.state.model_validate(document["state"])
        own = {"id": document["_id"], "version": document["version"], "state": document["state"]["status"]}
        shown = {**{name: getattr(state, name) for name in type(state).model_fields}, **document["private"]}
        if isinstance(state, Trailed):
            shown["last_fact"] = last_fact(state)
        return seen(**own, **{name: value for name, value in shown.items() if name in seen.model_fields})

    return represent


class _Work:
    """Opens a case of the section, and goes on with it under the version that it was opened under."""

    def __init__(self, aggregate: Aggregate[Any], section: type[Section], replica: Replica) -> None:
        self._aggregate = aggregate
        self._section = section
        self._replica = replica

    async def open(self, call: Call[Opening]) -> Saved[Any]:
        """Raises Refusal `not_yours` (403), `not_in_programme`, `programme_unknown`, `programme_is_over`, those of
        `_check`."""
        await _check_office(call.body, call.granted)
        _, state = await self._replica.kernel.load(self._aggregate, call.id)
        # What a repetition finds was checked when it was opened.
        return await self._execute(call, await self._under(call.body, call.cause) if state is None else None)

    async def go_on(self, call: Call[Any]) -> Saved[Any]:
        """Raises Refusal `not_found` (404), those of `_check`; TooEarly where the case's version is not here."""
        _, state = await self._replica.kernel.load(self._aggregate, call.id)
        if not isinstance(state, Framed):
            raise Refusal("not_found", status=404)
        await self._check(call.body, self._definition(state))
        return await self._execute(call, await self.under_which(call, state))

    async def under_which(self, _call: Call[Any], state: Framed) -> Under:
        """What the case was opened under. Raises TooEarly where its version is not here."""
        return self._of(self._definition(state), state.frame)

    def _definition(self, state: Framed) -> Definition:
        return self._replica.definitions.version(state.frame.programme, state.frame.programme_version)

    def _of(self, definition: Definition, frame: Frame) -> Under:
        days = Days(definition.dates.starts, definition.dates.ends)
        return Under(frame, definition.section(self._section), days)

    async def _under(self, body: Opening, cause: Cause) -> Under:
        definitions = self._replica.definitions
        version, definition = definitions.for_new(body.programme, status=422)
        await self._check(body, definition)
        definition.refuse_outside(body.office, cause.happened_at, self._replica.ports.runtime.now())
        office = definition.office(body.office)
        if office is None:
            raise TypeError("an office that is listed is missing")
        return self._of(definition, frame_of(body, version, office.time_zone))

    async def _check(self, body: BaseModel, definition: Definition) -> None:
        """Refuses `code_not_listed` (422); then `<name>_unknown` (409), for the news of a subject may be on its way."""
        codes = named_codes(definition, definition.section(self._section))
        _refuse(CODE_NOT_LISTED, unlisted(body, codes), 422)
        named = list(marked(body))
        for name in dict.fromkeys(mark.name for _, mark, _ in named if isinstance(mark, Known)):
            ids = [(at, value) for at, mark, value in named if isinstance(mark, Known) and mark.name == name]
            known = {id: await self._knows(name, id) for id in dict.fromkeys(id for _, id in ids)}
            _refuse(f"{name}_unknown", [at for at, id in ids if not known[id]], 409)

    async def _knows(self, name: str, id: str) -> bool:
        shadow = await self._replica.ports.store.load(self._replica.shadows.name, id)
        return shadow is not None and name in shadow["knowledge"]

    async def _execute(self, call: Call[Any], under: Under | None) -> Saved[Any]:
        command = Asked(call.verb, call.body, under)
        texts = {name: text for name in _private(type(call.body)) if (text := getattr(call.body, name)) is not None}
        return await self._replica.kernel.execute(
            self._aggregate, call.id, command, call.cause, expected_version=call.expected_version, private=texts
        )


async def _check_office(body: Opening, granted: Granted) -> None:
    """A case is opened by whoever could read it: for the caller's own office, or own institution."""
    own = {("all", "all"), ("office", body.office), ("institution", body.institution)}
    if not own & set(await granted.equalities()):
        wanted = "the own office or institution"
        raise Refusal("not_yours", wanted, problems=(Problem("not_yours", "/office", wanted),), status=403)


def _refuse(rule: str, pointers: list[str], status: int) -> None:
    """Nothing where there are no pointers."""
    if pointers:
        raise Refusal(rule, problems=tuple(Problem(rule, pointer) for pointer in pointers), status=status)


def _private(body: type[BaseModel]) -> list[str]:
    """The texts of a body that stay in the document."""
    return [name for name, field in body.model_fields.items() if any(isinstance(m, Private) for m in field.metadata)]
