"""Of what the office decides by, what an application does not say: it counts as not met, and stops no application."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from services.registration.domain.drafts import Typed
from shared.contracts.registration.persons import PLACEMENT
from shared.programmes.fact_words import NOT_STATED
from shared.programmes.indicators import Texts
from shared.programmes.sections.selection import Criterion

CONSENTS = "/consents"
# Where people are asked for it, if not under the attribute's own name.
_ASKED_AT: Mapping[str, tuple[str, ...]] = {
    "birth_year": ("/person/born/year",),
    "nationality": ("/person/attributes/nationality", "/person/attributes/other_nationalities"),
}


@dataclass(frozen=True)
class Unsaid:
    """`pointer`: of the field in which it is said; `name`: of the criterion in the programme's words, None for the
    consent to be placed."""

    pointer: str
    name: Texts | None = None


def unsaid(criteria: Sequence[Criterion], typed: Typed) -> Iterator[Unsaid]:
    """The programme's criteria, in its order, of which nothing was typed; then the consent, where it is not given."""
    said = [(name, value) for name, value in typed if value.strip() and value != NOT_STATED]
    for one in criteria:
        places = _ASKED_AT.get(one.attribute, (f"/person/attributes/{one.attribute}",))
        if not any(name == place or name.startswith(f"{place}/") for name, _ in said for place in places):
            yield Unsaid(places[0], one.name)
    if (CONSENTS, PLACEMENT) not in said:
        yield Unsaid(CONSENTS)
