"""From a request to the cause of a command: its id, its digest, when it happened, under which version."""

from __future__ import annotations

import re
from datetime import datetime

from fastapi import Request

from shared.clock import derived_id
from shared.errors import Refusal
from shared.store.aggregates import Cause
from shared.web.callers import Granted
from shared.web.conditions import IF_MATCH, key_in
from shared.web.strict_json import refuse

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
    key = key_in(request)
    return granted.edge.runtime.new_id() if key is None else key


def expected_version(request: Request, *, exists: bool = True) -> int | None:
    """The version that `If-Match` names; None where there is no such header, or `*`. Raises Refusal 422.

    `exists`: it is known that something stands there, which is all that `*` asks for.
    """
    headers = request.headers.getlist(IF_MATCH)
    if not headers or (exists and [one.strip() for one in headers] == ["*"]):
        return None
    found = _ETAG.fullmatch(",".join(headers).strip())
    if not found:
        refuse("if_match_malformed", f"header/{IF_MATCH}")
    return int(found.group(1))


def _recorded_late(granted: Granted, happened_at: datetime | None) -> bool:
    if happened_at is None:
        return False
    if not granted.edge.policy.may_record_late(granted.principal):
        raise Refusal("role_may_not_record_late", status=403)
    now = granted.edge.runtime.now()
    if happened_at > now:
        refuse("happened_in_the_future", "/happened_at")
    return happened_at < now
