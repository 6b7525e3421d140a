"""The verbs that many cases may be asked of in the same words."""

from __future__ import annotations

from collections.abc import Iterable

from shared.web.acting import Served
from shared.web.pages.cases import HAPPENED_AT, fields_for
from shared.web.pages.forms import Field

FIELDS_AT_MOST = 4
_OF_ONE_CASE = ("group", "rows", "references", "json")


def fields_for_many(served: Served) -> Iterable[tuple[str, tuple[Field, ...]]]:
    """Of the verbs whose bodies say little enough to hold for many cases at once."""
    for verb in served.case.verbs:
        fields = tuple(one for one in fields_for(served, served.case.rows[verb][0]) if one.name != HAPPENED_AT)
        if len(fields) <= FIELDS_AT_MOST and not any(one.kind in _OF_ONE_CASE for one in fields):
            yield verb, fields
