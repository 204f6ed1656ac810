"""The official ollama clients, of Python and of JavaScript, against Stoa's listener of that protocol, with the real local model.

STOA_BIN and MOCK_OPENAI_BIN name the programs (target/debug by default); without STOA_TEST_MODEL, a GGUF file, everything
is skipped. The last line is `N passed, M failed, K skipped`.
"""

import base64
import hashlib
import http.client
import json
import math
import pathlib
import struct
import subprocess
import sys
import tempfile
import unittest
import urllib.parse
import zlib

import ollama
import openai

from server import LOCAL_NAME, MODEL_FILE, Stoa, eventually
from suite import run

RANKER_FILE = pathlib.Path(__file__).with_name("ranker.gguf")
SEER_FILE, EYE_FILE = (pathlib.Path(__file__).with_name(name) for name in ("seer.gguf", "seer-eye.gguf"))
QUESTION = [{"role": "user", "content": "What is 2+2?"}]
GREEDY = {"temperature": 0, "num_predict": 16}
# SmolLM's own template tells it of no tools.
WITH_TOOLS = (
    "{{ if .Tools }}<|im_start|>system\nTools: {{ .Tools }}<|im_end|>\n{{ end }}{{ range .Messages }}<|im_start|>{{ .Role }}\n"
    "{{ .Content }}{{ range .ToolCalls }}<tool_call>{{ json .Function }}</tool_call>{{ end }}<|im_end|>\n{{ end }}"
    "<|im_start|>assistant\n"
)


@unittest.skipUnless(MODEL_FILE, "STOA_TEST_MODEL is not set")
class WithStoa(unittest.TestCase):
    """One server for all tests."""

    stoa: Stoa

    @property
    def client(self):
        """Somebody at the machine, without a key."""
        return ollama.Client(host=self.stoa.ollama_url, timeout=60)

    @property
    def manager(self):
        """An administrator's key for models."""
        key = self.stoa.new_key("models", scopes=["infer", "models"])["key"]
        return ollama.Client(host=self.stoa.ollama_url, timeout=60, headers={"Authorization": f"Bearer {key}"})

    def raw(self, method, path, body=None, **headers):
        """Status and text, whatever the client would have made of it."""
        connection = http.client.HTTPConnection(urllib.parse.urlsplit(self.stoa.ollama_url).netloc, timeout=60)
        self.addCleanup(connection.close)
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()

    def refused(self, status, call, *arguments, **options):
        with self.assertRaises(ollama.ResponseError) as caught:
            call(*arguments, **options)
        self.assertEqual(caught.exception.status_code, status, caught.exception.error)
        return caught.exception.error


class Listing(WithStoa):
    def test_models_are_listed_with_what_they_are(self):
        model = next(model for model in self.client.list().models if model.model == LOCAL_NAME)
        self.assertRegex(model.digest, "^[0-9a-f]{64}$")
        self.assertGreater(model.size, 90_000_000)
        self.assertEqual((model.details.family, model.details.quantization_level), ("llama", "Q4_1"))

    def test_a_model_is_shown(self):
        shown = self.client.show(LOCAL_NAME)
        self.assertEqual(shown.modelinfo["general.architecture"], "llama")
        self.assertEqual(shown.modelinfo["llama.context_length"], 8192)
        self.assertAlmostEqual(shown.modelinfo["llama.attention.layer_norm_rms_epsilon"], 1e-5)
        self.assertEqual(shown.modelinfo["general.parameter_count"], 134_515_008)
        self.assertIsNone(shown.modelinfo["tokenizer.ggml.tokens"])
        self.assertNotIn("tokenizer.chat_template", shown.modelinfo)
        everything = json.loads(self.raw("POST", "/api/show", {"model": LOCAL_NAME, "verbose": True})[1])
        self.assertEqual(len(everything["model_info"]["tokenizer.ggml.tokens"]), 49152)
        self.assertIn({"name": "output_norm.weight", "type": "F32", "shape": [576]}, everything["tensors"])
        self.assertIn("<|im_start|>", shown.template)
        self.assertIn("completion", shown.capabilities)
        self.assertTrue(shown.modelfile.startswith(f"FROM {LOCAL_NAME}"))

    def test_a_model_that_is_not_there_is_not_found(self):
        for call in (self.client.show, self.client.chat, self.client.generate, self.client.embed):
            with self.subTest(call.__name__):
                self.assertIn("not found", self.refused(404, call, model="none"))

    def test_the_server_says_what_it_is(self):
        self.assertEqual(self.raw("GET", "/"), (200, "Ollama is running"))
        self.assertIn("version", json.loads(self.raw("GET", "/api/version")[1]))
        self.assertEqual(self.raw("GET", "/api/nothing")[0], 404)
        self.assertEqual(self.raw("DELETE", "/api/chat")[0], 405)


class Answers(WithStoa):
    def test_a_conversation_goes_on_from_its_tokens(self):
        first = self.client.generate(LOCAL_NAME, "My name is Ada.", options=GREEDY)
        chunks = list(self.client.generate(LOCAL_NAME, "My name is Ada.", options=GREEDY, stream=True))
        self.assertEqual(chunks[-1].context, first.context)
        self.assertEqual({chunk.context for chunk in chunks[:-1]}, {None})
        self.assertEqual(len(first.context), first.prompt_eval_count + first.eval_count)
        after = self.client.generate(LOCAL_NAME, "What is my name?", options=GREEDY, context=first.context)
        alone = self.client.generate(LOCAL_NAME, "What is my name?", options=GREEDY)
        self.assertEqual(after.context[:len(first.context)], first.context)
        self.assertGreaterEqual(after.prompt_eval_count, len(first.context) + alone.prompt_eval_count - 1)
        for context, reason in (([10_000_000], "does not know"), ([1] * 10_000, "10000 tokens"), ([-1], "-1")):
            self.assertIn(reason, self.refused(400, self.client.generate, LOCAL_NAME, "x", context=context))
        self.assertIn("raw", self.refused(400, self.client.generate, LOCAL_NAME, "x", context=[1], raw=True))

    def test_a_chat_streamed_and_whole_is_the_same(self):
        whole = self.client.chat(LOCAL_NAME, QUESTION, options=GREEDY)
        chunks = list(self.client.chat(LOCAL_NAME, QUESTION, options=GREEDY, stream=True))
        self.assertEqual("".join(chunk.message.content for chunk in chunks), whole.message.content)
        self.assertIn("4", whole.message.content)
        self.assertEqual([chunk.done for chunk in chunks], [False] * (len(chunks) - 1) + [True])
        for last in (whole, chunks[-1]):
            self.assertIn(last.done_reason, ("stop", "length"))
            self.assertGreater(last.prompt_eval_count, 10)
            self.assertLessEqual(last.eval_count, 16)
            self.assertGreater(last.total_duration, last.eval_duration)
            self.assertGreater(last.eval_duration, 0)

    def test_a_prompt_is_completed_with_the_template_and_without(self):
        answer = self.client.generate(LOCAL_NAME, "What is 2+2?", options=GREEDY)
        self.assertIn("4", answer.response)
        raw = self.client.generate(LOCAL_NAME, "The capital of France is", raw=True, options=GREEDY)
        self.assertIn("Paris", raw.response)
        self.assertLess(raw.prompt_eval_count, answer.prompt_eval_count)

    def test_the_same_seed_gives_the_same_text(self):
        options = {"seed": 7, "temperature": 1.0, "num_predict": 24}
        first, second = (self.client.generate(LOCAL_NAME, "Once upon a time", options=options) for _ in range(2))
        self.assertEqual(first.response, second.response)

    def test_how_likely_tokens_were_is_told(self):
        answer = self.client.generate(LOCAL_NAME, "The sky is", raw=True, options=GREEDY, logprobs=True, top_logprobs=2)
        self.assertEqual(len(answer.logprobs), answer.eval_count)
        for token in answer.logprobs:
            self.assertLessEqual(token.logprob, 0)
            self.assertEqual(len(token.top_logprobs), 2)

    def test_a_stop_string_ends_the_answer(self):
        question = "Count from one to ten: 1, 2, 3, 4, 5, 6, 7, 8, 9, 10."
        answer = self.client.generate(LOCAL_NAME, question, options={"temperature": 0, "num_predict": 64, "stop": ["5"]})
        self.assertNotIn("5", answer.response)
        self.assertEqual(answer.done_reason, "stop")

    def test_options_are_typed_and_never_cut_in_silence(self):
        for options in ({"temperature": "hot"}, {"top_k": -1}, {"num_predict": 1.5}, {"temperature": 1e9}):
            with self.subTest(options):
                name = next(iter(options))
                self.assertIn(name, self.refused(400, self.client.generate, LOCAL_NAME, "hi", options=options))
        self.client.generate(LOCAL_NAME, "hi", options={**GREEDY, "no_such_option": 1})
        self.assertRegex(self.refused(400, self.client.generate, LOCAL_NAME, "sea " * 20_000), r"\d{4,}")

    def test_what_is_not_there_is_refused_by_name(self):
        self.assertIn("thinking", self.refused(400, self.client.chat, LOCAL_NAME, QUESTION, think=True))
        self.assertIn("insert", self.refused(400, self.client.generate, LOCAL_NAME, "a", suffix="b"))
        self.assertEqual(self.raw("POST", "/api/chat")[0], 400)
        self.assertEqual(self.raw("POST", "/api/chat", [1])[0], 400)

    def test_an_answer_keeps_to_its_schema(self):
        schema = {
            "type": "object", "properties": {"name": {"type": "string", "maxLength": 20}, "age": {"type": "integer"}},
            "required": ["name", "age"], "additionalProperties": False,
        }
        for call, what in ((self.client.chat, [QUESTION]), (self.client.generate, ["Describe a person."])):
            for stream in (False, True):
                with self.subTest(call.__name__, stream=stream):
                    answer = call(LOCAL_NAME, *what, format=schema, stream=stream, options={"temperature": 1, "seed": 3})
                    parts = answer if stream else [answer]
                    said = "".join(part.message.content if hasattr(part, "message") else part.response for part in parts)
                    self.assertEqual(list(json.loads(said)), ["name", "age"], said)
        for schema in ({"type": "object", "properties": {"a": {"$ref": "http://127.0.0.1/x"}}}, "yaml"):
            asked = {"model": LOCAL_NAME, "messages": QUESTION, "format": schema, "stream": False}
            self.assertEqual(self.raw("POST", "/api/chat", asked)[0], 400, schema)

    def test_a_model_calls_tools_when_its_template_knows_them(self):
        def weather(city: str) -> str:
            """Tells the weather of a city.

            Args:
              city: its name
            """
            return city

        self.assertIn("tools", self.refused(400, self.client.chat, LOCAL_NAME, QUESTION, tools=[weather]))
        manager = self.manager
        manager.create("caller", from_=LOCAL_NAME, template=WITH_TOOLS)
        self.addCleanup(manager.delete, "caller")
        self.assertIn("tools", self.client.show("caller").capabilities)
        call = lambda city: {"function": {"name": "weather", "arguments": {"city": city}}}
        talk = [message for city in ("Rome", "Paris", "Cairo", "Delhi") for message in (
            {"role": "user", "content": f"What is the weather in {city}?"},
            {"role": "assistant", "tool_calls": [call(city)]},
            {"role": "tool", "tool_name": "weather", "content": "fine"},
        )]
        talk.append({"role": "user", "content": "What is the weather in Oslo?"})
        options = {"temperature": 0, "num_predict": 60}
        whole = self.client.chat("caller", talk, tools=[weather], options=options)
        called = whole.message.tool_calls[0].function
        self.assertEqual((called.name, list(called.arguments)), ("weather", ["city"]))
        streamed = [part for part in self.client.chat("caller", talk, tools=[weather], options=options, stream=True)]
        calls = [call for part in streamed for call in part.message.tool_calls or []]
        self.assertEqual(calls[0].function.arguments, called.arguments)
        self.assertTrue(streamed[-1].done)

    def test_a_gap_is_filled_by_a_template_that_knows_it(self):
        manager = self.manager
        manager.create("filler", from_=LOCAL_NAME, template="{{ .Prompt }}{{ if .Suffix }} ({{ .Suffix }}){{ end }}: the city of")
        self.addCleanup(manager.delete, "filler")
        self.assertIn("insert", self.client.show("filler").capabilities)
        asked = {"options": {"temperature": 0, "num_predict": 4}}
        filled = self.client.generate("filler", "The capital of France is", suffix="not Lyon", **asked)
        by_hand = "The capital of France is (not Lyon): the city of"
        self.assertEqual(filled.response, self.client.generate(LOCAL_NAME, by_hand, raw=True, **asked).response)

    def test_models_are_loaded_and_unloaded(self):
        loaded = lambda: [model.model for model in self.client.ps().models]
        self.assertEqual(self.client.generate(LOCAL_NAME, "").done_reason, "load")
        self.assertEqual(loaded(), [LOCAL_NAME])
        self.client.chat(LOCAL_NAME, QUESTION, options=GREEDY, keep_alive=-1)
        self.assertGreater(self.client.ps().models[0].expires_at.year, 9000)
        self.assertEqual(self.client.chat(LOCAL_NAME, [], keep_alive=0).done_reason, "unload")
        self.assertTrue(eventually(lambda: not loaded()))
        self.refused(400, self.client.generate, LOCAL_NAME, "", keep_alive="soon")

    def test_texts_become_vectors_of_length_one(self):
        many = self.client.embed(LOCAL_NAME, ["one", "two", "one"])
        self.assertEqual(len(many.embeddings), 3)
        for vector in many.embeddings:
            self.assertAlmostEqual(math.sqrt(sum(x * x for x in vector)), 1, places=3)
        self.assertGreater(many.prompt_eval_count, 0)
        short = self.client.embed(LOCAL_NAME, "one", dimensions=16).embeddings[0]
        self.assertAlmostEqual(math.sqrt(sum(x * x for x in short)), 1, places=3)
        self.assertEqual(list(self.client.embed(LOCAL_NAME, []).embeddings), [])
        self.assertEqual(len(self.client.embeddings(LOCAL_NAME, "one").embedding), len(many.embeddings[0]))
        self.refused(400, self.client.embed, LOCAL_NAME, "sea " * 20_000, truncate=False)


class Ranking(WithStoa):
    """A tiny model made by hand, for which more words in common mean more relevance; no client has calls for this."""

    ASKED = {"query": "sea ship", "documents": ["star moon", {"text": "sea ship"}, "sea moon"]}

    def setUp(self):
        manager = self.manager
        digest = manager.create_blob(RANKER_FILE)
        manager.create("ranker", files={RANKER_FILE.name: digest})
        self.addCleanup(manager.delete, "ranker")

    def rerank(self, path="/api/rerank", status=200, **fields):
        told, answer = self.raw("POST", path, {"model": "ranker", **self.ASKED, **fields})
        self.assertEqual(told, status, answer)
        return json.loads(answer)

    def test_documents_are_ranked(self):
        answer = self.rerank()
        self.assertEqual(answer["model"], "ranker")
        self.assertEqual(self.client.show("ranker").capabilities, ["rerank"])
        self.assertEqual([result["index"] for result in answer["results"]], [1, 2, 0])
        self.assertEqual([sorted(result) for result in answer["results"]], [["index", "relevance_score"]] * 3)
        for result in answer["results"]:
            self.assertTrue(0 < result["relevance_score"] < 1, result)
        self.assertEqual(answer["prompt_eval_count"], 18)
        self.assertGreater(answer["total_duration"], answer["load_duration"])
        best = self.rerank(top_n=1, return_documents=True)["results"]
        self.assertEqual(best, [{**answer["results"][0], "document": {"text": "sea ship"}}])

    def test_the_shape_of_jina_and_cohere_is_spoken_at_both_doors(self):
        here = self.rerank("/v1/rerank", top_n=2, return_documents=True)
        self.assertEqual(sorted(here), ["id", "model", "results", "usage"])
        self.assertEqual([result["document"]["text"] for result in here["results"]], ["sea ship", "sea moon"])
        self.assertEqual(here["usage"], {"prompt_tokens": 18, "total_tokens": 18})
        connection = http.client.HTTPConnection(urllib.parse.urlsplit(self.stoa.url).netloc, timeout=60)
        self.addCleanup(connection.close)
        for key, status in ((self.stoa.key, 200), ("none", 401), (self.stoa.new_key("no", scopes=["account"])["key"], 403)):
            body = json.dumps({"model": "local/ranker:latest", **self.ASKED})
            connection.request("POST", "/v1/rerank", body, {"Authorization": f"Bearer {key}"})
            answer = connection.getresponse()
            told = json.loads(answer.read())
            self.assertEqual(answer.status, status, told)
            if status == 200:
                self.assertEqual([result["index"] for result in told["results"]], [1, 2, 0])
            else:
                self.assertIn("message", told["error"])

    def test_what_cannot_be_ranked_is_refused(self):
        long = "moon " * 1_000
        for fields, words in (
            ({"documents": []}, "documents"), ({"query": ""}, "query"), ({"top_n": 0}, "top_n"), ({"documents": [7]}, "`text`"),
            ({"documents": ["sea"] * 2_049}, "2048"), ({"documents": [long]}, "1004 tokens"), ({"query": long}, "1004 tokens"),
            ({"query": long, "truncate": True}, "tokens"), ({"model": LOCAL_NAME}, "ranks no texts"), ({"top_n": -1}, "-1"),
        ):
            with self.subTest(words):
                self.assertIn(words, self.rerank(status=400, **fields)["error"])
                self.assertIn(words, self.rerank("/v1/rerank", status=400, **fields)["error"]["message"])
        self.assertIn("not found", self.rerank(status=404, model="none")["error"])
        self.assertEqual(self.rerank("/v1/rerank", status=404, model="none")["error"]["code"], "model_not_found")
        self.assertIn("rank_fields", self.rerank("/v1/rerank", status=400, rank_fields=["a"])["error"]["message"])
        self.assertIn("keep", self.rerank(status=400, keep_alive="soon")["error"])
        self.assertIn("ranks texts", self.refused(400, self.client.embed, "ranker", "sea"))
        # All of that has harmed nothing, and a document is cut to what fits when that is asked for.
        cut = self.rerank(documents=[long, "moon " * 60], truncate=True)
        self.assertEqual(cut["prompt_eval_count"], 2 * 64)
        self.assertEqual([result.get("truncated") for result in cut["results"]], [True, None], "the second fits")
        self.assertEqual(len({result["relevance_score"] for result in cut["results"]}), 1, cut)


def png(red, green, blue):
    """A square of one colour."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\0" + bytes([red, green, blue]) * 20) * 20
    header = struct.pack(">IIBBBBB", 20, 20, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


class Seeing(WithStoa):
    """A tiny model made by hand with its eye, which says the colour that it is shown."""

    COLOURS = {" red": png(255, 0, 0), " green": png(0, 255, 0), " blue": png(0, 0, 255)}
    GREEDY = {"temperature": 0, "num_predict": 4}

    def setUp(self):
        manager = self.manager
        files = {file.name: manager.create_blob(file) for file in (SEER_FILE, EYE_FILE)}
        manager.create("seer", files=files)
        self.addCleanup(manager.delete, "seer")

    def test_what_a_chat_shows_decides_what_is_said(self):
        for word, image in self.COLOURS.items():
            with self.subTest(word):
                message = ollama.Message(role="user", content="What colour is it?", images=[ollama.Image(value=image)])
                answer = self.client.chat("seer", [message], options=self.GREEDY)
                self.assertEqual(answer.message.content, word)
                chunks = self.client.chat("seer", [message], options=self.GREEDY, stream=True)
                self.assertEqual("".join(chunk.message.content for chunk in chunks), word)

    def test_a_prompt_is_completed_with_what_it_shows(self):
        for word, image in self.COLOURS.items():
            with self.subTest(word):
                answer = self.client.generate("seer", "What colour is it?", images=[image], options=self.GREEDY)
                self.assertEqual(answer.response, word)
        shown = self.client.generate("seer", images=[self.COLOURS[" blue"]], options=self.GREEDY)
        self.assertEqual(shown.response, " blue", "an image alone is a prompt")

    def test_a_model_that_sees_says_so(self):
        shown = self.client.show("seer")
        self.assertIn("vision", shown.capabilities)
        self.assertNotIn("vision", self.client.show(LOCAL_NAME).capabilities)
        raw = json.loads(self.raw("POST", "/api/show", {"model": "seer"})[1])
        self.assertEqual(raw["projector_info"]["clip.projector_type"], "mlp")
        self.assertNotIn("projector_info", json.loads(self.raw("POST", "/api/show", {"model": LOCAL_NAME})[1]))

    def test_what_cannot_be_seen_is_refused(self):
        blue = self.COLOURS[" blue"]
        text = base64.b64encode(blue).decode()
        question = {"role": "user", "content": "What colour is it?"}
        for model, images, words in (
            (LOCAL_NAME, [text], "does not support images"),
            ("seer", [f"data:image/png;base64,{text}"], "`data:`"),
            ("seer", ["%%%"], "base64"),
            ("seer", [base64.b64encode(b"<svg/>").decode()], "PNG, JPEG, WebP or GIF"),
            ("seer", [text, base64.b64encode(blue[:60]).decode()], "image 2 cannot be used"),
            ("seer", [text] * 33, "at most 32"),
            ("seer", [7], "base64"),
        ):
            with self.subTest(words):
                asked = {"model": model, "messages": [{**question, "images": images}], "stream": False}
                status, answer = self.raw("POST", "/api/chat", asked)
                self.assertEqual(status, 400, answer)
                self.assertIn(words, json.loads(answer)["error"])
        self.assertIn("does not support images", self.refused(400, self.client.generate, LOCAL_NAME, "x", images=[blue]))
        self.assertIn("raw", self.refused(400, self.client.generate, "seer", "x", images=[blue], raw=True))
        # A text that looks like what stands for an image shows nothing.
        answer = self.client.chat("seer", [{"role": "user", "content": "<__media__>"}], options=self.GREEDY)
        self.assertNotIn(answer.message.content, self.COLOURS)

    def test_a_blob_that_is_no_eye_makes_no_model(self):
        manager = self.manager
        digest = manager.create_blob(SEER_FILE)
        broken = EYE_FILE.read_bytes().replace(b"clip.vision.patch_size\x04\0\0\0\x04", b"clip.vision.patch_size\x04\0\0\0\0")
        with tempfile.NamedTemporaryFile() as file:
            file.write(broken)
            file.flush()
            eye = manager.create_blob(file.name)
        told = self.refused(400, manager.create, "blind", files={"seer.gguf": digest, "eye.gguf": eye})
        self.assertIn("clip.vision.patch_size", told)

    def test_it_is_told_which_texts_were_cut_to_be_embedded(self):
        long = "sea " * 2_000
        cut = json.loads(self.raw("POST", "/api/embed", {"model": "seer", "input": ["one", long]})[1])
        self.assertEqual((cut["truncated"], len(cut["embeddings"])), ([1], 2))
        self.assertTrue(json.loads(self.raw("POST", "/api/embeddings", {"model": "seer", "prompt": long})[1])["truncated"])
        short = json.loads(self.raw("POST", "/api/embed", {"model": "seer", "input": "one"})[1])
        self.assertNotIn("truncated", short)

    def test_weights_are_packed_on_the_way(self):
        manager = self.manager
        lines = list(manager.create("packed", from_="seer", quantize="q8_0", stream=True))
        self.addCleanup(manager.delete, "packed")
        self.assertIn("quantizing F32 model to Q8_0", {line.status for line in lines})
        self.assertEqual(lines[-1].status, "success")
        self.assertEqual(self.client.show("packed").details.quantization_level, "Q8_0")
        for word, image in self.COLOURS.items():
            message = {"role": "user", "content": "What colour is it?", "images": [image]}
            self.assertEqual(self.client.chat("packed", [message], options=self.GREEDY).message.content, word)
        sizes = {model.model: model.size for model in manager.list().models}
        self.assertLess(sizes["packed:latest"], sizes["seer:latest"])

        self.assertIn("Q4_1", self.refused(400, manager.create, "twice", from_=LOCAL_NAME, quantize="q8_0"))
        body = {"model": "other", "from": "seer", "renderer": "qwen3-coder", "parser": "", "info": {}}
        key = self.stoa.new_key("maker", scopes=["models"])["key"]
        status, text = self.raw("POST", "/api/create", body, Authorization=f"Bearer {key}")
        self.assertEqual((status, json.loads(text)["error"]), (400, "`renderer` is not supported here"))
        self.assertIn("Q4_K_M", self.refused(400, manager.create, "odd", from_="seer", quantize="q1"))


class Managing(WithStoa):
    def test_nobody_changes_models_without_the_right_key(self):
        infer = self.stoa.new_key("infer")["key"]
        by_key = ollama.Client(host=self.stoa.ollama_url, headers={"Authorization": f"Bearer {infer}"})
        for client, status in ((self.client, 401), (by_key, 403)):
            for call, arguments in (
                (client.pull, ["llama3.1:8b"]), (client.push, ["me/x"]), (client.delete, [LOCAL_NAME]),
                (client.copy, [LOCAL_NAME, "mine"]), (client.create, ["mine", None, LOCAL_NAME]),
            ):
                with self.subTest(call.__name__, status=status):
                    self.refused(status, call, *arguments)
        self.assertIn(LOCAL_NAME, [model.model for model in self.client.list().models])

    def test_a_model_is_copied_used_and_deleted(self):
        manager = self.manager
        manager.copy(LOCAL_NAME, "copied:one")
        self.assertTrue(self.client.generate("copied:one", "hi", options=GREEDY).response)
        manager.delete("copied:one")
        self.refused(404, self.client.generate, "copied:one", "hi")
        self.assertTrue(self.client.generate(LOCAL_NAME, "hi", options=GREEDY).response)
        self.refused(404, manager.delete, "copied:one")

    def test_a_model_is_made_of_another_and_keeps_what_it_was_given(self):
        manager = self.manager
        lines = list(manager.create(
            "made", from_=LOCAL_NAME, system="You are a pirate.", parameters={"num_predict": 3, "stop": ["x", "y"]},
            messages=[{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ahoy"}], stream=True,
        ))
        self.assertEqual(lines[-1].status, "success")
        shown = self.client.show("made")
        self.assertIn("SYSTEM", shown.modelfile)
        self.assertIn("num_predict", shown.parameters)
        answer = self.client.chat("made", QUESTION, options={"temperature": 0})
        self.assertLessEqual(answer.eval_count, 3)
        plain = self.client.chat(LOCAL_NAME, QUESTION, options=GREEDY)
        self.assertGreater(answer.prompt_eval_count, plain.prompt_eval_count)
        manager.delete("made")

    def test_a_model_is_made_of_an_uploaded_file(self):
        manager = self.manager
        file = pathlib.Path(MODEL_FILE)
        digest = f"sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}"
        self.assertEqual(manager.create_blob(file), digest)
        self.assertEqual(manager.create("uploaded", files={file.name: digest}).status, "success")
        self.assertTrue(self.client.generate("uploaded", "hi", options=GREEDY).response)
        manager.delete("uploaded")

    def test_a_model_goes_to_a_registry_and_comes_back(self):
        manager = self.manager
        name = f"{self.stoa.registry}/library/travelled:one"
        manager.copy(LOCAL_NAME, name)
        pushed = list(manager.push(name, stream=True))
        self.assertEqual((pushed[0].status, pushed[-1].status), ("retrieving manifest", "success"))
        digest = next(model.digest for model in manager.list().models if model.model == name)
        manager.delete(name)
        self.refused(404, self.client.show, name)

        pulled = list(manager.pull(name, stream=True))
        self.assertEqual((pulled[0].status, pulled[-1].status), ("pulling manifest", "success"))
        for layer in {line.digest for line in pulled if line.digest}:
            completed = [line.completed or 0 for line in pulled if line.digest == layer]
            self.assertEqual(completed, sorted(completed), "progress went back")
            self.assertEqual(completed[-1], next(line.total for line in pulled if line.digest == layer))
        self.assertEqual(digest, next(model.digest for model in manager.list().models if model.model == name))
        self.assertTrue(self.client.generate(name, "hi", options=GREEDY).response)
        self.assertEqual(manager.pull(name).status, "success")

        # Another machine has none of its layers.
        self.assertEqual(self.stoa.tool("model", "pull", name), (0, f"{name}: done\n"))
        self.assertIn("93.8 MiB", self.stoa.tool("model", "list")[1])
        status, said = self.stoa.tool("model", "pull", f"{self.stoa.registry}/library/none:one")
        self.assertEqual(status, 1)
        self.assertIn("has no model", said)
        self.refused(404, manager.pull, f"{self.stoa.registry}/library/none:one")
        manager.delete(name)

    def test_digests_are_digests(self):
        key = self.stoa.new_key("models", scopes=["models"])["key"]
        for digest in ("sha256:..%2f..%2fetc", "sha256:" + "A" * 64, "sha256:" + "a" * 63, "md5:" + "a" * 32):
            with self.subTest(digest):
                status, _ = self.raw("POST", f"/api/blobs/{digest}", {}, Authorization=f"Bearer {key}")
                self.assertEqual(status, 400)
        self.assertEqual(self.raw("HEAD", f"/api/blobs/sha256:{'a' * 64}", Authorization=f"Bearer {key}")[0], 404)

    def test_private_registries_are_not_reached(self):
        manager = self.manager
        for host in ("127.0.0.1:1", "169.254.169.254", "[::1]:1", "localhost:1"):
            with self.subTest(host), self.assertRaises(ollama.ResponseError) as caught:
                manager.pull(f"{host}/library/x:latest")
            self.assertIn(caught.exception.status_code, (400, 403))


class Guard(WithStoa):
    def test_a_name_that_was_pointed_here_is_not_answered(self):
        self.assertEqual(self.raw("GET", "/api/tags", Host="evil.example")[0], 403)
        self.assertEqual(self.raw("GET", "/api/tags", Host="localhost:1")[0], 200)

    def test_pages_of_the_web_are_kept_out(self):
        self.assertEqual(self.raw("POST", "/api/chat", {}, Origin="https://evil.example")[0], 403)
        self.assertEqual(self.raw("OPTIONS", "/api/chat", Origin="http://localhost:5173")[0], 204)

    def test_a_proxy_is_nobody_at_the_machine(self):
        self.assertEqual(self.raw("GET", "/api/tags", **{"X-Forwarded-For": "192.0.2.1"})[0], 401)

    def test_the_providers_are_not_for_who_shows_no_key(self):
        self.assertEqual(self.raw("POST", "/v1/chat/completions", {"model": "mock/echo", "messages": QUESTION})[0], 404)


class JavaScript(WithStoa):
    def test_the_javascript_client_works_as_well(self):
        key = self.stoa.new_key("javascript", scopes=["infer", "models"])["key"]
        script = str(pathlib.Path(__file__).with_suffix(".mjs"))
        arguments = ["node", script, self.stoa.ollama_url, key, LOCAL_NAME, MODEL_FILE]
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


class OpenAi(WithStoa):
    def test_the_openai_client_works_here_too(self):
        client = openai.OpenAI(base_url=f"{self.stoa.ollama_url}/v1", api_key="ollama", max_retries=0, timeout=60)
        self.addCleanup(client.close)
        self.assertIn(LOCAL_NAME, [model.id for model in client.models.list()])
        answer = client.chat.completions.create(model=LOCAL_NAME, messages=QUESTION, temperature=0, max_tokens=16)
        self.assertIn("4", answer.choices[0].message.content)

    def test_a_text_is_gone_on_with_by_the_openai_client(self):
        client = openai.OpenAI(base_url=f"{self.stoa.ollama_url}/v1", api_key="ollama", max_retries=0, timeout=60)
        self.addCleanup(client.close)
        asked = {"model": LOCAL_NAME, "prompt": "What is 2+2?", "temperature": 0, "max_tokens": 16}
        whole = client.completions.create(**asked)
        self.assertIn("4", whole.choices[0].text)
        self.assertGreater(whole.usage.completion_tokens, 0)
        parts = list(client.completions.create(stream=True, stream_options={"include_usage": True}, **asked))
        self.assertEqual("".join(part.choices[0].text for part in parts if part.choices), whole.choices[0].text)
        self.assertEqual(parts[-1].usage.completion_tokens, whole.usage.completion_tokens)
        with self.assertRaises(openai.BadRequestError):
            client.completions.create(suffix="b", **asked)
        with self.assertRaises(openai.NotFoundError):
            client.completions.create(model="none", prompt="Hi")

    def test_vectors_by_the_openai_client(self):
        client = openai.OpenAI(base_url=f"{self.stoa.ollama_url}/v1", api_key="ollama", max_retries=0, timeout=60)
        self.addCleanup(client.close)
        # The client asks for base64 by itself, and for numbers when told to.
        packed = client.embeddings.create(model=LOCAL_NAME, input=["one", "two"])
        plain = client.embeddings.create(model=LOCAL_NAME, input=["one", "two"], encoding_format="float")
        for one, other in zip(packed.data, plain.data, strict=True):
            for x, y in zip(one.embedding, other.embedding, strict=True):
                self.assertAlmostEqual(x, y, places=5)
        self.assertEqual([entry.index for entry in plain.data], [0, 1])
        self.assertEqual(plain.usage.prompt_tokens, plain.usage.total_tokens)
        short = client.embeddings.create(model=LOCAL_NAME, input="one", dimensions=16).data[0].embedding
        self.assertAlmostEqual(math.sqrt(sum(x * x for x in short)), 1, places=3)
        with self.assertRaises(openai.BadRequestError):
            client.embeddings.create(model=LOCAL_NAME, input="sea " * 20_000)
        with self.assertRaises(openai.NotFoundError):
            client.embeddings.create(model="none", input="one")

    def test_tools_and_schemas_by_the_openai_client(self):
        client = openai.OpenAI(base_url=f"{self.stoa.ollama_url}/v1", api_key="ollama", max_retries=0, timeout=60)
        self.addCleanup(client.close)
        manager = self.manager
        manager.create("caller2", from_=LOCAL_NAME, template=WITH_TOOLS)
        self.addCleanup(manager.delete, "caller2")
        tools = [{"type": "function", "function": {"name": name, "parameters": {
            "type": "object", "properties": {"zone": {"enum": ["UTC", "CET"]}}, "required": ["zone"],
            "additionalProperties": False,
        }}} for name in ("clock", "calendar")]
        asked = {"model": "caller2", "messages": QUESTION, "tools": tools, "temperature": 1.5, "max_tokens": 100}
        named = {"type": "function", "function": {"name": "calendar"}}
        for choice, names in (("required", ("clock", "calendar")), (named, ("calendar",))):
            choice_made = client.chat.completions.create(tool_choice=choice, **asked).choices[0]
            self.assertEqual(choice_made.finish_reason, "tool_calls")
            (call,) = choice_made.message.tool_calls
            self.assertIn(call.function.name, names)
            self.assertIn(json.loads(call.function.arguments)["zone"], ("UTC", "CET"))
            with client.chat.completions.stream(tool_choice=choice, **asked) as stream:
                answer = stream.get_final_completion().choices[0]
            self.assertIn(answer.message.tool_calls[0].function.name, names)
        free = client.chat.completions.create(tool_choice="none", **asked).choices[0]
        self.assertIsNone(free.message.tool_calls)
        schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": False}
        formed = client.chat.completions.create(
            model=LOCAL_NAME, messages=QUESTION, max_tokens=60,
            response_format={"type": "json_schema", "json_schema": {"name": "n", "strict": True, "schema": schema}},
        )
        self.assertIsInstance(json.loads(formed.choices[0].message.content)["n"], int)


if __name__ == "__main__":
    sys.exit(run(WithStoa, (Listing, Answers, Ranking, Seeing, Managing, Guard, JavaScript, OpenAi), []))
