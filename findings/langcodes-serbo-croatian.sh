#!/usr/bin/env bash
# langcodes 3.5.1 shows the language `sh` (ISO 639-3 `hbs`, Serbo-Croatian) as "Serbian (Latin)", and `prs` (Dari) as
# "Persian (Afghanistan)": it puts CLDR's aliases in the place of what was said before it names it. CLDR's own names, as
# babel has them, are others for both. So whoever has written down what a person from Bosnia or Afghanistan speaks, and
# shows it by this library, shows another language than was said; and whoever normalises by it can never ask again.
#
# Seen with langcodes 3.5.1, language_data 1.4.0, babel 2.18.0, Python 3.11:
#   hbs: sr-Latn, "Serbian (Latin)"; babel: sh, "Serbo-Croatian"
#   prs: fa-AF, "Persian (Afghanistan)"; babel: fa_AF, "Dari"
#
# Exit code 1 where the behaviour is another.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q langcodes==3.5.1 language_data==1.4.0 babel==2.18.0
"$work/venv/bin/python" - <<'PYTHON'
import sys

from babel import Locale
from langcodes import Language, standardize_tag

seen = {code: (standardize_tag(code), Language.get(code).display_name("en")) for code in ("hbs", "prs")}
named = {code: Locale("en").languages[code] for code in ("sh", "fa_AF")}
print(seen, named)
expected = {"hbs": ("sr-Latn", "Serbian (Latin)"), "prs": ("fa-AF", "Persian (Afghanistan)")}
sys.exit(0 if (seen, named) == (expected, {"sh": "Serbo-Croatian", "fa_AF": "Dari"}) else "it names them otherwise")
PYTHON
