"""A burst of registrations by made-up people, and a kill in the middle of it, on a real process over real HTTP.

Acknowledged is what the generator, a process of its own, was told; registered is what the stopped system's log holds.
"""

from __future__ import annotations

from pathlib import Path

from tests.bench.load import measures
from tests.bench.load.builds import this
from tests.bench.load.issuer import issuer
from tests.bench.load.system import System


def test_a_kill_in_the_middle_of_a_burst_loses_and_doubles_nothing(tmp_path: Path) -> None:
    key = tmp_path / "issuer.pem"
    with issuer(key) as address:
        system = System(this(), tmp_path / "system", address, key)
        try:
            system.start()
            system.publish()
            calm = system.offered(20.0, 2.0, wait_seconds=60)
            burst = system.offered(1_000.0, 6.0, wait_seconds=120, harm=system.kill)
        finally:
            system.stop()
    registered = system.registered()
    acknowledged = measures.accepted(burst)
    gone = [one for one in burst.sent if one.status == 0]
    assert gone, "nobody was cut off: the kill did not hit the burst"
    assert acknowledged, "nothing was acknowledged"
    assert measures.refused(burst), "nobody was refused: there was no overload"
    assert all(one.after for one in measures.refused(burst))
    assert measures.lost_and_doubled([calm, burst], registered) == (0, 0)
    # What was cut off may be there or not; nobody else is.
    assert len(registered) <= len(calm.sent) + len(acknowledged) + len(gone)
    assert burst.polls[-1][1] >= len(measures.accepted(calm)) + len(acknowledged)
