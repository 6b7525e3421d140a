#!/usr/bin/env bash
# libhxl reads a CSV file with a byte order mark, which spreadsheets want for accents, as if the mark and the quotes
# after it belonged to the first header: the column is called `\ufeff"programme"`, and only its hashtag still finds it.
# And its sums go through floating-point numbers, so that whole numbers beyond 2**53 come out otherwise, without a word.
# So an HXL file is written without the mark, and who reads one adds up whole numbers with another library.
#
# Seen with libhxl 5.2.2 (with six and python-dateutil, which it needs and does not ask for), Python 3.11:
#   first header with the mark:    '\ufeff"programme"'
#   first header without the mark: 'programme'
#   sum of 9007199254740993 and 21 and 12 and 0: 9007199254741025 (right: 9007199254741026)
#
# Exit code 1 where the behaviour is another.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q libhxl==5.2.2 six==1.17.0 python-dateutil==2.9.0.post0
WORK=$work "$work/venv/bin/python" - <<'PYTHON'
import os
import sys

import hxl

ROWS = '"programme","reached"\r\n#activity+code,#reached\r\n' + "".join(
    f"a,{number}\r\n" for number in (9007199254740993, 21, 12, 0)
)


def read(name, text):
    path = os.path.join(os.environ["WORK"], name)
    with open(path, "w", encoding="utf-8", newline="") as file:
        file.write(text)
    return hxl.data(path, hxl.InputOptions(allow_local=True))


marked = read("marked.csv", "\ufeff" + ROWS).columns[0].header
plain = read("plain.csv", ROWS).columns[0].header
source = read("sums.csv", ROWS).count([], aggregators="sum(#reached) as Total#reached+total")
total = [row.get("#reached+total") for row in source][0]
print(f"first header with the mark:    {marked!r}")
print(f"first header without the mark: {plain!r}")
print(f"sum of 9007199254740993 and 21 and 12 and 0: {total}")
sys.exit((marked, plain, str(total)) != ('\ufeff"programme"', "programme", "9007199254741025"))
PYTHON
