"""Words of a template that are the same on each page of a language, put in their places once.

A list's page has eighty of them, and to look one up, mark and escape it takes longer than a row of the list.
"""

from __future__ import annotations

import re

from jinja2.ext import Extension
from markupsafe import escape

from shared.web.pages.words import translations

# A text of the catalogue that stands by itself, as `{{ _("Save") }}`.
_ALONE = re.compile(r"""\{\{ _\("([^"{}\\]+)"\) \}\}""")
# What a text cannot have in it and stay text once it stands in a template.
_MEANS_MORE = re.compile(r"\{[{%#]|[%#}]\}")


class FixedWords(Extension):
    """Reads templates so. `environment.language` says of which language, before the first template is read."""

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        words = translations(self.environment.language)  # type: ignore[attr-defined]

        def said(found: re.Match[str]) -> str:
            text = str(escape(words.gettext(found[1])))
            return found[0] if _MEANS_MORE.search(text) else text

        return _ALONE.sub(said, source)
