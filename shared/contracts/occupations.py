"""The codes of ISCO-08 (International Labour Organization, 2008) in all four levels.

`occupations.json` lists the 436 unit groups, a line for each sub-major group; a group of a wider level is what its
unit groups begin with, so the levels cannot disagree.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

_FILE = Path(__file__).with_suffix(".json")


@cache
def occupation_codes() -> frozenset[str]:
    """Major, sub-major, minor and unit groups: 10, 43, 130 and 436 codes of one to four digits."""
    units = (code for group in json.loads(_FILE.read_text(encoding="utf-8")) for code in group)
    return frozenset(code[:length] for code in units for length in range(1, 5))
