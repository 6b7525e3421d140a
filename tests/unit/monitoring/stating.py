"""Statements for tests: issued through a service's edge, or made up for whoever only reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from services.monitoring.domain.series import Place, Series
from services.monitoring.domain.statements import statement_id
from services.monitoring.follower import SKEW_MS
from services.monitoring.work.kept import Signed
from shared.contracts.monitoring.statements import StatedCell, StatedTable, Statement
from tests.unit.monitoring.story import PROGRAMME
from tests.unit.registration.serving import Serving

MAKER, CHECKER = "anna", "berta"
DIGEST = "0" * 64


class Stated:
    """What was published, by period."""

    def __init__(self, signed: Mapping[str, Signed] | None = None) -> None:
        self._signed = signed or {}

    async def standing(self, _series: Series, _until: Any, periods: Sequence[str]) -> Mapping[str, Signed]:
        return {one: self._signed[one] for one in periods if one in self._signed}

    async def series(self, code: str) -> Series:
        places = (
            Place(
                period=period,
                number=one.statement.number,
                digest=one.digest,
                frozen=one.frozen,
                at=one.statement.issued_at,
            )
            for period, one in self._signed.items()
        )
        return Series(programme=code, issued=tuple(places))


def signed_with(period: str, figures: Mapping[str, int | str | None], **changes: Any) -> Signed:
    """A statement of these totals; None: withheld."""
    tables = tuple(
        StatedTable(
            indicator=code, unit="any", cells=(StatedCell(value=value, withheld="withheld" if value is None else None),)
        )
        for code, value in figures.items()
    )
    said: dict[str, Any] = {
        "programme": PROGRAMME,
        "period": period,
        "number": 1,
        "as_of": datetime(2026, 3, 1, tzinfo=UTC),
        "issued_at": datetime(2026, 3, 2, tzinfo=UTC),
        "definition_version": 3,
        "threshold": 10,
        "protection": 10,
        "withheld": 0,
        "least": 0,
        "zone_data": "2026.6",
        "positions": (),
        "facts": DIGEST,
        "tables": tables,
    }
    statement = Statement.model_validate({**said, **changes})
    return Signed(statement=statement, digest=DIGEST, key_id="k" * 43, signature="s" * 86, frozen=DIGEST)


async def in_state(serving: Serving, id: str, *states: str) -> dict[str, Any]:
    """The period's case, once it stands in one of them."""
    found: dict[str, Any] = {}
    # A broker's clock and ours may differ: by then whatever happened before is known.
    serving.clock.ahead += timedelta(milliseconds=2 * SKEW_MS)

    async def there() -> bool:
        found.update((await serving.get(f"/statements/{id}", "administrator")).json())
        return found.get("state") in states

    await serving.eventually(there)
    return found


async def ask(serving: Serving, path: str, body: Any = None, *, by: str = MAKER, status: int = 200) -> dict[str, Any]:
    answer = await serving.post(path, "administrator", body, subject=by)
    assert answer.status_code == status, answer.text
    said: dict[str, Any] = answer.json()
    return said


async def published(serving: Serving, id: str, maker: str = MAKER, checker: str = CHECKER) -> dict[str, Any]:
    """The period that was frozen is verified by another one and published, or waits."""
    frozen = await in_state(serving, id, "frozen")
    await ask(serving, f"/statements/{id}/verify", {"counted": frozen["counted"]}, by=checker)
    await ask(serving, f"/statements/{id}/publish", by=maker)
    return await in_state(serving, id, "published", "restated", "verified")


async def issued(serving: Serving, *periods: str) -> list[dict[str, Any]]:
    """The periods, each after the one before it, as they then stand."""
    found = []
    for period in periods:
        await ask(serving, "/statements", {"programme": PROGRAMME, "period": period}, status=201)
        found.append(await published(serving, statement_id(PROGRAMME, period)))
    return found
