"""One of each paper in a language, of made-up cases."""

from __future__ import annotations

import random
from typing import Any

from services.matching.domain.assignments import Assignment
from services.matching.papers.terms import terms_of_reference
from services.registration.papers.knowing import Told
from services.registration.papers.setting import NamedPapers
from shared.cases.trail import Past
from shared.clock import text_of
from shared.identity.keys import Keys
from shared.papers.typesetting import Paper
from tests.unit.matching.facts import CODE, DEFINITION, LONG_AGO, OFFICE, terms

ID = "5f753150-2023-5dd3-a87e-d04421c54768"
NAMES = {"en": ("Example", "Person"), "fr": ("Désirée", "Ñandú-Nguyễn"), "ar": ("مثال", "الاسم")}
AT = text_of(LONG_AGO)
KNOWN: dict[str, Any] = {
    "expert": ID,
    "office": OFFICE,
    "programme": CODE,
    "starts_on": "2027-05-03",
    "ends_on": "2027-08-01",
    "started_at": AT,
    "completed_at": AT,
    "stands": True,
    "offered_at": AT,
    "offered_until": AT,
}


async def papers(language: str) -> dict[str, Paper]:
    nobody: Any = _Nobody(NAMES[language])
    named = NamedPapers(nobody, nobody, Keys.in_memory(random.Random(1)), "https://sankofa.example.org")
    trail = (Past(name="AssignmentApproved", sequence=1, standing=1, happened_at=LONG_AGO),)
    assignment = Assignment(status="approved", terms=terms(), office=OFFICE, programme=CODE, told=1, trail=trail)
    texts = {"title": "Lecturer", "description": "What is to be done.\n\nمن 2026-03-04 إلى 2026-05-06."}
    return {
        "terms": terms_of_reference(ID, assignment, texts, DEFINITION, language),
        "offer": await named.offer(ID, language, nobody),
        "certificate": await named.certificate(ID, language, nobody),
    }


class _Nobody:
    """Whoever may read everything of somebody of this name: what registration would know and open."""

    principal = None
    grants = ()

    def __init__(self, names: tuple[str, str]) -> None:
        self._names = names

    async def told(self, *_: Any) -> Told:
        return Told(KNOWN, terms(), DEFINITION, "Example Polytechnic")

    async def load(self, *_: Any) -> dict[str, Any]:
        return {"state": {"person": ID}}

    async def names(self, *_: Any, **__: Any) -> dict[str, str]:
        return dict(zip(("given_name", "family_name"), self._names, strict=True))
