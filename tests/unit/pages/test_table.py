"""Rows of a list, byte for byte as a template writes them that escapes by itself."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from jinja2 import Environment, StrictUndefined

from shared.clock import derived_id
from shared.web.acting import Seen
from shared.web.pages.offices import Times
from shared.web.pages.shown import Shown, labelled
from shared.web.pages.table import Table
from shared.web.pages.words import translations

TEMPLATE = """\
    {% for one in rows %}
    <tr>
      {% if boxes %}<td><label class="option"><input type="checkbox" name="case" value="{{ one.id }}"><span class="hidden">{{ _("Choose") }} {{ cells.own(one) }}</span></label></td>{% endif %}
      <th scope="row"><a href="{{ address }}/{{ one.id }}">{{ cells.own(one) }}</a></th>
      <td data-label="{{ _("Status") }}"><span class="tag">{{ _("state:experts:" ~ one.state) }}</span></td>
      {% for path, label in columns %}
      <td data-label="{{ label }}">{{ cells.cell(one, path) }}</td>
      {% endfor %}
      {% if flags %}<td data-label="{{ _("To look at") }}">{% for name in flags if one[name] %}<span class="tag waits">{{ _("field:" ~ name) }}</span> {% endfor %}</td>{% endif %}
      {% if account %}<td data-label="{{ _("field:" ~ "taken_by") }}">{% if not one.taken_by %}{{ _("Nobody") }}{% elif one.taken_by == account %}{{ _("You") }}{% else %}<bdi dir="ltr">{{ one.taken_by[:8] }}</bdi>{% endif %}</td>{% endif %}
    </tr>
    {% endfor %}
"""  # noqa: E501
COLUMNS = ("name", "programme", "person", "registered_at", "starts_on", "about", "level")
FLAGS = ("possible_duplicate", "identity_differs")
ACCOUNT, COLLEAGUE = derived_id("an account"), derived_id("a colleague")


class Row(Seen):
    name: str | None = None
    programme: str = ""
    person: str = ""
    time_zone: str | None = None
    registered_at: datetime | None = None
    starts_on: date | None = None
    about: bool | int = False
    level: int | str = 0
    possible_duplicate: bool = False
    identity_differs: bool = False


ROWS = (
    Row(id=derived_id("one"), version=1, state="screening", name="<script>alert('1 & 2')</script>", about=True),
    Row(id='"><b>', version=1, state="eligible", name='"quoted"', programme="a & b", about=1, possible_duplicate=True),
    Row(
        id=derived_id("two"),
        version=1,
        state="screening",
        person=derived_id("a person"),
        # Twice the same minute on the clocks of Sarajevo, an hour apart.
        registered_at=datetime(2026, 10, 25, 0, 30, 59, 999_999, tzinfo=UTC),
        time_zone="Europe/Sarajevo",
        starts_on=date(2026, 3, 1),
        level=7,
        taken_by=ACCOUNT,
    ),
    Row(
        id=derived_id("three"),
        version=1,
        state="ineligible",
        registered_at=datetime(2026, 10, 25, 1, 30, tzinfo=UTC),
        time_zone="Europe/Sarajevo",
        level="7",
        taken_by=COLLEAGUE,
        identity_differs=True,
        possible_duplicate=True,
    ),
    Row(id=derived_id("four"), version=1, state="ineligible", registered_at=datetime(2026, 10, 25, 1, 30, tzinfo=UTC)),
)


@pytest.mark.parametrize("language", ["en", "fr", "ar"])
@pytest.mark.parametrize("whole", [True, False])
def test_rows_are_what_a_template_with_autoescape_writes(language: str, whole: bool) -> None:
    made = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
    )
    vars(made)["install_gettext_translations"](translations(language), newstyle=False)
    cells, columns = Shown(language, {"programme": (("a & b", "A & B <i>"),)}, Times()), labelled(COLUMNS, language)
    flags, account = (FLAGS, ACCOUNT) if whole else ((), None)
    table = Table(cells, "experts", "/registration/experts", columns, boxes=whole, flags=flags, account=account)
    said = {"cells": cells, "columns": columns, "address": table.address, "flags": flags, "account": account}
    written = table.rows(ROWS)
    assert written == made.from_string(TEMPLATE).render(rows=ROWS, boxes=whole, **said)
    assert "<script" not in written
    assert written.count("UTC+02:00") == written.count("UTC+01:00") == 1
