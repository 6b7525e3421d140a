"""The chart above a table as Vega-Lite: a bar for each line of the table, labelled with the words of its cell.

It has no number of its own: every text is the table's, and a bar has the length of the value that stands there. Bars
lie below their names, so that names of any length and language have room on a telephone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from markupsafe import Markup

from services.monitoring.pages.lines import Line
from shared.web.pages.formatting import filled
from shared.web.pages.languages import direction
from shared.web.pages.words import translations

Breadth = Literal["narrow", "wide"]
WIDTHS: dict[Breadth, int] = {"narrow": 340, "wide": 720}
# What a label needs beside the longest bar.
LABEL_WIDTH = 165
# A row's height; in it the baselines of name and label, and from where to where bar and target reach.
ROW_HEIGHT, NAME_AT, LABEL_AT, BAR, GOAL = 56, 14, 39, (25, 43), (21, 47)
HEIGHTS = (NAME_AT, LABEL_AT, *BAR, *GOAL)
INK, PAPER, BRAND = "#1a1d1c", "#ffffff", "#0b5d4e"
FONT = "system-ui, Noto Sans, Noto Sans Arabic, sans-serif"
# A text runs as its page does, whatever it begins with.
_ISOLATES = {"ltr": "\N{LEFT-TO-RIGHT ISOLATE}", "rtl": "\N{RIGHT-TO-LEFT ISOLATE}"}
_END = "\N{POP DIRECTIONAL ISOLATE}"


def rows_of(lines: Sequence[Line], language: str) -> list[dict[str, Any]]:
    """What the chart holds of each line: its name, its words, and as numbers the value and the target that are shown.

    `size` and `goal` are None where there is none; `end`: up to where the row reaches.
    """
    isolate = _ISOLATES[direction(language)]
    found = []
    for number, line in enumerate(lines):
        size = None if line.size is None else float(line.size)
        reach = max(size or 0.0, float(line.goal or 0))
        found.append(
            {
                "top": number * ROW_HEIGHT,
                "name": f"{isolate}{_plain(line.name)}{_END}",
                "label": f"{isolate}{_plain(_label(line, language))}{_END}",
                "size": size,
                "goal": line.goal,
                "end": reach,
            }
        )
    return found


def spec_of(lines: Sequence[Line], language: str, breadth: Breadth) -> dict[str, Any]:
    """The Vega-Lite specification."""
    rows = rows_of(lines, language)
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "width": WIDTHS[breadth],
        "height": max(len(rows), 1) * ROW_HEIGHT,
        "padding": 4,
        "background": None,
        "data": {"values": rows},
        "transform": [{"calculate": f"datum.top + {at}", "as": f"at{at}"} for at in HEIGHTS],
        "layer": _layers(rows, WIDTHS[breadth], direction(language) == "rtl"),
        "config": {"view": {"stroke": None}, "aria": False},
    }


def _layers(rows: Sequence[dict[str, Any]], width: int, rtl: bool) -> list[dict[str, Any]]:
    bars = [width, LABEL_WIDTH] if rtl else [0, width - LABEL_WIDTH]
    scale = {"domain": [0, max([row["end"] for row in rows], default=0) or 1], "range": bars, "nice": False}
    edge, aligned, step = (width, "right", -6) if rtl else (0, "left", 6)

    def along(field: str) -> dict[str, Any]:
        return {"field": field, "type": "quantitative", "scale": scale, "axis": None}

    text = {"type": "text", "align": aligned, "baseline": "alphabetic", "font": FONT, "fontSize": 14, "fill": INK}
    bold, moved = {**text, "fontWeight": 600, "limit": 0}, {**text, "dx": step, "limit": 0}
    return [
        _layer({"type": "rect", "fill": BRAND}, "size", x=along("size"), x2={"datum": 0}, **_between(*BAR)),
        # The target's line is seen on the bar too, in greyscale as well.
        *(
            _layer({"type": "rule", "stroke": colour, "strokeWidth": broad}, "goal", x=along("goal"), **_between(*GOAL))
            for colour, broad in ((PAPER, 7), (INK, 3))
        ),
        _layer(bold, "top", x={"value": edge}, y=_down(NAME_AT), text={"field": "name"}),
        _layer(moved, "top", x=along("end"), y=_down(LABEL_AT), text={"field": "label"}),
    ]


def _layer(mark: dict[str, Any], needed: str, **encoding: Any) -> dict[str, Any]:
    """A mark for each row that has the field `needed`."""
    return {"mark": mark, "transform": [{"filter": f"isValid(datum.{needed})"}], "encoding": encoding}


def _between(top: int, bottom: int) -> dict[str, Any]:
    return {"y": _down(top), "y2": {"field": f"at{bottom}"}}


def _down(at: int) -> dict[str, Any]:
    return {"field": f"at{at}", "type": "quantitative", "scale": None, "axis": None}


def _label(line: Line, language: str) -> Markup | str:
    if line.goal is None:
        return line.said
    sentence = translations(language).gettext("%(value)s (target: %(target)s)")
    return filled(sentence, value=line.said, target=line.target)


def _plain(text: Markup | str) -> str:
    return text.striptags() if isinstance(text, Markup) else text
