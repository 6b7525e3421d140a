"""The documents say what the code does: what they name exists, and what exists is named.

A function is written with `()` after its name, in the same paragraph or table row as its Python file, after it, or
under a heading that names the file.
"""

from __future__ import annotations

import ast
import json
import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.core import TyperGroup

from deploy.cli.main import FURTHER, app_of
from shared.messaging.topics import TOPICS

ROOT = Path(__file__).parents[2]
COMMAND = typer.main.get_command(app_of(()))
RECORDS = ROOT / "docs" / "decisions"
FOLDERS = ("services", "shared", "deploy", "tests", "docs", "requirements")
PYTHON_FOLDERS = ("services", "shared", "deploy", "tests")
# Names of the standards' and libraries' own, which no code of ours defines.
FOREIGN_NAMES = frozenset({"LogAppendTime", "AsyncMongoClient"})
# The one shape that all domains share; it names no function of one file.
SHARED_SHAPE = frozenset({"decide"})
RECORD_PARTS = ("Context", "The failure it answers", "Decision", "Consequences")

QUOTED = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
PATH = re.compile(r"\.?[\w.-]+(/[\w.<>*{}-]+)*/?")
CALLED = re.compile(r"([A-Za-z_]\w*)(?:\.([A-Za-z_]\w*))?\(.*\)")
CAMEL = re.compile(r"[A-Z][a-z]+(?:[A-Z][a-z]+)+")
# "kernel.md, section 2", "DOMAIN section 3": a section of one of the three documents that code cites by number.
CITED = re.compile(r"\b(kernel|domain|faults)(?:\.md)?[`,)]{0,2} section (\d+)", re.IGNORECASE)
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def documents() -> list[Path]:
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "services").rglob("README.md"))]


def blocks(text: str) -> Iterator[str]:
    """Paragraphs, headings, list items and table rows, without what is fenced."""
    for paragraph in re.split(r"\n\s*\n", FENCE.sub("", text)):
        lines = paragraph.splitlines()
        if all(line.startswith("|") for line in lines):
            yield from lines
        else:
            yield from re.split(r"\n(?=- |\d+\. )", paragraph)


@cache
def defined(path: Path) -> frozenset[str]:
    """Functions and classes of a module, a method as `Class.method`."""
    found = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            inside = (one for one in node.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef))
            found |= {f"{node.name}.{one.name}" for one in inside}
    return frozenset(found)


@cache
def class_names() -> frozenset[str]:
    paths = (path for folder in PYTHON_FOLDERS for path in (ROOT / folder).rglob("*.py"))
    return frozenset(name for path in paths for name in defined(path) if "." not in name)


@cache
def file_names() -> frozenset[str]:
    found = {path.name for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.is_file()}
    return frozenset(found | {path.name for path in ROOT.iterdir() if path.is_file()})


def is_path(quoted: str) -> bool:
    """Whether it names a file or folder of the tree: a folder of ours, or a file name with an ending."""
    if not PATH.fullmatch(quoted):
        return False
    return quoted.split("/")[0] in FOLDERS or bool(re.search(r"\w\.(py|md|yaml|toml|in|txt|json)$", quoted))


def exists(quoted: str, home: Path) -> bool:
    """Whether a path stands in the tree; `<...>` and `{...}` stand for any name. A bare name may stand anywhere.

    Any other path is one from the root, or from the document's own folder.
    """
    if "/" not in quoted:
        return quoted in file_names()
    pattern = re.sub(r"<[^>]*>|\{[^}]*\}", "*", quoted.rstrip("/"))
    return any(ROOT.glob(pattern)) or any(home.glob(pattern))


def missing_paths(text: str, home: Path = ROOT) -> list[str]:
    return [one for one in QUOTED.findall(text) if is_path(one) and not exists(one, home)]


def missing_functions(text: str) -> list[str]:
    """Names with `()` that no Python file of their block has, nor the one that was named last before."""
    missing, last, heading = [], list[Path](), list[Path]()
    for block in blocks(text):
        quoted = QUOTED.findall(block)
        named = [ROOT / one for one in quoted if is_path(one) and "/" in one and (ROOT / one).suffix == ".py"]
        files = [path for path in named if path.exists()] or last
        if block.startswith("#"):
            heading = [path for path in named if path.exists()]
        known = {name for path in (*files, *heading) for name in defined(path)}
        for one in quoted:
            found = CALLED.fullmatch(one)
            name = ".".join(part for part in found.groups() if part) if found else ""
            if found and name not in known and name not in SHARED_SHAPE:
                missing.append(one)
        last = files[-1:]
    return missing


def missing_names(text: str) -> list[str]:
    """Names in CamelCase that are no class here."""
    known = class_names() | FOREIGN_NAMES
    return [one for one in QUOTED.findall(FENCE.sub("", text)) if CAMEL.fullmatch(one) and one not in known]


def broken_links(path: Path) -> list[str]:
    targets = (target.split("#")[0] for target in LINK.findall(FENCE.sub("", path.read_text())))
    return [one for one in targets if one and "://" not in one and not (path.parent / one).exists()]


def verbs(command: Any, prefix: str = "sankofa") -> Iterator[str]:
    """Every verb that can be called, as it is typed."""
    if isinstance(command, TyperGroup):
        for name, inner in command.commands.items():
            yield from verbs(inner, f"{prefix} {name}")
    else:
        yield prefix


def every_verb() -> list[str]:
    found = sorted(verbs(COMMAND))
    assert len(found) > 15
    return found


def said_verbs(text: str) -> Iterator[str]:
    """`sankofa up ...` in quotes, or at the start of a line in a fence: the words before the first argument."""
    lines = [line for fence in FENCE.findall(text) for line in fence.splitlines()]
    for one in (*QUOTED.findall(FENCE.sub("", text)), *lines):
        if found := re.match(r"(?:\.venv/bin/)?sankofa((?: [a-z]+)+)", one):
            yield f"sankofa{found.group(1)}"


def commands(text: str) -> Iterator[list[str]]:
    """The words of each `sankofa ...` in quotes or in a fence, without what a shell takes of them."""
    lines = [line for fence in FENCE.findall(text) for line in fence.splitlines()]
    for one in (*QUOTED.findall(FENCE.sub("", text)), *lines):
        found = re.match(r"(?:[A-Z_]+=\S+ )*(?:docker-compose run .*? |\.venv/bin/)?sankofa ((?:[a-z]|--).*)", one)
        if found:
            yield shlex.split(re.split(r" [<>|]", found.group(1))[0])


def misread(words: Sequence[str]) -> str:
    """Why the command line does not take the words; empty where it does, or where they only name a verb."""
    # A verb that has verbs of its own beside it is another one, by the word that follows.
    command: Any = typer.main.get_command(app_of(words)) if words and words[0] in FURTHER else COMMAND
    while isinstance(command, TyperGroup) and words and words[0] in command.commands:
        command, words = command.commands[words[0]], words[1:]
    if not words:
        return ""
    if isinstance(command, TyperGroup):
        return f"no verb {words[0]}"
    try:
        command.make_context("sankofa", list(words))
    except Exception as error:
        # Typer's own; the classes have no public name.
        return str(error) or type(error).__name__
    return ""


@pytest.mark.parametrize("path", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_document_names_exists(path: Path) -> None:
    text = path.read_text()
    assert missing_paths(text, path.parent) == []
    assert missing_functions(text) == []
    assert missing_names(text) == []
    assert broken_links(path) == []


def test_every_verb_is_described_and_every_described_verb_exists() -> None:
    said = {verb for path in documents() for verb in said_verbs(path.read_text())}
    assert [verb for verb in every_verb() if not any(is_same(verb, one) for one in said)] == []
    assert [one for one in said if not any(is_same(verb, one) for verb in every_verb())] == []


def test_every_command_line_in_a_document_is_one_that_the_parser_takes() -> None:
    said = [(path.name, words) for path in documents() for words in commands(path.read_text())]
    assert len(said) > 60
    assert [(name, words, wrong) for name, words in said if (wrong := misread(words))] == []


def is_same(verb: str, said: str) -> bool:
    """Whether the words said call the verb; lower-case arguments may follow, as in `sankofa history run trqn-1`."""
    return f"{said} ".startswith(f"{verb} ")


def test_every_make_target_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    text = "\n".join(path.read_text() for path in documents())
    named = set(re.findall(r"`make ([a-z-]+)", text)) | set(re.findall(r"^make ([a-z-]+)", text, re.MULTILINE))
    assert named - targets == set()
    assert {"demo", "test"} <= named


def test_every_setting_that_is_named_is_in_the_example_environment() -> None:
    known = set(re.findall(r"^#?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    named = {one for path in documents() for one in re.findall(r"\bSANKOFA_[A-Z_]+\b", path.read_text())}
    assert named - known == set()


def test_every_topic_is_on_the_event_map() -> None:
    page = (ROOT / "docs" / "event-map.md").read_text()
    assert [name for name in TOPICS if f"## `{name}`" not in page] == []


def test_decision_records_are_whole_numbered_and_listed() -> None:
    records = sorted(RECORDS.glob("[0-9]*.md"))
    numbers = [path.name[:4] for path in records]
    assert len(set(numbers)) == len(numbers)
    index = (RECORDS / "README.md").read_text()
    assert [path.name for path in records if f"]({path.name})" not in index] == []
    for path in records:
        text = path.read_text()
        assert text.startswith(f"# {path.name[:4]} "), path.name
        assert tuple(re.findall(r"^## (.+)$", text, re.MULTILINE)) == RECORD_PARTS, path.name


def test_every_document_is_reached_from_the_index() -> None:
    index = ROOT / "docs" / "README.md"
    linked = {(index.parent / target.split("#")[0]).resolve() for target in LINK.findall(index.read_text())}
    assert [path.name for path in (ROOT / "docs").glob("*.md") if path != index and path not in linked] == []
    assert RECORDS / "README.md" in linked


def uncited(text: str) -> list[str]:
    """Citations of a section that its document does not have."""
    return [
        f"{name.lower()} {number}"
        for name, number in CITED.findall(text)
        if not re.search(rf"^## {number}\. ", (ROOT / "docs" / f"{name.lower()}.md").read_text(), re.MULTILINE)
    ]


def test_every_cited_section_exists() -> None:
    modules = [path for folder in PYTHON_FOLDERS for path in (ROOT / folder).rglob("*.py") if path != Path(__file__)]
    citing = [path for path in (*documents(), *modules) if CITED.search(path.read_text())]
    assert len(citing) > len(PYTHON_FOLDERS), "the citations are no longer found"
    assert [(str(path.relative_to(ROOT)), wrong) for path in citing if (wrong := uncited(path.read_text()))] == []


def test_every_required_library_has_its_reason() -> None:
    page = (RECORDS / "0001-libraries.md").read_text()
    told = {name.strip() for row in re.findall(r"^\| ([^|]+) \|", page, re.MULTILINE) for name in row.split(",")}
    required = {name for file in ("runtime.in", "dev.in") for name in _required(ROOT / "requirements" / file)}
    fetched = ROOT / "tests/integration"
    required |= set(json.loads((fetched / "javascript/package.json").read_text())["dependencies"])
    jars = (fetched / "java/pom.xml").read_text()
    jar = r"<dependency>\s*<groupId>(.+?)</groupId>\s*<artifactId>(.+?)</artifactId>"
    required |= {f"{group}:{name}" for group, name in re.findall(jar, jars)}
    assert required - told == set()
    assert told - required - {"library", "---"} == set()


def _required(path: Path) -> Iterable[str]:
    for line in path.read_text().splitlines():
        if line and not line.startswith(("#", "-")):
            yield re.split(r"[\[=<>~ ]", line)[0]


def test_the_checks_themselves_can_go_red(tmp_path: Path) -> None:
    assert missing_paths("`shared/nowhere.py` and `nowhere.yaml`") == ["shared/nowhere.py", "nowhere.yaml"]
    assert missing_paths("`shared/clock.py`, `domain/`, `services/<name>/store.py`, `a.b`") == []
    assert missing_functions("`Relay.sent()` in `shared/messaging/relay.py`") == ["Relay.sent()"]
    assert missing_functions("## `shared/clock.py`\n\n`text_of()` or `shared/errors.py`.\n\n`instant_of()`") == []
    assert missing_functions("`shared/messaging/relay.py`\n\nThen `Relay.send()`, `message_of()`.") == []
    assert missing_functions("| `shared/clock.py` | `text_of()` |\n| `shared/errors.py` | `text_of()` |") == [
        "text_of()"
    ]
    assert missing_names("`ExpertRegistered` and `ExpertEnlisted`") == ["ExpertEnlisted"]
    run = "docker-compose run --rm -T -e A=- sankofa doctor < token"
    found = list(commands(f"`sankofa up --prot 1`, `A=b sankofa figures CODE --by sex`\n```\n{run}\n```"))
    assert found == [["up", "--prot", "1"], ["figures", "CODE", "--by", "sex"], ["doctor"]]
    assert [bool(misread(words)) for words in (*found, ["history", "run"], ["up", "--log", "x"], ["ups"])] == [
        *(True, False, False),
        *(False, True, True),
    ]
    assert list(said_verbs("`sankofa history run CODE`\n```\nsankofa up --port 1\n```")) == [
        "sankofa history run",
        "sankofa up",
    ]
    assert uncited("KERNEL section 2, docs/faults.md, section 70, `domain.md`, section 3") == ["faults 70"]
    page = tmp_path / "page.md"
    page.write_text("[here](page.md#part) [there](other.md) [out](https://example.org)")
    assert broken_links(page) == ["other.md"]
