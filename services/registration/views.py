"""What each caller sees of registration's documents: codes, never an identifier."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.identity.tokens import Principal
from shared.store.port import Document

# Who may see what a criterion required and what the person stated.
SEES_ACTUAL_VALUES = ("expert", "officer")


def programme(document: Document, _principal: Principal) -> Mapping[str, Any]:
    """The newest definition; `version` counts the published ones."""
    state = document["state"]
    return {
        "id": state["code"],
        "code": state["code"],
        "version": state["definition_version"],
        "definition": state["definition"],
    }


def person(document: Document, _principal: Principal) -> Mapping[str, Any]:
    """Consents by purpose and the timeline of coded attributes, in the order in which it was recorded."""
    state = document["state"]
    return {
        "id": document["_id"],
        "version": document["version"],
        "office": state.get("office"),
        "consents": state.get("consents", {}),
        "profile": state.get("entries", []),
    }


def expert(document: Document, principal: Principal) -> Mapping[str, Any]:
    """The case with its `state`; values behind a failed criterion for the expert and the officer alone."""
    state, private = document["state"], document["private"]
    failed: list[dict[str, Any]] = [{"criterion": name} for name in state.get("criteria", [])]
    if failed and principal.role in SEES_ACTUAL_VALUES:
        failed = [dict(row) for row in private.get("screening", {}).get("failed", [])]
    seen = {
        "id": document["_id"],
        "version": document["version"],
        "state": state["status"],
        "person": state["person"],
        "programme": state["programme"],
        "programme_version": state.get("programme_version"),
        "office": state["office"],
        "channel": state["channel"],
        "registered_at": state["registered_at"],
        "items": state.get("items", []),
        "failed_criteria": failed,
        "reason": state.get("reason"),
    }
    if principal.role == "officer":
        seen["possible_duplicate"] = bool(private.get("possible_duplicate"))
    return seen


def institution(document: Document, _principal: Principal) -> Mapping[str, Any]:
    state = document["state"]
    return {
        "id": document["_id"],
        "version": document["version"],
        "state": state["status"],
        "name": document["private"].get("name"),
        "office": state["office"],
        "country": state["country"],
        "area": state.get("area"),
        "sector": state["sector"],
        "host_type": state["host_type"],
        "registered_at": state["registered_at"],
        "reason": state.get("reason"),
    }
