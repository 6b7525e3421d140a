"""The catalogues beside tables and templates: no text missing, none too many."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from deploy.words import brought_up, missing, needed, written
from shared.web.pages.languages import LANGUAGES
from shared.web.pages.words import CATALOGUES


@cache
def wanted() -> frozenset[Any]:
    return needed()


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_catalogue_is_whole_and_has_nothing_else(language: str) -> None:
    found = brought_up(language, wanted())
    assert missing(found) == []
    # `python -m deploy.words` mends the order and what nobody needs.
    assert (CATALOGUES / f"{language}.po").read_text(encoding="utf-8") == written(found)
