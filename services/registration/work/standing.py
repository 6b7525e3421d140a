"""What registration has heard of an expert's offers and placements. What is only just made is not heard of yet."""

from __future__ import annotations

from services.registration.store import SHADOWS
from shared.clock import derived_id
from shared.store.port import Store

OFFERS_AT_MOST = 1_000


async def is_offered(store: Store, expert: str) -> bool:
    """By what was heard: an offer is out, or was accepted and the return is not over."""
    for shadow in await store.find(SHADOWS.name, "offered", expert, limit=OFFERS_AT_MOST):
        placement = await store.load(SHADOWS.name, derived_id(shadow["_id"], "placement"))
        if placement is None or not placement["knowledge"].get("placement", {}).get("over"):
            return True
    return False


async def is_placed(store: Store, expert: str) -> bool:
    """By what was heard: a placement was opened, whatever became of it."""
    return bool(await store.find(SHADOWS.name, "placed", expert, limit=1))
