"""The codes that a body may name as a reason or an item: those of the verb's row, and those that the programme adds."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel

from shared.cases.case import Move
from shared.cases.named import OWN_WORDS, listed_words, unlisted
from shared.errors import Problem, Refusal
from shared.programmes.model import Definition
from shared.programmes.sections.base import Section

CODE_NOT_LISTED = "code_not_listed"


def own_codes(move: Move, part: Section | None) -> Mapping[str, tuple[str, ...]]:
    """Word -> its codes, those of the row first; of an empty list none may come.

    `part`: the section of the case's programme, None where there is none.
    """
    return {word: (*getattr(move, f"{word}s"), *(part.added(word) if part else ())) for word in OWN_WORDS}


def part_of(definition: Definition, section: type[Section]) -> Section | None:
    """The section of that kind; None where the programme lacks it."""
    return next((part for part in definition.sections().values() if isinstance(part, section)), None)


def check_codes(move: Move, body: BaseModel, part: Section | None) -> None:
    """Raises Refusal `code_not_listed` (422) at each such field; its detail says which codes there are."""
    codes = own_codes(move, part)
    places = unlisted(body, {word: frozenset(listed) for word, listed in codes.items()})
    if places:
        words = dict.fromkeys(word for word in listed_words(type(body)).values() if word in codes)
        detail = "; ".join(f"a {word} is one of {', '.join(codes[word])}" for word in words)
        problems = tuple(Problem(CODE_NOT_LISTED, place) for place in places)
        raise Refusal(CODE_NOT_LISTED, detail, problems=problems, status=422)
