#!/usr/bin/env bash
# PyYAML reads an unquoted day as a date, and one that the calendar does not have (a month 13, the 30th of February) ends
# in Python's own ValueError: no YAMLError, and without the line and column that every YAMLError bears. So whoever catches
# yaml.YAMLError around safe_load, as its documentation shows, has an unhandled error for a slip of the finger in a date.
# The same kind: an escape beyond Unicode (ValueError), `!!float ""` (IndexError). A value between quotes is text and fine.
#
# Seen with PyYAML 6.0.3:
#   ends: 2026-13-01    ValueError month must be in 1..12
#   ends: 2026-02-30    ValueError day is out of range for month
#   share: !!float ""   IndexError string index out of range
#   ends: "2026-13-01"  text
#   ends: [2026-13-01   YAMLError with line and column
#
# Exit code 1 where the behaviour is another.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "pyyaml==6.0.3"
"$work/venv/bin/python" - <<'PYTHON'
import sys

import yaml


def found(text):
    try:
        return f"read {yaml.safe_load(text)!r}"
    except yaml.YAMLError as error:
        return f"YAMLError, its place is {'told' if error.problem_mark else 'not told'}"
    except Exception as error:
        return f"{type(error).__name__} {error}, its place is {'told' if hasattr(error, 'problem_mark') else 'not told'}"


EXPECTED = {
    "ends: 2026-12-01": "read {'ends': datetime.date(2026, 12, 1)}",
    "ends: 2026-13-01": "ValueError month must be in 1..12, its place is not told",
    "ends: 2026-02-30": "ValueError day is out of range for month, its place is not told",
    'share: !!float ""': "IndexError string index out of range, its place is not told",
    'ends: "2026-13-01"': "read {'ends': '2026-13-01'}",
    "ends: [2026-13-01": "YAMLError, its place is told",
}
print("PyYAML", yaml.__version__)
seen = {text: found(text) for text in EXPECTED}
for text, said in seen.items():
    print(f"{text:20} {said}")
sys.exit(seen != EXPECTED)
PYTHON
