"""An export as a whole: each form by its name, what it is called, and that it is the same twice."""

from __future__ import annotations

import hashlib

import pytest

from services.monitoring.exports.formats import FORMATS, export
from services.monitoring.exports.stated import Export
from shared.errors import Refusal
from tests.unit.exports.samples import VERSION, definition, signed, stated, statement

VERSIONS = {VERSION: definition()}


@pytest.mark.parametrize("format", FORMATS)
def test_every_form_is_the_same_twice_and_says_what_it_is(format: str) -> None:
    first, second = (export(format, reversed(stated()), VERSIONS, VERSION, "fr") for _ in range(2))
    assert first == second
    assert first.digest == hashlib.sha256(first.content).hexdigest()
    assert first.rows == 24
    assert first.media_type == FORMATS[format].media_type
    named = f"example-1-statement-1-2-{format}" + ("-fr" if FORMATS[format].worded else "")
    assert first.name == f"{named}.{FORMATS[format].extension}"


def test_a_form_that_is_not_worded_is_the_same_in_every_language() -> None:
    for format in (one.code for one in FORMATS.values() if not one.worded):
        found = {export(format, stated(), VERSIONS, VERSION, language) for language in ("en", "fr", "ar")}
        assert len(found) == 1


def test_a_form_that_is_none_is_refused_with_those_that_are() -> None:
    with pytest.raises(Refusal) as refused:
        export("xls", stated(), VERSIONS, VERSION, "en")
    assert (refused.value.rule, refused.value.status) == ("export_format_unknown", 422)
    assert "xlsx" in refused.value.detail


def test_an_export_is_of_one_programme_and_each_statement_once() -> None:
    other = signed(statement(programme="example-2"), "c" * 64)
    for wrong in ((), (*stated(), stated()[0]), (other,)):
        with pytest.raises(ValueError, match="an export is of"):
            Export(wrong, VERSIONS, VERSION, "en")
    with pytest.raises(ValueError, match="every version"):
        Export((signed(statement(definition_version=2)),), VERSIONS, VERSION, "en")
    with pytest.raises(ValueError, match="language"):
        Export(stated(), VERSIONS, VERSION, "de")
