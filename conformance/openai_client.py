"""The official openai client against Stoa, with the mock provider and, where there is one, the real local model behind it.

Needs STOA_BIN and MOCK_OPENAI_BIN; STOA_TEST_MODEL is optional. The last line is `N passed, M failed, K skipped`.
"""

import asyncio
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.request

import openai

OWNER = {"email": "owner@example.org", "password": "correct horse battery"}
MODEL_FILE = os.environ.get("STOA_TEST_MODEL")
LOCAL_MODEL = "local/smollm2:135m"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Stoa:
    """A server on a database of its own, and the mock provider beside it."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="stoa-openai-")
        self.mock = subprocess.Popen([os.environ["MOCK_OPENAI_BIN"]], stdout=subprocess.PIPE, text=True)
        mock_url = self.mock.stdout.readline().strip()
        self.mock_url = mock_url
        self.url = f"http://127.0.0.1:{free_port()}"
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("STOA_")},
            "STOA_DATA_DIR": self.folder.name,
            "STOA_LISTEN": self.url.removeprefix("http://"),
            "STOA_OWNER_EMAIL": OWNER["email"],
            "STOA_OWNER_PASSWORD": OWNER["password"],
            "STOA_EGRESS_ALLOW": mock_url.removeprefix("http://"),
            "STOA_LOG_FORMAT": "json",
        }
        program = os.environ["STOA_BIN"]
        if MODEL_FILE:
            importing = [program, "model", "import", MODEL_FILE, "--name", "smollm2:135m"]
            subprocess.run(importing, env=environment, check=True, stdout=sys.stderr)
        self.log = open(pathlib.Path(self.folder.name) / "log", "w+", encoding="utf-8")
        self.server = subprocess.Popen([program, "serve"], env=environment, stderr=self.log, stdout=self.log)
        self.wait_until_ready()
        self.cookie = None
        self.call("POST", "/api/v1/session", OWNER)
        self.key = self.call("POST", "/api/v1/api-keys", {"name": "conformance"})["key"]
        provider = {
            "name": "Mock", "slug": "mock", "kind": "openai",
            "base_url": f"{mock_url}/v1", "api_key": "sk-mock", "enabled": True,
        }
        provider_id = self.call("POST", "/api/v1/providers", provider)["id"]
        names = ["echo", "counter-50", "mock-20tps", "endless", "reasoning", "error-401", "error-429", "cut"]
        models = [
            {"name": name, "display_name": None, "context_window": None, "abilities": [], "enabled": True}
            for name in names
        ]
        self.call("PUT", f"/api/v1/providers/{provider_id}/models", {"models": models})

    def wait_until_ready(self):
        for _ in range(300):
            try:
                with urllib.request.urlopen(f"{self.url}/health/ready", timeout=2):
                    return
            except OSError:
                if self.server.poll() is not None:
                    break
                time.sleep(0.1)
        self.log.seek(0)
        raise RuntimeError(f"the server does not start:\n{self.log.read()}")

    def call(self, method, path, body=None):
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

    def client(self, **options):
        return openai.OpenAI(base_url=f"{self.url}/v1", **{"api_key": self.key, "max_retries": 0, **options})

    def mock_requests(self):
        with urllib.request.urlopen(f"{self.mock_url}/__mock/requests", timeout=10) as answer:
            return json.loads(answer.read())

    def stop(self):
        self.server.terminate()
        try:
            self.server.wait(60)
        finally:
            self.server.kill()
            self.mock.kill()
            self.mock.wait()
            self.log.close()
            self.folder.cleanup()


def said(text):
    return [{"role": "user", "content": text}]


class OpenAiClient(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stoa = Stoa()
        cls.client = cls.stoa.client()

    @classmethod
    def tearDownClass(cls):
        cls.stoa.stop()

    def test_models_are_listed(self):
        models = {model.id: model for model in self.client.models.list()}
        self.assertIn("mock/echo", models)
        self.assertEqual(models["mock/echo"].object, "model")

    def test_a_whole_answer(self):
        answer = self.client.chat.completions.create(model="mock/echo", messages=said("one two three"))
        self.assertEqual(answer.object, "chat.completion")
        self.assertEqual(answer.model, "mock/echo")
        self.assertEqual(answer.choices[0].message.role, "assistant")
        self.assertEqual(answer.choices[0].message.content, "one two three")
        self.assertEqual(answer.choices[0].finish_reason, "stop")
        self.assertEqual(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens)

    def test_a_streamed_answer_arrives_in_pieces_and_in_order(self):
        stream = self.client.chat.completions.create(model="mock/counter-50", messages=said("count"), stream=True)
        chunks = list(stream)
        pieces = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices and chunk.choices[0].delta.content]
        self.assertGreater(len(pieces), 1)
        self.assertEqual("".join(pieces).split(), [str(number) for number in range(50)])
        self.assertEqual({chunk.object for chunk in chunks}, {"chat.completion.chunk"})
        self.assertEqual(len({chunk.id for chunk in chunks}), 1)
        reasons = [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices and chunk.choices[0].finish_reason]
        self.assertEqual(reasons, ["stop"])
        self.assertTrue(all(chunk.usage is None for chunk in chunks))

    def test_usage_is_streamed_when_asked_for(self):
        stream = self.client.chat.completions.create(
            model="mock/echo", messages=said("a b"), stream=True, stream_options={"include_usage": True}
        )
        last = list(stream)[-1]
        self.assertEqual(last.choices, [])
        self.assertGreater(last.usage.total_tokens, 0)

    def test_tokens_are_not_held_back(self):
        stream = self.client.chat.completions.create(model="mock/mock-20tps", messages=said("slowly"), stream=True)
        arrivals = []
        for chunk in stream:
            if chunk.choices and chunk.choices[0].delta.content:
                arrivals.append(time.monotonic())
            if len(arrivals) == 8:
                break
        stream.close()
        # At 20 tokens a second, eight that were held back would come at once.
        self.assertGreater(arrivals[-1] - arrivals[0], 0.2)

    def test_the_async_client(self):
        async def ask():
            async with openai.AsyncOpenAI(
                base_url=f"{self.stoa.url}/v1", api_key=self.stoa.key, max_retries=0
            ) as client:
                return await asyncio.gather(*[
                    client.chat.completions.create(model="mock/echo", messages=said(f"number {number}"))
                    for number in range(8)
                ])

        answers = [answer.choices[0].message.content for answer in asyncio.run(ask())]
        self.assertEqual(answers, [f"number {number}" for number in range(8)])

    def test_sampling_parameters_reach_the_provider(self):
        self.client.chat.completions.create(
            model="mock/echo", messages=said("parameters"), temperature=0.25, top_p=0.5, presence_penalty=0.5,
            frequency_penalty=-0.5, max_tokens=17,
        )
        text = json.dumps(self.stoa.mock_requests())
        for part in ("0.25", "17"):
            self.assertIn(part, text)

    def test_closing_a_stream_stops_the_provider(self):
        stream = self.client.chat.completions.create(model="mock/endless", messages=said("go on"), stream=True)
        next(iter(stream))
        stream.close()
        # The server is free again: another question is answered.
        answer = self.client.chat.completions.create(model="mock/echo", messages=said("still there"))
        self.assertEqual(answer.choices[0].message.content, "still there")

    def test_an_unknown_model_is_not_found(self):
        with self.assertRaises(openai.NotFoundError) as caught:
            self.client.chat.completions.create(model="mock/none", messages=said("hello"))
        self.assertEqual(caught.exception.code, "model_not_found")

    def test_a_wrong_key_is_refused(self):
        for key in ("sk-wrong", "x"):
            with self.assertRaises(openai.AuthenticationError):
                self.stoa.client(api_key=key).models.list()

    def test_absurd_parameters_are_bad_requests(self):
        for wrong in ({"temperature": 99}, {"top_p": -1}, {"max_tokens": -5}, {"messages": []}):
            with self.subTest(wrong), self.assertRaises(openai.BadRequestError):
                self.client.chat.completions.create(**{"model": "mock/echo", "messages": said("hello"), **wrong})

    def test_errors_of_the_provider_have_a_status_and_a_message(self):
        with self.assertRaises(openai.APIStatusError) as caught:
            self.client.chat.completions.create(model="mock/error-401", messages=said("hello"))
        # The provider's key is wrong, not the caller's.
        self.assertGreaterEqual(caught.exception.status_code, 500)
        self.assertTrue(caught.exception.message)
        with self.assertRaises(openai.RateLimitError):
            self.client.chat.completions.create(model="mock/error-429", messages=said("hello"))

    def test_a_stream_that_is_cut_off_is_an_error(self):
        stream = self.client.chat.completions.create(model="mock/cut", messages=said("hello"), stream=True)
        with self.assertRaises(openai.APIError):
            list(stream)

    def test_many_streams_at_once_stay_apart(self):
        results = {}

        def ask(number):
            stream = self.client.chat.completions.create(
                model="mock/echo", messages=said(f"stream {number} says hello"), stream=True
            )
            results[number] = "".join(
                chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices
            )

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(results, {number: f"stream {number} says hello" for number in range(16)})

    @unittest.skipUnless(MODEL_FILE, "no starter model (offline)")
    def test_the_real_local_model_answers(self):
        models = [model.id for model in self.client.models.list()]
        self.assertIn(LOCAL_MODEL, models)
        stream = self.client.chat.completions.create(
            model=LOCAL_MODEL, messages=said("Say hello."), stream=True, max_tokens=16, temperature=0,
            stream_options={"include_usage": True},
        )
        chunks = list(stream)
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        self.assertTrue(text.strip())
        self.assertLessEqual(chunks[-1].usage.completion_tokens, 16)


def main():
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(OpenAiClient)
    result = unittest.TextTestRunner(stream=sys.stderr, verbosity=2).run(suite)
    failed = len({getattr(test, "test_case", test).id() for test, _ in result.failures + result.errors})
    skipped = len(result.skipped)
    passed = max(result.testsRun - failed - skipped, 0)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
