"""The process that draws: a Vega-Lite specification as JSON a line, the SVG as JSON a line, null where it failed.

It ends with the process that started it, and when there was nothing to draw for some minutes.
"""

from __future__ import annotations

import json
import select
import signal
import sys

IDLE_SECONDS = 600


def main() -> None:
    # Ctrl-C reaches the whole group; the process that waits for the answers decides what follows.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Not at the top: whoever imports this for its name does not draw.
    import vl_convert

    # Without a buffer, in which a line could lie that nobody is told of.
    asked = open(sys.stdin.fileno(), "rb", buffering=0, closefd=False)  # noqa: SIM115
    while select.select([asked], [], [], IDLE_SECONDS)[0]:
        line = asked.readline()
        if not line:
            return
        try:
            drawn = vl_convert.vegalite_to_svg(json.loads(line), allowed_base_urls=[])
        except ValueError:
            drawn = None
        sys.stdout.write(json.dumps(drawn) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
