#!/usr/bin/env bash
# typst takes the direction of a paragraph, and with it the side on which its lines begin, from what is said of ALL of
# its text. So in a right-to-left document `text(dir: ltr, ..)` around a reference or a date, put there to keep its
# signs in order, leaves the paragraph on the right as long as one other word or one space stands beside it, and moves
# the whole line to the left edge where it stands alone: the field that is empty but for its number jumps across the
# page, and so does its cell in a grid. `align(start)` does not help, since `start` has turned with it; a side by name
# does, and so does a box.
#
# Seen with typst 0.15.2 (its Python package), page of 400 pt with margins of 20 pt, language ar:
#   the run beside a word      ends at the right margin
#   the run alone              begins at 20.0 pt, the left margin
#   alone, align(start)        begins at 20.0 pt
#   alone, align(right)        ends at the right margin
#   alone, in a box            ends at the right margin
#
# Exit code 1 where the behaviour is another.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q typst==0.15.2 pypdf==6.14.2
WORK=$work "$work/venv/bin/python" - <<'PYTHON'
import os
import sys
from importlib.metadata import version
from pathlib import Path

import pypdf
import typst

PAGE = '#set page(width: 400pt, height: 60pt, margin: 20pt)\n#set text(lang: "ar")\n'
RUN = "#text(dir: ltr)[ABC-1]"
CASES = {
    "beside a word": (f"رقم {RUN}", "right"),
    "alone": (RUN, "left"),
    "alone, align(start)": (f"#set align(start)\n{RUN}", "left"),
    "alone, align(right)": (f"#set align(right)\n{RUN}", "right"),
    "alone, in a box": (f"#box[{RUN}]", "right"),
}


def left_edge(source: str) -> float:
    """Where the reference begins, in points from the page's left edge."""
    file = Path(os.environ["WORK"]) / "page.typ"
    file.write_text(PAGE + source)
    (pdf := file.with_suffix(".pdf")).write_bytes(typst.compile(str(file)))
    edges: list[float] = []

    def seen(text, matrix, text_matrix, *_):
        if "ABC" in text:
            edges.append(matrix[0] * text_matrix[4] + matrix[4])

    pypdf.PdfReader(pdf).pages[0].extract_text(visitor_text=seen)
    return edges[0]


print("typst", version("typst"))
changed = False
for name, (source, side) in CASES.items():
    edge = left_edge(source)
    where = "left" if edge < 25 else "right"
    changed |= where != side
    print(f"  {name}: begins at {edge:.1f} pt, {where}")
sys.exit(changed)
PYTHON
