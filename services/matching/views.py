"""What each caller sees of an assignment and of a match."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.matching.promises import standing
from shared.identity.tokens import Principal
from shared.store.port import Document


def assignment(document: Document, _principal: Principal) -> Mapping[str, Any]:
    """`{id, version, state, programme, programme_version, office, terms, title, ...}`; `shortlist`: match ids."""
    state, private = document["state"], document["private"]
    return {
        **vacancy(document),
        "version": document["version"],
        "programme_version": state.get("programme_version"),
        "round": state["round"],
        "shortlist": state["shortlisted"],
        "seats": {"total": state["terms"]["seats"], "held": len(standing(document))},
        "items": state["items"],
        "reason": state.get("reason"),
        "override_reason": private.get("override_reason"),
    }


def vacancy(document: Document) -> Mapping[str, Any]:
    """What everybody who may apply sees."""
    state, private = document["state"], document["private"]
    return {
        "id": document["_id"],
        "state": state["status"],
        "programme": state.get("programme"),
        "office": state.get("office"),
        "terms": state["terms"],
        "title": private.get("title"),
        "description": private.get("description"),
    }


def match(document: Document, principal: Principal) -> Mapping[str, Any]:
    """`score` is the sum of the components' `points`, each of at most its `weight`; integers.

    A host sees the expert and never the person behind it; the person sees no rank, which tells of others.
    """
    state = document["state"]
    seen = {
        "id": document["_id"],
        "version": document["version"],
        "state": state["status"],
        **{name: state.get("parties", {}).get(name) for name in _PARTIES},
        **{name: state.get(name) for name in _DECIDED},
    }
    hidden = _HIDDEN.get(principal.role, ())
    return {name: value for name, value in seen.items() if name not in hidden}


_PARTIES = ("assignment", "expert", "person", "institution", "office", "programme", "programme_version")
_DECIDED = ("score", "components", "criteria", "rank", "position", "expires_at", "reason")
_HIDDEN: Mapping[str, tuple[str, ...]] = {"host": ("person",), "panel": ("person",), "expert": ("rank", "position")}
