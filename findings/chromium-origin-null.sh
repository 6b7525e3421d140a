#!/usr/bin/env bash
# Chromium sends `Origin: null` with a form that a page posts to its own address, where the page came with
# `Referrer-Policy: no-referrer`. The two headers that careful pages set, a policy that keeps addresses from leaking and
# a check of Origin against forged posts, so refuse every honest form: `null` is also what a forged post from a sandboxed
# frame says. With `same-origin` as the policy the origin is sent, and nothing leaks to others either.
#
# Seen with Chromium 156 (Debian), Python 3.11's http.server on loopback:
#   no-referrer: Origin null, Sec-Fetch-Site same-origin
#   same-origin: Origin http://127.0.0.1:<port>, Sec-Fetch-Site same-origin
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
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PAGE = b"""<!doctype html><title>form</title><form method="post" action="/sent"></form>
<script>document.forms[0].submit()</script>"""
POLICIES = ("no-referrer", "same-origin")
seen = {}


class Site(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def answered(self, body, **headers):
        self.send_response(200)
        for name, value in {"Content-Type": "text/html", "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.server.policy = self.path.strip("/")
        self.answered(PAGE, Referrer_Policy=self.server.policy)

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"] or 0))
        seen[self.server.policy] = (self.headers["Origin"], self.headers["Sec-Fetch-Site"])
        self.answered(b"done")


site = ThreadingHTTPServer(("127.0.0.1", 0), Site)
threading.Thread(target=site.serve_forever, daemon=True).start()
origin = f"http://127.0.0.1:{site.server_address[1]}"
for policy in POLICIES:
    words = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={os.environ['WORK']}/{policy}"]
    words += ["--virtual-time-budget=3000", "--dump-dom", f"{origin}/{policy}"]
    subprocess.run([os.environ["CHROMIUM"], *words], check=True, timeout=60, capture_output=True)
print(seen)
expected = {"no-referrer": ("null", "same-origin"), "same-origin": (origin, "same-origin")}
sys.exit(0 if seen == expected else "it says otherwise where a form comes from")
PYTHON
