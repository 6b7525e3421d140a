"""What a reader sees of a case as pages show it: fields with their words, in the order of the model.

Everything comes from what the JSON edge would answer to the same reader, so nothing that is hidden there is here.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, tzinfo
from functools import cache, cached_property
from typing import Any

from markupsafe import Markup, escape
from pydantic import BaseModel

from shared.cases.named import listed_words
from shared.contracts.matching.assignments import Terms
from shared.identity.roles import Role
from shared.web.acting import Seen
from shared.web.pages.filled import Option
from shared.web.pages.formatting import REFERENCE_CHARACTERS, Formats, reference
from shared.web.pages.formatting import name as proper_name
from shared.web.pages.linked import page_for
from shared.web.pages.offices import Times, office_names, times_for
from shared.web.pages.readers import Admitted
from shared.web.pages.standard_names import Names
from shared.web.pages.words import called, code_key, list_of, names_level, translations

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII)
_COUNTRY = re.compile(r"[A-Z]{2}", re.ASCII)
# What the page shows in places of their own.
APART = frozenset({"id", "version", "state", "open", "notes", "definition"})
# What stands beside a case's status, or in what happened.
IN_HEADER = frozenset({"programme", "programme_version", "office", "last_fact", "taken_by"})
# What of its address tells that it is a part of another page.
PART = "part"
# Names of people: in the direction of their own letters, and never read as a code.
_PROPER = frozenset({"given_name", "family_name"})
# How fields are named that hold the code of an office.
_OFFICE = "office"
# Fields by whose name a code is one of a standard.
_STANDARDS = {"occupation": "occupation", "language": "spoken", "currency": "currency"}

# What a case counts or says of something that need not have happened: neither 0 nor "No" was anybody's answer.
_NOT_YET = frozenset({"report", "accepted_report", "certified", "round"})
# What fits beside each other on a telephone.
COLUMNS_AT_MOST = 3
# What terms of reference may leave open.
_REQUIREMENTS = frozenset({"education", "experience_years", "languages"})


def is_id(text: str) -> bool:
    """Whether these services gave it; nothing in it means anything in HTML."""
    return _ID.fullmatch(text) is not None


def _shortened(id: str) -> Markup:
    return Markup(f'<bdi dir="ltr">{id[:REFERENCE_CHARACTERS]}</bdi>')  # noqa: S704


@dataclass(frozen=True)
class Row:
    """One field with its words. `inner`: of what is made of fields itself; `items`: of a list of such, each one's."""

    label: str
    value: Markup | str = ""
    inner: tuple[Row, ...] = ()
    items: tuple[tuple[Row, ...], ...] = ()

    @property
    def is_table(self) -> bool:
        """Whether the list reads best as one: each of several items has the same few fields, one value each."""
        columns = {tuple(one.label for one in item) for item in self.items}
        plain = not any(one.inner or one.items for item in self.items for one in item)
        return len(self.items) > 1 and plain and len(columns) == 1 and len(*columns) <= COLUMNS_AT_MOST


@dataclass(frozen=True)
class Shown:
    """Writes fields for one reader. `lists`: by word, the codes of the programmes' lists with their texts; `times`: in
    which zone instants are said, None for what has none; `role`: the reader's, who is led to what that role may read;
    `offices`: what each office is called, for those that no list has. `service`: whose cases an id leads to, where the
    reader may read these; a case of another service is led to by that service's own part of the page."""

    language: str
    lists: Mapping[str, Sequence[Option]] = field(default_factory=dict)
    times: Times | None = None
    role: Role | None = None
    offices: Mapping[str, str] = field(default_factory=dict)
    service: str = ""

    @classmethod
    def to(
        cls,
        admitted: Admitted,
        lists: Mapping[str, Sequence[Option]] | None = None,
        case: tzinfo | None = None,
        *,
        zones: Mapping[str, str] | None = None,
        service: str = "",
    ) -> Shown:
        """`case`, `zones`: as `Times` has them."""
        language, principal, definitions = admitted.reader.language, admitted.principal, admitted.edge.definitions
        times = times_for(definitions, principal, case, zones)
        return cls(language, lists or {}, times, principal.role, office_names(definitions, language), service)

    @cached_property
    def _formats(self) -> Formats:
        return Formats(self.language)

    def rows(
        self, seen: BaseModel, without: Collection[str] = (), *, names: Collection[str] | None = None
    ) -> tuple[Row, ...]:
        """The fields that are set and not empty, but those that pages show apart, and those `without`; of `names` all
        and these alone."""
        zoned = getattr(seen, "time_zone", None)
        fields = {name: getattr(seen, name) for name in type(seen).model_fields if name in seen.model_fields_set}
        apart = APART | IN_HEADER | {*without}
        said = {name: one for name, one in fields.items() if (name not in apart if names is None else name in names)}
        return tuple(self._rows(said, zoned))

    def own(self, seen: Seen) -> Markup:
        """What people call the case by."""
        return _shortened(seen.id) if is_id(seen.id) else reference(seen.id)

    def cell(self, seen: Seen, path: str) -> Markup | str:
        """What stands under the field, or the field of a part (`parties.expert`); empty where nothing does."""
        return self.said(seen, path.rpartition(".")[2], found_at(seen, path))

    def said(self, seen: Seen, name: str, value: Any) -> Markup | str:
        """The value that the case has under that name; empty for none."""
        if isinstance(value, datetime):
            return self._formats.instant(value, self._zone_of(seen))
        return "" if value is None or value == "" else self.value(name, value)

    def _zone_of(self, seen: Seen) -> tzinfo:
        if self.times is not None and self.times.own is not None:
            return self.times.own
        return self._zone(self._zoned(seen))

    def _zoned(self, seen: Seen) -> str | None:
        """The zone that the case names, or that of its office, as on the page of the case."""
        named: str | None = found_at(seen, "time_zone")
        offices = (found_at(seen, path) for path in ("office", "parties.office", "frame.office"))
        zones = {} if self.times is None else self.times.offices
        return named or next((zones[one] for one in offices if one in zones), None)

    def plain(self, seen: Seen, path: str) -> str:
        """The same as a spreadsheet sorts it: an id whole, an instant as ISO 8601 writes it, a number bare."""
        value, name = found_at(seen, path), path.rpartition(".")[2]
        if value is None:
            return ""
        if isinstance(value, datetime):
            return value.astimezone(self._zone_of(seen)).isoformat(timespec="seconds")
        if isinstance(value, date):
            return value.isoformat()
        if is_id(str(value)) or (isinstance(value, int) and not isinstance(value, bool)):
            return str(value)
        said = self.value(name, value)
        return said.striptags() if isinstance(said, Markup) else said

    def _rows(
        self, fields: Mapping[str, Any], zoned: str | None, of: type[BaseModel] | None = None, group: str = ""
    ) -> Iterator[Row]:
        """`group`: the name of the field that these are the parts of."""
        words = {} if of is None else listed_words(of)
        for name, value in fields.items():
            if value is None or value == () or value == "" or name == "time_zone":
                continue
            row = self._row(called(self.language, name, group), name, value, zoned, words.get(name, ""))
            if row.value or row.inner or row.items:
                yield row

    def _row(self, label: str, name: str, value: Any, zoned: str | None, word: str) -> Row:
        if isinstance(value, Markup):
            return Row(label, value)
        if isinstance(value, BaseModel) and {"year", "month", "day"} <= type(value).model_fields.keys():
            said = value.model_dump()
            return Row(label, Formats(self.language).known(**{**said, "about": bool(said.get("about"))}))
        if isinstance(value, Mapping):
            return Row(label, inner=tuple(self._by_code(name, value, zoned)))
        if isinstance(value, BaseModel):
            return Row(label, inner=self._inner(value, zoned, name))
        if isinstance(value, (tuple, list, frozenset)):
            plain = [one for one in value if not isinstance(one, (BaseModel, Mapping))]
            if len(plain) == len(value):
                return Row(label, Formats(self.language).listed([self.value(name, one, zoned, word) for one in plain]))
            return Row(label, items=tuple(self._inner(one, zoned, name) for one in value))
        return Row(label, self.value(name, value, zoned, word))

    def _by_code(self, name: str, value: Mapping[str, Any], zoned: str | None) -> Iterator[Row]:
        """What is said by codes of the field's own list, as of consents; anything else by its fields."""
        words = translations(self.language)
        for code, one in value.items():
            key = code_key(name, code)
            if (said := words.gettext(key)) != key:
                yield Row(said, self.value(name, one, zoned))
            else:
                yield from self._rows({code: one}, zoned, group=name)

    def _inner(self, value: Any, zoned: str | None, group: str) -> tuple[Row, ...]:
        if not isinstance(value, BaseModel):
            return tuple(self._rows(value, zoned, group=group))
        # By what its own list tells one entry from another, nobody calls it.
        names = [one for one in type(value).model_fields if one in value.model_fields_set and one != "id"]
        fields = {one: getattr(value, one) for one in names}
        return tuple(self._rows(unanswered(value, fields, self.language), zoned, type(value), group))

    def value(self, name: str, value: Any, zoned: str | None = None, word: str = "") -> Markup | str:
        """One value in words: a code by its name, an instant in the case's time zone, an id as a link to its page.

        `word`: of whose list a code is, where its model says so.
        """
        formats, words = self._formats, translations(self.language)
        if not value and name in _NOT_YET:
            return words.gettext("Not yet")
        if isinstance(value, bool):
            return words.gettext("Yes") if value else words.gettext("No")
        if isinstance(value, datetime):
            return formats.instant(value, self._zone(zoned))
        if isinstance(value, date):
            return formats.date(value)
        if isinstance(value, int) and names_level(self.language, name, str(value)):
            return Names(self.language).code(name, str(value))
        if isinstance(value, int):
            # A year is no quantity, so nothing stands between its thousands.
            return reference(str(value)) if name.endswith("year") else formats.number(value)
        text = str(value)
        if "\n" in text:
            # A letter as it is sent, in whichever language that is.
            return Markup('<span class="lines">{}</span>').format(text)
        if is_id(text):
            short, page = _shortened(text), page_for(name, self.role, self.service)
            return Markup(f'<a href="{escape(page)}/{text}">{short}</a>') if page else short  # noqa: S704
        return self._code(name, text, word or list_of(name))

    def _zone(self, named: str | None) -> tzinfo:
        if self.times is None:
            raise ValueError("an instant is said by the rule for times")
        return self.times.zone(named)

    def summed_up(self, id: str, said: Sequence[tuple[str, Any]]) -> str:
        """A case in one line: what people call it by, and what tells it from others."""
        words, formats = translations(self.language), Formats(self.language)
        told = (formats.labelled(words.gettext(f"field:{name}"), self.worded(name, value)) for name, value in said)
        return " · ".join((id[:REFERENCE_CHARACTERS], *(one.striptags() for one in told)))

    def worded(self, name: str, value: Any, *, either: bool = False) -> Markup | str:
        """A value of JSON in words, as that of the field: each one of several (`either`: any of which is enough), a
        language with its level."""
        if isinstance(value, list):
            return Formats(self.language).listed([self.worded(name, one) for one in value], either=either)
        if isinstance(value, Mapping):
            return Markup("{} {}").format(Names(self.language).spoken(str(value["language"])), value["level"])
        return "" if value is None else self.value(name, value)

    def _code(self, name: str, code: str, word: str) -> Markup | str:
        names, words = Names(self.language), translations(self.language)
        if name in _PROPER:
            return proper_name(code)
        if (text := dict(self.lists.get(word, ())).get(code)) is not None:
            return text
        if name.endswith(_OFFICE) and code in self.offices:
            return self.offices[code]
        if name in _STANDARDS:
            return str(getattr(names, _STANDARDS[name])(code))
        if "nationalit" in name:
            return names.nationality(code)
        if _COUNTRY.fullmatch(code) and "countr" in name:
            return names.country(code)
        if name == "reason":
            return names.reason(code)
        for key in (code_key(name, code), f"did:{code}", f"rule:{code}"):
            if (said := words.gettext(key)) != key:
                return said
        return reference(code)


def columns_of(declared: Sequence[str], listed: Sequence[Seen]) -> tuple[str, ...]:
    """The declared ones of which the reader is told in any case of the list."""
    return tuple(path for path in declared if any(found_at(seen, path) is not None for seen in listed))


def unanswered(of: BaseModel, fields: Mapping[str, Any], language: str) -> Mapping[str, Any]:
    """The fields; of terms of reference what nobody filled in is said as that, for 0 years or the lowest level would
    read as an answer, and a list that is not there as forgotten."""
    if not isinstance(of, Terms):
        return fields
    said = Markup(translations(language).gettext("Not answered: nothing is required"))  # noqa: S704
    return {name: said if name in _REQUIREMENTS and not value else value for name, value in fields.items()}


def labelled(columns: Sequence[str], language: str) -> tuple[tuple[str, str], ...]:
    """Each column with its words."""
    words = translations(language)
    return tuple((path, words.gettext(f"field:{path.rpartition('.')[2]}")) for path in columns)


def found_at(seen: BaseModel, path: str) -> Any:
    """The value under the field, or the field of a part; None where it is not there, or hidden."""
    # `model_fields_set` would be asked for a thousand times a page.
    if path in seen.__pydantic_fields_set__:
        return getattr(seen, path)
    found: Any = seen
    for name in _names_of(path):
        found = getattr(found, name, None) if found is not None and name in found.__pydantic_fields_set__ else None
    return found


@cache
def _names_of(path: str) -> tuple[str, ...]:
    return tuple(path.split("."))


def parts_of(seen: BaseModel, named: Sequence[str], role: Role) -> Iterator[tuple[str, str]]:
    """What another service shows a role on the page of a case: the field that names it, and the address of the part."""
    for path in named:
        name, value = path.rpartition(".")[2], found_at(seen, path)
        if value is not None and (page := page_for(name, role)):
            yield name, f"{page}/{value}/{PART}"
