"""A form with what was sent in it, and what is wrong with that, in the reader's words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, tzinfo
from functools import cache, cached_property

from markupsafe import Markup, escape

from shared.errors import Problem
from shared.texts import latin
from shared.web.pages.formatting import REFERENCE_CHARACTERS, Formats
from shared.web.pages.forms import SEVERAL, Field, Listed, Posted, leaves, said_in
from shared.web.pages.standard_names import LISTED, Names
from shared.web.pages.typed_dates import ZONE, part_shown
from shared.web.pages.words import called, names_level, rule_words, translations
from shared.zones import zone_names

Option = tuple[str, str]


@dataclass(frozen=True)
class Written:
    """A list's options as HTML, one after the other, and where each stands."""

    text: str
    places: Mapping[str, tuple[int, int]]

    def parted(self, code: str) -> tuple[str, str, str]:
        """What stands before the option of that code, the option as the chosen one, and what stands after it."""
        if code not in self.places:
            return self.text, "", ""
        begins, ends = self.places[code]
        line = self.text[begins:ends].replace('">', '" selected>', 1)
        return self.text[:begins], line, self.text[ends:]


@cache
def _written(language: str, listed: Listed) -> Written:
    places, lines, at = dict[str, tuple[int, int]](), list[str](), 0
    for code, words in LISTED[listed](language):
        line = _option(code, words)
        lines.append(line)
        places[code] = (at, at + len(line))
        at += len(line)
    return Written("".join(lines), places)


def _option(code: str, words: str, *, is_chosen: bool = False) -> str:
    return f'<option value="{escape(code)}"{" selected" if is_chosen else ""}>{escape(words)}</option>\n'


@dataclass(frozen=True)
class Form:
    """What a template shows. `lists`: by the word of a list, what may be chosen from it with its texts. `about`: the
    verb and the kind of case, by which a hint may be another one than elsewhere. `zone`: in which instants are typed.
    `suggested`: the lists of which something else may be typed as well; `standing`: what stands already of what may be
    chosen, by its code. `of_first`: by the word of a list that was cut, among how many its options were looked for.
    `further`: by the rule that is broken, what is said of it in this case besides.
    """

    language: str
    fields: tuple[Field, ...]
    posted: Posted
    problems: Sequence[Problem] = ()
    lists: Mapping[str, Sequence[Option]] = field(default_factory=dict)
    about: tuple[str, ...] = ()
    zone: tzinfo = UTC
    suggested: frozenset[str] = frozenset()
    standing: frozenset[str] = frozenset()
    of_first: Mapping[str, int] = field(default_factory=dict)
    further: Mapping[str, str] = field(default_factory=dict)

    def hint(self, one: Field) -> str:
        """One sentence below the field where it helps: of the group that it stands in, of what the form is about, or of
        the field wherever it stands; empty where there is none, and in each row of a list."""
        if one.number is not None:
            return ""
        groups = filter(None, (one.group, *self.about))
        keys = [*(f"hint:{where}:{one.name}" for where in groups), f"hint:{one.name}"]
        words = translations(self.language)
        return next((said for key in keys if (said := words.gettext(key)) != key), "")

    def options(self, one: Field) -> Sequence[Option]:
        """What may be chosen, each code with its words; and what was sent that is none of it, so that it is seen."""
        found = self._options(one)
        known = {code for code, _ in found}
        return (*found, *((value, value) for value in self.values(one) if value not in known))

    def _options(self, one: Field) -> Sequence[Option]:
        if one.list in self.lists:
            return self.lists[one.list]
        names = Names(self.language)
        if one.listed:
            return LISTED[one.listed](self.language)
        if one.codes == ("true", "false"):
            words = translations(self.language)
            return (("true", words.gettext("Yes")), ("false", words.gettext("No")))
        return tuple(
            (code, names.reason(code) if one.name == "reason" else names.code(one.name, code)) for code in one.codes
        )

    def standard(self, one: Field) -> Markup:
        """The options of a standard's list as HTML, what was sent marked, and below them where it is none of them. They
        are written once a language: forty rows of a form have six hundred each."""
        written, value = _written(self.language, one.listed), self.value(one)
        before, line, after = written.parted(value)
        strange = [other for other in self.values(one) if other not in written.places]
        below = (_option(other, other, is_chosen=other == value) for other in strange)
        return Markup("".join([before, line, after, *below]))  # noqa: S704

    def is_of_a_standard(self, one: Field) -> bool:
        """Whether a browser may have the list of what is chosen from: it is the same on every page."""
        return bool(one.listed) and one.list not in self.lists

    def chosen(self, one: Field) -> list[Option]:
        """Of the options those that were sent."""
        values = self.values(one)
        return [option for option in self.options(one) if option[0] in values] if values else []

    def is_chosen(self, one: Field) -> bool:
        """Whether the field is a choice: of its own codes, or of the programme's list."""
        if one.kind == "number":
            return bool(one.codes) and names_level(self.language, one.name, one.codes[0])
        return one.kind == "choice" or (one.kind == "text" and one.list in self.lists)

    @cached_property
    def typed(self) -> Posted:
        """As it was sent; where something is wrong, without the empty rows that the body was read without."""
        return self.posted.packed(self.fields) if self.problems else self.posted

    def value(self, one: Field) -> str:
        return self.typed.text(one.pointer)

    def part(self, one: Field, name: str) -> str:
        """What stands in that part of a day or an instant."""
        return part_shown(self.typed.values, one.pointer, name, self.zone)

    def zone_of(self, one: Field) -> str:
        """In which the instant is typed: as it was when it was sent, else the form's."""
        sent = self.typed.text(f"{one.pointer}/{ZONE}")
        return sent if sent in zone_names() else str(self.zone)

    def values(self, one: Field) -> tuple[str, ...]:
        return self.typed.all(one.pointer)

    def rows(self, one: Field) -> list[Field]:
        """The fields of the rows: those that were sent, and one at least."""
        return [one.row(number) for number in range(max(self.typed.rows(one), 1))]

    def is_removable(self, rows: Sequence[Field]) -> bool:
        """Whether a row of the list can be taken away: the only one only where something stands in it."""
        return len(rows) > 1 or any(self.values(one) for one in leaves(rows, self.typed))

    def wrong(self, one: Field) -> list[str]:
        """What is wrong at the field itself, in words."""
        found = [self._said(problem) for problem in self.problems if problem.pointer == one.pointer]
        return [*found, *self._wrong_references(one)] if one.kind == "references" else found

    def _wrong_references(self, one: Field) -> Iterator[str]:
        """What is wrong with one of them, with the reference that it is wrong of."""
        values = self.values(one)
        for problem in self.problems:
            place = problem.pointer.removeprefix(f"{one.pointer}/")
            if place != problem.pointer and place.isdecimal() and int(place) < len(values):
                yield self._labelled(values[int(place)][:REFERENCE_CHARACTERS], self._said(problem))

    def wrong_within(self, one: Field) -> bool:
        return bool(self.wrong(one)) or any(self.wrong(part) for part in one.inner)

    @property
    def answers(self) -> list[Option]:
        """What was typed or chosen: the words of each field that says something, and of what it says. A row is one."""
        return list(self._answers(self.fields))

    def _answers(self, fields: Sequence[Field]) -> Iterator[Option]:
        for one in fields:
            if one.is_day:
                if day := self._said_of_day(one):
                    yield self.label(one), day
            elif one.kind == "group":
                yield from self._answers(one.inner)
            elif one.kind == "rows":
                for row in self.rows(one):
                    said = [text for field in leaves((row,), self.typed) for text in self._said_in(field)]
                    if said:
                        yield f"{self.label(one)} {(row.number or 0) + 1}", self._beside(said)
            elif said := self._said_in(one):
                yield self.label(one), self._beside(said)

    def _said_of_day(self, one: Field) -> str:
        """In words where it is one; else what was typed in its parts."""
        said = said_in(one, self.typed)
        if said is None:
            return ""
        try:
            parts = [said["year"], said.get("month"), said.get("day")]
            if all(isinstance(part, int | None) for part in parts):
                return Formats(self.language).known(*parts, about=said.get("about") is True).striptags()
        except (KeyError, ValueError, OverflowError):
            pass
        return " ".join(text for part in one.by_day for text in self._said_in(part))

    def _said_in(self, one: Field) -> list[str]:
        return self.answer(one) if any(value.strip() for value in self.values(one)) else []

    def label(self, one: Field) -> str:
        """The field's words; of one in a row with those of the row."""
        label = self.called(one)
        if one.row_of is None:
            return label
        name, number = one.row_of
        return f"{label} ({called(self.language, name)} {number + 1})"

    def called(self, one: Field) -> str:
        """The field's words alone."""
        return called(self.language, one.name, one.group)

    def answer(self, one: Field) -> list[str]:
        """What was typed or chosen in the field, in words."""
        if one.kind == "date":
            return [self._said_of_date(value) for value in self.values(one)]
        texts = dict(self.options(one)) if self.is_chosen(one) or one.kind in SEVERAL else {}
        return [texts.get(value, value) for value in self.values(one)]

    def _said_of_date(self, value: str) -> str:
        try:
            return Formats(self.language).date(date.fromisoformat(latin(value))).striptags()
        except ValueError:
            return value

    @property
    def summary(self) -> list[Option]:
        """All that is wrong: the id of the field that it leads to, and its label with the same words as there; an
        empty id and the words alone where no field is wrong."""
        shown = {one.pointer: one for one in self._shown(self.fields)}
        return [self._led(problem, _nearest(problem.pointer, shown)) for problem in self.problems]

    def _led(self, problem: Problem, one: Field | None) -> Option:
        said = self._said(problem)
        return (one.id, self._labelled(self.label(one), said)) if one else ("", said)

    def _labelled(self, label: str, said: str) -> str:
        return Formats(self.language).labelled(label, said).unescape()

    def _beside(self, said: Sequence[str]) -> str:
        return Formats(self.language).beside(said).unescape()

    def _said(self, problem: Problem) -> str:
        said = rule_words(self.language, problem.rule, problem.pointer)
        return ". ".join((said, self.further[problem.rule])) if problem.rule in self.further else said

    def _shown(self, fields: Sequence[Field]) -> Iterator[Field]:
        for one in fields:
            yield one
            if one.kind == "group":
                yield from self._shown(one.inner)
            elif one.kind == "rows":
                yield from self._shown(self.rows(one))


def _nearest(pointer: str, shown: Mapping[str, Field]) -> Field | None:
    """The field at the pointer, or the one that it lies in."""
    while pointer and pointer not in shown:
        pointer = pointer.rpartition("/")[0]
    return shown.get(pointer)
