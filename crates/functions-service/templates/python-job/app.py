"""Does something at times: add a timer to the function, and it is called with a POST to `/run`.

`work` is the place to change. What it prints is in the log.
"""

import os
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def work():
    print("working at", time.strftime("%H:%M:%S"))
    return "done"


class Job(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.answer(200, "ok")

    def do_POST(self):
        self.rfile.read(int(self.headers.get("content-length") or 0))
        if self.path != "/run":
            return self.answer(404, "there is nothing here")
        try:
            self.answer(200, work())
        except Exception as error:
            print("failed:", error)
            self.answer(500, str(error))

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
    ThreadingHTTPServer(("0.0.0.0", int(os.environ.get("PORT", "9000"))), Job).serve_forever()
