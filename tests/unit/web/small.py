"""The fixtures of every test that asks the small service: a module asks for them by `pytest_plugins`."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.unit.web.service import Small, small_service


@pytest.fixture
async def small() -> AsyncIterator[Small]:
    service = await small_service()
    yield service
    await service.store.stop()
    service.clock.close()


@pytest.fixture
async def http(small: Small) -> AsyncIterator[httpx.AsyncClient]:
    async with small.client() as client:
        yield client
