"""Reads tests/states.txt: the arrows of each case, as somebody wrote them down from the domain."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

FILE = Path(__file__).parents[2] / "states.txt"
AS_IT_WAS = frozenset({"."})
Arrow = tuple[str, str, frozenset[str]]


@dataclass
class Written:
    """`arrows`: (verb, state before, states after); `steps`: (verb, before, after) of each event on the way, where one
    save has several; `later`: states that are not built yet."""

    arrows: set[Arrow] = field(default_factory=set)
    steps: set[tuple[str, str, str]] = field(default_factory=set)
    later: set[str] = field(default_factory=set)


def written() -> dict[str, Written]:
    """The arrows by case. ValueError for a line that is none."""
    found: dict[str, Written] = {}
    case, later = Written(), False
    for line in FILE.read_text().splitlines():
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        if not line.startswith(" "):
            case, later = found.setdefault(text, Written()), False
        elif text == "later:":
            later = True
        else:
            _take(case, text, later)
    for one in found.values():
        one.later -= {state for _, before, after in one.steps for state in (before, after)}
    return found


def _take(case: Written, text: str, later: bool) -> None:
    arrow, _, verb = text.partition(" : ")
    stations = [frozenset(station.replace("|", " ").split()) for station in arrow.split(" > ")]
    if len(stations) < 2 or not all(stations) or bool(verb) == later:
        raise ValueError(f"no arrow: {text}")
    if later:
        case.later |= set().union(*stations)
        return
    if stations[1:] == [AS_IT_WAS]:
        case.arrows |= {(verb, before, frozenset({before})) for before in stations[0]}
        case.steps |= {(verb, before, before) for before in stations[0]}
        return
    case.arrows |= {(verb, before, stations[-1]) for before in stations[0]}
    for befores, afters in pairwise(stations):
        case.steps |= {(verb, before, after) for before in befores for after in afters}
