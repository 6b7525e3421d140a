"""What both log adapters share of delivery: the size of a batch, the pause after a failed handler, how it is logged."""

from __future__ import annotations

import traceback

import structlog

BATCH_RECORDS = 500
STOP_SECONDS = 15.0
FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 5.0

logger = structlog.get_logger()


def pause_s(attempt: int) -> float:
    """Seconds to wait before delivery number `attempt` + 1 of the same records: 0.05 doubling up to 5."""
    return min(FIRST_PAUSE_S * 2.0 ** min(attempt - 1, 20), LONGEST_PAUSE_S)


def handler_failed(group: str, error: Exception, records: int, attempt: int) -> None:
    """Logs a failed delivery by the error's class and line; its message could hold what the record holds."""
    frames = traceback.extract_tb(error.__traceback__)
    at = f"{frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno}" if frames else ""
    logger.warning("handler_failed", group=group, error=type(error).__name__, at=at, records=records, attempt=attempt)
