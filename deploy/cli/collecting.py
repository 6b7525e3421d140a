"""When Python looks for cycles of garbage: seldom, and not among what lives as long as the process."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator

# So many objects more than before, where Python's own setting is 700: nearly everything here is freed without it, and
# it took an eighth of the processor time of a registration.
NEW_OBJECTS = 20_000
GENERATIONS = 20


@contextlib.contextmanager
def seldom() -> Iterator[None]:
    """What stands now, routes and models above all, is left out of every collection within the block."""
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS, GENERATIONS, GENERATIONS)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        # Libraries look at the end of the process for what they think was never freed.
        gc.unfreeze()
