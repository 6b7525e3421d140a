#!/usr/bin/env bash
# Chromium holds `form-action 'self'` against where the answer to a form leads, too: the post is sent and done, and its
# 303 to another address (an OpenID issuer's) is then not followed. The person stays on the form without a word, and the
# server has already begun what it will never hear of again. So a sign-in button under that policy works with an issuer
# under the same address, in every test that has one, and nowhere else. A link instead of a form, or the issuer's origin
# in the policy, is followed.
#
# Seen with Chromium 156 (Debian), Python 3.11's http.server on loopback:
#   form-action 'self':                posted, the other address is not asked
#   form-action 'self' and its origin: posted, the other address is asked
#
# Needs `chromium` on the path. Exit code 1 where the behaviour is another, 77 where there is no Chromium.
set -euo pipefail
chromium=$(command -v chromium || command -v chromium-browser || command -v google-chrome) || exit 77
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$chromium" --version
CHROMIUM=$chromium WORK=$work python3 - <<'PYTHON'
import os
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from subprocess import DEVNULL

PAGE = b"""<!doctype html><title>form</title><form method="post"></form><script>document.forms[0].submit()</script>"""
asked = []


class Any(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def answered(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in {"Content-Type": "text/html", "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)


class Site(Any):
    def do_GET(self):
        allowed = f" {issuer}" if self.path == "/issuer-named" else ""
        self.answered(200, PAGE, Content_Security_Policy=f"form-action 'self'{allowed}")

    def do_POST(self):
        asked.append("posted")
        self.rfile.read(int(self.headers["Content-Length"] or 0))
        self.answered(303, Location=f"{issuer}/authorize")


class Issuer(Any):
    def do_GET(self):
        if self.path == "/authorize":
            asked.append("issuer asked")
        self.answered(200, b"sign in")


def serving(handler):
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_address[1]}"


site, issuer = serving(Site), serving(Issuer)
seen = {}
for case in ("self-alone", "issuer-named"):
    asked.clear()
    words = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={os.environ['WORK']}/{case}"]
    # A navigation that is held back never ends a headless visit by itself.
    visit = subprocess.Popen([os.environ["CHROMIUM"], *words, f"{site}/{case}"], stdout=DEVNULL, stderr=DEVNULL)
    ends = time.monotonic() + 60
    while "posted" not in asked and time.monotonic() < ends:
        time.sleep(0.1)
    time.sleep(5)
    visit.kill()
    visit.wait()
    seen[case] = list(asked)
print(seen)
expected = {"self-alone": ["posted"], "issuer-named": ["posted", "issuer asked"]}
sys.exit(0 if seen == expected else "a redirect after a form is treated otherwise")
PYTHON
