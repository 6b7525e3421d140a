"""A message that is due as it is written is claimed in that save: nobody else sends it, and no stop loses it."""

from __future__ import annotations

from datetime import timedelta

from services.registration.store import MESSAGES
from services.registration.work.recipients import Recipients
from services.registration.work.sending import CLAIMED, SENT_WITHIN, TRIED, TRIES, WRITTEN_AT_MOST, Sending
from shared.clock import text_of
from shared.contracts.registration.experts import ExpertDeclaredEligible, ExpertDeclaredIneligible
from shared.errors import Unavailable
from tests.unit.registration.posting import NOW, WHO, Post, posting
from tests.unit.registration.test_messages import asked, erase

ELIGIBLE = ExpertDeclaredEligible(happened_at=NOW, person=WHO)


def another(post: Post) -> Sending:
    """The sender of another replica on the same store, which keeps nothing in memory of this one's."""
    recipients = Recipients(post.replica, post.identifiers)
    return Sending(post.replica, recipients, post.box, "http://127.0.0.1:8000", post._note)


async def told(post: Post) -> None:
    await post.person()
    await post.tell(ELIGIBLE)


async def test_it_is_written_with_its_claim_and_sent_with_the_next_round() -> None:
    async with posting() as post:
        await told(post)
        (document,) = await post.ledger()
        assert document["version"] == 1
        assert document["private"][TRIED] == {"round": 0, "times": 1}
        assert document["next_at"] == text_of(post.clock.instant + CLAIMED)
        await post.sweep()
        (document,) = await post.ledger()
        assert (document["version"], document["state"]["status"], document["timed"]) == (2, "sent", False)
        assert len(post.box.mails) == 1


async def test_another_replica_leaves_it_until_the_claim_is_over() -> None:
    async with posting() as post:
        await told(post)
        post.clock.instant += CLAIMED - timedelta(seconds=1)
        await another(post).sweep()
        assert not post.box.mails
        # The first one has stopped, and its memory with it.
        post.clock.instant += timedelta(seconds=2)
        await another(post).sweep()
        assert len(post.box.mails) == 1
        await post.sweep()
        assert len(post.box.mails) == 1, "what the first one remembers was sent by another"


async def test_what_comes_too_late_for_its_claim_waits_for_the_end_of_it() -> None:
    async with posting() as post:
        await told(post)
        await post.sweep(seconds=SENT_WITHIN.total_seconds() + 1)
        assert not post.box.mails
        await post.sweep(seconds=CLAIMED.total_seconds())
        assert len(post.box.mails) == 1


async def test_what_an_officer_holds_back_before_the_round_is_not_sent() -> None:
    async with posting() as post:
        await told(post)
        await post.ask("hold-back")
        await post.sweep()
        await post.sweep(minutes=3)
        assert (post.box.mails, await post.states()) == ([], [("eligible", "held", None)])
        await post.ask("release")
        await post.sweep()
        assert await post.states() == [("eligible", "sent", None)]


async def test_who_was_erased_before_the_round_is_not_written_to() -> None:
    async with posting() as post:
        await told(post)
        await erase(post)
        await post.sweep()
        assert (post.box.mails, await post.states()) == ([], [("eligible", "dropped", "person_erased")])


async def test_its_first_try_counts() -> None:
    async with posting() as post:
        await told(post)
        post.box.failing = [Unavailable("away") for _ in range(TRIES)]
        await post.sweep()
        for _ in range(3 * TRIES):
            await post.sweep(hours=7)
        assert (post.box.mails, await post.states()) == ([], [("eligible", "failed", "channel_away")])


async def test_a_second_delivery_sends_it_once() -> None:
    async with posting() as post:
        await post.person()
        delivery = await post.tell(ELIGIBLE)
        await post.telling.heard(delivery)
        await post.sweep()
        await post.telling.heard(delivery)
        await post.sweep(minutes=3)
        assert len(post.box.mails) == 1


async def test_what_is_held_or_finds_no_place_is_written_without_a_claim() -> None:
    async with posting() as post:
        await post.person()
        await post.tell(ExpertDeclaredIneligible(happened_at=NOW, person=WHO, criteria=()))
        assert [TRIED in one["private"] for one in await post.ledger()] == [False]
        for _ in range(WRITTEN_AT_MOST + 1):
            await post.tell(ELIGIBLE)
        claimed = [TRIED in one["private"] for one in await post.ledger() if one["state"]["status"] == "queued"]
        assert (claimed.count(True), claimed.count(False)) == (WRITTEN_AT_MOST, 1)
        for _ in range(3):
            await post.sweep()
        assert len(post.box.mails) == WRITTEN_AT_MOST + 1
        assert all(one["state"]["status"] in ("sent", "held") for one in await post.ledger())


async def test_what_is_put_off_as_it_was_claimed_was_not_tried() -> None:
    async with posting() as post:
        await post.person()
        await post.case()
        await post.wishes(often="daily")
        await post.tell(asked())
        await post.sweep()
        (document,) = [one async for one in post.store.scan(MESSAGES.name)]
        assert TRIED not in document["private"]
        assert (document["state"]["status"], post.box.mails) == ("queued", [])
