"""Marks as each language writes them: in catalogues, in definitions, and in what pages put together by themselves."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from jinja2 import Environment, nodes

from deploy.cli.demo import open_programme
from deploy.generate import ROOT
from deploy.words import templates
from shared.web.pages.formatting import Formats
from shared.web.pages.words import catalogue

NARROW = "\N{NARROW NO-BREAK SPACE}"
# What each language does not write, and how it is said of a text that has it.
UNWRITTEN: Mapping[str, Mapping[str, str]] = {
    "fr": {
        # Between digits it is a time or a ratio.
        rf"(?<!{NARROW})(?:[;!?»]|(?<!\d):(?!\d))": "a narrow no-break space stands before : ; ! ? »",
        rf"«(?!{NARROW})": "a narrow no-break space stands after «",
        r"'": "the apostrophe is ’",
        r"\"|“|”": "quotes are « »",
        r"\.\.\.": "the ellipsis is one character",
    },
    "ar": {
        r"[,;?]": "the comma is ،, the semicolon ؛, the question mark ؟",
        r"\s[،؛؟:!.]": "nothing stands before a mark",
        r"[،؛؟](?![\s»)]|$)": "a space stands after a mark",
        r"\"|“|”|'": "quotes are « »",
    },
}
# Where sentences are put together in code; an edge's own texts are for programs.
FOLDERS = (
    "shared/web/pages",
    "shared/papers",
    "services/monitoring/pages",
    "services/matching/papers",
    *(
        f"services/registration/{one}"
        for one in ("applying", "entrance", "handovers", "mailing", "papers", "readings", "saved_views")
    ),
)
# What these put together is read by programs: headers, streams, reasons of a refusal.
OF_PROGRAMS = frozenset(
    {"live.py", "channel.py", "folder.py", "smtp.py", "looking.py", "asked_list.py", "rendering.py"}
)
# A mark that parts two things which are said, as English would write it.
PARTS = re.compile(r"^[,;:] |[^ ][,;:] $|^[,;:] $")


def faults(language: str, text: str) -> list[str]:
    return [why for pattern, why in UNWRITTEN[language].items() if re.search(pattern, text)]


@pytest.mark.parametrize(
    ("language", "text", "right"),
    [
        ("fr", f"Motif{NARROW}: maladie", True),
        ("fr", "Motif : maladie", False),
        ("fr", "Motif\N{NO-BREAK SPACE}: maladie", False),
        ("fr", "Motif: maladie", False),
        ("fr", f"À 13:45, pour «{NARROW}essai{NARROW}»", True),
        ("fr", "pour « essai »", False),
        ("fr", "aujourd'hui", False),
        ("ar", "مرحبًا، هل من جديد؟", True),
        ("ar", "مرحبًا, هل من جديد؟", False),
        ("ar", "مرحبًا، هل من جديد?", False),
        ("ar", "أولًا؛ ثانيًا", True),
        ("ar", "أولًا ؛ ثانيًا", False),
    ],
)
def test_the_rules_themselves(language: str, text: str, right: bool) -> None:
    assert (faults(language, text) == []) is right


@pytest.mark.parametrize("language", [*UNWRITTEN])
def test_catalogues_have_the_marks_of_their_language(language: str) -> None:
    found = [(one.id, one.string if isinstance(one.string, tuple) else (one.string,)) for one in catalogue(language)]
    assert [(id, text, why) for id, forms in found if id for text in forms for why in faults(language, text)] == []


@pytest.mark.parametrize(
    "path", sorted((ROOT / "deploy").glob("*/*.yaml")), ids=lambda path: f"{path.parent.name}-{path.stem}"
)
def test_definitions_and_histories_have_the_marks_of_their_languages(path: Path) -> None:
    texts = _in_languages(yaml.safe_load(path.read_text(encoding="utf-8")))
    assert [(text, why) for language, text in texts for why in faults(language, text)] == []


def test_the_open_programme_has_the_marks_of_its_languages() -> None:
    texts = [*_in_languages(open_programme(date(2026, 3, 4)).model_dump(mode="json"))]
    assert {language for language, _ in texts} == {*UNWRITTEN}
    assert [(text, why) for language, text in texts for why in faults(language, text)] == []


def _in_languages(found: Any) -> Iterator[tuple[str, str]]:
    """Every text under the code of a language that has rules."""
    if isinstance(found, dict):
        for name, one in found.items():
            if name in UNWRITTEN and isinstance(one, str):
                yield name, one
            yield from _in_languages(one)
    elif isinstance(found, list):
        for one in found:
            yield from _in_languages(one)


def test_no_template_writes_a_mark_between_what_it_says() -> None:
    """`formats.labelled()` and `formats.beside()` write them, in the reader's language."""
    found = [(path.name, text) for path in templates() for text in _written(path)]
    assert [(name, text) for name, text in found if re.search(r"[,;:?!](\s|$)", text)] == []


def test_no_template_puts_in_a_text_with_a_mark_of_one_language() -> None:
    found = []
    for path in templates():
        parsed = Environment(extensions=["jinja2.ext.i18n"]).parse(path.read_text(encoding="utf-8"))
        translated = {
            id(one)
            for call in parsed.find_all(nodes.Call)
            if isinstance(call.node, nodes.Name) and call.node.name in ("_", "gettext", "ngettext")
            for one in call.find_all(nodes.Const)
        }
        texts = (one for one in parsed.find_all(nodes.Const) if id(one) not in translated)
        found += [(path.name, one.value) for one in texts if re.search(r"[^\s\"][,;?!] ", str(one.value))]
    assert found == []


def _written(path: Path) -> Iterator[str]:
    """The text of the template between tags, apart from what it translates; what it puts in is left out of it."""
    parsed = Environment(extensions=["jinja2.ext.i18n"]).parse(path.read_text(encoding="utf-8"))
    for output in parsed.find_all(nodes.Output):
        parts = (one.data if isinstance(one, nodes.TemplateData) else "\0" for one in output.nodes)
        # An attribute may begin or end in another piece of the template.
        text = re.sub(r"<[^<>]*>|<[^<>]*$|^[^<>]*=\"[^<>]*>", "\0", "".join(parts))
        yield from (one for one in text.split("\0") if one.strip())


def test_no_code_of_pages_mails_and_papers_writes_a_mark_between_what_it_says() -> None:
    found = []
    for path in sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")):
        if path.name in OF_PROGRAMS:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if any(PARTS.search(text) for text in _joining(node)) and "=" not in (said := ast.unparse(node)):
                found.append((path.name, said))
    assert found == []


def _joining(node: ast.AST) -> Iterator[str]:
    """The texts that stand between others: of an f-string, and what a list is joined by."""
    if isinstance(node, ast.JoinedStr):
        yield from (str(one.value) for one in node.values if isinstance(one, ast.Constant))
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Constant(value=str(text)), attr="join")):
            yield text


@pytest.mark.parametrize(
    ("language", "labelled", "beside"),
    [
        ("en", "Reason: a &amp; b", "Dari, B2"),
        ("fr", f"Reason{NARROW}: a &amp; b", "Dari, B2"),
        ("ar", "Reason: a &amp; b", "Dari، B2"),
    ],
)
def test_what_is_put_together_has_the_marks_of_the_language(language: str, labelled: str, beside: str) -> None:
    formats = Formats(language)
    assert formats.labelled("Reason", "a & b") == labelled
    assert formats.beside(["Dari", "B2"]) == beside
