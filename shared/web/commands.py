"""From a request to the cause of a command: its id, its digest, when it happened, under which version."""

from __future__ import annotations

import re
from datetime import datetime

from fastapi import Request

from shared.clock import derived_id
from shared.errors import PreconditionFailed, Refusal
from shared.store.aggregates import Cause
from shared.web.callers import Granted
from shared.web.strict_json import refuse

# In a route's `openapi_extra`: it always creates, so no version can be named. It does not reach the document.
CREATES = "x-creates"
IDEMPOTENCY_KEY = "idempotency-key"
_VISIBLE = re.compile(r"[\x21-\x7e]{1,255}")
_ETAG = re.compile(r'"([0-9]{1,15})"')


def cause(
    request: Request, granted: Granted, what: str, key: str, digest: str, happened_at: datetime | None = None
) -> Cause:
    """The cause of what is asked. Raises Refusal 422 or 403 (no right to record late).

    `what`: method and path of the JSON edge, with the ids in it. `command_id` follows from the account, from that and
    from the key, so that a repetition is the same command; one key used for two cases is two commands.
    """
    account = granted.principal.account
    return Cause(
        command_id=derived_id(account, what, key),
        digest=digest,
        correlation_id=request.state.correlation_id,
        traceparent=request.state.traceparent,
        happened_at=happened_at,
        recorded_late=_recorded_late(granted, happened_at),
        account=account,
        by={"role": granted.principal.role, "office": granted.principal.office},
    )


def key_of(request: Request, granted: Granted) -> str:
    """The `Idempotency-Key`; without the header every request is one of its own. Raises Refusal 422."""
    keys = request.headers.getlist(IDEMPOTENCY_KEY)
    if not keys:
        return granted.edge.runtime.new_id()
    if len(keys) > 1 or not is_key(keys[0]):
        refuse("idempotency_key_malformed", f"header/{IDEMPOTENCY_KEY}")
    return keys[0]


def is_key(text: str) -> bool:
    return _VISIBLE.fullmatch(text) is not None


def expected_version(request: Request) -> int | None:
    """The version that `If-Match` names; None where there is no such header, or `*`. Raises Refusal 422."""
    header = request.headers.get("if-match")
    if header is None or header.strip() == "*":
        return None
    found = _ETAG.fullmatch(header.strip())
    if not found:
        refuse("if_match_malformed", "header/if-match")
    return int(found.group(1))


def refuse_if_match(request: Request) -> None:
    """For what always creates: PreconditionFailed where there is an `If-Match`, since nothing stands there to match."""
    if "if-match" in request.headers:
        raise PreconditionFailed


def etag(version: int) -> str:
    """A strong entity tag: the version in quotes."""
    return f'"{version}"'


def _recorded_late(granted: Granted, happened_at: datetime | None) -> bool:
    if happened_at is None:
        return False
    if not granted.edge.policy.may_record_late(granted.principal):
        raise Refusal("role_may_not_record_late", status=403)
    now = granted.edge.runtime.now()
    if happened_at > now:
        refuse("happened_in_the_future", "/happened_at")
    return happened_at < now
