"""What a test needs of the machine besides the project's own packages: Java, Maven, a server's program."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from deploy.local.processes import MissingTool


@contextmanager
def skipped_without_tools() -> Iterator[None]:
    """Where the block misses a tool the test is skipped with the reason; with CI=true it fails."""
    try:
        yield
    except MissingTool as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(error))
