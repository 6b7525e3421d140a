"""Both builds, made ready; why not, where one cannot be had here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tests.bench.load.builds import BEFORE, Build, before, this
from tests.bench.load.rounds import FULL, QUICK, Rounds, rounds
from tests.bench.rows import NotMeasured, Result

SAME = (
    f"`sankofa up` of both builds (this one, and commit {BEFORE} with its own environment) in turn on the same cores, "
    "on empty folders; an open loop over loopback by a process of its own, each request a registration by another "
    "made-up person who is signed in at an OpenID issuer and sends a key of its own; beside it the indicator is asked "
    "for twice a second"
)
Measured = Callable[[Rounds, Build, Build], list[Result]]


async def beside(name: str, quick: bool, measured: Measured) -> list[Result]:
    """`measured` of this build and the earlier one."""
    return await asyncio.to_thread(_measured, name, quick, measured)


def _measured(name: str, quick: bool, measured: Measured) -> list[Result]:
    try:
        earlier = before()
    except RuntimeError as error:
        return [NotMeasured(name, str(error))]
    with rounds(QUICK if quick else FULL) as running:
        return measured(running, this(), earlier)
