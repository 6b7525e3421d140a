"""Pure arithmetic over what the generator saw and what the log holds."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence

from tests.bench.load.generator import Seen, Sent

ACCEPTED = 202
NEVER = float("inf")


def quantile(values: Iterable[float], share: float) -> float:
    """The least value that so large a share does not exceed; not a number where there is none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


def accepted(seen: Seen) -> list[Sent]:
    return [one for one in seen.sent if one.status == ACCEPTED]


def refused(seen: Seen) -> list[Sent]:
    """429 and 503, which say when to come again."""
    return [one for one in seen.sent if one.status in (429, 503)]


def waits(sent: Iterable[Sent]) -> list[float]:
    """From the instant at which a request was due to its answer, in seconds."""
    return [one.answered - one.planned for one in sent]


def counted_after(seen: Seen, before: int) -> list[float]:
    """For the k-th acknowledgement, how long until the indicator had grown by k; infinite where it never did.

    Persons are alike for a count, so the k-th that was counted stands for the k-th that was acknowledged.
    """
    acknowledged = sorted(one.answered for one in accepted(seen))
    counts = [count - before for _, count in seen.polls]
    found = []
    for number, at in enumerate(acknowledged, 1):
        poll = bisect_left(counts, number)
        found.append(max(seen.polls[poll][0] - at, 0.0) if poll < len(counts) else NEVER)
    return found


def decided_after(seen: Seen, registered: Sequence[tuple[str, str, float]]) -> list[float]:
    """For each acknowledgement, how long until its registration stood on the log; infinite where it never did."""
    at = {expert: appended for expert, _, appended in registered}
    return [max(at.get(one.subject or "", NEVER) - one.answered, 0.0) for one in accepted(seen)]


def lost_and_doubled(all_seen: Iterable[Seen], registered: Sequence[tuple[str, str, float]]) -> tuple[int, int]:
    """Acknowledged and not on the log; registered by more than one event."""
    events = Counter(expert for expert, _, _ in registered)
    acknowledged = {one.subject for seen in all_seen for one in accepted(seen)}
    return len(acknowledged - events.keys()), sum(count > 1 for count in events.values())


def goodput(registered: Sequence[tuple[str, str, float]], begins: float, ends: float) -> float:
    """Registrations decided a second in that span."""
    return sum(begins <= at < ends for _, _, at in registered) / (ends - begins)


def tail_rate(registered: Sequence[tuple[str, str, float]], begins: float) -> float:
    """Registrations decided a second from `begins` to the last of them."""
    after = [at for _, _, at in registered if at >= begins]
    return len(after) / max(max(after) - begins, 0.001) if after else 0.0


def retry_against_drain(seen: Seen, registered: Sequence[tuple[str, str, float]]) -> list[float]:
    """`Retry-After` of each refusal over the time in which what had been acknowledged by then was decided.

    Refusals while less than two seconds of work waited are left out: the header has whole seconds.
    """
    ordered = sorted(at for _, _, at in registered)
    acknowledged = sorted(one.answered for one in accepted(seen))
    before = bisect_left(ordered, acknowledged[0]) if acknowledged else 0
    found = []
    for one in refused(seen):
        place = before + bisect_left(acknowledged, one.answered)
        drained = ordered[min(place, len(ordered)) - 1] - one.answered if place else 0.0
        if drained >= 2.0 and one.after is not None:
            found.append(one.after / drained)
    return found
