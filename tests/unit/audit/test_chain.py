"""I13 on the entries themselves: what is done to a chain is found, and a write that was cut off is not called so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from shared.audit.chain import Anchor, Entry, Reading, beginning, chained, checked, document_of, entry_of
from shared.clock import derived_id

KEY, SEGMENT = bytes(range(32)), derived_id("a segment")
Stored = dict[str, Entry]


def reading(number: int) -> Reading:
    at = f"2026-11-29T08:30:{number:02d}.000000Z"
    subjects = (derived_id("person", str(number)),)
    return Reading(at, derived_id("officer"), "officer", "kabul", "registration", "contact", ("given_name",), subjects)


def chain(*writes: int) -> Stored:
    """Entries in writes of so many each."""
    found: list[Entry] = []
    for size in writes:
        before = found[-1].link if found else beginning(KEY, SEGMENT)
        found += chained(KEY, SEGMENT, len(found), before, [reading(len(found) + n) for n in range(size)])
    return {entry.id: entry for entry in found}


def anchor(stored: Stored, count: int) -> Anchor:
    return Anchor(count, list(stored.values())[count - 1].link)


def at(stored: Stored, number: int) -> str:
    return list(stored)[number - 1]


def test_what_was_written_is_whole_and_reads_back() -> None:
    stored = chain(1, 3, 2)
    found = checked(KEY, SEGMENT, stored, [anchor(stored, 1), anchor(stored, 4)])
    assert (found.findings, found.whole, found.link) == ((), 6, stored[at(stored, 6)].link)
    assert [entry_of(document_of(one)) for one in stored.values()] == list(stored.values())
    # A later look begins behind what was anchored.
    behind = {id: entry for id, entry in stored.items() if entry.number > 4}
    assert checked(KEY, SEGMENT, behind, after=anchor(stored, 4)) == found


def edited(stored: Stored) -> None:
    id = at(stored, 3)
    stored[id] = replace(stored[id], reading=replace(stored[id].reading, purpose="screening"))


def edited_and_linked_anew(stored: Stored) -> None:
    """By somebody who knows how links are made, and has no key."""
    entry = stored[at(stored, 3)]
    said = replace(entry.reading, account=derived_id("another"))
    (forged,) = chained(bytes(32), SEGMENT, 2, entry.before, [said])
    stored[entry.id] = replace(forged, first=entry.first, last=entry.last)


def deleted(stored: Stored) -> None:
    del stored[at(stored, 3)]


def cut_off(stored: Stored) -> None:
    del stored[at(stored, 6)], stored[at(stored, 5)]


def swapped(stored: Stored) -> None:
    two, four = at(stored, 2), at(stored, 4)
    stored[two], stored[four] = stored[four], stored[two]


def swapped_and_numbered(stored: Stored) -> None:
    two, four = at(stored, 2), at(stored, 4)
    stored[two], stored[four] = replace(stored[four], number=2), replace(stored[two], number=4)


def emptied(stored: Stored) -> None:
    stored.clear()


@pytest.mark.parametrize(
    ("done", "kinds"),
    [
        (edited, {"edited"}),
        (edited_and_linked_anew, {"edited"}),
        (deleted, {"deleted"}),
        (cut_off, {"truncated"}),
        (swapped, {"reordered"}),
        (swapped_and_numbered, {"edited", "reordered"}),
        (emptied, {"truncated"}),
    ],
)
def test_what_is_done_to_it_is_found(done: Callable[[Stored], None], kinds: set[str]) -> None:
    stored = chain(1, 3, 2)
    anchors = [anchor(stored, 6)]
    done(stored)
    found = checked(KEY, SEGMENT, stored, anchors)
    assert {one.kind for one in found.findings} & kinds
    assert found.whole < 6
    assert found.torn == 0


def test_an_edit_of_what_is_not_anchored_yet_is_found_too() -> None:
    for done in (edited, deleted, swapped):
        stored = chain(1, 3, 2)
        done(stored)
        assert checked(KEY, SEGMENT, stored).findings, done


def test_a_head_that_was_changed_on_the_log_is_found() -> None:
    stored = chain(2)
    assert checked(KEY, SEGMENT, stored, [Anchor(2, "0" * 64)]).findings


@pytest.mark.parametrize("left", [{4}, {6}, {5}, {4, 6}, {5, 6}])
def test_a_last_write_that_a_crash_cut_off_is_no_finding(left: set[int]) -> None:
    stored = chain(1, 2, 3)
    anchors = [anchor(stored, 2)]
    for number in {4, 5, 6} - left:
        del stored[at(chain(1, 2, 3), number)]
    found = checked(KEY, SEGMENT, stored, anchors)
    assert (found.findings, found.whole, found.torn) == ((), 3, len(left))
    # What had been answered cannot be taken away under that name.
    later = chain(1, 2, 3, 1)
    del later[at(later, 5)]
    assert [one.kind for one in checked(KEY, SEGMENT, later, anchors).findings] == ["deleted"]


def test_an_entry_names_so_many_persons_at_most() -> None:
    with pytest.raises(ValueError, match="200"):
        replace(reading(1), subjects=tuple(str(number) for number in range(201)))
