"""The terms of reference as a paper. They name no person, and the host by its reference: its name is elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date
from pathlib import Path
from typing import Any

from services.matching.domain.assignments import OPEN_TO_EXPERTS, READERS, Assignment
from services.matching.store import ASSIGNMENTS
from shared.contracts.matching.assignments import AssignmentApproved
from shared.errors import Refusal
from shared.papers.named import PaperOf
from shared.papers.runs import paragraphs_of, runs_of
from shared.papers.typesetting import Paper, row
from shared.programmes.model import Definition
from shared.replica import Replica
from shared.web.callers import Granted
from shared.web.pages.paper_words import PaperWords
from shared.web.pages.words import translations
from shared.zones import zone

TEMPLATE = Path(__file__).with_name("terms.typ")
# From the approval on; what was refused or called off is no terms to work by.
TERMS = PaperOf(
    "terms",
    "matching",
    "/assignments/{id}/terms.pdf",
    ASSIGNMENTS.name,
    READERS,
    OPEN_TO_EXPERTS | {"approved", "filled"},
)
_WORK = ("country", "area", "sector", "host_type", "occupation", "modality", "seats")
_ASKED = ("education", "experience_years")


class TermsPaper:
    """The paper of one assignment for whoever may read the assignment."""

    def __init__(self, replica: Replica) -> None:
        self._definitions = replica.definitions

    async def made(self, id: str, language: str, granted: Granted) -> Paper:
        """Refusal 404 where there is none for the caller. Raises TooEarly, Unavailable."""
        document = await granted.load(ASSIGNMENTS.name, id)
        state = ASSIGNMENTS.read(document)
        if state is None or state.status not in TERMS.states or not state.programme:
            raise Refusal("not_found", status=404)
        version = state.programme_version or self._definitions.newest_version(state.programme)
        definition = self._definitions.version(state.programme, version)
        return terms_of_reference(id, state, document["private"], definition, language)


def terms_of_reference(
    id: str, assignment: Assignment, private: Mapping[str, Any], definition: Definition, language: str
) -> Paper:
    """As they were approved. `definition`: of the version under which they were written."""
    words, _ = PaperWords(language, definition), translations(language).gettext
    terms, title = assignment.terms, str(private.get("title") or "")
    of_case = words.rows({"office": assignment.office, "institution": terms.institution})
    return Paper(
        TEMPLATE,
        language,
        title=_(f"paper:{TERMS.name}"),
        reference=words.short(id),
        dated=_approved_on(assignment),
        texts={
            "programme": runs_of(words.programme()),
            "named": paragraphs_of(title),
            "rows": [
                row(runs_of(_("Reference")), words.reference(words.short(id))),
                *of_case,
                *words.of_terms(terms, _WORK),
                words.days(terms),
                *words.of_terms(terms, _ASKED),
                *words.languages(terms),
            ],
            "described": words.label("description"),
            "description": paragraphs_of(str(private.get("description") or "")),
        },
    )


def _approved_on(assignment: Assignment) -> date:
    """The day on the office's calendar; of the oldest fact that the case remembers where its approval is older."""
    approved = (past for past in assignment.trail if past.name == AssignmentApproved.__name__)
    past = next(approved, assignment.trail[0])
    return past.happened_at.astimezone(zone(assignment.time_zone) if assignment.time_zone else UTC).date()
