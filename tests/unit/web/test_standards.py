"""Options of a standard's list as they stand in a form: as a template would write each, and marked where they are
chosen."""

from __future__ import annotations

import pytest
from markupsafe import escape

from shared.web.pages.filled import Form
from shared.web.pages.forms import Field, Posted
from shared.web.pages.standard_names import LISTED

COUNTRY = Field("/country", "country", "choice", listed="countries")
OPTION = '<option value="{}"{}>{}</option>\n'


def written(language: str, *sent: str) -> str:
    return str(Form(language, (COUNTRY,), Posted({"/country": sent} if sent else {})).standard(COUNTRY))


@pytest.mark.parametrize("language", ["en", "fr", "ar"])
@pytest.mark.parametrize("chosen", ["", "AF", "FR", "ZW"])
def test_the_options_are_those_of_the_list_and_one_is_marked(language: str, chosen: str) -> None:
    sent = (chosen,) if chosen else ()
    expected = "".join(
        OPTION.format(escape(code), " selected" if code == chosen else "", escape(words))
        for code, words in LISTED["countries"](language)
    )
    assert written(language, *sent) == expected
    # What was chosen once is not marked for whoever comes next.
    assert " selected" not in written(language)


def test_what_is_none_of_the_list_stands_below_it_escaped() -> None:
    strange = '"><script>'
    assert written("en", strange) == written("en") + OPTION.format(escape(strange), " selected", escape(strange))
    # What is typed beside a choice goes before it.
    both = written("en", "AF", "Atlantis")
    assert both == written("en") + OPTION.format("Atlantis", " selected", "Atlantis")
