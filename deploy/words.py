"""Every text that pages need, from the tables and the templates; and the catalogues brought up to it.

    python -m deploy.words

Adds what is missing with an empty text, takes out what nobody needs, and says how many texts are to be written.
Exit code 0: nothing is missing; 1: something is.
"""

from __future__ import annotations

import ast
import importlib
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any, get_args

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_python
from babel.messages.pofile import write_po
from jinja2.ext import babel_extract

from deploy.generate import ROOT, built
from services.monitoring.breakdown import NOT_ADDING_UP
from shared.cases.case import Case
from shared.contracts.iso_codes import WITHOUT_A_STATE
from shared.contracts.registration.persons import Attributes
from shared.errors import UNKNOWN_FIELD, rule_of
from shared.identity.rights import OPERATION
from shared.identity.roles import ROLES
from shared.jobs.documents import Status
from shared.jobs.kinds import JOBS
from shared.jobs.running import Jobs
from shared.messaging.shadow import PARKED_FOR
from shared.programmes.eligibility import FailedCriterion
from shared.programmes.fact_words import AMOUNTS, CODED_ATTRIBUTES, CODES, IDS, KINDS, NUMBERS
from shared.programmes.loader import load_definition
from shared.programmes.model import Definition, editor_schema
from shared.programmes.sections.selection import Component
from shared.services import SERVICES
from shared.web.backlog import PARTS, Unfinished
from shared.web.contract import contract
from shared.web.operation import DropReason
from shared.web.pages.languages import LANGUAGES
from shared.web.pages.operation import PARKED, UNFINISHED
from shared.web.pages.standard_names import states_named_here
from shared.web.pages.words import CATALOGUES, catalogue, code_key
from shared.web.problems import REFUSED, RULE_OF_STATUS

PREFIXES = (
    "case",
    "case-one",
    "verb",
    "did",
    "state",
    "field",
    "hint",
    "rule",
    "role",
    "code",
    "service",
    "paper",
    "part",
)
# A message's text, or its singular and its plural.
Message = str | tuple[str, str]
# What Pydantic calls the break of what a body's schema says.
_KEYWORDS: Mapping[str, tuple[str, ...]] = {
    "minLength": ("string_too_short",),
    "maxLength": ("string_too_long",),
    "pattern": ("string_pattern_mismatch",),
    "minimum": ("greater_than_equal",),
    "maximum": ("less_than_equal",),
    "minItems": ("too_short",),
    "maxItems": ("too_long",),
    "enum": ("literal_error",),
    "required": ("missing",),
}
_TYPES: Mapping[str, tuple[str, ...]] = {
    "string": ("string_type",),
    "integer": ("int_type",),
    "boolean": ("bool_type",),
    "array": ("tuple_type",),
    "object": ("model_type", "dict_type"),
}
# Calls by which code names a rule, with the place of the rule among the arguments.
_NAMES_A_RULE: Mapping[str, int] = {
    "Refusal": 0,
    "Problem": 0,
    "NotSignedIn": 0,
    "PydanticCustomError": 0,
    "Form": 0,
    "broken": 0,
    "refuse": 0,
    "_refuse": 0,
    "_later": 0,
    "Broken": 1,
    "_always": 1,
    "problem": 1,
    "_found_at": 2,
    "Finding": 3,
}
# Functions of matching whose answer becomes the reason of a match.
_GIVE_A_REASON = frozenset({"_reason", "answer_to"})
# Where rules are of a token that a program sends, or of the log: no page names them.
_NOT_ON_PAGES = (
    "shared/identity/tokens.py",
    "shared/identity/issuers.py",
    "shared/messaging",
    "shared/testing",
)
# What only programs and those who run the system ask for.
_OF_PROGRAMS = frozenset({*(resource for resource, _, _ in OPERATION), "operation", "read-model", "schemas"})
_SENTENCES = {"_": None, "gettext": None, "ngettext": (1, 2)}
HEADER = """msgid ""
msgstr ""
"Content-Type: text/plain; charset=utf-8\\n"
"Language: {language}\\n"
"Plural-Forms: {plural_forms}\\n"

"""


def needed() -> frozenset[Message]:
    """Every message that a catalogue has to hold: what only some fields have, and words of a rule at one field, where
    the English catalogue has them."""
    named, english = frozenset(keys()), [str(one.id) for one in catalogue("en")]
    chosen = (key for key in english if is_apart(key, named) or is_rule_at_field(key, named))
    return frozenset({*named, *sentences(), *chosen})


def is_apart(key: str, named: Collection[str]) -> bool:
    """Whether it is what only some fields have: one sentence below it, wherever it stands or in a group, a verb or a
    kind of case; a name of its own in a group."""
    kind, _, place = key.partition(":")
    where, _, name = place.rpartition(":")
    wheres = {"hint": ("field", "verb", "case"), "field": ("field",)}.get(kind, ())
    if not wheres or f"field:{name}" not in named:
        return False
    return any(f"{one}:{where}" in named for one in wheres) if where else kind == "hint"


def is_rule_at_field(key: str, named: Collection[str]) -> bool:
    """Whether it is what is said of a rule where it is broken in fields of that name."""
    rule, _, field = key.removeprefix("rule:").partition(":")
    return key.startswith("rule:") and f"rule:{rule}" in named and f"field:{field}" in named


def keys() -> Iterator[str]:
    """The keys of what the tables name: cases, verbs, events, states, fields, codes, rules, roles."""
    yield from (f"role:{role}" for role in ROLES)
    yield from (f"service:{service}" for service in SERVICES)
    yield from (code_key("component", component) for component in get_args(Component))
    yield from (code_key("education", str(level)) for level in _levels())
    yield from (code_key("criteria", criterion) for criterion in _hard_filters())
    yield from (code_key("country", code) for code in states_named_here())
    yield from (code_key("nationality", code) for code in WITHOUT_A_STATE)
    for service in SERVICES:
        for served in getattr(built(service), "cases", ()):
            yield from _of_case(served.case)
            yield from (f"paper:{paper.name}" for paper in served.papers)
            yield from (f"verb:{one.word}" for one in served.beside)
        yield from (f"case:{resource}" for resource in getattr(built(service), "beside", ()))
        yield from _of_jobs(built(service).replica.jobs)
        yield from _of_contract(contract(built(service).app, service))
    yield f"case:{JOBS}"
    yield from (code_key("state", status) for status in get_args(Status))
    yield from _of_indicators()
    yield from (code_key("drop", reason) for reason in get_args(DropReason))
    yield from (code_key(PARKED, kind) for kind in PARKED_FOR)
    yield from (code_key(UNFINISHED, name) for name in Unfinished.model_fields if name not in PARTS)
    yield from (f"part:{part}" for part in Definition.model_fields)
    definition = editor_schema()
    yield from (f"rule:{rule}" for rule in _rules_of_schemas([definition], definition["$defs"]))
    yield from (f"rule:{rule}" for rule in (*_named_rules(), *RULE_OF_STATUS.values(), REFUSED))
    yield from (code_key("reason", reason) for reason in _own_reasons())


def templates() -> list[Path]:
    """Every template of a page."""
    return sorted(path for folder in _folders() for path in folder.rglob("*.html"))


def _folders() -> list[Path]:
    return [ROOT / "shared/web/pages", *(ROOT / "services" / name for name in SERVICES)]


def sentences() -> Iterator[Message]:
    """What templates and pages' code say in English."""
    for path in templates():
        with path.open("rb") as file:
            found = babel_extract(file, ("_", "gettext", "ngettext"), (), {"trimmed": "true", "silent": "false"})
            yield from (message for _, _, said, _ in found if (message := _message(said)))
    for folder in _folders():
        for path in sorted(folder.rglob("*.py")):
            with path.open("rb") as file:
                called = extract_python(file, _SENTENCES, (), {})
                yield from (message for _, _, said, _ in called if (message := _message(said)))


def _message(said: Any) -> Message | None:
    """None for what is put together at run time: a key, which the tables account for."""
    if isinstance(said, str):
        return said or None
    parts = tuple(one for one in said or () if isinstance(one, str))
    return (parts[0], parts[1]) if len(parts) > 1 else parts[0] if parts else None


def _of_case(case: Case[Any]) -> Iterator[str]:
    yield from (f"case:{case.name}", f"case-one:{case.name}")
    yield from (f"state:{case.name}:{status}" for status in case.statuses)
    yield from (f"verb:{verb}" for verb in case.verbs)
    yield from (f"did:{event.__name__}" for event in case.events)
    yield f"rule:{case.second}"
    for move in case.moves:
        yield from (f"rule:{rule}" for rule in (*move.refuses, *move.named.values()))
        yield from (code_key("reason", code) for code in move.reasons)
        yield from (code_key("items", code) for code in move.items)


def _of_jobs(jobs: Jobs | None) -> Iterator[str]:
    """What the pages of a service's jobs call what they do, count and say."""
    for kind in jobs.kinds.values() if jobs else ():
        yield code_key("kind", kind.name)
        yield from (code_key("counted", name) for name in kind.counts)
        yield from (f"field:{name}" for name in (*kind.says, *kind.columns))
        yield from (f"rule:{rule}" for rule in kind.rules)
        if kind.waits:
            yield code_key("confirm", kind.name)


def _of_indicators() -> Iterator[str]:
    """What the meaning of an indicator is put together from, with the units of the programmes that come along."""
    yield from (code_key("fact", kind) for kind in KINDS)
    yield from (code_key("thing", thing) for thing in IDS)
    yield from (code_key("amount", amount) for amount in AMOUNTS)
    yield from (f"field:{name}" for name in (*CODES, *CODED_ATTRIBUTES, *NUMBERS))
    yield from (code_key("adds_up_rule", rule) for rule in NOT_ADDING_UP)
    for path in sorted((ROOT / "deploy/programmes").glob("*.yaml")):
        yield from (code_key("unit", one.unit) for one in load_definition(path).indicators)


def _of_contract(document: Mapping[str, Any]) -> Iterator[str]:
    """Fields, their codes and their rules, of every operation that is no program's alone."""
    parts = document["components"]["schemas"]
    for path in document["paths"].values():
        for operation in path.values():
            if isinstance(operation, dict) and _OF_PROGRAMS.isdisjoint(operation.get("tags", ())):
                body = [one["schema"] for one in operation.get("requestBody", {}).get("content", {}).values()]
                answers = [
                    one["schema"]
                    for status, answer in operation["responses"].items()
                    if status.startswith("2")
                    for one in answer.get("content", {}).values()
                ]
                yield from _of_schemas([*body, *answers], parts)
                yield from (f"rule:{rule}" for rule in _rules_of_schemas(body, parts))


def _of_schemas(schemas: Iterable[Any], parts: Mapping[str, Any]) -> Iterator[str]:
    for name, schema in _fields(schemas, parts):
        yield f"field:{name}"
        yield from (code_key(name, str(code)) for code in schema.get("enum", ()))
        if "const" in schema:
            yield code_key(name, str(schema["const"]))


def _fields(schemas: Iterable[Any], parts: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every property with each schema that it may have, through references; each part once under a name."""
    waiting: list[tuple[str, Any]] = [("", schema) for schema in schemas]
    seen: set[tuple[str, str]] = set()
    while waiting:
        name, schema = waiting.pop()
        if reference := schema.get("$ref"):
            if (name, reference) not in seen:
                seen.add((name, reference))
                waiting.append((name, parts[reference.rsplit("/", 1)[1]]))
            continue
        if name:
            yield name, schema
        waiting += [(one, part) for one, part in schema.get("properties", {}).items() if one != "$schema"]
        waiting += [(name, one) for word in ("anyOf", "oneOf", "allOf") for one in schema.get(word, ())]
        inner = (schema.get("items"), schema.get("additionalProperties"))
        waiting += [(name, one) for one in inner if isinstance(one, dict)]


def _rules_of_schemas(bodies: Iterable[Any], parts: Mapping[str, Any]) -> Iterator[str]:
    yield UNKNOWN_FIELD
    for schema in [*bodies, *(schema for _, schema in _fields(bodies, parts))]:
        for keyword, kinds in _KEYWORDS.items():
            yield from (rule_of(kind) for kind in kinds if keyword in schema)
        yield from (rule_of(kind) for kind in _TYPES.get(schema.get("type", ""), ()))


def _named_rules() -> Iterator[str]:
    """The rules that the code of services and edges names by itself or by a constant."""
    for path in _sources("services", "shared"):
        if str(path.relative_to(ROOT)).startswith(_NOT_ON_PAGES):
            continue
        for node in _nodes(path):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _NAMES_A_RULE:
                place = _NAMES_A_RULE[node.func.id]
                if len(node.args) > place and (rule := _text(node.args[place], path)):
                    yield rule


def _own_reasons() -> Iterator[str]:
    """Reasons that services give by themselves: `reason=...` in what they decide and do."""
    for path in _sources("services"):
        for node in _nodes(path):
            if isinstance(node, ast.keyword) and node.arg == "reason" and (reason := _text(node.value, path)):
                yield reason
            if isinstance(node, ast.Dict):
                pairs = zip(node.keys, node.values, strict=True)
                said = (one for key, one in pairs if isinstance(key, ast.Constant) and key.value == "reason")
                yield from (reason for one in said if (reason := _text(one, path)))
            if isinstance(node, ast.FunctionDef) and node.name in _GIVE_A_REASON:
                yield from _returned(node)


def _returned(function: ast.FunctionDef) -> Iterator[str]:
    for node in ast.walk(function):
        if isinstance(node, ast.Return):
            found = (node.value.body, node.value.orelse) if isinstance(node.value, ast.IfExp) else (node.value,)
            yield from (str(one.value) for one in found if isinstance(one, ast.Constant) and one.value is not None)


def _hard_filters() -> Iterator[str]:
    """The criteria that terms of reference set, whatever the programme's own are."""
    for node in _nodes(ROOT / "shared/programmes/eligibility.py"):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == FailedCriterion.__name__:
            yield from (str(one.value) for one in node.args[:1] if isinstance(one, ast.Constant))


def _levels() -> range:
    """The levels of education that a person's attributes may name."""
    (schema, *_) = Attributes.model_json_schema()["properties"]["education"]["anyOf"]
    return range(schema["minimum"], schema["maximum"] + 1)


def _sources(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


@cache
def _nodes(path: Path) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def _text(node: ast.expr, path: Path) -> str:
    """The text that the expression is, by itself or as a constant of its module; empty for any other."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if not isinstance(node, ast.Name):
        return ""
    module = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    value = getattr(module, node.id, "")
    return value if isinstance(value, str) else ""


def brought_up(language: str, wanted: Iterable[Message]) -> Catalog:
    """The catalogue with these messages alone, keys before sentences; empty where nobody wrote one yet.

    English has the keys: a sentence is its own text.
    """
    kept, found = catalogue(language), Catalog(locale=language, fuzzy=False)
    for message in sorted(wanted, key=_order):
        if language == "en" and not is_key(message):
            continue
        known = kept.get(message if isinstance(message, str) else message[0])
        found.add(message, known.string if known is not None else "")
    return found


def is_key(message: Message) -> bool:
    """Whether the message stands for words in every language, rather than being the English ones."""
    return isinstance(message, str) and message.partition(":")[0] in PREFIXES and " " not in message


def _order(message: Message) -> tuple[bool, str]:
    return (not is_key(message), message if isinstance(message, str) else message[0])


def written(found: Catalog) -> str:
    """The catalogue's file. The header has neither dates nor names: git has them."""
    body = BytesIO()
    write_po(body, found, width=120, omit_header=True, no_location=True)
    header = HEADER.format(language=found.locale, plural_forms=found.plural_forms)
    return header + body.getvalue().decode()


def missing(found: Catalog) -> list[str]:
    """The messages without a text, or without one of their plural forms."""
    return [str(one.id) for one in found if one.id and not all(_forms(one.string))]


def _forms(string: Any) -> tuple[str, ...]:
    return string if isinstance(string, tuple) else (string,)


def main() -> int:
    wanted, empty = needed(), 0
    for language in LANGUAGES:
        found = brought_up(language, wanted)
        (CATALOGUES / f"{language}.po").write_text(written(found), encoding="utf-8")
        absent = missing(found)
        empty += len(absent)
        print(f"{language}: {len(absent)} to be written", *absent, sep="\n  ", file=sys.stderr)
    return 1 if empty else 0


if __name__ == "__main__":
    sys.exit(main())
