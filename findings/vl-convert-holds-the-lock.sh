#!/usr/bin/env bash
# vl-convert-python 1.9.0.post1: the interpreter's lock is held for the whole time in which a chart is drawn, although
# the work is done by an engine outside of Python. No other thread runs meanwhile: a server that draws in a thread pool,
# as one would with other native libraries, answers nobody for that long, and the first chart also starts the engine.
#
# Seen with vl-convert-python 1.9.0.post1, Python 3.11, Linux, two cores: beside one chart of 60 bars a thread that
# sleeps a millisecond at a time was silent for nearly as long as the drawing took (0.30 s of 0.30 s; longest silence of
# the same thread beside a sleep of 0.3 s: a few milliseconds).
#
# Exit code 1 where less than half of the drawing was silent.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q vl-convert-python==1.9.0.post1
"$work/venv/bin/python" - <<'PYTHON'
import sys
import threading
import time

import vl_convert

ROWS = [{"month": f"2026-{number:02d}", "value": number} for number in range(60)]
CHART = {
    "data": {"values": ROWS},
    "mark": "bar",
    "encoding": {"x": {"field": "month", "type": "nominal"}, "y": {"field": "value", "type": "quantitative"}},
}


def silent(act):
    """How long the act took, and the longest time in which a thread that wants to run every millisecond did not."""
    longest, ended = 0.0, threading.Event()

    def tick():
        nonlocal longest
        last = time.perf_counter()
        while not ended.is_set():
            time.sleep(0.001)
            now = time.perf_counter()
            longest, last = max(longest, now - last), now

    ticking = threading.Thread(target=tick)
    ticking.start()
    time.sleep(0.05)
    longest, began = 0.0, time.perf_counter()
    act()
    took = time.perf_counter() - began
    ended.set()
    ticking.join()
    return took, longest


vl_convert.vegalite_to_svg(CHART, allowed_base_urls=[])
asleep = silent(lambda: time.sleep(0.3))
drawing = sorted(silent(lambda: vl_convert.vegalite_to_svg(CHART, allowed_base_urls=[])) for _ in range(5))[2]
print("drawn in %.2f s, longest silence %.2f s; asleep for %.2f s, longest silence %.3f s" % (*drawing, *asleep))
sys.exit(0 if drawing[1] > drawing[0] / 2 else "other threads run while it draws")
PYTHON
