"""When somebody was born, as exactly as they know it: no part of it is ever made up."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Self

from pydantic import Field, model_validator

from services.registration.domain.fields import broken
from shared.cases.bodies import Input

Year = Annotated[int, Field(ge=1900, le=2100)]
YEAR_DIFFERS = "birth_year_differs"
IN_BORN = "the year in which the person was born, as in `born`"


class Birth(Input):
    """A day, a month or a year of the Gregorian calendar; `about`: a year that may be another one near it."""

    year: Year
    month: Annotated[int, Field(ge=1, le=12)] | None = None
    day: Annotated[int, Field(ge=1, le=31)] | None = None
    about: bool = False

    @model_validator(mode="after")
    def _as_exact_as_said(self) -> Self:
        if self.day is not None and self.month is None:
            raise broken("birth_month_missing", "a day has its month")
        if self.about and self.month is not None:
            raise broken("birth_about_a_year", "about a year, without month and day")
        if self.day is not None and self.month is not None:
            try:
                date(self.year, self.month, self.day)
            except ValueError:
                raise broken("birth_day_unknown", "a day that the month has in that year") from None
        return self
