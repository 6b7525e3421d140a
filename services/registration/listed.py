"""What a person's attributes may name: codes from the lists of the person's programmes, and no text of one's own."""

from __future__ import annotations

from collections.abc import Iterable

from services.registration.store import EXPERTS
from shared.contracts.registration.persons import Attributes
from shared.errors import Problem, Refusal
from shared.programmes.checks import unlisted_attributes
from shared.programmes.definitions import Definitions
from shared.programmes.model import Definition
from shared.store.paging import every
from shared.store.port import Store


def refuse_unlisted(definitions: Iterable[Definition], attributes: Attributes, pointer: str) -> None:
    """Raises Refusal `code_not_listed` (422) with the pointer of each code, never the code: it may be a name."""
    rule = "code_not_listed"
    if names := unlisted_attributes(definitions, attributes):
        problems = tuple(Problem(rule, f"{pointer}/{name}") for name in names)
        raise Refusal(rule, "a programme lists the codes that may be named", problems=problems, status=422)


async def definitions_of(store: Store, known: Definitions, person_id: str) -> list[Definition]:
    """For each programme of the person the newest definition and the one under which the case was opened.

    Raises TooEarly while a definition has not arrived at this replica.
    """
    found: list[Definition] = []
    async for document in every(store, EXPERTS.name, "own", person_id):
        expert = EXPERTS.read(document)
        if expert is not None:
            found.append(known.newest(expert.programme))
            if expert.programme_version is not None:
                found.append(known.version(expert.programme, expert.programme_version))
    return found
