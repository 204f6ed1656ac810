"""A Stoa server on a database of its own, with the mock provider beside it, for conformance tests."""

import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
STOA = os.environ.get("STOA_BIN", str(ROOT / "target/debug/stoa"))
MOCK = os.environ.get("MOCK_OPENAI_BIN", str(ROOT / "target/debug/mock-openai"))
MODEL_FILE = os.environ.get("STOA_TEST_MODEL")
LOCAL_NAME = "smollm2:135m"
OWNER = {"email": "owner@example.org", "password": "correct horse battery"}
# What the server has to present to the provider, and nobody else ever sees.
PROVIDER_KEY = "sk-mock-provider-key"
START_SECONDS = 30


class Stoa:
    """Both processes, a signed-in owner, the provider `mock` and an API key."""

    def __init__(self, models):
        self.folder = tempfile.TemporaryDirectory(prefix="stoa-conformance-")
        self.processes = []
        self.cookie = None
        self.log = []
        try:
            self.start(models)
        except BaseException:
            self.stop()
            raise

    def start_registry(self):
        """A real registry of models on a free port of this machine; its `host:port`."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            host = f"127.0.0.1:{probe.getsockname()[1]}"
        folder = pathlib.Path(self.folder.name) / "registry"
        folder.mkdir()
        settings = folder / "settings.yml"
        settings.write_text(json.dumps({
            "version": 0.1, "log": {"level": "error"}, "http": {"addr": host},
            "storage": {"filesystem": {"rootdirectory": str(folder / "data")}, "delete": {"enabled": True}},
        }))
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        registry = subprocess.Popen(["docker-registry", "serve", str(settings)], **quiet)
        self.processes.append(registry)
        return host

    def start(self, models):
        self.registry = self.start_registry()
        mock = subprocess.Popen([MOCK, "--key", PROVIDER_KEY], stdout=subprocess.PIPE, text=True)
        self.processes.append(mock)
        self.mock_url = mock.stdout.readline().strip()
        if not self.mock_url.startswith("http://"):
            raise RuntimeError(f"{MOCK} does not start")
        environment = {
            "PATH": os.environ.get("PATH", ""),
            "HOME": self.folder.name,
            "STOA_DATA_DIR": self.folder.name,
            "STOA_LISTEN": "127.0.0.1:0",
            "STOA_OLLAMA_LISTEN": "127.0.0.1:0",
            "STOA_OWNER_EMAIL": OWNER["email"],
            "STOA_OWNER_PASSWORD": OWNER["password"],
            "STOA_EGRESS_ALLOW": f"{self.mock_url.removeprefix('http://')},{self.registry}",
            "STOA_LOG_FORMAT": "text",
            "STOA_DRAIN_SECONDS": "2",
        }
        if MODEL_FILE:
            importing = [STOA, "model", "import", MODEL_FILE, "--name", LOCAL_NAME]
            subprocess.run(importing, env=environment, check=True, stdout=sys.stderr, timeout=120)
        server = subprocess.Popen([STOA, "serve"], env=environment, stderr=subprocess.PIPE, text=True)
        self.processes.append(server)
        self.url = self.ready(server)
        self.call("POST", "/api/v1/session", OWNER)
        self.key = self.new_key("conformance")["key"]
        provider = {
            "name": "Mock", "slug": "mock", "kind": "openai",
            "base_url": f"{self.mock_url}/v1", "api_key": PROVIDER_KEY, "enabled": True,
        }
        provider_id = self.call("POST", "/api/v1/providers", provider)["id"]
        self.call("PUT", f"/api/v1/providers/{provider_id}/models", {"models": [{"name": name} for name in models]})

    def ready(self, server):
        """The address, from the line of the log that says so. The rest of the log is kept for when something fails."""
        found, done = [], threading.Event()

        def follow():
            for line in server.stderr:
                self.log.append(line)
                if "Ollama's protocol at http://" in line:
                    self.ollama_url = "http://" + line.split("protocol at http://")[1].split()[0].strip('"')
                if not found and "ready at http://" in line:
                    found.append("http://" + line.split("ready at http://")[1].split()[0].strip('"'))
                    done.set()
            done.set()

        threading.Thread(target=follow, daemon=True).start()
        done.wait(START_SECONDS)
        if not found:
            raise RuntimeError(f"{STOA} does not start:\n{''.join(self.log)}")
        return found[0]

    def tool(self, *arguments):
        """What the program prints at a terminal of another machine, whose store is empty at first."""
        elsewhere = pathlib.Path(self.folder.name) / "elsewhere"
        environment = {
            "PATH": os.environ.get("PATH", ""), "STOA_DATA_DIR": str(elsewhere), "STOA_EGRESS_ALLOW": self.registry,
        }
        done = subprocess.run([STOA, *arguments], env=environment, capture_output=True, text=True, timeout=120)
        return done.returncode, done.stdout + done.stderr

    def new_key(self, name, **fields):
        return self.call("POST", "/api/v1/api-keys", {"name": name, **fields})

    def add_provider(self, kind, address, model):
        """A provider of this server's own key; the id of its one model here."""
        host = urllib.parse.urlsplit(address).netloc
        if host not in [allowed["authority"] for allowed in self.call("GET", "/api/v1/egress/allowances")["items"]]:
            self.call("POST", "/api/v1/egress/allowances", {"authority": host})
        provider = self.call("POST", "/api/v1/providers", {
            "name": kind, "slug": f"own-{kind}", "kind": kind, "base_url": address, "api_key": self.key,
        })
        self.call("PUT", f"/api/v1/providers/{provider['id']}/models", {"models": [{"name": model}]})
        return f"own-{kind}/{model}"

    def call(self, method, path, body=None):
        """A request of the owner's browser."""
        request = urllib.request.Request(self.url + path, method=method)
        request.add_header("Origin", self.url)
        if self.cookie:
            request.add_header("Cookie", self.cookie)
        data = None
        if body is not None:
            request.add_header("Content-Type", "application/json")
            data = json.dumps(body).encode()
        try:
            with urllib.request.urlopen(request, data, timeout=30) as answer:
                if cookie := answer.headers.get("Set-Cookie"):
                    self.cookie = cookie.split(";")[0]
                content = answer.read()
                return json.loads(content) if content else None
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{method} {path}: {error.code} {error.read().decode()}") from error

    def upstream(self):
        """What the provider was sent: `counts`, and the latest `requests` with headers, body and outcome."""
        with urllib.request.urlopen(f"{self.mock_url}/__mock/requests", timeout=10) as answer:
            return json.loads(answer.read())

    def forget_upstream(self):
        request = urllib.request.Request(f"{self.mock_url}/__mock/requests", method="DELETE")
        with urllib.request.urlopen(request, timeout=10):
            pass

    def stop(self):
        for process in reversed(self.processes):
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.folder.cleanup()


def eventually(question, seconds=10):
    """Asks until the answer is true; the last answer either way."""
    end = time.monotonic() + seconds
    while not (answer := question()) and time.monotonic() < end:
        time.sleep(0.05)
    return answer
