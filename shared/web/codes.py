"""What a body's contract says of its reasons and items: the codes that the verb lists, and that there may be more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shared.cases.case import Case, Move
from shared.cases.named import OWN_WORDS, listed_words
from shared.errors import Refusal
from shared.programmes.model import name_of
from shared.programmes.reasons import check_codes, own_codes
from shared.programmes.sections.base import Section
from shared.web.bodies import documented

ADDED = "a further code of the programme: section {}"


def described(case: Case[Any], move: Move, section: type[Section] | None) -> dict[str, Any]:
    """`openapi_extra` of the verb's route. ValueError for an example that would be refused."""
    extra = documented(move.body, move.example)
    schema = extra["requestBody"]["content"]["application/json"]["schema"]
    codes = own_codes(move, None)
    for field, word in listed_words(move.body).items():
        if word in OWN_WORDS:
            _enumerate(schema["properties"][field], codes[word], section)
    try:
        check_codes(move, move.body.model_validate(dict(move.example)), None)
    except Refusal as refusal:
        raise ValueError(f"{case.name}: the example of {move.verb} is not accepted ({refusal.detail})") from None
    return extra


def _enumerate(schema: dict[str, Any], codes: Sequence[str], section: type[Section] | None) -> None:
    """Names the codes wherever the field's schema says that a code may come."""
    if schema.get("type") == "string":
        pattern = schema.pop("pattern")
        if section is None:
            schema["enum"] = list(codes)
        else:
            added = {"pattern": pattern, "description": ADDED.format(name_of(section))}
            schema["anyOf"] = [{"enum": list(codes)}, added]
        return
    for part in (*schema.get("anyOf", ()), *([schema["items"]] if "items" in schema else ())):
        _enumerate(part, codes, section)
