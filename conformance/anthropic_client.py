"""The official anthropic client against Stoa, with the mock provider and, where there is one, the real local model behind it.

STOA_BIN and MOCK_OPENAI_BIN name the programs (target/debug by default); STOA_TEST_MODEL, a GGUF file, is optional. The
last line is `N passed, M failed, K skipped`.
"""

import json
import sys
import unittest

import anthropic

from server import LOCAL_NAME, MODEL_FILE, PROVIDER_KEY, Stoa
from suite import PICTURE, run

LOCAL_MODEL = f"local/{LOCAL_NAME}"
MOCK_MODELS = [
    "echo", "counter-50", "reasoning", "tool", "cut", "malformed", "error-midstream", "error-401", "error-429", "error-500",
    "echo;finish=length",
]
LOOK = {
    "name": "look", "description": "Looks",
    "input_schema": {"type": "object", "properties": {"said": {"type": "string"}}, "required": ["said"]},
}


class WithStoa(unittest.TestCase):
    """One server for all tests."""

    stoa: Stoa
    client: anthropic.Anthropic

    def client_with(self, **options):
        return anthropic.Anthropic(
            **{"base_url": self.stoa.url, "api_key": self.stoa.key, "max_retries": 0, "timeout": 60, **options}
        )

    def setUp(self):
        self.client = self.client_with()
        self.addCleanup(self.client.close)

    def asked(self, model="mock/echo", text="hello", **options):
        # The protocol has sampling options that the client's newest signature leaves out.
        sampling = {name: options.pop(name) for name in ("temperature", "top_k") if name in options}
        if sampling:
            options["extra_body"] = sampling
        return {"model": model, "max_tokens": 4_000, "messages": [{"role": "user", "content": text}], **options}

    def create(self, *what, **options):
        return self.client.messages.create(**self.asked(*what, **options))

    def refused(self, kind, *what, **options):
        with self.assertRaises(kind) as caught:
            self.create(*what, **options)
        error = caught.exception
        self.assertEqual(error.body["type"], "error")
        self.assertTrue(error.body["error"]["message"])
        self.assertEqual(error.body["request_id"], error.response.headers["request-id"])
        return error


class Answers(WithStoa):
    def test_a_whole_answer(self):
        answer = self.create(text="one two three")
        self.assertEqual((answer.type, answer.role, answer.model), ("message", "assistant", "mock/echo"))
        self.assertEqual([(block.type, block.text) for block in answer.content], [("text", "one two three")])
        self.assertEqual((answer.stop_reason, answer.usage.output_tokens), ("end_turn", 3))
        self.assertTrue(answer.id.startswith("msg_"))
        self.assertTrue(answer._request_id.startswith("req_"))

    def test_a_streamed_answer(self):
        with self.client.messages.stream(**self.asked("mock/counter-50")) as stream:
            events = list(stream)
            answer = stream.get_final_message()
        self.assertEqual(answer.content[0].text.split(), [str(number) for number in range(50)])
        self.assertEqual((answer.stop_reason, answer.usage.output_tokens), ("end_turn", 50))
        self.assertGreater(sum(event.type == "text" for event in events), 10)
        self.assertEqual((events[0].type, events[-1].type), ("message_start", "message_stop"))

    def test_thoughts_are_blocks_of_their_own(self):
        answer = self.create("mock/reasoning", "so be it")
        self.assertEqual([block.type for block in answer.content], ["thinking", "text"])
        self.assertEqual(len(answer.content[0].thinking.split()), 24)
        with self.client.messages.stream(**self.asked("mock/reasoning", "so be it")) as stream:
            streamed = stream.get_final_message()
        self.assertEqual(
            [block.model_dump() for block in streamed.content], [block.model_dump() for block in answer.content]
        )
        quiet = self.create(
            "mock/reasoning", "so be it", thinking={"type": "enabled", "budget_tokens": 2_048, "display": "omitted"}
        )
        self.assertEqual([block.type for block in quiet.content], ["text"])

    def test_tools_are_called_and_answered(self):
        call, = self.create("mock/tool", "a cat", tools=[LOOK]).content
        self.assertEqual((call.type, call.name, call.input), ("tool_use", "look", {"said": "a cat"}))
        with self.client.messages.stream(**self.asked("mock/tool", "a cat", tools=[LOOK])) as stream:
            streamed = stream.get_final_message()
        self.assertEqual(streamed.stop_reason, "tool_use")
        self.assertEqual((streamed.content[0].name, streamed.content[0].input), ("look", {"said": "a cat"}))
        self.stoa.forget_upstream()
        self.create("mock/echo", messages=[
            {"role": "user", "content": "a cat"},
            {"role": "assistant", "content": [call.model_dump()]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "it sleeps"}]},
        ], tools=[LOOK], tool_choice={"type": "auto", "disable_parallel_tool_use": True})
        (sent,) = self.stoa.upstream()["requests"]
        said = sent["body"]["messages"]
        self.assertEqual([message["role"] for message in said], ["user", "assistant", "tool"])
        self.assertEqual(said[1]["tool_calls"][0]["id"], call.id)
        self.assertEqual((said[2]["tool_call_id"], said[2]["content"]), (call.id, "it sleeps"))
        self.assertIs(sent["body"]["parallel_tool_calls"], False)
        self.assertEqual(sent["body"]["tools"][0]["function"]["parameters"], LOOK["input_schema"])

    def test_system_pictures_and_options_reach_the_provider(self):
        self.stoa.forget_upstream()
        source = {"type": "base64", "media_type": "image/png", "data": PICTURE.split(",")[1]}
        self.create(
            text=[{"type": "text", "text": "See"}, {"type": "image", "source": source}],
            system="Be brief.", temperature=0.5, stop_sequences=["END"],
            thinking={"type": "enabled", "budget_tokens": 2_048},
        )
        body = self.stoa.upstream()["requests"][0]["body"]
        self.assertEqual(body["messages"][0], {"role": "system", "content": "Be brief."})
        self.assertEqual(body["messages"][1]["content"][1], {"type": "image_url", "image_url": {"url": PICTURE}})
        self.assertEqual((body["temperature"], body["stop"], body["max_tokens"]), (0.5, ["END"], 4_000))
        self.assertEqual(body["reasoning_effort"], "low")

    def test_an_answer_cut_by_its_length_says_so(self):
        self.assertEqual(self.create("mock/echo;finish=length").stop_reason, "max_tokens")

    def test_models_are_listed(self):
        models = {model.id: model for model in self.client.models.list()}
        self.assertLessEqual({f"mock/{name}" for name in MOCK_MODELS}, set(models))
        self.assertEqual(models["mock/echo"].type, "model")


class Refusals(WithStoa):
    def test_a_key_that_is_not_known_is_refused(self):
        self.client = self.client_with(api_key="sk-none")
        self.assertEqual(self.refused(anthropic.AuthenticationError).body["error"]["type"], "authentication_error")

    def test_the_key_goes_as_a_bearer_token_too(self):
        client = self.client_with(api_key=None, auth_token=self.stoa.key)
        self.assertEqual(client.messages.create(**self.asked(text="hi")).content[0].text, "hi")

    def test_a_model_that_is_not_there_is_not_found(self):
        self.assertEqual(self.refused(anthropic.NotFoundError, "mock/none").body["error"]["type"], "not_found_error")

    def test_what_is_not_supported_is_refused_by_name(self):
        for name, options in {
            "temperature": {"temperature": 1.5},
            "top_k": {"top_k": 5},
            "tools[0].type": {"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
            "container": {"container": "x"},
            "messages": {"messages": []},
        }.items():
            with self.subTest(name):
                error = self.refused(anthropic.BadRequestError, **options)
                self.assertEqual(error.body["error"]["type"], "invalid_request_error")
                self.assertIn(f"`{name}`", error.body["error"]["message"])

    def test_a_rate_limit_is_passed_on_with_its_delay(self):
        error = self.refused(anthropic.RateLimitError, "mock/error-429")
        self.assertEqual(error.response.headers["retry-after"], "7")

    def test_the_providers_troubles_are_not_the_callers(self):
        for model in ("mock/error-401", "mock/error-500"):
            with self.subTest(model):
                error = self.refused(anthropic.InternalServerError, model)
                self.assertEqual(error.body["error"]["type"], "api_error")
                self.assertNotIn(PROVIDER_KEY, str(error.body))

    def test_a_stream_that_breaks_is_an_error_and_not_an_end(self):
        for model in ("mock/cut", "mock/malformed", "mock/error-midstream"):
            with self.subTest(model):
                got = []
                with self.assertRaises(anthropic.APIError):
                    with self.client.messages.stream(**self.asked(model)) as stream:
                        got += stream.text_stream
                self.assertEqual(len("".join(got).split()), 8)


@unittest.skipUnless(MODEL_FILE, "no starter model (offline)")
class LocalModel(WithStoa):
    def test_the_same_question_has_the_same_answer_streamed_or_whole(self):
        question = self.asked(LOCAL_MODEL, "What is 2+2?", max_tokens=24, temperature=0, top_k=1)
        whole = self.client.messages.create(**question).content[0].text
        with self.client.messages.stream(**question) as stream:
            self.assertEqual("".join(stream.text_stream), whole)
        self.assertIn("4", whole)

    def test_it_answers_by_a_schema(self):
        schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"],
                  "additionalProperties": False}
        answer = self.create(
            LOCAL_MODEL, "Name a city as JSON.", max_tokens=200, temperature=0,
            output_config={"format": {"type": "json_schema", "schema": schema}},
        )
        self.assertEqual(list(json.loads(answer.content[0].text)), ["city"])

    def test_the_listener_of_local_models_needs_no_key(self):
        client = self.client_with(base_url=self.stoa.ollama_url, api_key="made up")
        answer = client.messages.create(**self.asked(LOCAL_NAME, "What is 2+2?", max_tokens=8, temperature=0))
        self.assertEqual((answer.model, answer.stop_reason), (LOCAL_NAME, answer.stop_reason))
        self.assertTrue(answer.content[0].text.strip())

    def test_it_answers_through_every_protocol_that_leads_back_here(self):
        """The server as its own provider: what one half of it says the other half reads."""
        question = {"max_tokens": 8, "temperature": 0}
        direct = self.create(LOCAL_MODEL, "What is 2+2?", **question)
        for kind, address, model in (
            ("openai", f"{self.stoa.url}/v1", LOCAL_MODEL), ("responses", f"{self.stoa.url}/v1", LOCAL_MODEL),
            ("anthropic", f"{self.stoa.url}/v1", LOCAL_MODEL), ("ollama", self.stoa.ollama_url, LOCAL_NAME),
        ):
            with self.subTest(kind):
                name = self.stoa.add_provider(kind, address, model)
                answer = self.create(name, "What is 2+2?", **question)
                self.assertEqual(answer.content, direct.content)
                self.assertEqual((answer.stop_reason, answer.usage.output_tokens), ("max_tokens", 8))


if __name__ == "__main__":
    sys.exit(run(WithStoa, (Answers, Refusals, LocalModel), MOCK_MODELS))
