"""The model of a history file: what happened in a programme, in chapters, and the figures that must come out."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from deploy.replay.cases.model import Cases
from deploy.replay.returns.model import Returns
from shared.contracts.base import Code
from shared.programmes.indicators import Declared, Texts
from shared.programmes.loader import linted, loaded
from shared.programmes.marked_yaml import Broken, Finding
from shared.programmes.model import Definition, closed_schema

Sentence = Annotated[str, StringConstraints(min_length=1, max_length=400)]
Chapter = Annotated[Returns | Cases, Field(discriminator="kind")]
HistoryCode = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,47}$")]


class Figure(Declared):
    """A figure that the history must give. `published` ones are golden; `chosen` ones follow from this file.

    The value is what the indicator shows, after its own rounding; there is no tolerance. `by`: dimensions and the
    class of each in which the value stands.
    """

    indicator: Code
    period: Code
    by: dict[Code, Code] = {}
    comparison: Literal["equals", "at_least"] = "equals"
    value: Decimal
    origin: Literal["published", "chosen", "counted"]
    source: Sentence

    def met(self, shown: int | Decimal | None) -> bool:
        """Whether what the system shows (None: no value) agrees with the figure."""
        if shown is None:
            return False
        return shown == self.value if self.comparison == "equals" else shown >= self.value


class History(Declared):
    """What happened, stated by marginals; names and the rest follow from the seed and are invented by a formula."""

    code: HistoryCode
    programme: Code
    title: Texts
    seed: Annotated[int, Field(ge=0)]
    publisher: Code
    chapters: Annotated[tuple[Chapter, ...], Field(max_length=100)]
    figures: Annotated[tuple[Figure, ...], Field(min_length=1)]


def _check(definition: Definition | None) -> Callable[[History], list[Broken]]:
    # The checks look at the tables of the services, which nobody who reads the model alone has to load.
    from deploy.replay.checks import check_history

    return partial(check_history, definition=definition)


def lint_history(text: str, definition: Definition | None = None) -> list[Finding]:
    """What is wrong with the text of a history file, by line; with a definition, also what does not fit it."""
    return linted(text, History, _check(definition))[1]


def load_history(source: Path | str, definition: Definition) -> History:
    """The history in a file (a Path) or in a text. Raises FileRefused."""
    return loaded(source, History, _check(definition))


def history_schema() -> dict[str, Any]:
    """The JSON Schema 2020-12 that editors check a history file against."""
    return closed_schema(History, "urn:sankofa:schema:programme-history")
