"""Random schedules from consecutive seeds: `python -m tests.simulation --runs 200 --seed 1`.

Prints a line for each subject with a broken invariant, with the seed that replays it exactly (`--runs 1 --seed N`), and
at the end what really happened. Exit code 1 where an invariant broke, or something that must come up never did in many
runs.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from tests.simulation.dead_letters import DEAD_LETTERS
from tests.simulation.evidence import Violation
from tests.simulation.moves import DIRECTED, SELDOM, every_move
from tests.simulation.planted import BUGS
from tests.simulation.scenario import SCENARIO
from tests.simulation.schedule import Outcome, run_schedule
from tests.simulation.stale_heads import STALE_HEADS

ENOUGH_RUNS = 50
FAULTS = (
    "crashes",
    "freezes",
    "outages",
    "leaps",
    "duplicates",
    "late_landings",
    "unknown_outcomes",
    "drops",
    "delays",
    "stalls",
    "rebalances",
    "stale_commits",
    "zombie_batches",
    "rewinds",
    "holds",
)
# What the kernel and the services do about them by themselves, and the turns that the history takes.
EFFECTS = (
    "holds_voided",
    "parked_too_early",
    "healed",
    "submissions_by_timer",
    "offers_declined",
    "offers_expired",
    "placements_refused",
    "placements_cancelled",
    "matches_kept",
    "appeals",
    "screened_anew",
    "decisions_flagged",
    "identities_changed",
    "suspensions",
    "numbers_claimed",
    "kept_apart",
    "handovers_accepted",
    "handovers_ended",
    "rounds_anew",
    "answers_taken_back",
    "returns_completed",
)
# In fewer than one of a hundred schedules, or one of many that a few schedules might miss.
RARE, RARE_RUNS = SELDOM | {"holds_voided"}, 200


WHOLE = "whole history"
SCENARIOS = {WHOLE: SCENARIO, "stale heads": STALE_HEADS, "dead letters": DEAD_LETTERS}


def run_one(seed: int, bug: str | None = None, scenario: str = WHOLE) -> Outcome:
    """The schedule of the seed; a planted bug comes with its own scenario."""
    planted = BUGS[bug] if bug else None
    return run_schedule(seed, SCENARIOS[planted.scenario if planted else scenario], bug=planted)


def outcomes(seeds: Iterable[int], bug: str | None, jobs: int, scenario: str = WHOLE) -> Iterator[Outcome]:
    """Every schedule's outcome by ascending seed, on as many processes as `jobs`."""
    run = partial(run_one, bug=bug, scenario=scenario)
    if jobs == 1:
        yield from map(run, seeds)
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(run, seeds, chunksize=4)


def told(violations: Iterable[Violation]) -> Iterator[str]:
    """One line an invariant and subject: the first of its violations, and how many there are."""
    alike: dict[tuple[str, str], list[Violation]] = {}
    for one in violations:
        alike.setdefault((one.invariant, one.subject), []).append(one)
    for first, *others in alike.values():
        yield f"{first} (and {len(others):,} more)" if others else str(first)


def must_happen() -> tuple[str, ...]:
    """The faults, what is done about them, and every move of every table that schedules show."""
    return (*FAULTS, *EFFECTS, *(one for one in every_move() if one not in DIRECTED))


def missing(counts: Counter[str], runs: int) -> list[str]:
    """What never happened, where there were runs enough for it."""
    return [one for one in must_happen() if not counts[one] and runs >= (RARE_RUNS if one in RARE else ENOUGH_RUNS)]


def summary(counts: Counter[str], taken: list[float], elapsed: float) -> str:
    def listed(names: tuple[str, ...]) -> str:
        return ", ".join(f"{counts[name]:,} {name.replace('_', ' ')}" for name in names)

    moves = every_move()
    made = f"{sum(bool(counts[one]) for one in moves)} of {len(moves)} moves of the tables"
    mean, worst = sum(taken) / len(taken), max(taken)
    return (
        f"{counts['schedules']:,} schedules, {counts['steps']:,} steps: {listed(FAULTS)}; {listed(EFFECTS)}; {made}; "
        f"{mean:.3f} s of processor time a run (at most {worst:.3f}), {elapsed:.1f} s in all"
    )


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--bug", choices=sorted(BUGS))
    parser.add_argument("--scenario", choices=sorted(SCENARIOS), default=WHOLE)
    parser.add_argument("--fingerprints", action="store_true", help="one line a schedule, to compare two runs")
    options = parser.parse_args(arguments)
    began, counts, taken, broken = time.perf_counter(), Counter[str](), list[float](), 0
    seeds = range(options.seed, options.seed + options.runs)
    for outcome in outcomes(seeds, options.bug, options.jobs, options.scenario):
        counts += outcome.counts
        taken.append(outcome.cpu_seconds)
        broken += bool(outcome.violations)
        for line in told(outcome.violations):
            print(f"seed {outcome.seed}: {line}")
        if options.fingerprints:
            print(f"seed {outcome.seed}: {outcome.fingerprint} {sorted(outcome.counts.items())}")
    absent = missing(counts, options.runs) if options.scenario == WHOLE else []
    if not options.fingerprints:
        print(summary(counts, taken, time.perf_counter() - began))
    for fault in absent:
        print(f"no {fault.replace('_', ' ')} in {options.runs} runs: they prove too little")
    print(f"{broken} of {options.runs} schedules broke an invariant")
    return 1 if broken or absent else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
