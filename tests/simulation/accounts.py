"""Accounts that two people hand over: withdrawn, declined, accepted, or answered by nobody until it lapses."""

from __future__ import annotations

from services.registration.domain.institutions import INSTITUTION
from services.registration.domain.persons import PERSON
from tests.simulation import requests
from tests.simulation.client import Client

TIMES = 2


async def hand_accounts_over(client: Client, person: str) -> None:
    """The host's, and that of a person whom somebody else registered."""
    for case, subject in ((INSTITUTION, requests.INSTITUTION), (PERSON, person)):
        reason = case.rows["propose-handover"][0].reasons[0]
        for time in range(TIMES):
            if await client.put(requests.offering("propose-handover", case, subject, time, reason=reason)) is None:
                break
            answer = client.rng.choice(("withdraw", "decline", "accept", ""))
            code = await client.look("registration", requests.code_of(case, subject))
            if answer == "withdraw":
                await client.put(requests.offering("withdraw-handover", case, subject, time))
            elif answer:
                await client.put(requests.answering(answer, case, subject, time, code))
