"""What is wrong with what a list's address asks for, in words, each with the field of the page in which it is typed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from shared.errors import Problem, Refusal
from shared.web.pages.words import rule_words, translations

QUERY = "query/"


@dataclass(frozen=True)
class WrongFilter:
    """`name`: of the parameter, and of its field; `label`: the field's words, empty for what no field asks for."""

    name: str
    label: str
    words: str


def is_of_a_filter(refusal: Refusal) -> bool:
    """Whether the address alone is wrong, so that the page can say so in its form."""
    return bool(refusal.problems) and all(one.pointer.startswith(QUERY) for one in refusal.problems)


def wrong_filters(
    problems: Iterable[Problem], language: str, called: Mapping[str, str] = MappingProxyType({})
) -> list[WrongFilter]:
    """`called`: how the page's own form calls a parameter, where that is not how the field is called elsewhere."""
    return [_wrong(one, language, called) for one in problems]


def _wrong(problem: Problem, language: str, called: Mapping[str, str]) -> WrongFilter:
    words, name = translations(language), problem.pointer.removeprefix(QUERY)
    key = called.get(name, f"field:{name}")
    label = words.gettext(key)
    return WrongFilter(
        name, "" if label == key and name not in called else label, rule_words(language, problem.rule, problem.pointer)
    )
