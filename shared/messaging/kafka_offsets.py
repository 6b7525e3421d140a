"""Committed positions while a coordinator reads its own: aiokafka overlooks that the answer as a whole is an error.

It takes the answer for that of a group that never committed, and begins at the first record of a log that is kept for
ever. Beside `kafka_decoding` the one place that reaches into the client's inner modules;
tests/integration/test_real_commits.py holds it to the pinned version.
"""

from __future__ import annotations

from typing import Any

from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.errors import NotCoordinatorForGroupError, for_code
from aiokafka.protocol.commit import OffsetFetchResponse_v2, OffsetFetchResponse_v3

_send = GroupCoordinator._send_req


async def _heeding(coordinator: GroupCoordinator, request: Any) -> Any:
    """The answer; its own error is raised, and the caller asks again after a pause."""
    answer = await _send(coordinator, request)
    if isinstance(answer, OffsetFetchResponse_v2 | OffsetFetchResponse_v3) and answer.error_code:
        error = for_code(answer.error_code)()
        if isinstance(error, NotCoordinatorForGroupError):
            coordinator.coordinator_dead()
        raise error
    return answer


def heed_errors_of_positions() -> None:
    """Makes every consumer of this process look at it; calling it again changes nothing."""
    GroupCoordinator._send_req = _heeding
