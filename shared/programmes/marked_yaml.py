"""YAML that people write, read with the line of every field; what is dangerous or ambiguous is refused.

YAML 1.2's core rules hold, so `NO` is a country and not a boolean, and a date stays the text that it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import yaml
from pydantic import ValidationError

from shared.errors import UNKNOWN_FIELD, rule_of

MAX_CHARACTERS = 512 * 1024
MAX_DEPTH = 24
# Ten times what the longest of the shipped definitions has; as many take half a second to read.
MAX_NODES = 10_000

Place = tuple[int, int]


class Broken(NamedTuple):
    """One broken rule: the JSON pointer of the field, the rule's name, a sentence that echoes no value.

    `warning`: it is allowed, and seldom meant.
    """

    pointer: str
    rule: str
    detail: str
    warning: bool = False


class Finding(NamedTuple):
    """A broken rule at its place in the file; `line` and `column` count from 1."""

    line: int
    column: int
    pointer: str
    rule: str
    detail: str
    warning: bool = False

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}: {self.pointer or '/'}: {self.detail} [{self.rule}]"


@dataclass
class Marked:
    """JSON types, and for each JSON pointer where its key and its value stand in the file."""

    data: Any = None
    keys: dict[str, Place] = field(default_factory=dict)
    values: dict[str, Place] = field(default_factory=dict)

    def finding(self, broken: Broken) -> Finding:
        """The finding at the field; at the nearest enclosing one where the field itself is missing."""
        keyed = broken.rule == UNKNOWN_FIELD
        pointer = broken.pointer
        while pointer not in self.values and pointer:
            pointer = pointer.rsplit("/", 1)[0]
        place = (self.keys.get(pointer) if keyed else None) or self.values.get(pointer, (1, 1))
        return Finding(*place, broken.pointer, broken.rule, broken.detail, broken.warning)


class _Core(yaml.SafeLoader):
    """Plain scalars by YAML 1.2's core schema; a number with a leading zero is a code and stays text."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}

    def scan_flow_scalar(self, style: str) -> Any:
        """Raises ScannerError for an escape of no character, which PyYAML lets through or stumbles over."""
        start = self.get_mark()
        try:
            token = super().scan_flow_scalar(style)
            # JSON writes a character beyond U+FFFF as two escapes, and neither half stands for one by itself.
            token.value = token.value.encode("utf-16", "surrogatepass").decode("utf-16")
        except (ValueError, OverflowError):
            said = "an escape names a character that Unicode does not have"
            raise yaml.scanner.ScannerError("while scanning a text", start, said, start) from None
        return token


_Core.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""])
_Core.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:[Tt]rue|TRUE|[Ff]alse|FALSE)$"), list("tTfF"))
_Core.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^[-+]?(?:0|[1-9][0-9]{0,17})$"), list("-+0123456789"))
_Core.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9]{1,18}\.[0-9]{1,18}$"), list("-+0123456789")
)


class _TooMuch(Exception):
    """There is no use in reading on."""


class _Checked(_Core):
    """Looks at each event before anything is built of it: `found` has aliases, tags, further documents, and what is too
    deep or too long. Nothing is read after the last three."""

    def __init__(self, text: str) -> None:
        self.found: list[Finding] = []
        self._depth = self._nodes = self._documents = 0
        super().__init__(text)

    def get_event(self) -> Any:
        event: Any = super().get_event()  # type: ignore[no-untyped-call]
        mark = event.start_mark
        if isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
        if isinstance(event, yaml.NodeEvent):
            self._nodes += 1
            if event.anchor is not None:
                said = "anchors and aliases are not allowed; write the value out"
                self.found.append(_found_at(mark, "", "alias", said))
            if getattr(event, "tag", None) is not None:
                self.found.append(_found_at(mark, "", "tag", "tags are not allowed"))
        self._depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if self._documents > 1:
            self._end(_found_at(mark, "", "documents", "one document is allowed"))
        if self._depth > MAX_DEPTH:
            self._end(_found_at(mark, "", "too_deep", f"nothing stands deeper than {MAX_DEPTH} levels"))
        if self._nodes > MAX_NODES:
            self._end(_found_at(mark, "", "too_large", f"the file has more than {MAX_NODES} values"))
        return event

    def _end(self, finding: Finding) -> None:
        self.found.append(finding)
        raise _TooMuch


def read_marked(text: str) -> tuple[Marked, list[Finding]]:
    """The one document of the text, and what is wrong with it as YAML; with findings, the data is not to be used."""
    marked = Marked()
    if len(text) > MAX_CHARACTERS:
        return marked, [Finding(1, 1, "", "too_large", f"the file has more than {MAX_CHARACTERS} characters")]
    try:
        # The whole text is in memory, so its characters are looked at here and never again.
        loader = _Checked(text)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        return marked, [Finding(line, 1, "", "yaml_character", "a character that YAML does not allow")]
    try:
        node = loader.get_single_node()
    except _TooMuch:
        return marked, loader.found
    except yaml.MarkedYAMLError as error:
        syntax = _found_at(error.problem_mark, "", "yaml_syntax", error.problem or "this is no YAML")
        return marked, loader.found or [syntax]
    finally:
        loader.dispose()
    if loader.found:
        return marked, loader.found
    if node is None:
        return marked, [Finding(1, 1, "", "empty", "the file is empty")]
    findings: list[Finding] = []
    marked.data = _value(node, "", marked, findings)
    return marked, findings


def _value(node: yaml.Node, pointer: str, marked: Marked, findings: list[Finding]) -> Any:
    marked.values[pointer] = (node.start_mark.line + 1, node.start_mark.column + 1)
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, pointer, marked, findings)
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, f"{pointer}/{number}", marked, findings) for number, item in enumerate(node.value)]
    kind = node.tag.rsplit(":", 1)[1]
    if kind == "null":
        return None
    if kind == "bool":
        return str(node.value).lower() == "true"
    if kind in ("int", "float"):
        number = float(node.value)
        return int(node.value) if kind == "int" else int(number) if number.is_integer() else number
    return node.value


def _mapping(node: yaml.MappingNode, pointer: str, marked: Marked, findings: list[Finding]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode) or key.tag != "tag:yaml.org,2002:str":
            findings.append(_found_at(key.start_mark, pointer, "key", "a key is a text; quote it"))
            continue
        inner = f"{pointer}/{escaped(key.value)}"
        if key.value in result:
            findings.append(_found_at(key.start_mark, inner, "duplicate_key", "this key stands twice"))
            continue
        marked.keys[inner] = (key.start_mark.line + 1, key.start_mark.column + 1)
        result[key.value] = _value(value, inner, marked, findings)
    return result


class _Mark(Protocol):
    line: int
    column: int


def _found_at(mark: _Mark | None, pointer: str, rule: str, detail: str) -> Finding:
    return Finding(mark.line + 1 if mark else 1, mark.column + 1 if mark else 1, pointer, rule, detail)


def escaped(key: str) -> str:
    """The key as a part of a JSON pointer (RFC 6901)."""
    return key.replace("~", "~0").replace("/", "~1")


def broken_rules(error: ValidationError, data: Any) -> list[Broken]:
    """What pydantic refused, by JSON pointer into the data; the names of union members are no part of it.

    Of several alternatives that all failed at one field, the first speaks.
    """
    found: dict[str, Broken] = {}
    for one in error.errors(include_url=False, include_context=False, include_input=False):
        pointer = _pointer(one["loc"], data, missing=one["type"] == "missing")
        found.setdefault(pointer, Broken(pointer, rule_of(one["type"]), one["msg"]))
    return list(found.values())


def _pointer(loc: Sequence[str | int], data: Any, *, missing: bool) -> str:
    parts: list[str] = []
    for number, part in enumerate(loc):
        last_missing = missing and number == len(loc) - 1
        inside_list = isinstance(data, list) and isinstance(part, int) and part < len(data)
        if (isinstance(data, Mapping) and part in data) or inside_list:
            data = data[part]
        elif not last_missing:
            continue
        parts.append(escaped(str(part)))
    return "".join(f"/{part}" for part in parts)
