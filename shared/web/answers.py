"""What operations answer, for the OpenAPI document: models, headers, and the rules by which each may refuse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from pydantic import BaseModel

from shared.web.problems import MEDIA_TYPE

REFERENCE = "#/components/schemas/{model}"
SEEN = "Seen"
ETAG: Mapping[str, Any] = {
    "description": "The version of what was answered, for `If-Match`.",
    "schema": {"type": "string", "pattern": '^"[0-9]{1,15}"$'},
}
LOCATION: Mapping[str, Any] = {"description": "Where it stands.", "schema": {"type": "string"}}
TOTAL: Mapping[str, Any] = {
    "description": "How many there are, or `more` than that; on the first page of lists that can be counted.",
    "anyOf": [
        {
            "type": "object",
            "required": ["number", "more"],
            "properties": {"number": {"type": "integer", "minimum": 0}, "more": {"type": "boolean"}},
        },
        {"type": "null"},
    ],
}
RETRY_AFTER: Mapping[str, Any] = {
    "description": "Seconds until it is worth another try.",
    "schema": {"type": "string", "pattern": "^[0-9]{1,5}$"},
}
FIELDS = "What is wrong with a field of the body is told under 422, what another office's is under 403."
ITEM = "The case as it then stands for this reader."


def model_schema(model: type[BaseModel]) -> dict[str, Any]:
    """A reference to the model, with it and what it is made of under `$defs`, which the document lifts up.

    The parts are named apart from those of bodies: what is answered may have a further field one day.
    """
    return {"$ref": REFERENCE.format(model=model.__name__), "$defs": _defined(model)}


@cache
def _defined(model: type[BaseModel]) -> Mapping[str, Any]:
    """Made once: every verb of a case answers the same model, and a schema takes as long as the rest of the route."""
    schema = model.model_json_schema(ref_template=REFERENCE, mode="serialization")
    parts = schema.pop("$defs", {})
    # A field that the reader may not see is left out, so none of them can be counted on.
    schema.pop("required", None)
    named = {name: name if name.endswith(SEEN) else name + SEEN for name in parts}
    defined = {**{named[name]: part for name, part in parts.items()}, model.__name__: schema}
    references = {REFERENCE.format(model=old): REFERENCE.format(model=new) for old, new in named.items()}
    renamed: Mapping[str, Any] = _renamed(defined, references)
    return renamed


def _renamed(schema: Any, references: Mapping[str, str]) -> Any:
    if isinstance(schema, dict):
        return {
            key: references.get(value, value) if key == "$ref" else _renamed(value, references)
            for key, value in schema.items()
        }
    return [_renamed(one, references) for one in schema] if isinstance(schema, list) else schema


def answered(model: type[BaseModel], description: str) -> dict[str, Any]:
    """`responses` of an operation that answers the model without a version."""
    return {"200": {"description": description, "content": _json(model_schema(model))}}


def answers(
    model: type[BaseModel], description: str, *, refused: Sequence[str] = (), opens: bool = False
) -> dict[str, Any]:
    """`responses` of an operation that answers the model with its version; `refused`: the rules that a 409 names."""
    done: dict[str, Any] = {**answered(model, description)["200"], "headers": {"ETag": ETAG}}
    found: dict[str, Any] = {"200": done}
    if opens:
        placed = {**done, "headers": {"ETag": ETAG, "Location": LOCATION}}
        found = {"200": {**placed, "description": "It had been opened by the same request before."}, "201": placed}
    if refused:
        found["409"] = refused_by(*refused)
    return found


def refused_by(*rules: str) -> dict[str, Any]:
    """The 409 of an operation that these rules may refuse."""
    named = ", ".join(f"`{rule}`" for rule in dict.fromkeys(rules))
    return {"description": f"Refused by a rule: {named}. {FIELDS}", "content": _problem()}


def turned_away(description: str) -> dict[str, Any]:
    """The 429 of an operation that counts what somebody asks."""
    return {"description": description, "headers": {"Retry-After": RETRY_AFTER}, "content": _problem()}


def listed_answers(model: type[BaseModel]) -> dict[str, Any]:
    """`responses` of a list of the model, a page at a time."""
    item = model_schema(model)
    cursor = {"anyOf": [{"type": "string"}, {"type": "null"}], "description": "For `after`; null on the last page."}
    properties = {"items": {"type": "array", "items": {"$ref": item["$ref"]}}, "next": cursor, "total": TOTAL}
    schema = {"type": "object", "required": ["items", "next"], "properties": properties, "$defs": item["$defs"]}
    return {"200": {"description": "A page of them.", "content": _json(schema)}}


class Receipt(BaseModel):
    """What was taken, when, and the signature over it; `status_url` says what became of it.

    `digest`: HMAC-SHA256, with `salt` as its key, of the SHA-256 of the body's canonical form (RFC 8785), each as
    hexadecimal digits. Receipt and body together prove what was sent, the receipt alone tells nothing of it.
    """

    id: str
    kind: str
    subject: str
    received_at: str
    digest: str
    key_id: str
    signature: str
    salt: str
    status_url: str


def taken_answers(refused: Sequence[str] = ()) -> dict[str, Any]:
    """`responses` of an operation that is taken in: the signed receipt, the same one for the same key and body.

    `refused`: by what it is refused at once, or afterwards by the receipt.
    """
    content = _json(model_schema(Receipt))
    found = {"202": {"description": "Taken, durably.", "headers": {"Location": LOCATION}, "content": content}}
    if refused:
        named = ", ".join(f"`{rule}`" for rule in dict.fromkeys(refused))
        found["409"] = {
            "description": f"Refused by a rule, or so by the receipt: {named}. {FIELDS}",
            "content": _problem(),
        }
    return found


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _problem() -> dict[str, Any]:
    return {MEDIA_TYPE: {"schema": {"$ref": REFERENCE.format(model="Problem")}}}
