"""Elements and their text, as IATI and ADX files are put together."""

from __future__ import annotations

from typing import BinaryIO
from xml.etree.ElementTree import Comment, Element, ElementTree, SubElement, indent

from services.monitoring.exports.stated import plain

LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"


def child(parent: Element, name: str, text: str | None = None, /, **attributes: str) -> Element:
    """A further element of the parent. `_` in an attribute's name stands for a hyphen."""
    found = SubElement(parent, name, {key.replace("_", "-"): plain(value) for key, value in attributes.items()})
    found.text = None if text is None else plain(text)
    return found


def remark(parent: Element, text: str) -> None:
    """A comment: for whoever reads the file, not for programs."""
    # Two hyphens would end it.
    parent.append(Comment(f" {plain(text).replace('--', '- -')} "))


def write_tree(root: Element, out: BinaryIO) -> None:
    indent(root, " ")
    ElementTree(root).write(out, encoding="utf-8", xml_declaration=True)
    out.write(b"\n")
