"""In what two definitions of a programme differ, part by part: what somebody has to look at before it is published."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain

from pydantic import JsonValue

from shared.programmes.model import Definition


@dataclass(frozen=True)
class Difference:
    """One thing that differs. `part`: the definition's part; `field`: of a section, or of what is made of fields, else
    empty; `item`: of a list, what names the item, else empty. `before`, `after`: None where it is not there.
    """

    part: str
    field: str
    item: str
    before: JsonValue = None
    after: JsonValue = None


def differences(before: Definition, after: Definition) -> tuple[Difference, ...]:
    """In the order of the newer definition, what is gone last. An item of a list is the same as long as what names it
    is: its first field, a code in every list of the definition."""
    old, new = before.as_json(), after.as_json()
    return tuple(chain.from_iterable(_of_part(part, old.get(part), new.get(part)) for part in {**new, **old}))


def _of_part(part: str, before: JsonValue, after: JsonValue) -> Iterator[Difference]:
    if not isinstance(before, dict | None) or not isinstance(after, dict | None):
        yield from _compared(part, "", before, after)
        return
    old, new = before or {}, after or {}
    for field in {**new, **old}:
        yield from _compared(part, field, old.get(field), new.get(field))


def _compared(part: str, field: str, before: JsonValue, after: JsonValue) -> Iterator[Difference]:
    if before == after:
        return
    old, new = _named(before), _named(after)
    if old is None or new is None:
        yield Difference(part, field, "", before, after)
        return
    changed = [name for name in {**new, **old} if old.get(name) != new.get(name)]
    if not changed:
        # The same items in another order: of criteria the first that fails is named, so order says something.
        yield Difference(part, field, "", list(old), list(new))
    yield from (Difference(part, field, name, old.get(name), new.get(name)) for name in changed)


def _named(value: JsonValue) -> Mapping[str, JsonValue] | None:
    """The items of a list by what names each; None for anything that is no list of such."""
    if value is None:
        return {}
    if not isinstance(value, list):
        return None
    found: dict[str, JsonValue] = {}
    for item in value:
        name = next(iter(item.values()), None) if isinstance(item, dict) else item
        if not isinstance(name, str) or name in found:
            return None
        found[name] = item
    return found
