"""Where a page of this system may send somebody on to: a path of the same system, as a browser writes one."""

from __future__ import annotations

import re
from urllib.parse import unquote

from shared.web.pages.readers import RETURN_CHARACTERS_AT_MOST

_OWN = re.compile(r"/[\w.~%!$&'()*+,;=:@/-]*(?:\?[\w.~%!$&'()*+,;=:@/?-]*)?", re.ASCII)


def is_own(to: str, service: str | None = None) -> bool:
    """Whether it is a path here, and of that service. No browser reads it as one of another host.

    What it reads as another path than this does (`//`, `..`, a backslash, however they are encoded) is none.
    """
    if len(to) > RETURN_CHARACTERS_AT_MOST or not _OWN.fullmatch(to):
        return False
    path = unquote(unquote(to.partition("?")[0]))
    parts = path.split("/")
    if not path.isascii() or not path.isprintable() or "\\" in path or {".", ".."} & set(parts) or "" in parts[1:-1]:
        return False
    return service is None or parts[1] == service
