"""Reading a request's body: bounded, strict, digested, and documented with an example that is accepted."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from functools import partial
from typing import Any, Generic, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError

from shared.canonical import EXACT_INTEGER, canonical_json
from shared.errors import Overloaded, Refusal
from shared.web.callers import edge_of
from shared.web.problems import validation_problems
from shared.web.strict_json import parsed

JSON = "application/json"
BODY_BYTES_AT_MOST = 1_048_576
# A body of this size takes a millisecond or two; a larger one is read and validated away from the event loop.
ON_THE_LOOP_BYTES = 32_768
RETRY_SECONDS = 5

_EXACT = (
    ("minimum", "exclusiveMinimum", -EXACT_INTEGER),
    ("maximum", "exclusiveMaximum", EXACT_INTEGER),
)

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True)
class Body(Generic[M]):
    """The validated model, and SHA-256 of the RFC 8785 form of what was sent in hexadecimal digits."""

    model: M
    digest: str


async def read_body(request: Request, model: type[M], *, at_most: int = BODY_BYTES_AT_MOST) -> Body[M]:
    """The body as `model`; an empty one counts as `{}`. Raises Refusal 413, 415 or 422."""
    raw = await bounded_body(request, at_most)
    if raw:
        _check_media_type(request.headers.get("content-type", ""))
    raw = raw or b"{}"
    if len(raw) <= ON_THE_LOOP_BYTES:
        return body_of(model, raw)
    return await edge_of(request).runtime.in_pool(partial(body_of, model, raw))


def body_of(model: type[M], raw: bytes) -> Body[M]:
    """The model and the digest. Raises Refusal 422."""
    # One form for both: in it 6.0 and 1.97e3 are the integers that JSON Schema takes them for.
    canonical = canonical_json(parsed(raw))
    return Body(validated(model, canonical), hashlib.sha256(canonical).hexdigest())


def validated(model: type[M], raw: bytes) -> M:
    """The model from JSON, without coercion and with unknown fields refused. Raises Refusal 422."""
    try:
        return model.model_validate_json(raw, strict=True, extra="forbid")
    except ValidationError as error:
        rows = error.errors(include_url=False, include_input=False)
        # The cause holds the input.
        raise Refusal("invalid", problems=validation_problems(rows), status=422) from None


def documented(model: type[BaseModel], example: Mapping[str, Any]) -> dict[str, Any]:
    """`openapi_extra` for a route whose body is read by `read_body`. ValueError for an example that is refused."""
    try:
        validated(model, canonical_json(dict(example)))
    except Refusal as refusal:
        rules = ", ".join(f"{problem.pointer}: {problem.rule}" for problem in refusal.problems)
        raise ValueError(f"the example of {model.__name__} is not accepted ({rules})") from None
    # An answer's parts may be of the same models, which take no unknown fields here and have all fields there.
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}Input")
    if parts := schema.pop("$defs", None):
        schema["$defs"] = {f"{name}Input": part for name, part in parts.items()}
    closed(schema)
    content = {"schema": schema, "examples": {"example": {"value": dict(example)}}}
    required = any(field.is_required() for field in model.model_fields.values())
    return {"requestBody": {"required": required, "content": {JSON: content}}}


def closed(schema: Any) -> None:
    """Says of everything in the schema what the edge does: unknown fields are refused, and numbers beyond 53 bits."""
    if isinstance(schema, dict):
        if "properties" in schema:
            schema.setdefault("additionalProperties", False)
        if schema.get("type") == "integer":
            for bound, exclusive, number in _EXACT:
                if exclusive not in schema:
                    schema.setdefault(bound, number)
        for part in schema.values():
            closed(part)
    elif isinstance(schema, list):
        for part in schema:
            closed(part)


async def bounded_body(request: Request, at_most: int) -> bytes:
    """The body's bytes. Raises Refusal 413; Overloaded where many large ones are read at once."""
    _check_length(request, at_most)
    return await _bytes(request, at_most)


def _check_length(request: Request, at_most: int) -> None:
    """By what the header says, before anything is read."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > at_most:
        raise Refusal("too_large", status=413)


async def _bytes(request: Request, at_most: int) -> bytes:
    """Read no further than the limit, whatever was declared."""
    reading, raw = edge_of(request).reading, bytearray()
    try:
        async for part in request.stream():
            raw += part
            reading.held += len(part)
            if len(raw) > at_most:
                raise Refusal("too_large", status=413)
            if reading.held > reading.at_most:
                raise Overloaded("bodies", retry_after_seconds=RETRY_SECONDS)
        return bytes(raw)
    finally:
        reading.held -= len(raw)


def _check_media_type(header: str) -> None:
    if header != JSON and media_type_in_utf8(header) != JSON:
        raise Refusal("unsupported_media_type", f"a body is {JSON} in UTF-8", status=415)


def media_type_in_utf8(header: str) -> str:
    """Which media type a `Content-Type` names; an empty text for none, and for another charset than UTF-8."""
    message = Message()
    message["content-type"] = header
    try:
        charset = message.get_content_charset("utf-8")
    except (ValueError, TypeError):
        # The email package fails in both ways over charsets, numbers and parts that do not go together.
        charset = ""
    return message.get_content_type() if header and charset in ("utf-8", "utf8") else ""
