"""The catalogues beside the tables: no name without its words, and each language in its own letters."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import pytest
from jinja2 import Environment, nodes

from deploy.words import brought_up, is_key, keys, missing, sentences, templates
from shared.web.pages.languages import LANGUAGES
from shared.web.pages.words import catalogue, code_key, reason_words, translations

PLACEHOLDER = re.compile(r"%\((\w+)\)[sd]")
# What Arabic texts keep in Latin letters: names of standards and codes, and the product's.
LATIN = re.compile(
    r"\b(sankofa figures verify|Sankofa|OpenID|OpenAPI|AsyncAPI|ISO|ISCO|ISCED|CEFR|PDF|JPEG|PNG|CSV|XLSX|YAML|JSON"
    r"|DHIS2|IATI|HXL|ADX|Parquet|UTF-8|[ABC][12]|XX[ABC]|XK|\+|@)\b"
)


def texts(language: str) -> list[tuple[Any, tuple[str, ...]]]:
    """Each message's id with its text, or with those of its plural forms."""
    forms = ((one.id, one.string) for one in catalogue(language) if one.id)
    return [(id, string if isinstance(string, tuple) else (string,)) for id, string in forms]


@cache
def named() -> frozenset[str]:
    return frozenset(keys())


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_name_of_a_table_has_its_words(language: str) -> None:
    assert missing(brought_up(language, named())) == []


def test_words_of_tables_are_keys_and_sentences_are_none() -> None:
    assert {key for key in named() if not is_key(key)} == set()
    assert {one for one in sentences() if is_key(one)} == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_has_the_placeholders_of_its_english_one(language: str) -> None:
    english = {id: forms[-1] for id, forms in texts("en")}
    for id, forms in texts(language):
        said = english.get(id) or (id if isinstance(id, str) else id[1])
        for number, form in enumerate(forms):
            found, meant = set(PLACEHOLDER.findall(form)), set(PLACEHOLDER.findall(said))
            # Arabic says "one" and "two" in words.
            assert found == meant or (len(forms) > 1 and number < 3 and found < meant), (id, form)
            assert "%" not in PLACEHOLDER.sub("", form), f"{id}: a share is formatted, and stands in a placeholder"


def test_arabic_has_its_six_plural_forms_and_its_own_letters() -> None:
    found = catalogue("ar")
    assert found.num_plurals == 6
    for id, forms in texts("ar"):
        assert isinstance(id, str) or len(forms) == 6, id
        for form in forms:
            assert not re.search("[A-Za-z]", LATIN.sub("", PLACEHOLDER.sub("", form))), (id, form)
            assert not re.search("[٠-٩۰-۹]", form), f"{id}: digits are Latin everywhere"


@pytest.mark.parametrize("language", ["fr", "ar"])
def test_sentences_are_not_left_in_english(language: str) -> None:
    """What has no letters beside its placeholders is the same in many languages."""
    said = [(id, forms) for id, forms in texts(language) if re.search(r"\w", PLACEHOLDER.sub("", str(id)))]
    assert [id for id, forms in said if id in forms and len(str(id)) > 12] == []


def test_what_is_put_into_a_sentence_stands_in_a_block_of_it() -> None:
    """`_("%(n)s rows", n=...)` is newstyle gettext's, which formats every text; ours takes a text alone."""
    parsed = ((path, Environment(extensions=["jinja2.ext.i18n"]).parse(path.read_text())) for path in templates())
    calls = ((path, call) for path, tree in parsed for call in tree.find_all(nodes.Call))
    gettext = [(path.name, call) for path, call in calls if isinstance(call.node, nodes.Name) and call.node.name == "_"]
    assert gettext
    assert [(name, call.lineno) for name, call in gettext if call.kwargs or len(call.args) != 1] == []


def test_texts_are_plain() -> None:
    for language in LANGUAGES:
        for id, forms in texts(language):
            assert all(form == form.strip() and "  " not in form and "<" not in form for form in forms), id


def test_a_key_gives_its_words_and_an_unknown_one_itself() -> None:
    assert translations("ar").gettext("role:finance") == "الشؤون المالية"
    assert translations("en").gettext("Something that nobody wrote") == "Something that nobody wrote"
    assert code_key("override_reason", "mistake") == code_key("reason", "mistake")


def test_a_reason_is_a_code_or_the_rule_of_a_refusal_or_the_programme_s() -> None:
    found = translations("en")
    assert reason_words("en", "family") == found.gettext("code:reason:family")
    assert reason_words("en", "placement_overlaps") == found.gettext("rule:placement_overlaps")
    assert reason_words("en", "of_the_programme") == "of_the_programme"
