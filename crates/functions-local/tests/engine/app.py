import os, signal, sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, text):
        body = text.encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/stream":
            self.send_response(200)
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            for number in range(5):
                self.wfile.write(b"2\r\n%d\n\r\n" % number)
                self.wfile.flush()
                time.sleep(0.05)
            self.wfile.write(b"0\r\n\r\n")
        else:
            self.answer("hello from " + self.path)

    # Runs what it is sent, and answers with what that leaves in `answer`.
    def do_POST(self):
        code = self.rfile.read(int(self.headers["content-length"])).decode()
        scope = {}
        try:
            exec(code, scope)
            self.answer(str(scope.get("answer")))
        except BaseException as error:
            self.answer(f"{type(error).__name__}: {error}")

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 128


Server(("0.0.0.0", int(os.environ["PORT"])), Handler).serve_forever()
