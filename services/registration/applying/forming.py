"""The form of an application: its parts, what was typed in them, and what the edge finds wrong with that."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from fastapi import Request

from services.registration.applying.opening import Opening
from services.registration.applying.parts import Part, body_sent, parts_of
from services.registration.work.drafts import Opened
from shared.errors import Problem, Refusal
from shared.programmes.model import Definition
from shared.web import bodies
from shared.web.acting import Served
from shared.web.bodies import Body
from shared.web.callers import Granted
from shared.web.pages.cases import fields_for
from shared.web.pages.choices import Choices
from shared.web.pages.filled import Form
from shared.web.pages.forms import Field, Posted, json_of
from shared.web.pages.languages import language_of

CREATE = "create"


class Forming:
    """`served`: the case of experts, whose opening verb is what is applied with."""

    def __init__(self, opening: Opening, served: Served) -> None:
        self.served = served
        self.move = served.case.rows[CREATE][0]
        self._opening = opening

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        return fields_for(self.served, self.move)

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        return parts_of(self.fields)

    def part(self, name: str) -> Part:
        """Raises Refusal 404."""
        for one in self.parts:
            if one.name == name:
                return one
        raise Refusal("not_found", status=404)

    def answering(self, pointer: str) -> str:
        """The part in which what is wrong or missing there is put right; empty where it is in none, as what is said of
        the whole is."""
        return next((one.name for one in self.parts if one.answers(pointer)), "") if pointer else ""

    def definition(self, opened: Opened) -> Definition:
        return self._opening.definition_of(opened)

    def is_closed(self, definition: Definition, office: str | None) -> bool:
        return definition.is_over(office, self._opening.edge.runtime.now())

    def granted(self, opened: Opened) -> Granted:
        """The right to open the case, of whom the draft stands for."""
        principal, edge = self._opening.principal_of(opened), self._opening.edge
        return Granted(edge, principal, edge.policy.allowed(principal, self.served.name, CREATE))

    def body(self, opened: Opened) -> Body[Any]:
        """What is sent of it, read as at the edge. Raises Refusal."""
        zone = self.definition(opened).zone_of(opened.office)
        return bodies.body_of(self.move.body, json_of(self.fields, body_sent(opened.typed, opened.draft, zone)))

    def problems(self, opened: Opened) -> Sequence[Problem]:
        """What the edge would find wrong with it now."""
        try:
            self.body(opened)
        except Refusal as refusal:
            return refusal.problems
        return ()

    def form(
        self,
        request: Request,
        opened: Opened,
        fields: Sequence[Field],
        posted: Posted,
        problems: Sequence[Problem] = (),
    ) -> Form:
        language = language_of(request, None)
        lists = Choices([self.definition(opened)], language, self.served.section).to_choose(self.move)
        return Form(language, tuple(fields), posted, problems, lists)
