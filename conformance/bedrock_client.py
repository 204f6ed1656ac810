"""Amazon's boto3 against the mock provider's Bedrock, and Stoa between the two: what Stoa is tested against has to be what
Amazon's own client understands and signs for.

STOA_BIN and MOCK_OPENAI_BIN name the programs (target/debug by default). The last line is `N passed, M failed, K skipped`.
"""

import base64
import json
import subprocess
import sys
import unittest
import urllib.error
import urllib.request

import boto3
from botocore.config import Config
from botocore.eventstream import ChecksumMismatch
from botocore.exceptions import ClientError, EventStreamError

from server import MOCK, Stoa
from suite import PICTURE, run

REGION = "eu-west-1"
KEY_ID, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
SESSION_ID, SESSION_TOKEN = "ASIAIOSFODNN7EXAMPLE", "IQoJb3JpZ2luX2VjEXAMPLE//token=="
MOCK_MODELS = ["echo"]
LOOK = {"toolSpec": {
    "name": "look", "description": "Looks",
    "inputSchema": {"json": {"type": "object", "properties": {"said": {"type": "string"}}}},
}}


class Mock:
    """A mock provider with a key of its own."""

    def __init__(self, key):
        self.process = subprocess.Popen([MOCK, "--key", key], stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().strip()

    def client(self, service="bedrock-runtime", key_id=KEY_ID, secret=SECRET, token=None):
        return boto3.client(
            service, region_name=REGION, endpoint_url=self.url,
            aws_access_key_id=key_id, aws_secret_access_key=secret, aws_session_token=token,
            config=Config(retries={"total_max_attempts": 1}, read_timeout=30),
        )

    def requests(self):
        with urllib.request.urlopen(f"{self.url}/__mock/requests", timeout=10) as answer:
            return json.loads(answer.read())["requests"]

    def stop(self):
        self.process.terminate()
        self.process.wait(20)
        self.process.stdout.close()


class WithMock(unittest.TestCase):
    """A mock for each class, that takes requests signed with the one access key."""

    stoa: Stoa
    mock: Mock

    @classmethod
    def setUpClass(cls):
        cls.mock = Mock(f"{KEY_ID}:{SECRET}")
        cls.addClassCleanup(cls.mock.stop)
        cls.client = cls.mock.client()
        cls.addClassCleanup(cls.client.close)

    def stream(self, model, text="hello", **options):
        messages = [{"role": "user", "content": [{"text": text}]}]
        return self.client.converse_stream(modelId=model, messages=messages, **options)["stream"]

    def blocks(self, events):
        """The deltas of each block put together, and what stands at the end."""
        blocks, ends = {}, {}
        for event in events:
            (kind, said), = event.items()
            if kind == "contentBlockStart":
                blocks[said["contentBlockIndex"]] = {**said["start"]["toolUse"], "input": ""}
            elif kind == "contentBlockDelta":
                (of, piece), = said["delta"].items()
                block = blocks.setdefault(said["contentBlockIndex"], {of: ""})
                if of == "toolUse":
                    block["input"] += piece["input"]
                else:
                    block[of] += piece["text"] if of == "reasoningContent" else piece
            else:
                ends[kind] = said
        return [blocks[index] for index in sorted(blocks)], ends


class Streams(WithMock):
    """Event streams, read by Amazon's client, which looks at every checksum."""

    def test_an_answer_comes_in_its_events(self):
        for model in ("echo", "echo;split=1", "echo;split=7", "us.anthropic.some-v1:0/echo"):
            with self.subTest(model):
                events = list(self.stream(model, "Grüße, 漢字 and\nmore"))
                self.assertEqual(list(events[0]), ["messageStart"])
                self.assertEqual([list(event) for event in events[-3:]], [["contentBlockStop"], ["messageStop"], ["metadata"]])
                blocks, ends = self.blocks(events)
                self.assertEqual(blocks, [{"text": "Grüße, 漢字 and\nmore"}])
                self.assertEqual(ends["messageStop"]["stopReason"], "end_turn")
                self.assertEqual(ends["metadata"]["usage"], {"inputTokens": 4, "outputTokens": 4, "totalTokens": 8})

    def test_thoughts_are_blocks_of_their_own(self):
        blocks, _ = self.blocks(self.stream("reasoning", "the answer"))
        self.assertEqual([list(block) for block in blocks], [["reasoningContent"], ["text"]])
        self.assertEqual((len(blocks[0]["reasoningContent"].split()), blocks[1]["text"]), (24, "the answer"))

    def test_a_tool_is_called(self):
        blocks, ends = self.blocks(self.stream("tool", "a cat", toolConfig={"tools": [LOOK]}))
        self.assertEqual(len(blocks), 1)
        self.assertEqual((blocks[0]["name"], json.loads(blocks[0]["input"])), ("look", {"said": "a cat"}))
        self.assertEqual(ends["messageStop"]["stopReason"], "tool_use")

    def test_a_bounded_answer_says_so(self):
        _, ends = self.blocks(self.stream("echo;finish=length"))
        self.assertEqual(ends["messageStop"]["stopReason"], "max_tokens")

    def test_a_failure_in_the_middle_is_an_exception_behind_what_came(self):
        events = []
        with self.assertRaises(EventStreamError) as caught:
            for event in self.stream("error-midstream"):
                events.append(event)
        self.assertEqual(len(events), 9)
        self.assertEqual(caught.exception.response["Error"]["Code"], "internalServerException")
        self.assertIn("had an error", str(caught.exception))

    def test_a_wrong_checksum_is_a_wrong_checksum(self):
        """What Stoa is to refuse Amazon's client refuses too, for the same reason."""
        with self.assertRaises(ChecksumMismatch):
            list(self.stream("malformed"))

    def test_a_whole_answer_has_one_message(self):
        messages = [{"role": "user", "content": [{"text": "hello"}]}]
        answer = self.client.converse(modelId="echo", messages=messages)
        self.assertEqual(answer["output"]["message"], {"role": "assistant", "content": [{"text": "hello"}]})
        self.assertEqual((answer["stopReason"], answer["usage"]["totalTokens"]), ("end_turn", 2))


class Refusals(WithMock):
    """Errors, and requests signed by somebody else."""

    def refused(self, client, model="echo"):
        with self.assertRaises(ClientError) as caught:
            client.converse_stream(modelId=model, messages=[{"role": "user", "content": [{"text": "hello"}]}])
        return caught.exception.response

    def test_an_error_has_amazons_name(self):
        for status, name in (
            (400, "ValidationException"), (403, "AccessDeniedException"), (404, "ResourceNotFoundException"),
            (424, "ModelErrorException"), (429, "ThrottlingException"), (500, "InternalServerException"),
            (503, "ServiceUnavailableException"),
        ):
            with self.subTest(status):
                response = self.refused(self.client, f"error-{status}")
                self.assertEqual(response["Error"]["Code"], name)
                self.assertIn(str(status), response["Error"]["Message"])
                self.assertEqual(response["ResponseMetadata"]["HTTPStatusCode"], status)

    def test_only_the_right_access_key_is_taken(self):
        for key in ({"secret": "another"}, {"key_id": "AKIAIOSFODNN7ANOTHER"}, {"token": "of-a-session"}):
            with self.subTest(key):
                client = self.mock.client(**key)
                self.addCleanup(client.close)
                self.assertEqual(self.refused(client)["ResponseMetadata"]["HTTPStatusCode"], 401)

    def test_a_session_needs_its_token(self):
        mock = Mock(f"{SESSION_ID}:{SECRET}:{SESSION_TOKEN}")
        self.addCleanup(mock.stop)
        for token, is_taken in ((SESSION_TOKEN, True), (None, False), ("another", False)):
            with self.subTest(token):
                client = mock.client(key_id=SESSION_ID, token=token)
                self.addCleanup(client.close)
                if is_taken:
                    client.converse(modelId="echo", messages=[{"role": "user", "content": [{"text": "hello"}]}])
                else:
                    self.assertEqual(self.refused(client)["ResponseMetadata"]["HTTPStatusCode"], 401)


class Lists(WithMock):
    """The models, and the profiles beside them."""

    def test_models_and_profiles_are_listed(self):
        client = self.mock.client("bedrock")
        self.addCleanup(client.close)
        models = client.list_foundation_models(byOutputModality="TEXT")["modelSummaries"]
        echo = next(model for model in models if model["modelId"] == "echo")
        self.assertEqual((echo["inferenceTypesSupported"], echo["responseStreamingSupported"]), (["ON_DEMAND"], True))
        profiles = client.list_inference_profiles(maxResults=1000)["inferenceProfileSummaries"]
        self.assertEqual([profile["inferenceProfileId"] for profile in profiles], ["us.mock.echo"])


class Between(WithMock):
    """Stoa asks the same mock, which takes nothing but what is signed as Amazon's client signs."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        host = cls.mock.url.removeprefix("http://")
        cls.stoa.call("POST", "/api/v1/egress/allowances", {"authority": host})
        cls.provider = cls.stoa.call("POST", "/api/v1/providers", {
            "name": "Bedrock", "slug": "bedrock", "kind": "bedrock",
            "base_url": f"{cls.mock.url}?region={REGION}", "api_key": f"{KEY_ID}:{SECRET}",
        })
        cls.place = f"/api/v1/providers/{cls.provider['id']}"
        fetched = cls.stoa.call("POST", f"{cls.place}/models/fetch")
        cls.models = [model["name"] for model in fetched["models"]]
        names = ["echo", "tool", "error-429", "some.model-v1:0/echo"]
        cls.stoa.call("PUT", f"{cls.place}/models", {"models": [{"name": name} for name in names]})

    def ask(self, model, content, **options):
        body = {"model": f"bedrock/{model}", "messages": [{"role": "user", "content": content}], **options}
        headers = {"Authorization": f"Bearer {self.stoa.key}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.stoa.url}/v1/chat/completions", json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())["choices"][0]

    def test_models_and_profiles_are_fetched(self):
        self.assertIn("echo", self.models)
        self.assertIn("us.mock.echo", self.models)

    def test_the_connection_is_checked(self):
        checked = self.stoa.call("POST", f"{self.place}/check", {"model": "echo"})
        self.assertEqual((checked.get("ok", True), checked["model"]), (True, "echo"), checked)

    def test_what_is_asked_reaches_the_model_signed(self):
        for model in ("echo", "some.model-v1:0/echo"):
            with self.subTest(model):
                content = [{"type": "text", "text": "hello"}, {"type": "image_url", "image_url": {"url": PICTURE}}]
                self.assertEqual(self.ask(model, content)["message"]["content"], "hello [saw image/png]")
                told = self.mock.requests()[-1]
                self.assertIn(f"/{REGION}/bedrock/aws4_request", told["headers"]["authorization"])
                picture = told["body"]["messages"][0]["content"][1]["image"]
                self.assertEqual(picture["format"], "png")
                self.assertEqual(base64.b64decode(picture["source"]["bytes"])[:4], b"\x89PNG")

    def test_a_tool_is_called(self):
        tool = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
        choice = self.ask("tool", "a cat", tools=[tool])
        call = choice["message"]["tool_calls"][0]["function"]
        self.assertEqual((choice["finish_reason"], call["name"]), ("tool_calls", "look"))
        self.assertEqual(json.loads(call["arguments"]), {"said": "a cat"})

    def test_the_secret_is_in_no_log(self):
        with self.assertRaises(urllib.error.HTTPError) as caught:
            self.ask("error-429", "hello")
        self.assertEqual(caught.exception.code, 429)
        self.assertNotIn(SECRET, caught.exception.read().decode())
        self.assertNotIn(SECRET, "".join(self.stoa.log))


if __name__ == "__main__":
    sys.exit(run(WithMock, (Streams, Refusals, Lists, Between), MOCK_MODELS))
