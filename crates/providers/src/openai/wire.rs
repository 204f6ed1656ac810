//! The shapes on the wire: the request as it is written, chunks and answers as leniently as real servers need.

use std::borrow::Cow;
use std::fmt;

use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use stoa_model::completion::{CompletionRequest, FinishReason, PromptMessage};
use stoa_model::format::Format;
use stoa_model::json::Json;
use stoa_model::think::Think;
use stoa_model::tools::{ToolCall, ToolChoice, Tools};

use crate::parts::{self, Part};

#[derive(Serialize)]
pub(crate) struct WireRequest<'a> {
    model: &'a str,
    messages: Vec<WireMessage<'a>>,
    stream: bool,
    stream_options: StreamOptions,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    presence_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frequency_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u32>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    stop: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u32>,
    #[serde(skip_serializing_if = "<[Json]>::is_empty")]
    tools: &'a [Json],
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parallel_tool_calls: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<WireFormat<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_effort: Option<&'static str>,
}

#[derive(Serialize)]
struct WireMessage<'a> {
    role: &'static str,
    content: Option<WireContent<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<WireCall<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'a str>,
}

/// Plain wherever it can be: not every server understands parts.
#[derive(Serialize)]
#[serde(untagged)]
enum WireContent<'a> {
    Text(&'a str),
    Parts(Vec<WirePart<'a>>),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum WirePart<'a> {
    Text { text: &'a str },
    ImageUrl { image_url: WireUrl },
}

#[derive(Serialize)]
struct WireUrl {
    url: String,
}

impl<'a> From<&'a PromptMessage> for WireContent<'a> {
    fn from(message: &'a PromptMessage) -> Self {
        if message.images.is_empty() {
            return Self::Text(&message.text);
        }
        let part = |part| match part {
            Part::Text(text) => WirePart::Text { text },
            Part::Image(image) => WirePart::ImageUrl { image_url: WireUrl { url: image.to_data_url() } },
        };
        Self::Parts(parts::of(message).into_iter().map(part).collect())
    }
}

/// A call in both directions.
#[derive(Serialize)]
pub(crate) struct WireCall<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<usize>,
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    function: WireFunction<'a>,
}

#[derive(Serialize)]
struct WireFunction<'a> {
    name: &'a str,
    arguments: &'a str,
}

impl<'a> WireCall<'a> {
    /// `index`: its place among the calls of a stream.
    pub(crate) fn new(call: &'a ToolCall, index: Option<usize>) -> Self {
        let function = WireFunction { name: &call.name, arguments: &call.arguments };
        Self { index, id: &call.id, kind: "function", function }
    }
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum WireFormat<'a> {
    JsonObject,
    JsonSchema { json_schema: WireSchema<'a> },
}

#[derive(Serialize)]
struct WireSchema<'a> {
    name: &'static str,
    schema: &'a Json,
    strict: bool,
}

impl<'a> From<&'a Format> for WireFormat<'a> {
    fn from(format: &'a Format) -> Self {
        match format {
            Format::Json => Self::JsonObject,
            Format::Schema { schema, strict } => {
                Self::JsonSchema { json_schema: WireSchema { name: "answer", schema, strict: *strict } }
            }
        }
    }
}

impl<'a> From<&'a PromptMessage> for WireMessage<'a> {
    fn from(message: &'a PromptMessage) -> Self {
        let says_nothing = message.text.is_empty() && !message.tool_calls.is_empty();
        Self {
            role: message.role.as_str(),
            content: (!says_nothing).then(|| message.into()),
            reasoning_content: message.reasoning.as_deref(),
            tool_calls: message.tool_calls.iter().map(|call| WireCall::new(call, None)).collect(),
            tool_call_id: message.tool_call_id.as_deref(),
        }
    }
}

/// What is said of tools only when some are offered.
fn tool_choice(tools: &Tools) -> Option<Value> {
    match &tools.choice {
        _ if tools.offered.is_empty() => None,
        ToolChoice::Auto => None,
        ToolChoice::None => Some(Value::from("none")),
        ToolChoice::Required => Some(Value::from("required")),
        ToolChoice::Named(name) => Some(serde_json::json!({ "type": "function", "function": { "name": name } })),
    }
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

impl<'a> WireRequest<'a> {
    /// `new_limit_name`: whether the longest answer is called `max_completion_tokens`, as OpenAI's own models demand, or
    /// `max_tokens`, as everybody else does.
    pub(crate) fn new(request: &'a CompletionRequest, new_limit_name: bool) -> Self {
        let (parameters, form) = (&request.parameters, &request.form);
        let (max_tokens, max_completion_tokens) =
            if new_limit_name { (None, parameters.max_tokens) } else { (parameters.max_tokens, None) };
        Self {
            model: &request.model,
            messages: request.messages.iter().map(WireMessage::from).collect(),
            stream: true,
            stream_options: StreamOptions { include_usage: true },
            temperature: parameters.temperature,
            top_p: parameters.top_p,
            presence_penalty: parameters.presence_penalty,
            frequency_penalty: parameters.frequency_penalty,
            max_tokens,
            max_completion_tokens,
            stop: &request.stop,
            seed: request.seed,
            tools: &form.tools.offered,
            tool_choice: tool_choice(&form.tools),
            parallel_tool_calls: (form.tools.one_call && !form.tools.offered.is_empty()).then_some(false),
            response_format: form.format.as_ref().map(WireFormat::from),
            reasoning_effort: form.think.and_then(Think::effort),
        }
    }
}

/// A chunk of a stream, or a whole answer: the latter has `message` where the former has `delta`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Chunk<'a> {
    #[serde(borrow)]
    pub(crate) choices: Option<Vec<Choice<'a>>>,
    pub(crate) usage: Option<Value>,
    pub(crate) error: Option<Value>,
    pub(crate) object: Option<Text<'a>>,
    /// Groq's place for the usage of a stream.
    pub(crate) x_groq: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Choice<'a> {
    pub(crate) index: Option<u64>,
    #[serde(borrow)]
    pub(crate) delta: Option<Delta<'a>>,
    #[serde(borrow)]
    pub(crate) message: Option<Delta<'a>>,
    #[serde(borrow)]
    pub(crate) finish_reason: Option<Text<'a>>,
    /// Moonshot's place for the usage of a stream.
    pub(crate) usage: Option<Value>,
    pub(crate) error: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Delta<'a> {
    #[serde(borrow)]
    pub(crate) content: Content<'a>,
    #[serde(borrow)]
    pub(crate) reasoning_content: Content<'a>,
    #[serde(borrow)]
    pub(crate) reasoning: Content<'a>,
    #[serde(borrow)]
    pub(crate) refusal: Content<'a>,
    #[serde(borrow)]
    pub(crate) tool_calls: Option<Vec<CallDelta<'a>>>,
}

/// A call, or a piece of one: what is absent goes on with the piece before.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct CallDelta<'a> {
    pub(crate) index: Option<usize>,
    #[serde(borrow)]
    pub(crate) id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(crate) function: Option<FunctionDelta<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct FunctionDelta<'a> {
    #[serde(borrow)]
    pub(crate) name: Option<Text<'a>>,
    /// A text; some servers write an object.
    #[serde(borrow)]
    pub(crate) arguments: Option<&'a RawValue>,
}

/// A string borrowed from the chunk where it holds no escapes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Text<'a>(pub(crate) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Content::deserialize(deserializer).map(|content| Self(content.text))
    }
}

/// Text in any of its forms: a string, a list of parts, null, or something that is no text at all.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Content<'a> {
    pub(crate) text: Cow<'a, str>,
    /// Parts of kind `thinking` (Mistral).
    pub(crate) thinking: Cow<'a, str>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Content<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ContentVisitor)
    }
}

struct ContentVisitor;

impl<'de> Visitor<'de> for ContentVisitor {
    type Value = Content<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text, a list of parts, or null")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Content { text: Cow::Borrowed(text), ..Content::default() })
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Content { text: Cow::Owned(text.to_owned()), ..Content::default() })
    }

    fn visit_string<E>(self, text: String) -> Result<Self::Value, E> {
        Ok(Content { text: Cow::Owned(text), ..Content::default() })
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Content::default())
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Content::default())
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Content::default())
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(Content::default())
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Content::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Content::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Self::Value, A::Error> {
        let (mut text, mut thinking) = (String::new(), String::new());
        while let Some(part) = parts.next_element::<Value>()? {
            match part {
                Value::String(part) => text.push_str(&part),
                Value::Object(_) => {
                    collect_text(&part["text"], &mut text);
                    collect_text(&part["thinking"], &mut thinking);
                }
                _ => {}
            }
        }
        Ok(Content { text: Cow::Owned(text), thinking: Cow::Owned(thinking) })
    }
}

fn collect_text(value: &Value, into: &mut String) {
    match value {
        Value::String(text) => into.push_str(text),
        Value::Array(parts) => parts.iter().for_each(|part| collect_text(&part["text"], into)),
        _ => {}
    }
}

/// `None` for the empty string, which some servers send in every chunk.
pub(crate) fn finish_reason(text: &str) -> Option<FinishReason> {
    Some(match text {
        "" => return None,
        "length" | "max_tokens" | "model_length" => FinishReason::Length,
        "content_filter" | "sensitive" | "safety" | "SAFETY" => FinishReason::ContentFilter,
        "tool_calls" | "function_call" => FinishReason::ToolCalls,
        // `stop`, and the many names that servers have for it: `eos`, `end_turn`, `stop_sequence`, …
        _ => FinishReason::Stop,
    })
}
