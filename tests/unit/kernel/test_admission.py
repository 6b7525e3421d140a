"""Admission by expected wait: how many are let in follows from how fast decisions are made here."""

from __future__ import annotations

import pytest

from shared.errors import Overloaded
from shared.intake.admission import (
    FIRST_RATE,
    KNOCKING_AT_MOST,
    RETRY_AT_MOST_SECONDS,
    SHARE,
    SHARE_AT_LEAST,
    SHARES_BIND_SECONDS,
    SHARES_OF_AN_ADDRESS,
    WAIT_AT_MOST_SECONDS,
    Admission,
)


class Desk:
    """Decides so many a second while a clock that the test moves goes on."""

    def __init__(self) -> None:
        self.now = 0.0
        self.admission = Admission(lambda: self.now)

    def queue(self, many: int, account: str = "") -> None:
        for number in range(many):
            self.admission.queued(account or f"person-{self.now}-{number}")

    def work(self, rate: float, seconds: float, account: str) -> None:
        """Queues as many as are decided, so that as much waits after it as before."""
        for _ in range(round(rate * seconds)):
            self.now += 1 / rate
            self.admission.queued(account)
            self.admission.decided(account)


@pytest.mark.parametrize("rate", [5.0, 40.0, 300.0])
def test_as_many_wait_as_are_decided_within_the_longest_wait(rate: float) -> None:
    """A count of places would be right for one machine alone."""
    desk = Desk()
    desk.queue(100)
    desk.work(rate, 60, "everybody")
    assert desk.admission.rate() == pytest.approx(rate, rel=0.05)
    room = round(desk.admission.rate() * WAIT_AT_MOST_SECONDS)
    desk.queue(max(room - desk.admission.waiting - 1, 0))
    assert (desk.admission.retry_after() is None) == (room > 100)
    desk.queue(max(room + 2 - desk.admission.waiting, 0))
    with pytest.raises(Overloaded) as refused:
        desk.admission.admit("anybody")
    assert refused.value.status == 429


@pytest.mark.parametrize("rate", [10.0, 100.0])
def test_whoever_is_refused_is_told_how_long_the_work_that_waits_will_take(rate: float) -> None:
    desk = Desk()
    desk.queue(2_000)
    desk.work(rate, 60, "everybody")
    told, began = desk.admission.retry_after(), desk.now
    assert told is not None
    while desk.admission.waiting:
        desk.now += 1 / rate
        desk.admission.decided(next(iter(desk.admission._own)))
    assert min(desk.now - began, RETRY_AT_MOST_SECONDS) == pytest.approx(told, rel=0.1)


def test_a_store_that_stands_still_lengthens_the_wait_by_itself() -> None:
    desk = Desk()
    desk.queue(200)
    desk.work(100, 30, "everybody")
    assert desk.admission.retry_after() is None
    desk.now += 20
    told = desk.admission.retry_after()
    assert told is not None
    assert told > 2 * WAIT_AT_MOST_SECONDS
    desk.work(100, 30, "everybody")
    assert desk.admission.retry_after() is None


def test_a_quiet_hour_says_nothing_of_how_fast_decisions_can_be_made() -> None:
    desk = Desk()
    desk.work(0.1, 3_600, "somebody")
    assert desk.admission.rate() == pytest.approx(FIRST_RATE)


def test_shares_bind_only_while_the_wait_is_long() -> None:
    """One account floods: as long as the wait is short nothing is refused; then it alone is, and others are let in."""
    desk = Desk()
    desk.queue(round(FIRST_RATE * SHARES_BIND_SECONDS) - 1, "flood")
    desk.admission.admit("flood")
    desk.queue(2, "flood")
    with pytest.raises(Overloaded) as refused:
        desk.admission.admit("flood")
    assert refused.value.what == "share"
    assert refused.value.status == 429
    desk.admission.admit("somebody")


def test_a_share_is_many_times_what_one_person_sends() -> None:
    desk = Desk()
    desk.queue(round(FIRST_RATE * SHARES_BIND_SECONDS) + 1)
    for _ in range(SHARE_AT_LEAST):
        desk.admission.admit("somebody")
        desk.admission.queued("somebody")


def test_what_is_being_read_counts_and_leaves_nothing_behind() -> None:
    desk = Desk()
    with desk.admission.entered("a"):
        with desk.admission.entered("b"):
            assert desk.admission.waiting == 2
        with pytest.raises(RuntimeError), desk.admission.entered("c"):
            raise RuntimeError
        assert desk.admission.waiting == 1
    assert desk.admission.waiting == 0
    desk.queue(3, "c")
    for _ in range(3):
        desk.admission.decided("c")
    assert not desk.admission._own


def test_what_a_server_has_begun_to_read_counts_before_it_has_entered() -> None:
    desk = Desk()
    desk.admission.knocking = KNOCKING_AT_MOST - 1
    assert desk.admission.retry_after() is None
    desk.queue(round(FIRST_RATE * WAIT_AT_MOST_SECONDS) - KNOCKING_AT_MOST + 2)
    assert desk.admission.retry_after() is not None


def test_who_knocks_later_is_not_before_who_was_let_in() -> None:
    desk = Desk()
    desk.queue(round(FIRST_RATE * WAIT_AT_MOST_SECONDS))
    assert desk.admission.retry_after() is None
    desk.admission.knocking = KNOCKING_AT_MOST
    assert desk.admission.retry_after() is not None
    desk.admission.admit("let in at the door")


def test_no_more_are_read_at_once_than_leave_room_for_everything_else() -> None:
    desk = Desk()
    desk.admission.knocking = KNOCKING_AT_MOST
    assert desk.admission.retry_after() == round(KNOCKING_AT_MOST / FIRST_RATE + 0.5)


def test_people_without_an_account_share_what_their_address_may_have_waiting() -> None:
    """Each has an account of the draft's own, so that one sender could be thousands; an office of many is let in."""
    desk = Desk()
    desk.queue(round(FIRST_RATE * SHARES_BIND_SECONDS) + 1)
    share = round(SHARE * FIRST_RATE * WAIT_AT_MOST_SECONDS)
    for number in range(SHARES_OF_AN_ADDRESS * share):
        with desk.admission.entered(f"draft-{number}", "203.0.113.9"):
            desk.admission.queued(f"draft-{number}")
    with pytest.raises(Overloaded), desk.admission.entered("draft-more", "203.0.113.9"):
        pass
    desk.admission.admit("draft-more", "203.0.113.10")
    desk.admission.admit("somebody who signed in")
    for number in range(SHARES_OF_AN_ADDRESS * share):
        desk.admission.decided(f"draft-{number}")
    assert not desk.admission._from
    desk.admission.admit("draft-more", "203.0.113.9")
