"""An agent that asks a model through Stoa and passes its answer on.

It may call models, as its settings say: therefore the environment says where Stoa is (`STOA_URL`) and what to show there
(`STOA_TOKEN`). OpenAI's own client finds both as well. Which model it asks, you say in `MODEL`.
"""

import json
import os
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NAME = "agent"
ROLE = "You answer in one short paragraph, and you end with a question."


def answer(messages):
    """Yields the answer to a conversation, piece by piece."""
    token = os.environ.get("STOA_TOKEN")
    if not token:
        yield "I may not call models yet: allow it in the settings of this function."
        return
    body = {
        "model": os.environ.get("MODEL", "local/smollm2:135m"),
        "messages": [{"role": "system", "content": ROLE}, *messages],
        "stream": True,
    }
    request = urllib.request.Request(
        os.environ["STOA_URL"] + "/v1/chat/completions",
        data=json.dumps(body).encode(),
        headers={"content-type": "application/json", "authorization": f"Bearer {token}"},
    )
    try:
        with urllib.request.urlopen(request) as response:
            yield from pieces(response)
    except urllib.error.HTTPError as error:
        yield f"The model did not answer ({error.code}): {error.read(2000).decode(errors='replace')}"


def pieces(response):
    for line in response:
        data = line.decode().strip().removeprefix("data: ")
        if not data or data == "[DONE]":
            continue
        for choice in json.loads(data).get("choices", []):
            piece = choice.get("delta", {}).get("content")
            if piece:
                yield piece


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
