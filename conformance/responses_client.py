"""The official openai client's `responses` against Stoa, with the mock provider and, where there is one, the real local
model behind it.

STOA_BIN and MOCK_OPENAI_BIN name the programs (target/debug by default); STOA_TEST_MODEL, a GGUF file, is optional. The
last line is `N passed, M failed, K skipped`.
"""

import json
import sys
import unittest

import openai

from server import LOCAL_NAME, MODEL_FILE, Stoa
from suite import PICTURE, run

LOCAL_MODEL = f"local/{LOCAL_NAME}"
MOCK_MODELS = [
    "echo", "counter-50", "reasoning", "tool", "cut", "malformed", "error-midstream", "error-429", "error-500",
    "echo;finish=length",
]
LOOK = {
    "type": "function", "name": "look", "description": "Looks", "strict": True,
    "parameters": {
        "type": "object", "properties": {"said": {"type": "string"}}, "required": ["said"], "additionalProperties": False,
    },
}


class WithStoa(unittest.TestCase):
    """One server for all tests."""

    stoa: Stoa
    client: openai.OpenAI

    def client_with(self, **options):
        return openai.OpenAI(
            **{"base_url": f"{self.stoa.url}/v1", "api_key": self.stoa.key, "max_retries": 0, "timeout": 60, **options}
        )

    def setUp(self):
        self.client = self.client_with()
        self.addCleanup(self.client.close)

    def create(self, model="mock/echo", text="hello", text_format=None, **options):
        if text_format:
            options["text"] = {"format": text_format}
        return self.client.responses.create(**{"model": model, "input": text, **options})

    def events(self, *what, **options):
        """The events of a stream, their numbers checked."""
        events = list(self.create(*what, stream=True, **options))
        self.assertEqual([event.sequence_number for event in events], list(range(len(events))))
        return events

    def refused(self, kind, *what, **options):
        with self.assertRaises(kind) as caught:
            self.create(*what, **options)
        self.assertEqual(set(caught.exception.body), {"message", "type", "param", "code"})
        return caught.exception


class Answers(WithStoa):
    def test_a_whole_answer(self):
        answer = self.create(text="one two three", metadata={"a": "b"})
        self.assertEqual((answer.object, answer.status, answer.model), ("response", "completed", "mock/echo"))
        self.assertEqual((answer.output_text, answer.usage.output_tokens), ("one two three", 3))
        self.assertEqual((answer.metadata, answer.model_dump()["store"]), ({"a": "b"}, False))

    def test_a_streamed_answer_comes_in_the_order_that_is_laid_down(self):
        kinds = [event.type for event in self.events("mock/counter-50")]
        order = [kind for place, kind in enumerate(kinds) if place == 0 or kinds[place - 1] != kind]
        self.assertEqual(order, [
            "response.created", "response.in_progress", "response.output_item.added", "response.content_part.added",
            "response.output_text.delta", "response.output_text.done", "response.content_part.done",
            "response.output_item.done", "response.completed",
        ])
        self.assertEqual(kinds.count("response.output_text.delta"), 50)

    def test_the_clients_own_picture_of_a_stream_is_the_whole_answer(self):
        for model, options in (("mock/counter-50", {}), ("mock/reasoning", {}), ("mock/tool", {"tools": [LOOK]})):
            with self.subTest(model):
                with self.client.responses.stream(model=model, input="a cat", **options) as stream:
                    for _ in stream:
                        pass
                    streamed = stream.get_final_response()
                whole = self.create(model, "a cat", **options)
                self.assertEqual([item.type for item in streamed.output], [item.type for item in whole.output])
                self.assertEqual(streamed.output_text, whole.output_text)

    def test_thoughts_are_items_of_their_own(self):
        answer = self.create("mock/reasoning", "so be it")
        self.assertEqual([item.type for item in answer.output], ["reasoning", "message"])
        self.assertEqual(len(answer.output[0].content[0].text.split()), 24)
        thought = [event.delta for event in self.events("mock/reasoning") if event.type == "response.reasoning_text.delta"]
        self.assertEqual("".join(thought), answer.output[0].content[0].text)

    def test_functions_are_called_and_answered(self):
        call, = self.create("mock/tool", "a cat", tools=[LOOK]).output
        self.assertEqual((call.type, call.name, json.loads(call.arguments)), ("function_call", "look", {"said": "a cat"}))
        done, = [event for event in self.events("mock/tool", "a cat", tools=[LOOK])
                 if event.type == "response.function_call_arguments.done"]
        self.assertEqual(json.loads(done.arguments), {"said": "a cat"})
        self.stoa.forget_upstream()
        self.create(text=[
            {"role": "user", "content": "a cat"}, call.model_dump(exclude_none=True),
            {"type": "function_call_output", "call_id": call.call_id, "output": "it sleeps"},
        ], tools=[LOOK], parallel_tool_calls=False)
        body = self.stoa.upstream()["requests"][0]["body"]
        self.assertEqual([message["role"] for message in body["messages"]], ["user", "assistant", "tool"])
        self.assertEqual(body["messages"][2]["tool_call_id"], body["messages"][1]["tool_calls"][0]["id"])
        self.assertIs(body["parallel_tool_calls"], False)
        self.assertEqual(body["tools"][0]["function"]["parameters"], LOOK["parameters"])

    def test_what_is_asked_reaches_the_provider(self):
        self.stoa.forget_upstream()
        self.create(
            text=[{"role": "user", "content": [
                {"type": "input_text", "text": "See"}, {"type": "input_image", "image_url": PICTURE, "detail": "auto"},
            ]}],
            instructions="Be brief.", reasoning={"effort": "high"}, max_output_tokens=9, temperature=0.5,
            text_format={"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": True},
        )
        body = self.stoa.upstream()["requests"][0]["body"]
        self.assertEqual(body["messages"][0], {"role": "system", "content": "Be brief."})
        self.assertEqual(body["messages"][1]["content"][1]["image_url"]["url"], PICTURE)
        self.assertEqual((body["reasoning_effort"], body["max_tokens"], body["temperature"]), ("high", 9, 0.5))
        self.assertEqual(body["response_format"]["json_schema"]["schema"], {"type": "object"})

    def test_an_answer_cut_by_its_length_says_so(self):
        answer = self.create("mock/echo;finish=length")
        self.assertEqual((answer.status, answer.incomplete_details.reason), ("incomplete", "max_output_tokens"))
        self.assertEqual(self.events("mock/echo;finish=length")[-1].type, "response.incomplete")


class Refusals(WithStoa):
    def test_what_would_have_to_be_kept_is_refused_by_name(self):
        for name, options in {
            "previous_response_id": {"previous_response_id": "resp_1"},
            "background": {"background": True},
            "store": {"store": True},
            "conversation": {"conversation": "conv_1"},
            "tools[0].type": {"tools": [{"type": "web_search"}]},
            "truncation": {"truncation": "auto"},
        }.items():
            with self.subTest(name):
                error = self.refused(openai.BadRequestError, **options)
                self.assertEqual(error.param, name)
                self.assertIn(f"`{name}`", error.message)

    def test_an_unknown_model_is_not_found(self):
        self.assertEqual(self.refused(openai.NotFoundError, "mock/none").code, "model_not_found")

    def test_a_stream_that_breaks_is_a_failed_response(self):
        for model in ("mock/cut", "mock/malformed", "mock/error-midstream"):
            with self.subTest(model):
                events = self.events(model)
                self.assertEqual(events[-1].type, "response.failed")
                self.assertEqual((events[-1].response.status, events[-1].response.error.code), ("failed", "server_error"))
                self.assertEqual(len(events[-1].response.output_text.split()), 8)

    def test_the_providers_refusals_are_told(self):
        self.assertEqual(
            self.refused(openai.RateLimitError, "mock/error-429").response.headers["retry-after"], "7"
        )
        self.refused(openai.InternalServerError, "mock/error-500")


@unittest.skipUnless(MODEL_FILE, "no starter model (offline)")
class LocalModel(WithStoa):
    def test_the_same_question_has_the_same_answer_streamed_or_whole(self):
        options = {"max_output_tokens": 24, "temperature": 0}
        whole = self.create(LOCAL_MODEL, "What is 2+2?", **options)
        self.assertEqual(self.events(LOCAL_MODEL, "What is 2+2?", **options)[-1].response.output_text, whole.output_text)
        self.assertIn("4", whole.output_text)

    def test_it_answers_by_a_schema(self):
        schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"],
                  "additionalProperties": False}
        answer = self.create(LOCAL_MODEL, "Name a city as JSON.", max_output_tokens=200, temperature=0, text_format={
            "type": "json_schema", "name": "city", "schema": schema, "strict": True,
        })
        self.assertEqual(list(json.loads(answer.output_text)), ["city"])

    def test_the_listener_of_local_models_needs_no_key(self):
        client = self.client_with(base_url=f"{self.stoa.ollama_url}/v1", api_key="made up")
        answer = client.responses.create(model=LOCAL_NAME, input="What is 2+2?", max_output_tokens=8, temperature=0)
        self.assertTrue(answer.output_text.strip())


if __name__ == "__main__":
    sys.exit(run(WithStoa, (Answers, Refusals, LocalModel), MOCK_MODELS))
