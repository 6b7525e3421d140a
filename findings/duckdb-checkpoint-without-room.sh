#!/usr/bin/env bash
# DuckDB 2.0.0: a COMMIT raises although the transaction is durable, where the automatic checkpoint after it finds no
# room; and from then on every connection of the process is refused, readers of what was committed long ago too. A new
# connection gets the same database, so nothing can be read before all connections are closed and the file is opened
# anew. So who writes beside readers has to reopen after a full disk, and to ask the file what stands in it.
#
# Seen with duckdb 2.0.0, Python 3.11, Linux:
#   write: FatalException, 'Transaction COMMIT succeeded and is durable, but the autocheckpoint failed'
#   read on another connection: FatalException
#   read on a new connection: FatalException
#   opened anew: 2000 rows more than COMMITs that returned
#
# A limit on the size of the process's files stands in for the full disk, so no right is needed. Exit code 1 where the
# behaviour is another.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q duckdb==2.0.0
"$work/venv/bin/python" - "$work" <<'PYTHON'
import os
import resource
import sys

import duckdb

ROWS = 2000
path = f"{sys.argv[1]}/file.duckdb"
SETTINGS = {"checkpoint_threshold": "300KB"}


def asked(connection):
    """Rows, or the class of the error."""
    try:
        return connection.execute("SELECT count(*) FROM t").fetchall()[0][0]
    except duckdb.Error as error:
        return type(error).__name__


root = duckdb.connect(path, config=SETTINGS)
writer, reader = root.cursor(), root.cursor()
writer.execute("CREATE TABLE t (s VARCHAR)")
writer.execute("CHECKPOINT")
resource.setrlimit(resource.RLIMIT_FSIZE, (os.path.getsize(path) + 400_000, resource.RLIM_INFINITY))
returned, raised = 0, None
while raised is None and returned < 100 * ROWS:
    try:
        writer.execute(f"INSERT INTO t SELECT md5(random()::VARCHAR) FROM range({ROWS})")
        returned += ROWS
    except duckdb.Error as error:
        raised = error
new = duckdb.connect(path, config=SETTINGS)
found = (type(raised).__name__, "succeeded and is durable" in str(raised), asked(reader), asked(new))
for connection in (new, reader, writer, root):
    connection.close()
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
rows = asked(duckdb.connect(path))
print(f"duckdb {duckdb.__version__}")
print(f"write: {found[0]}, says that it is durable: {found[1]}")
print(f"read on another connection: {found[2]}; on a new one: {found[3]}")
print(f"opened anew: {rows} rows, of which {returned} by COMMITs that returned")
expected = ("FatalException", True, "FatalException", "FatalException")
sys.exit(0 if (*found, rows) == (*expected, returned + ROWS) else 1)
PYTHON
