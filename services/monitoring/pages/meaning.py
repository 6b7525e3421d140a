"""What an indicator counts, in plain words, out of its declaration alone: nothing that somebody wrote beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from gettext import GNUTranslations

from markupsafe import Markup

from shared.programmes.fact_words import NOT_STATED
from shared.programmes.indicators import Condition, Dimension, Distinct, Facts, Indicator, Sum
from shared.programmes.model import Definition
from shared.web.pages.choices import Choices, Lists
from shared.web.pages.formatting import Formats, filled, text_in
from shared.web.pages.shown import Shown
from shared.web.pages.standard_names import Names
from shared.web.pages.words import code_key, translations


@dataclass(frozen=True)
class Meaning:
    """Of one programme's indicators, for one reader."""

    definition: Definition
    language: str

    @property
    def formats(self) -> Formats:
        return Formats(self.language)

    @property
    def _words(self) -> GNUTranslations:
        return translations(self.language)

    @cached_property
    def _lists(self) -> Lists:
        """What codes are called, those that any part of the programme adds among them."""
        found = dict(Choices([self.definition], self.language).to_show())
        for part in self.definition.sections().values():
            for word, options in Choices([self.definition], self.language, type(part)).to_show().items():
                found[word] = tuple(dict([*found.get(word, ()), *options]).items())
        return found

    def of(self, indicator: Indicator) -> Markup:
        """One or two sentences."""
        share, words = indicator.share, self._words
        if share is not None:
            named = {"part": self._named(share.of), "whole": self._named(share.in_)}
            return filled(words.gettext("What share of “%(whole)s” is also in “%(part)s”."), **named)
        if indicator.facts is None:
            raise ValueError("an indicator that is no share counts facts")
        facts = self.formats.listed(self._code("fact", kind) for kind in indicator.facts.kinds)
        if isinstance(indicator.measure, Distinct):
            things = self._code("thing", indicator.measure.distinct)
            said = filled(
                words.gettext("How many different %(things)s stand in: %(facts)s."), things=things, facts=facts
            )
        elif isinstance(indicator.measure, Sum):
            amount = self._code("amount", indicator.measure.sum)
            said = filled(words.gettext("The sum of %(amount)s over: %(facts)s."), amount=amount, facts=facts)
        else:
            said = filled(words.gettext("The number of: %(facts)s."), facts=facts)
        return said + self._conditions(indicator.facts)

    def unit(self, indicator: Indicator) -> str:
        """The unit's words; the code itself where a programme has one of its own."""
        return self.unit_name(indicator.unit)

    def unit_name(self, code: str) -> str:
        """As `unit`, by the unit's code."""
        key = code_key("unit", code)
        return code if (said := self._words.gettext(key)) == key else said

    def text(self, texts: Mapping[str, str]) -> str:
        """A text of the definition, bare: in the reader's language, else in one that it has."""
        return str(text_in(self.language, texts))

    def class_of(self, dimension: Dimension, code: str) -> Markup | str:
        """What a class of a breakdown is called."""
        if code == NOT_STATED:
            return self._words.gettext("Not stated")
        if dimension.classes:
            named = next((one.name for one in dimension.classes if one.code == code), None)
            return code if named is None else self.formats.text(named)
        return self._value(dimension.field or dimension.attribute or dimension.code, code)

    def _named(self, code: str) -> Markup:
        named = self.definition.indicator(code)
        return Markup.escape(code) if named is None else self.formats.text(named.name)

    def _conditions(self, facts: Facts) -> Markup:
        if not facts.where:
            return Markup()
        conditions = self.formats.listed(map(self._condition, facts.where))
        return Markup(" ") + filled(self._words.gettext("Only where %(conditions)s."), conditions=conditions)

    def _condition(self, one: Condition) -> Markup:
        asked = one.field or one.attribute or ""
        field = self._words.gettext(f"field:{asked}")
        if one.one_of is not None:
            values = self.formats.listed(self._value(asked, code) for code in one.one_of)
            return filled(self._words.gettext("%(field)s is %(values)s"), field=field, values=values)
        if one.at_least is not None:
            said, number = self._words.gettext("%(field)s: %(number)s or more"), one.at_least
        else:
            said, number = self._words.gettext("%(field)s: %(number)s or less"), one.at_most or 0
        return filled(said, field=field, number=self.formats.number(number))

    def _value(self, asked: str, code: str) -> Markup | str:
        return Shown(self.language, self._lists).value(asked, code)

    def _code(self, field: str, code: str) -> str:
        return Names(self.language).code(field, code)
