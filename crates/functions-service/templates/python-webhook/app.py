"""Takes what another service sends, if it is signed with the secret that both know.

Keep the secret with the function as `WEBHOOK_SECRET`, open its address to everybody in the settings, and give that address
to the service. `received` is the place to change.
"""

import hashlib
import hmac
import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def received(event):
    print("received", json.dumps(event)[:1000])


def is_signed(body, signature):
    secret = os.environ.get("WEBHOOK_SECRET", "")
    expected = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return bool(secret) and hmac.compare_digest(f"sha256={expected}", signature or "")


class Webhook(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.answer(200, "ok")

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        if not is_signed(body, self.headers.get("x-hub-signature-256")):
            return self.answer(401, "the signature is missing or wrong")
        try:
            received(json.loads(body))
        except ValueError:
            return self.answer(400, "the body is not JSON")
        self.answer(200, "taken")

    def answer(self, status, text):
        body = text.encode()
        self.send_response(status)
        self.send_header("content-type", "text/plain; charset=utf-8")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *values):
        print(format % values)


if __name__ == "__main__":
    ThreadingHTTPServer(("0.0.0.0", int(os.environ.get("PORT", "9000"))), Webhook).serve_forever()
