"""The rows of a list as HTML. A template that loops over cells takes longer than the store takes to give the rows, so
one function writes a row, and what is said alike in many of them is put into words once a page.

What comes from a case is escaped as it enters its cell: `tests/unit/pages/test_table.py` holds the rows byte for byte
against a template that escapes by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from markupsafe import Markup, escape

from shared.store.narrowing import TAKEN_BY
from shared.web.acting import Seen
from shared.web.pages.formatting import REFERENCE_CHARACTERS, reference
from shared.web.pages.shown import Shown, found_at, is_id
from shared.web.pages.words import translations

Column = Callable[[Seen], str]
# Paths with their words.
Columns = Sequence[tuple[str, str]]
# Said in the same words in each row of a column. An instant is not: its zone is the case's.
_ALIKE = frozenset({str, int, bool, date, type(None)})


@dataclass(frozen=True)
class Table:
    """How the rows of one list are written.

    `kind`: of which cases; `address`: of the list; `boxes`: each row can be chosen; `flags`: those that
    the reader is shown; `account`: the reader's, None where nobody is told who works on a case.
    `chosen`: the ids of those whose box is ticked.
    """

    cells: Shown
    kind: str
    address: str
    columns: Columns
    boxes: bool = False
    flags: Sequence[str] = ()
    account: str | None = None
    chosen: frozenset[str] = frozenset()

    def rows(self, listed: Iterable[Seen]) -> Markup:
        """A `<tr>` for each."""
        return Markup("".join(self._rows(listed)))  # noqa: S704

    def _rows(self, listed: Iterable[Seen]) -> Iterator[str]:
        columns, address = [*self._columns()], escape(self.address)
        choose = escape(translations(self.cells.language).gettext("Choose"))
        for seen in listed:
            own, id = self.cells.own(seen), seen.id if is_id(seen.id) else escape(seen.id)
            box = (
                f'<td><label class="option"><input type="checkbox" name="case" value="{id}"{self._ticked(seen.id)}>'
                f'<span class="hidden">{choose} {own}</span></label></td>'
                if self.boxes
                else ""
            )
            said = "".join([column(seen) for column in columns])
            yield f'    <tr>\n{box}      <th scope="row"><a href="{address}/{id}">{own}</a></th>\n{said}    </tr>\n'

    def _ticked(self, id: str) -> str:
        return " checked" if id in self.chosen else ""

    def _columns(self) -> Iterator[Column]:
        yield _once(lambda seen: seen.state, self._status)
        for path, label in self.columns:
            yield self._column(path, label)
        if self.flags:
            yield _once(self._flagged, self._flags)
        if self.account is not None:
            yield _once(lambda seen: seen.taken_by, self._has)

    def _status(self, seen: Seen) -> str:
        words = translations(self.cells.language)
        tag = _tag("tag", words.gettext(f"state:{self.kind}:{seen.state}"))
        return f"      {_cell(words.gettext('Status'), tag)}\n"

    def _column(self, path: str, label: str) -> Column:
        name, begins, write = path.rpartition(".")[2], f"      {_begun(label)}", self.cells.said
        # By its type too: 1 and True are equal.
        known: dict[type, dict[Any, str]] = {kind: {} for kind in _ALIKE}

        def column(seen: Seen) -> str:
            value = found_at(seen, path)
            alike = known.get(type(value))
            if alike is None or (said := alike.get(value)) is None:
                text = write(seen, name, value)
                said = f"{begins}{text if type(text) is Markup else escape(text)}</td>\n"
                if alike is not None:
                    alike[value] = said
            return said

        return column

    def _flagged(self, seen: Seen) -> tuple[str, ...]:
        return tuple(name for name in self.flags if getattr(seen, name))

    def _flags(self, seen: Seen) -> str:
        words = translations(self.cells.language)
        tags = (_tag("tag waits", words.gettext(f"field:{name}")) + " " for name in self._flagged(seen))
        return _cell(words.gettext("To look at"), Markup("").join(tags))

    def _has(self, seen: Seen) -> str:
        """Who of the office works on it; accounts have no names here."""
        words, account = translations(self.cells.language), seen.taken_by
        if not account:
            said: str = words.gettext("Nobody")
        else:
            said = words.gettext("You") if account == self.account else reference(account[:REFERENCE_CHARACTERS])
        return _cell(words.gettext(f"field:{TAKEN_BY}"), said)


def _once(key: Callable[[Seen], Any], said: Column) -> Column:
    """Words that follow from the key alone."""
    known: dict[Any, str] = {}

    def column(seen: Seen) -> str:
        of = key(seen)
        if (found := known.get(of)) is None:
            found = known[of] = said(seen)
        return found

    return column


def _tag(kind: str, text: str) -> Markup:
    return Markup('<span class="{}">{}</span>').format(kind, text)


def _cell(label: str, value: str) -> str:
    return f"{_begun(label)}{escape(value)}</td>"


def _begun(label: str) -> str:
    return f'<td data-label="{escape(label)}">'
