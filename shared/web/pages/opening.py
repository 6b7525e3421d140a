"""The verbs with which a reader may open a case."""

from __future__ import annotations

from collections.abc import Sequence

from shared.programmes.model import Definition
from shared.web.acting import Served
from shared.web.pages.choices import Choices
from shared.web.pages.readers import Admitted


def opens_to(served: Served, known: Sequence[Definition], admitted: Admitted) -> list[str]:
    """None while no programme does what the case would be about."""
    if not Choices(known, admitted.reader.language, served.section).are_somewhere:
        return []
    allowed, principal, rows = admitted.edge.policy.allowed, admitted.principal, served.case.rows
    return [verb for verb in served.case.verbs if rows[verb][0].opens and allowed(principal, served.name, verb)]
