from __future__ import annotations

import asyncio

from shared.web.turns import BEGIN_AT_MOST, Turns


async def test_a_few_requests_begin_in_each_turn_in_their_order() -> None:
    turns, begun = Turns(), list[int]()

    async def request(number: int) -> None:
        await turns.begin()
        begun.append(number)

    many = 3 * BEGIN_AT_MOST
    requests = [asyncio.ensure_future(request(number)) for number in range(many)]
    most, before = 0, 0
    while len(begun) < many:
        await asyncio.sleep(0)
        most, before = max(most, len(begun) - before), len(begun)
    await asyncio.gather(*requests)
    assert begun == [*range(many)]
    assert most <= BEGIN_AT_MOST


async def test_who_was_cut_off_takes_nobodys_turn() -> None:
    turns = Turns()
    requests = [asyncio.ensure_future(turns.begin()) for _ in range(3 * BEGIN_AT_MOST)]
    await asyncio.sleep(0)
    gone, rest = requests[BEGIN_AT_MOST : 2 * BEGIN_AT_MOST], requests[2 * BEGIN_AT_MOST :]
    for one in gone:
        one.cancel()
    await asyncio.gather(*rest)
    assert all(one.cancelled() for one in gone)
