"""Placement's HTTP edge: its cases, with the work of the verbs that take more than one document."""

from __future__ import annotations

from collections.abc import Mapping

from services.placement import views
from services.placement.domain.placements import PLACEMENT
from services.placement.store import PLACEMENTS, PLAIN
from services.placement.work.placing import Placing
from shared.papers.named import CERTIFICATE
from shared.programmes.sections.placement import PlacementSection
from shared.replica import Replica
from shared.web.acting import Served, Work
from shared.web.plain import plain


def served_cases(replica: Replica, placing: Placing) -> tuple[Served, ...]:
    works: Mapping[str, Work] = {
        "contract": placing.promise,
        "extend": placing.promise,
        "correct-contract": placing.promise,
        "correct-time": placing.promise,
        "take-back": placing.promise,
        "complete-step": placing.prepare,
        "depart": placing.prepare,
        "confirm-arrival": placing.prepare,
        "submit-report": placing.report,
        "end-early": placing.end,
        "report-no-show": placing.end,
        "cancel": placing.end,
    }
    return (
        Served(
            PLACEMENT,
            PLACEMENTS,
            views.PlacementSeen,
            views.placement,
            works,
            section=PlacementSection,
            papers=(CERTIFICATE,),
            columns=("parties.expert", "parties.programme", "starts_on", "ends_on", "opened_at"),
            parts=("parties.assignment", "parties.expert", "parties.person", "parties.institution"),
        ),
        *(plain(one, replica) for one in PLAIN),
    )
