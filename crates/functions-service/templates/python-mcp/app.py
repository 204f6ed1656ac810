"""A server of tools in the Model Context Protocol (streamable HTTP), at `/mcp`.

`TOOLS` is the place to change: a function for each tool, with what it takes.
"""

import json
import os
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

VERSIONS = ["2025-06-18", "2025-03-26", "2024-11-05"]


def roll(arguments):
    count, sides = int(arguments.get("count", 1)), int(arguments.get("sides", 6))
    if not (1 <= count <= 100 and 2 <= sides <= 1000):
        raise ValueError("1 to 100 dice of 2 to 1,000 sides")
    return ", ".join(str(int.from_bytes(os.urandom(8)) % sides + 1) for _ in range(count))


def now(arguments):
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def number(what):
    return {"type": "integer", "description": what}


TOOLS = {
    "roll": (
        roll,
        "Rolls dice.",
        {"type": "object", "properties": {"count": number("How many."), "sides": number("Sides of each.")}},
    ),
    "now": (now, "The time, in UTC.", {"type": "object", "properties": {}}),
}


def call(method, parameters):
    if method == "initialize":
        asked = parameters.get("protocolVersion")
        return {
            "protocolVersion": asked if asked in VERSIONS else VERSIONS[0],
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "tools", "version": "1.0.0"},
        }
    if method == "ping":
        return {}
    if method == "tools/list":
        return {
            "tools": [
                {"name": name, "description": what, "inputSchema": takes} for name, (_, what, takes) in TOOLS.items()
            ]
        }
    if method == "tools/call":
        tool = TOOLS.get(parameters.get("name"))
        if tool is None:
            raise LookupError("there is no such tool")
        try:
            text, wrong = str(tool[0](parameters.get("arguments") or {})), False
        except Exception as error:
            text, wrong = str(error), True
        return {"content": [{"type": "text", "text": text}], "isError": wrong}
    raise LookupError("there is no such method")


class Server(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        # There is nothing to be told without being asked.
        self.send(405 if self.path == "/mcp" else 200, {"status": "ok"})

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        try:
            message = json.loads(body)
            method, number = message["method"], message.get("id")
        except (ValueError, KeyError, TypeError, AttributeError):
            return self.send(400, {"jsonrpc": "2.0", "id": None, "error": {"code": -32700, "message": "no request"}})
        if number is None:
            return self.send(202, None)
        answer = {"jsonrpc": "2.0", "id": number}
        try:
            answer["result"] = call(method, message.get("params") or {})
        except LookupError as error:
            answer["error"] = {"code": -32601, "message": str(error)}
        self.send(200, answer)

    def send(self, status, value):
        body = b"" if value is None else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *values):
        print(format % values)


if __name__ == "__main__":
    ThreadingHTTPServer(("0.0.0.0", int(os.environ.get("PORT", "9000"))), Server).serve_forever()
