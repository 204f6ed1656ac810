"""An agent that speaks the OpenAI protocol, so that people can chat with it like with any model.

`answer` is the place to change. Everything below it is the protocol.
"""

import json
import os
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NAME = "agent"


def answer(messages):
    """Yields the answer to a conversation, piece by piece."""
    question = text_of(messages[-1]) if messages else ""
    yield "Hello from your own agent! "
    yield f"You said: {question}"


def text_of(message):
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content if part.get("type") == "text")


class Agent(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/v1/models":
            self.send_json(200, {"object": "list", "data": [{"id": NAME, "object": "model", "owned_by": "you"}]})
        else:
            self.send_json(200, {"status": "ok"})

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        if self.path != "/v1/chat/completions":
            return self.send_json(404, {"error": {"message": "there is nothing here"}})
        try:
            request = json.loads(body)
            messages = request["messages"]
        except (ValueError, KeyError, TypeError):
            return self.send_json(400, {"error": {"message": "a list of messages is missing"}})
        if request.get("stream"):
            self.stream(messages)
        else:
            text = "".join(answer(messages))
            message = {"role": "assistant", "content": text}
            self.send_json(200, completion("chat.completion", {"message": message, "finish_reason": "stop"}))

    def stream(self, messages):
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        self.close_connection = True
        for piece in answer(messages):
            self.send_event(completion("chat.completion.chunk", {"delta": {"content": piece}, "finish_reason": None}))
        self.send_event(completion("chat.completion.chunk", {"delta": {}, "finish_reason": "stop"}))
        self.wfile.write(b"data: [DONE]\n\n")

    def send_event(self, event):
        self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())
        self.wfile.flush()

    def send_json(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *values):
        print(format % values)


def completion(kind, choice):
    return {
        "id": f"chatcmpl-{time.time_ns()}",
        "object": kind,
        "created": int(time.time()),
        "model": NAME,
        "choices": [{"index": 0, **choice}],
    }


if __name__ == "__main__":
    port = int(os.environ.get("PORT", "9000"))
    ThreadingHTTPServer(("0.0.0.0", port), Agent).serve_forever()
