"""What papers say, in runs: the same words, formats and names of codes as pages, by the same functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from markupsafe import Markup, escape

from shared.contracts.matching.assignments import Terms
from shared.papers.runs import Runs, runs_of
from shared.papers.typesetting import Row, row
from shared.programmes.model import Definition
from shared.programmes.sections.selection import SelectionSection
from shared.web.pages.choices import Choices
from shared.web.pages.formatting import REFERENCE_CHARACTERS, Formats, reference
from shared.web.pages.shown import Shown, unanswered
from shared.web.pages.words import called, translations


class PaperWords:
    """The words of one paper in one language. `definition`: of the programme under which its case runs."""

    def __init__(self, language: str, definition: Definition) -> None:
        self.language = language
        self.formats = Formats(language)
        self._definition = definition
        self._cells = Shown(language, Choices([definition], language, SelectionSection).to_show())

    def said(self, sentence: str, **values: str) -> Runs:
        """A sentence, translated already, with its values: markup as `formats` writes it, all else as it is."""
        escaped = {name: escape(value) for name, value in values.items()}
        return runs_of(Markup(sentence) % escaped if values else sentence)  # noqa: S704

    def programme(self) -> str:
        return self.formats.text(self._definition.title)

    def short(self, id: str) -> str:
        """The reference by which people call a case."""
        return id[:REFERENCE_CHARACTERS]

    def reference(self, text: str) -> Runs:
        return runs_of(reference(text))

    def field(self, name: str) -> str:
        """What the field is called."""
        return called(self.language, name)

    def label(self, field: str) -> Runs:
        return runs_of(self.field(field))

    def value(self, field: str, value: Any) -> Markup:
        """One value of a field in words."""
        return value if isinstance(value, Markup) else escape(self._cells.value(field, value))

    def rows(self, fields: Mapping[str, Any], group: str = "") -> list[Row]:
        """Fields with their words, as the parts of the field `group`; without those that say nothing."""
        return [
            row(runs_of(called(self.language, name, group)), runs_of(self.value(name, value)))
            for name, value in fields.items()
            if value not in (None, "", ())
        ]

    def days(self, terms: Terms) -> Row:
        """The days that the terms ask for."""
        label = translations(self.language).gettext("Period")
        return row(runs_of(label), runs_of(self.formats.days(terms.starts_on, terms.ends_on)))

    def of_terms(self, terms: Terms, fields: Iterable[str]) -> list[Row]:
        """Those fields of terms of reference that are one value each."""
        said = unanswered(terms, {name: getattr(terms, name) for name in fields}, self.language)
        return self.rows(said, "terms")

    def languages(self, terms: Terms) -> list[Row]:
        """What is to be spoken, and how well; no row where that is nothing."""
        said = ((self.value("language", one.language), self.value("level", one.level)) for one in terms.languages)
        spoken = [f"{language} ({level})" for language, level in said]
        return [row(self.label("languages"), runs_of(Markup("\n".join(spoken))))] if spoken else []  # noqa: S704
