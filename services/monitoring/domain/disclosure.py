"""The one gate that every answer passes: who sees which figures, as of when, and what is withheld.

Evaluators see figures at published steps alone, no breakdown until complementary suppression is built, and no
figure about fewer persons than the programme's threshold (faults.md, section 6). Officers see their own office as it
is now, administrators everything.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from shared.errors import Refusal


@dataclass(frozen=True)
class Viewer:
    """For whom a figure is. `office` None: every office. `live` False: an evaluator."""

    live: bool
    office: str | None = None


@dataclass(frozen=True)
class Counted:
    """How many things and how many different persons stand behind a figure.

    `persons` is 0 where the facts name none. For a share these are its numerator's; `other_things` and
    `other_persons` are what the denominator holds besides, None where there is no denominator. `of_people` False:
    they are things that stand for nobody, of which a small number tells of nobody.
    """

    things: int
    persons: int
    other_things: int | None = None
    other_persons: int = 0
    of_people: bool = True


def may_be_shown(viewer: Viewer, threshold: int, counted: Counted) -> bool:
    """Whether the figure is shown. Zeros are treated like small numbers: they tell of nobody, which tells.

    A share with its denominator also tells what is not in its numerator, so both must be large enough.
    """
    if viewer.live or not counted.of_people:
        return True
    enough = _size(counted.things, counted.persons) >= threshold
    if counted.other_things is None:
        return enough
    return enough and _size(counted.other_things, counted.other_persons) >= threshold


def why_withheld(viewer: Viewer, threshold: int, counted: Counted, as_of_ms: int) -> str | None:
    """The rule by which a figure is withheld; None for one that is shown.

    One rule for both sides of a share: which of them is small would tell more than the figure. Before anything was
    published nothing was counted, so that a zero would be no figure.
    """
    if not viewer.live and not as_of_ms:
        return "nothing_published_yet"
    return None if may_be_shown(viewer, threshold, counted) else "below_threshold"


def _size(things: int, persons: int) -> int:
    # Several things of one person are one person; things that name nobody are counted themselves.
    return min(things, persons) if persons else things


def check_definition(viewer: Viewer, version: str | None) -> None:
    """Raises Refusal (403) for evaluators: two definitions of one figure, subtracted, are a small one."""
    if version is not None and not viewer.live:
        raise Refusal("definition_withheld", "figures follow the newest definition for this role", status=403)


def check_breakdown(viewer: Viewer, by: Sequence[str]) -> None:
    """Raises Refusal (403) where the viewer asks for dimensions that it may not see."""
    if by and not viewer.live:
        raise Refusal("breakdown_withheld", "figures are not broken down for this role", status=403)


@dataclass(frozen=True)
class Steps:
    """Of a programme: when its periods end, the further instants that it declares, and when it came to be known here,
    in milliseconds since 1970."""

    ends: Sequence[date]
    declared_ms: Sequence[int] = ()
    known_ms: int = 0

    def until(self, until_ms: int) -> Iterator[int]:
        """Those that are over by then, in no order. What the programme does is recorded after it came to be known, so
        that a step before it has no figure, and to say so tells of nobody."""
        for step in (*self.declared_ms, *published_steps(self.ends, until_ms)):
            if self.known_ms <= step <= until_ms:
                yield step


def shown_as_of(viewer: Viewer, asked_ms: int | None, watermark_ms: int, head_ms: int, steps: Steps) -> int:
    """The instant as of which the answer is given, in milliseconds since 1970; 0 where nothing is published yet.

    Without an instant the live figure counts all that has been read (`head_ms`). Raises Refusal (422) for an instant
    above the watermark, whose answer could still change.
    """
    if asked_ms is not None and asked_ms > watermark_ms:
        detail = "what happened until then is not all known here yet; ask for an earlier instant, or later"
        raise Refusal("as_of_beyond_watermark", detail, at="query/as_of", status=422)
    if viewer.live:
        return head_ms if asked_ms is None else asked_ms
    reached = watermark_ms if asked_ms is None else asked_ms
    return max(steps.until(reached), default=0)


def published_steps(ends: Sequence[date], until_ms: int) -> Iterator[int]:
    """The published steps: a day after each period's end, when it has ended in every time zone; after the last
    period, in which corrections still come, a day after the beginning of each quarter of a year."""
    for end in ends:
        yield _after(end)
    last = max(ends, default=None)
    if last is None:
        return
    quarter = date(last.year, (last.month - 1) // 3 * 3 + 1, 1)
    while _after(quarter) <= until_ms:
        if quarter > last:
            yield _after(quarter)
        quarter = _next(quarter)


def _next(quarter: date) -> date:
    return date(quarter.year + 1, 1, 1) if quarter.month == 10 else date(quarter.year, quarter.month + 3, 1)


def _after(day: date) -> int:
    instant = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
    return round(instant.timestamp()) * 1000
