"""The words for what can be counted: kinds of facts, the fields they carry, the attributes of their persons.

All of them follow from what the events declare (`shared/contracts/catalogue.py`, `registration.Attributes`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Literal, TypeAlias

from shared.contracts.catalogue import CATALOGUE
from shared.contracts.facts import FieldType
from shared.contracts.registration.persons import ATTRIBUTES

NOT_STATED = "not_stated"
# What every fact carries: the envelope of its event says it.
OFFICE = "office"
# The second column of a field that holds money.
CURRENCY = "_currency"


def _fields(*types: FieldType) -> tuple[str, ...]:
    found = (one.name for family in CATALOGUE.families.values() for one in family.fields if one.type in types)
    return tuple(dict.fromkeys(found))


def _attributes(type: str) -> tuple[str, ...]:
    return tuple(one.word or name for name, one in ATTRIBUTES.items() if one.type == type)


KINDS = tuple(CATALOGUE.kinds)
IDS = _fields("id")
CODES = (OFFICE, *_fields("code"), *(name + CURRENCY for name in _fields("money")))
AMOUNTS = _fields("number", "money")
CODED_ATTRIBUTES, NUMBER_ATTRIBUTES = _attributes("code"), _attributes("number")
NUMBERS = frozenset({*AMOUNTS, *NUMBER_ATTRIBUTES})

if TYPE_CHECKING:
    FactKind: TypeAlias = str
    IdField: TypeAlias = str
    CodedField: TypeAlias = str
    NumberField: TypeAlias = str
    CodedAttribute: TypeAlias = str
    NumberAttribute: TypeAlias = str
else:
    # As literals they are in the editor's schema, and a wrong word is refused with the right ones.
    FactKind, IdField, CodedField = Literal[KINDS], Literal[IDS], Literal[CODES]
    NumberField = Literal[AMOUNTS]
    CodedAttribute, NumberAttribute = Literal[CODED_ATTRIBUTES], Literal[NUMBER_ATTRIBUTES]


def _carried(names: Iterable[str], money: frozenset[str]) -> frozenset[str]:
    return frozenset({OFFICE, *names, *(name + CURRENCY for name in names if name in money)})


# Which fields each kind of fact carries; person attributes can be joined where `person` is among them.
FIELDS_OF: Mapping[str, frozenset[str]] = {
    kind.name: _carried(kind.fields, frozenset(_fields("money"))) for kind in CATALOGUE.kinds.values()
}
