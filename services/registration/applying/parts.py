"""The parts of an application: which of the registration's fields stand together on one page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo

from services.registration.domain.drafts import Draft, Typed
from shared.errors import Problem, rule_of
from shared.web.pages.forms import Field, Posted

# In the order of the task list; whatever field none of these names belongs to the last one.
NAMED: Mapping[str, tuple[str, ...]] = {
    "names": (
        "/person/given_name",
        "/person/family_name",
        "/person/born",
        "/person/attributes/sex",
    ),
    "contact": ("/person/email", "/person/telephone", "/person/attributes/country_of_residence"),
    "document": ("/person/document",),
    "office": ("/office", "/consents"),
}
OTHERS = "background"
MISSING = rule_of("missing")
# What the server knows itself, or an officer alone says.
NOT_ASKED = frozenset({"/programme", "/known_person", "/happened_at", "/person/valid_from"})
# Groups that are no more than where the fields stand in the body.
_OPEN = frozenset({"/person", "/person/attributes"})


@dataclass(frozen=True)
class Part:
    """One page of the form."""

    name: str
    fields: tuple[Field, ...]

    def has(self, pointer: str) -> bool:
        """Whether a problem at that pointer belongs to it."""
        return any(pointer == one.pointer or pointer.startswith(f"{one.pointer}/") for one in self.fields)

    def answers(self, pointer: str) -> bool:
        """Whether what is wrong there is put right in it: at a field of its own, or with one of what it lies in."""
        return self.has(pointer) or any(one.pointer.startswith(f"{pointer}/") for one in self.fields)

    def names(self, *sent: Typed) -> frozenset[str]:
        """The names of its inputs, of those that were sent before as well: rows come and go."""
        return frozenset(name for typed in sent for name, _ in typed if self.has(name))


def parts_of(fields: Sequence[Field]) -> tuple[Part, ...]:
    """Every part with its fields; each field that is asked for stands in one of them."""
    asked = {one.pointer: one for one in _asked(fields)}
    named = [Part(name, tuple(asked.pop(pointer) for pointer in pointers)) for name, pointers in NAMED.items()]
    return (*named[:-1], Part(OTHERS, tuple(asked.values())), named[-1])


def _asked(fields: Iterable[Field]) -> Iterator[Field]:
    for one in fields:
        if one.pointer in _OPEN:
            yield from _asked(one.inner)
        elif one.pointer not in NOT_ASKED:
            yield one


def body_sent(typed: Typed, draft: Draft, zone: tzinfo) -> Posted:
    """What was typed with what is not asked for: the programme, and as of when the answers are true.

    The day of the last edit at the office, by which it screens, so that submitting the same again says the same.
    """
    day = draft.edited_at.astimezone(zone).date().isoformat()
    return Posted.of([*typed, ("/programme", draft.programme), ("/person/valid_from", day)])


def status_of(part: Part, draft: Draft, typed: Typed, problems: Sequence[Problem]) -> str:
    """`problem`, `finished`, `begun` or `not_begun`; what is only missing is no problem before it is submitted."""
    wrong = any(part.has(problem.pointer) and problem.rule != MISSING for problem in problems)
    if wrong:
        return "problem"
    if part.name in draft.finished:
        return "finished"
    return "begun" if any(value.strip() for name, value in typed if part.has(name)) else "not_begun"


@dataclass(frozen=True)
class Differing:
    """A question that two forms answer otherwise, in words; empty where one does not answer it."""

    label: str
    now: str
    typed: str


def differing(now: Sequence[tuple[str, str]], typed: Sequence[tuple[str, str]]) -> list[Differing]:
    """Both: the questions that were answered, each with its answer; no two of one part are in the same words."""
    stands, said = dict(now), dict(typed)
    labels = dict.fromkeys((*stands, *said))
    rows = (Differing(one, stands.get(one, ""), said.get(one, "")) for one in labels)
    return [one for one in rows if one.now != one.typed]
