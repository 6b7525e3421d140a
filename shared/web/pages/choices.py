"""What may be chosen in a form: the programme's lists, and of a verb its own codes with those that the programme adds.

The words are the programme's texts where it lists the codes, the catalogue's where a verb does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shared.cases.bodies import REASON
from shared.cases.case import Move
from shared.cases.named import OWN_WORDS
from shared.cases.transfers import OTHER_OFFICE
from shared.programmes.indicators import Texts
from shared.programmes.lists import added_codes, listed_codes, plain_codes
from shared.programmes.model import Definition
from shared.programmes.reasons import own_codes, part_of
from shared.programmes.sections.base import Section
from shared.programmes.sections.selection import SelectionSection
from shared.web.pages.filled import Option
from shared.web.pages.formatting import text_in
from shared.web.pages.standard_names import Names, by_name

Lists = Mapping[str, Sequence[Option]]


@dataclass(frozen=True)
class Choices:
    """`definitions`: of the case's programme, or of all where it has none yet; `section`: what its cases run under."""

    definitions: Sequence[Definition]
    language: str
    section: type[Section] | None = None

    def to_show(self) -> Lists:
        """By word, what codes on a case are called; of reasons and items those alone that programmes add."""
        found = self._listed(None)
        for part in self._parts:
            for word, rows in added_codes(part).items():
                found.setdefault(word, {}).update({one.code: self._text(one.name) for one in rows})
        return _by_words(found)

    def to_choose(self, move: Move | None = None, office: str | None = None) -> Lists:
        """By word, what may be chosen for the verb. `office`: of whoever may choose no other one, and
        asks another one to take a case over."""
        found = self._listed(office)
        for word in OWN_WORDS if move else ():
            codes = {code: self._named(word, code) for code in own_codes(move, None)[word]} if move else {}
            for part in self._parts:
                codes |= {one.code: self._text(one.name) for one in added_codes(part).get(word, ())}
            if codes:
                found[word] = codes
        return {**_by_words(found), **{word: tuple(found[word].items()) for word in OWN_WORDS if word in found}}

    @property
    def are_somewhere(self) -> bool:
        """Whether any of these programmes does what cases of this kind are about."""
        return self.section is None or bool(self._parts)

    @property
    def _parts(self) -> list[Section]:
        if self.section is None:
            return []
        return [part for one in self.definitions if (part := part_of(one, self.section)) is not None]

    def _listed(self, office: str | None) -> dict[str, dict[str, str]]:
        found: dict[str, dict[str, str]] = {}
        for one in self.definitions:
            part = part_of(one, self.section) if self.section else None
            # Cases of a kind that a programme does not do are refused there.
            if part is not None or self.section is None:
                found.setdefault("programme", {})[one.code] = self._text(one.title)
            offices = {row.code: self._text(row.name) for row in one.offices if office in (None, row.code)}
            found.setdefault("office", {}).update(offices)
            others = {row.code: self._text(row.name) for row in one.offices if row.code != office}
            found.setdefault(OTHER_OFFICE, {}).update(others)
            if isinstance(part, SelectionSection):
                found.setdefault("criterion", {}).update({c.criterion: self._text(c.name) for c in part.eligibility})
            for word, rows in listed_codes(one, part).items():
                found.setdefault(word, {}).update({row.code: self._text(row.name) for row in rows})
            for word, codes in plain_codes(one).items():
                found.setdefault(word, {}).update({code: Names(self.language).code(word, code) for code in codes})
        return found

    def _named(self, word: str, code: str) -> str:
        names = Names(self.language)
        return names.reason(code) if word == REASON else names.code(word, code)

    def _text(self, texts: Texts) -> str:
        return text_in(self.language, texts)


def _by_words(found: Mapping[str, Mapping[str, str]]) -> dict[str, tuple[Option, ...]]:
    """Each list in the order of its words."""
    return {name: by_name(codes.items()) for name, codes in found.items() if codes}
