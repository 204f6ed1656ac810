"""The official openai client against Stoa, with the mock provider and, where there is one, the real local model behind it.

STOA_BIN and MOCK_OPENAI_BIN name the programs (target/debug by default); STOA_TEST_MODEL, a GGUF file, is optional. The
last line is `N passed, M failed, K skipped`.
"""

import asyncio
import datetime
import sys
import threading
import time
import unittest

import openai

from server import LOCAL_NAME, MODEL_FILE, PROVIDER_KEY, Stoa, eventually
from suite import PICTURE, run

LOCAL_MODEL = f"local/{LOCAL_NAME}"
MOCK_MODELS = [
    "echo", "counter-50", "mock-20tps", "endless", "reasoning", "think-tags", "cut", "malformed", "error-midstream",
    "error-401", "error-429", "error-500", "error-html", "echo;finish=length", "whole",
]
# Beyond the basic plane, right to left, combining, quotes, line breaks and a backslash.
SCRIPTS = 'Grüße, 你好世界 🎉👩‍🚀 שלום e\u0301 “quoted” "plain" \\ and\nnew\tlines – end'
KEY_LASTS = datetime.timedelta(seconds=2)


def said(text):
    return [{"role": "user", "content": text}]


def shown():
    return [{"role": "user", "content": [
        {"type": "text", "text": "What is"}, {"type": "image_url", "image_url": {"url": PICTURE}},
        {"type": "text", "text": "this?"},
    ]}]


def texts(chunks):
    return [chunk.choices[0].delta.content for chunk in chunks if chunk.choices and chunk.choices[0].delta.content]


def thoughts(chunks):
    pieces = [getattr(chunk.choices[0].delta, "reasoning_content", None) for chunk in chunks if chunk.choices]
    return [piece for piece in pieces if piece]


def reasons(chunks):
    return [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices and chunk.choices[0].finish_reason]


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

    def create(self, model="mock/echo", text="hello", **options):
        return self.client.chat.completions.create(**{"model": model, "messages": said(text), **options})

    def stream(self, model, text="hello", **options):
        return self.create(model, text, stream=True, **options)

    def refused(self, kind, **options):
        """The error with which a call is refused, its parts those of OpenAI's."""
        with self.assertRaises(kind) as caught:
            self.create(**options)
        error = caught.exception
        self.assertEqual(set(error.body), {"message", "type", "param", "code"})
        self.assertTrue(error.body["message"])
        return error


class Models(WithStoa):
    def test_vectors_of_a_providers_model(self):
        # The client asks for base64 by itself, and for numbers when told to.
        packed = self.client.embeddings.create(model="mock/echo", input=["one", "three"])
        plain = self.client.embeddings.create(model="mock/echo", input=["one", "three"], encoding_format="float")
        for answer in (packed, plain):
            self.assertEqual([entry.embedding for entry in answer.data], [[3.0, 0.5], [5.0, 0.5]])
            self.assertEqual([entry.index for entry in answer.data], [0, 1])
            self.assertEqual((answer.model, answer.usage.prompt_tokens), ("mock/echo", 6))
        with self.assertRaises(openai.NotFoundError):
            self.client.embeddings.create(model="mock/none", input="one")

    def test_models_are_listed(self):
        models = {model.id: model for model in self.client.models.list()}
        self.assertLessEqual({f"mock/{name}" for name in MOCK_MODELS}, set(models))
        self.assertEqual(models["mock/echo"].object, "model")
        self.assertEqual(models["mock/echo"].owned_by, "Mock")

    def test_a_model_is_retrieved_by_its_id(self):
        model = self.client.models.retrieve("mock/echo")
        self.assertEqual((model.id, model.object), ("mock/echo", "model"))

    def test_a_model_that_is_not_there_is_not_found(self):
        for name in ("mock/none", "none", "none/echo"):
            with self.subTest(name), self.assertRaises(openai.NotFoundError):
                self.client.models.retrieve(name)


class Answers(WithStoa):
    def test_a_whole_answer(self):
        answer = self.create(text="one two three")
        self.assertEqual((answer.object, answer.model), ("chat.completion", "mock/echo"))
        self.assertEqual(len(answer.choices), 1)
        self.assertEqual(answer.choices[0].message.role, "assistant")
        self.assertEqual(answer.choices[0].message.content, "one two three")
        self.assertEqual(answer.choices[0].finish_reason, "stop")
        self.assertGreater(answer.usage.completion_tokens, 0)
        self.assertEqual(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens)
        self.assertLess(abs(answer.created - time.time()), 60)

    def test_a_streamed_answer_arrives_in_pieces_and_in_order(self):
        chunks = list(self.stream("mock/counter-50"))
        pieces = texts(chunks)
        self.assertEqual("".join(pieces).split(), [str(number) for number in range(50)])
        self.assertEqual({chunk.object for chunk in chunks}, {"chat.completion.chunk"})
        self.assertEqual({chunk.model for chunk in chunks}, {"mock/counter-50"})
        self.assertEqual(len({chunk.id for chunk in chunks}), 1)
        self.assertEqual(chunks[0].choices[0].delta.role, "assistant")
        self.assertEqual(reasons(chunks), ["stop"])

    def test_usage_is_streamed_only_when_asked_for(self):
        chunks = list(self.stream("mock/echo", "a b", stream_options={"include_usage": True}))
        self.assertEqual(chunks[-1].choices, [])
        self.assertEqual(chunks[-1].usage.completion_tokens, 2)
        self.assertTrue(all(chunk.usage is None for chunk in chunks[:-1]))
        self.assertTrue(all(chunk.usage is None for chunk in self.stream("mock/echo", "a b")))

    def test_tokens_are_not_held_back(self):
        arrivals = []
        with self.stream("mock/mock-20tps") as stream:
            for chunk in stream:
                if texts([chunk]):
                    arrivals.append(time.monotonic())
                if len(arrivals) == 8:
                    break
        # At 20 tokens a second, eight that were held back would come at once.
        self.assertGreater(arrivals[-1] - arrivals[0], 0.2)

    def test_every_script_passes_unharmed(self):
        self.assertEqual(self.create(text=SCRIPTS).choices[0].message.content, SCRIPTS)
        self.assertEqual("".join(texts(self.stream("mock/echo", SCRIPTS))), SCRIPTS)

    def test_reasoning_is_apart_from_the_answer(self):
        for model in ("mock/reasoning", "mock/think-tags"):
            with self.subTest(model):
                answer = self.create(model, "so be it").choices[0].message
                self.assertEqual(answer.content.strip(), "so be it")
                self.assertEqual(len(answer.reasoning_content.split()), 24)
                chunks = list(self.stream(model, "so be it"))
                self.assertEqual("".join(texts(chunks)).strip(), "so be it")
                self.assertEqual(len("".join(thoughts(chunks)).split()), 24)

    def test_an_answer_cut_by_its_length_says_so(self):
        self.assertEqual(self.create("mock/echo;finish=length").choices[0].finish_reason, "length")
        self.assertEqual(reasons(self.stream("mock/echo;finish=length")), ["length"])

    def test_a_provider_that_does_not_stream_still_answers_a_stream(self):
        self.assertEqual("".join(texts(self.stream("mock/whole", "all at once"))), "all at once")

    def test_many_streams_at_once_stay_apart(self):
        results = {}

        def ask(number):
            results[number] = "".join(texts(self.stream("mock/echo", f"stream {number} says hello")))

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(results, {number: f"stream {number} says hello" for number in range(16)})

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


class Upstream(WithStoa):
    """What reaches the provider."""

    def sent(self, **options):
        self.stoa.forget_upstream()
        self.create(**options)
        (request,) = self.stoa.upstream()["requests"]
        return request

    def test_pictures_reach_the_provider_in_their_place(self):
        (message,) = self.sent(messages=shown())["body"]["messages"]
        self.assertEqual([part["type"] for part in message["content"]], ["text", "image_url", "text"])
        self.assertEqual(message["content"][1]["image_url"]["url"], PICTURE)

    def test_options_and_messages_reach_the_provider(self):
        options = {
            "temperature": 0.25, "top_p": 0.5, "presence_penalty": 0.5, "frequency_penalty": -0.5, "max_tokens": 17,
            "stop": ["END"], "seed": 7,
        }
        messages = [
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]},
            {"role": "assistant", "content": "three"},
            {"role": "user", "content": "four"},
        ]
        body = self.sent(messages=messages, **options)["body"]
        self.assertEqual(body["model"], "echo")
        self.assertEqual({name: body.get(name) for name in options}, options)
        said_upstream = [(message["role"], message["content"]) for message in body["messages"]]
        self.assertEqual(
            said_upstream, [("system", "Be brief."), ("user", "one\ntwo"), ("assistant", "three"), ("user", "four")]
        )

    def test_tools_and_forms_reach_the_provider(self):
        tool = {"type": "function", "function": {
            "name": "now", "description": "Tells the time", "strict": True,
            "parameters": {"type": "object", "properties": {"z": {"type": "string"}, "a": {"type": "string"}}},
        }}
        call = {"id": "c1", "type": "function", "function": {"name": "now", "arguments": '{"z":"UTC"}'}}
        messages = [
            {"role": "user", "content": "What time is it?"}, {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c1", "content": "noon"},
        ]
        schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
        body = self.sent(
            messages=messages, tools=[tool], tool_choice={"type": "function", "function": {"name": "now"}},
            parallel_tool_calls=False, reasoning_effort="high",
            response_format={"type": "json_schema", "json_schema": {"name": "n", "strict": True, "schema": schema}},
        )["body"]
        self.assertEqual(body["messages"], messages)
        self.assertEqual(body["tools"], [tool])
        self.assertEqual(list(body["tools"][0]["function"]["parameters"]["properties"]), ["z", "a"])
        self.assertEqual(body["tool_choice"], {"type": "function", "function": {"name": "now"}})
        self.assertEqual((body["parallel_tool_calls"], body["reasoning_effort"]), (False, "high"))
        sent = body["response_format"]["json_schema"]
        self.assertEqual((sent["schema"], sent["strict"]), (schema, True))

    def test_what_is_not_set_is_not_sent(self):
        body = self.sent()["body"]
        self.assertFalse({
            "temperature", "top_p", "presence_penalty", "frequency_penalty", "max_tokens", "tools", "tool_choice",
            "parallel_tool_calls", "response_format", "reasoning_effort",
        } & set(body))

    def test_the_newer_name_of_the_limit_is_understood(self):
        self.assertEqual(self.sent(max_completion_tokens=9)["body"]["max_tokens"], 9)

    def test_the_provider_gets_its_own_key_and_never_the_callers(self):
        headers = {name.lower(): value for name, value in self.sent()["headers"].items()}
        self.assertEqual(headers["authorization"], f"Bearer {PROVIDER_KEY}")
        self.assertNotIn(self.stoa.key, str(headers))

    def test_closing_a_stream_stops_the_provider(self):
        self.stoa.forget_upstream()
        stream = self.stream("mock/endless")
        self.assertTrue(next(piece for piece in stream if texts([piece])))
        self.assertEqual(self.stoa.upstream()["counts"]["open"], 1)
        stream.close()
        stopped = eventually(lambda: self.stoa.upstream()["counts"]["cancelled"] == 1)
        self.assertTrue(stopped, self.stoa.upstream()["counts"])


class Refusals(WithStoa):
    def test_a_wrong_key_is_refused(self):
        for key in ("sk-wrong", "x", self.stoa.key[:-1], self.stoa.key + "x"):
            with self.subTest(key), self.assertRaises(openai.AuthenticationError) as caught:
                self.client_with(api_key=key).models.list()
            self.assertEqual(caught.exception.code, "invalid_api_key")

    def test_a_key_without_the_scope_may_not_run_models(self):
        client = self.client_with(api_key=self.stoa.new_key("account", scopes=["account"])["key"])
        with self.assertRaises(openai.PermissionDeniedError):
            client.models.list()
        with self.assertRaises(openai.PermissionDeniedError):
            client.chat.completions.create(model="mock/echo", messages=said("hello"))

    def test_a_key_that_has_run_out_is_refused(self):
        end = datetime.datetime.now(datetime.UTC) + KEY_LASTS
        made = self.stoa.new_key("short", expires_at=end.isoformat().replace("+00:00", "Z"))
        client = self.client_with(api_key=made["key"])
        client.models.list()
        time.sleep(max(0, (end - datetime.datetime.now(datetime.UTC)).total_seconds()) + 0.2)
        with self.assertRaises(openai.AuthenticationError):
            client.models.list()

    def test_a_deleted_key_is_refused_at_once(self):
        made = self.stoa.new_key("deleted")
        client = self.client_with(api_key=made["key"])
        client.models.list()
        self.stoa.call("DELETE", f"/api/v1/api-keys/{made['id']}")
        # Rights are in force within a tenth of a second.
        time.sleep(0.1)
        with self.assertRaises(openai.AuthenticationError):
            client.models.list()

    def test_a_browser_session_opens_nothing_here(self):
        with self.assertRaises(openai.AuthenticationError):
            self.client_with(api_key="x", default_headers={"Cookie": self.stoa.cookie}).models.list()

    def test_an_unknown_model_is_not_found(self):
        for model in ("mock/none", "none/echo", "echo"):
            with self.subTest(model):
                error = self.refused(openai.NotFoundError, model=model)
                self.assertEqual((error.code, error.param), ("model_not_found", "model"))

    def test_absurd_parameters_are_bad_requests_by_name(self):
        absurd = {
            "temperature": 99, "top_p": -1, "presence_penalty": 2.5, "frequency_penalty": -3, "max_tokens": -5,
            "messages": [], "stop": [""], "seed": -1,
        }
        for name, value in absurd.items():
            with self.subTest(name):
                self.assertEqual(self.refused(openai.BadRequestError, **{name: value}).param, name)

    def test_what_is_not_supported_is_refused_and_not_left_out(self):
        tool = {"type": "function", "function": {"name": "now", "parameters": {"type": "object", "properties": {}}}}
        picture = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]
        unsupported = {
            "functions": {"functions": [tool["function"]]},
            "n": {"n": 2},
            "logprobs": {"logprobs": True},
            "messages[0].content[0].type": {"messages": [{"role": "user", "content": picture}]},
            "messages[0].content": {"messages": [{"role": "user", "content": [
                {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}},
            ]}]},
            "messages[0].name": {"messages": [{"role": "user", "name": "Ann", "content": "Hi"}]},
        }
        for name, options in unsupported.items():
            with self.subTest(name):
                error = self.refused(openai.BadRequestError, **options)
                self.assertTrue(error.param.startswith(name.split(".")[0]), error.param)

    def test_an_unknown_field_is_refused_by_name(self):
        error = self.refused(openai.BadRequestError, extra_body={"temprature": 1})
        self.assertEqual(error.param, "temprature")


class ProviderFailures(WithStoa):
    def test_a_rate_limit_is_passed_on_with_its_delay(self):
        error = self.refused(openai.RateLimitError, model="mock/error-429")
        self.assertEqual(error.response.headers["retry-after"], "7")
        with self.assertRaises(openai.RateLimitError):
            self.stream("mock/error-429")

    def test_the_providers_troubles_are_not_the_callers(self):
        for model in ("mock/error-401", "mock/error-500", "mock/error-html"):
            with self.subTest(model):
                # The provider's key is wrong, not the caller's.
                error = self.refused(openai.InternalServerError, model=model)
                self.assertNotIn(PROVIDER_KEY, error.message)

    def test_a_stream_that_breaks_is_an_error_and_not_an_end(self):
        for model in ("mock/cut", "mock/malformed", "mock/error-midstream"):
            with self.subTest(model):
                got = []
                with self.assertRaises(openai.APIError):
                    for chunk in self.stream(model):
                        got += texts([chunk])
                self.assertEqual(len("".join(got).split()), 8)

    def test_a_broken_answer_that_is_not_streamed_is_an_error(self):
        for model in ("mock/cut", "mock/malformed"):
            with self.subTest(model), self.assertRaises(openai.InternalServerError):
                self.create(model)


@unittest.skipUnless(MODEL_FILE, "no starter model (offline)")
class LocalModel(WithStoa):
    def test_it_is_listed_and_retrieved(self):
        self.assertIn(LOCAL_MODEL, [model.id for model in self.client.models.list()])
        self.assertEqual(self.client.models.retrieve(LOCAL_MODEL).id, LOCAL_MODEL)

    def test_it_answers_within_its_limit(self):
        chunks = list(self.stream(
            LOCAL_MODEL, "Write a long story about the sea.", max_tokens=16, temperature=0,
            stream_options={"include_usage": True},
        ))
        self.assertTrue("".join(texts(chunks)).strip())
        self.assertEqual(reasons(chunks), ["length"])
        self.assertEqual(chunks[-1].usage.completion_tokens, 16)

    def test_the_same_question_has_the_same_answer_streamed_or_whole(self):
        options = {"max_tokens": 24, "temperature": 0}
        whole = self.create(LOCAL_MODEL, "What is 2+2?", **options)
        streamed = "".join(texts(self.stream(LOCAL_MODEL, "What is 2+2?", **options)))
        self.assertEqual(whole.choices[0].message.content, streamed)
        self.assertIn("4", streamed)

    def test_a_stop_string_ends_the_answer_and_is_not_in_it(self):
        answer = self.create(
            LOCAL_MODEL, "Count from one to ten: 1, 2, 3, 4, 5, 6, 7, 8, 9, 10.", max_tokens=64, temperature=0, stop=["5"]
        ).choices[0]
        self.assertNotIn("5", answer.message.content)
        self.assertEqual(answer.finish_reason, "stop")

    def test_texts_become_vectors(self):
        vectors = self.client.embeddings.create(model=LOCAL_MODEL, input=["one", "two"]).data
        self.assertEqual(len(vectors[0].embedding), len(vectors[1].embedding))

    def test_a_model_that_does_not_hear_says_so(self):
        speech = ("speech.wav", b"RIFF\x24\x00\x00\x00WAVEfmt ", "audio/wav")
        with self.assertRaises(openai.BadRequestError) as caught:
            self.client.audio.transcriptions.create(model=LOCAL_MODEL, file=speech, language="en")
        self.assertEqual(caught.exception.param, "model")
        self.assertIn("takes no audio", caught.exception.message)
        with self.assertRaises(openai.NotFoundError) as caught:
            self.client.audio.transcriptions.create(model="local/nobody", file=speech)
        self.assertEqual(caught.exception.code, "model_not_found")

    def test_what_is_not_there_is_refused_in_a_shape_that_clients_show(self):
        with self.assertRaises(openai.NotFoundError) as caught:
            self.client.images.generate(model=LOCAL_MODEL, prompt="a boat")
        self.assertEqual(caught.exception.code, "unknown_url")

    def test_it_tells_how_likely_its_tokens_were(self):
        options = {"max_tokens": 6, "temperature": 0, "logprobs": True, "top_logprobs": 3}
        whole = self.create(LOCAL_MODEL, "What is 2+2?", **options).choices[0]
        tokens = whole.logprobs.content
        self.assertEqual("".join(token.token for token in tokens), whole.message.content)
        for token in tokens:
            self.assertLessEqual(token.logprob, 0)
            self.assertEqual(len(token.top_logprobs), 3)
            self.assertEqual(token.top_logprobs[0].token, token.token)
            self.assertEqual(bytes(token.bytes).decode(), token.token)
        streamed = [
            token.token for chunk in self.stream(LOCAL_MODEL, "What is 2+2?", **options)
            if chunk.choices and chunk.choices[0].logprobs for token in chunk.choices[0].logprobs.content
        ]
        self.assertEqual(streamed, [token.token for token in tokens])

    def test_it_refuses_a_picture_that_it_cannot_see(self):
        error = self.refused(openai.BadRequestError, model=LOCAL_MODEL, messages=shown())
        self.assertIn("images", error.message)

    def test_input_beyond_the_context_is_refused_with_the_numbers(self):
        error = self.refused(openai.BadRequestError, model=LOCAL_MODEL, text="sea " * 20_000)
        self.assertEqual(error.code, "context_length_exceeded")
        self.assertRegex(error.message, r"\d{4,}")


if __name__ == "__main__":
    sys.exit(run(WithStoa, (Models, Answers, Upstream, Refusals, ProviderFailures, LocalModel), MOCK_MODELS))
