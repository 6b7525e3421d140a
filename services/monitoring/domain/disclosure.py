"""Who sees which figures, and as of when. Officers see those of their own office as they are now, administrators all;
everybody else sees what was published (services/monitoring/published.py)."""

from __future__ import annotations

from dataclasses import dataclass

from shared.errors import Refusal


@dataclass(frozen=True)
class Viewer:
    """For whom a figure is. `office` None: every office. `live` False: who sees what was published alone."""

    live: bool
    office: str | None = None


def size_of(things: int, persons: int) -> int:
    """How many stand behind a figure: several things of one person are one, and things that name nobody are counted
    themselves."""
    return min(things, persons) if persons else things


def check_definition(viewer: Viewer, version: str | None) -> None:
    """Raises Refusal (403) for whoever sees what was published: each statement names the version that it goes by."""
    if version is not None and not viewer.live:
        raise Refusal("definition_withheld", "figures are told as they were published", status=403)


def check_known(asked_ms: int | None, watermark_ms: int) -> None:
    """Raises Refusal (422) for an instant above the watermark, as of which the answer could still change."""
    if asked_ms is not None and asked_ms > watermark_ms:
        detail = "what happened until then is not all known here yet; ask for an earlier instant, or later"
        raise Refusal("as_of_beyond_watermark", detail, at="query/as_of", status=422)
