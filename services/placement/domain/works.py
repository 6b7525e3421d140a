"""Works at a site: begun and completed under their number, and how many families and persons use what was built."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from shared.contracts.base import Code
from shared.errors import Problem, Refusal
from shared.programmes.sections.results import ResultsSection

WORKS_AT_MOST = 100


class Work(BaseModel):
    """Its number is its place among the site's works, from 1. `families`, `persons`: stated when it is completed.
    `override_reason`: why it began outside the days of the programme."""

    model_config = ConfigDict(frozen=True)

    work_kind: Code
    completed: bool = False
    families: int | None = None
    persons: int | None = None
    override_reason: Code | None = None


Works = tuple[Work, ...]


def next_number(works: Works) -> int:
    """Refuses `too_many_works` above a hundred: a site with more of them is several sites."""
    if len(works) >= WORKS_AT_MOST:
        raise Refusal("too_many_works", f"a site has {WORKS_AT_MOST} works at most")
    return len(works) + 1


def standing(works: Works, number: int) -> Work:
    """The work that is under way. Refuses `work_unknown` (422), `work_completed_before`."""
    if number > len(works):
        known = f"from 1 to {len(works)}, as the works of the site are numbered"
        raise Refusal("work_unknown", known, problems=(Problem("work_unknown", "/work", known),), status=422)
    if works[number - 1].completed:
        under_way = [str(place) for place, work in enumerate(works, 1) if not work.completed]
        raise Refusal("work_completed_before", f"still under way: {', '.join(under_way) or 'none'}")
    return works[number - 1]


def completed(works: Works, number: int, families: int | None, persons: int | None) -> Works:
    done = works[number - 1].model_copy(update={"completed": True, "families": families, "persons": persons})
    return (*works[: number - 1], done, *works[number:])


def check_reach(section: ResultsSection, reached: dict[str, int | None]) -> None:
    """A work states its reach in the units of the programme, in all of them and no others: `reach_stated_otherwise`."""
    units = ", ".join(section.reached)
    problems = [
        Problem(
            "required" if unit in section.reached else "not_in_programme",
            f"/{unit}",
            f"how many use what was built, in the units of the programme: {units}",
        )
        for unit, number in reached.items()
        if (number is not None) != (unit in section.reached)
    ]
    if problems:
        raise Refusal("reach_stated_otherwise", problems=tuple(problems), status=422)


def all_completed(works: Works) -> None:
    """Refuses `works_not_completed` while one is under way, or where nothing was built."""
    if not works or not all(work.completed for work in works):
        raise Refusal("works_not_completed", "a site is handed over when its works are done")
