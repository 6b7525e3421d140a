"""Reads tests/states.txt: the arrows of each case, as somebody wrote them down from the domain."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

FILE = Path(__file__).parents[2] / "states.txt"
Arrow = tuple[str, str, frozenset[str]]


@dataclass
class Written:
    """`arrows`: (verb, state before, states after); `later`: states that are not built yet."""

    arrows: set[Arrow] = field(default_factory=set)
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
        one.later -= {state for _, before, after in one.arrows for state in (before, *after)}
    return found


def _take(case: Written, text: str, later: bool) -> None:
    arrow, _, verb = text.partition(" : ")
    before, _, after = arrow.partition(" > ")
    if not after or bool(verb) == later:
        raise ValueError(f"no arrow: {text}")
    leads = frozenset(after.replace("|", " ").split())
    if later:
        case.later |= {*before.split(), *leads}
        return
    for state in before.split():
        case.arrows.add((verb, state, leads))
