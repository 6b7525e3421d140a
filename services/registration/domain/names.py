"""Names as they are compared: never shown, never stored but as a keyed hash."""

from __future__ import annotations

import re
import unicodedata

_TATWEEL = "\u0640"
# Spellings of one Arabic letter that writers use for each other: alef with its marks, final ya, ta marbuta.
_SAME = str.maketrans({"أ": "ا", "إ": "ا", "آ": "ا", "ٱ": "ا", "ى": "ي", "ة": "ه", _TATWEEL: None})


def fold_name(*parts: str) -> str:
    """One case, no marks, one form of each letter; the words in order, so that swapped fields compare equal."""
    spelled = unicodedata.normalize("NFKC", " ".join(parts)).translate(_SAME)
    bare = spelled
    if not spelled.isascii():
        bare = "".join(one for one in unicodedata.normalize("NFKD", spelled) if not unicodedata.combining(one))
    return " ".join(sorted(re.findall(r"\w+", bare.casefold())))
