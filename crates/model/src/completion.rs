//! One call of a model, as every provider and the local runtime understand it, and the door they all implement.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_core::Stream;
use serde::{Deserialize, Serialize};

use crate::conversation::MessageRole;
use crate::embedding::{EmbedFuture, EmbeddingRequest};
use crate::format::Format;
use crate::image::Image;
use crate::own::OwnValues;
use crate::think::Think;
use crate::tools::{ToolCall, Tools};

/// Sampling choices of one turn. An absent value is not sent, so that the model's own default holds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    /// 0 to 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 2)]
    pub temperature: Option<f64>,
    /// 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 1)]
    pub top_p: Option<f64>,
    /// -2 to 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = -2, maximum = 2)]
    pub presence_penalty: Option<f64>,
    /// -2 to 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = -2, maximum = 2)]
    pub frequency_penalty: Option<f64>,
    /// The longest answer, in tokens: 1 to 1,048,576.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 1_048_576)]
    pub max_tokens: Option<u32>,
    /// How hard the model thinks before it answers. Models that cannot think are not told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub think: Option<Think>,
    /// Parameters that only some model has, by the names that its provider's admins gave them. Those of other models than the
    /// one that answers are left aside.
    #[serde(default, skip_serializing_if = "OwnValues::is_empty")]
    #[schema(value_type = std::collections::HashMap<String, crate::own::OwnValue>, required = false)]
    pub own: OwnValues,
}

/// A parameter outside its range.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("`{name}` must be between {minimum} and {maximum}, but is {value}")]
pub struct ParameterOutOfRange {
    pub name: &'static str,
    pub minimum: f64,
    pub maximum: f64,
    pub value: f64,
}

impl Parameters {
    /// Refuses values that no model takes, NaN and infinity among them.
    pub fn check(&self) -> Result<(), ParameterOutOfRange> {
        in_range("temperature", self.temperature, 0.0, 2.0)?;
        in_range("top_p", self.top_p, 0.0, 1.0)?;
        in_range("presence_penalty", self.presence_penalty, -2.0, 2.0)?;
        in_range("frequency_penalty", self.frequency_penalty, -2.0, 2.0)?;
        in_range("max_tokens", self.max_tokens.map(f64::from), 1.0, 1_048_576.0)?;
        if let Some(Think::Budget(tokens)) = self.think {
            in_range("think", Some(f64::from(tokens)), 1.0, 1_048_576.0)?;
        }
        Ok(())
    }
}

/// What only the models of this machine understand. An absent value leaves the runtime's own default; other upstreams
/// look at none of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LocalOptions {
    /// The prompt as the model reads it, without any chat template. There are then no messages.
    pub prompt: Option<String>,
    /// What stands behind the gap that the model is to fill.
    pub suffix: Option<String>,
    /// A template of Ollama's kind instead of the model's own.
    pub template: Option<String>,
    /// The tokens of a conversation so far, which the prompt goes on with. Those of all of it are told at the end, also where
    /// there were none.
    pub context: Option<Vec<u32>>,
    /// The likeliest tokens that may be chosen: 0 (all of them) to 1,000.
    pub top_k: Option<u32>,
    /// How likely a token must be beside the likeliest: 0 to 1.
    pub min_p: Option<f64>,
    /// 0 to 1; 1 changes nothing.
    pub typical_p: Option<f64>,
    /// What a token that came before is made less likely by: 0.1 to 10; 1 changes nothing.
    pub repeat_penalty: Option<f64>,
    /// How many tokens back penalties look: -1 (the whole context), 0 (no penalties), to 1,048,576.
    pub repeat_last_n: Option<i32>,
    /// Tells how likely each token was, beside so many of the likeliest: 0 to 20.
    pub logprobs: Option<u8>,
    /// How long the model stays loaded after this call. It holds until another call says otherwise.
    pub keep_alive: Option<KeepAlive>,
}

/// How long a model stays loaded when nobody uses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeepAlive {
    For(Duration),
    Forever,
}

impl KeepAlive {
    /// Unloaded as soon as nobody uses it.
    pub const NOW: Self = Self::For(Duration::ZERO);
}

impl LocalOptions {
    /// Refuses values that no sampler takes, NaN and infinity among them.
    pub fn check(&self) -> Result<(), ParameterOutOfRange> {
        in_range("top_k", self.top_k.map(f64::from), 0.0, 1_000.0)?;
        in_range("min_p", self.min_p, 0.0, 1.0)?;
        in_range("typical_p", self.typical_p, 0.0, 1.0)?;
        in_range("repeat_penalty", self.repeat_penalty, 0.1, 10.0)?;
        in_range("repeat_last_n", self.repeat_last_n.map(f64::from), -1.0, 1_048_576.0)?;
        in_range("logprobs", self.logprobs.map(f64::from), 0.0, 20.0)
    }
}

fn in_range(name: &'static str, value: Option<f64>, minimum: f64, maximum: f64) -> Result<(), ParameterOutOfRange> {
    match value {
        Some(value) if !(minimum..=maximum).contains(&value) => {
            Err(ParameterOutOfRange { name, minimum, maximum, value })
        }
        _ => Ok(()),
    }
}

/// Who says something in a prompt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PromptRole {
    System,
    #[default]
    User,
    Assistant,
    /// What a tool has answered.
    Tool,
}

impl PromptRole {
    pub const ALL: [Self; 4] = [Self::System, Self::User, Self::Assistant, Self::Tool];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Tool => "tool",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }
}

impl From<MessageRole> for PromptRole {
    fn from(role: MessageRole) -> Self {
        match role {
            MessageRole::System => Self::System,
            MessageRole::User => Self::User,
            MessageRole::Assistant => Self::Assistant,
        }
    }
}

/// One message of the prompt.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PromptMessage {
    pub role: PromptRole,
    pub text: String,
    /// By their places in the text.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<Image>,
    /// What the model thought before it answered so. Only a program that calls tools sends it back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<String>,
    /// The calls that an answer asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ToolCall>,
    /// The call that a tool answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_call_id: Option<String>,
    /// The tool that answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_name: Option<String>,
}

impl PromptMessage {
    pub fn new(role: impl Into<PromptRole>, text: impl Into<String>) -> Self {
        Self { role: role.into(), text: text.into(), ..Self::default() }
    }

    /// Bytes of everything in it.
    pub fn bytes(&self) -> usize {
        let calls = self.tool_calls.iter().map(|call| call.name.len() + call.arguments.len()).sum::<usize>();
        let images = self.images.iter().map(|image| image.bytes().len()).sum::<usize>();
        self.text.len() + self.reasoning.as_ref().map_or(0, String::len) + calls + images
    }
}

/// What an answer may be made of beside text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnswerForm {
    pub tools: Tools,
    /// The text must have this form.
    pub format: Option<Format>,
    /// `None` leaves it to the model.
    pub think: Option<Think>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct CompletionRequest {
    /// The model's name as the upstream knows it (no slug).
    pub model: String,
    pub messages: Vec<PromptMessage>,
    pub parameters: Parameters,
    /// At most 8 strings that end the answer; they are not part of it.
    pub stop: Vec<String>,
    pub seed: Option<u32>,
    pub form: AnswerForm,
    /// Whose turn this is, for fair queues. Never sent outside.
    pub tenant: Option<crate::UserId>,
    /// How many functions have called one another until this call. Sent to functions of this server alone.
    pub depth: u8,
    pub timers: Timers,
    pub local: LocalOptions,
}

/// How long to wait for each step of a call before giving up with a typed error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timers {
    pub connect: Duration,
    /// From the request's end to the first event of the answer (queueing and loading included).
    pub first_token: Duration,
    /// Between two events of the answer.
    pub idle: Duration,
    pub total: Duration,
}

impl Default for Timers {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            first_token: Duration::from_mins(5),
            idle: Duration::from_mins(2),
            total: Duration::from_hours(1),
        }
    }
}

/// Which stream of the answer a piece of text belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PartKind {
    Text,
    Reasoning,
}

#[derive(Clone, Debug, PartialEq)]
pub enum CompletionEvent {
    Delta {
        part: PartKind,
        text: String,
    },
    /// A call that the model asks for, whole.
    ToolCall(ToolCall),
    /// What only the models of this machine tell. Whoever does not know it passes over it.
    Local(LocalEvent),
    /// The latest figures; a later one replaces an earlier one.
    Usage(Usage),
    /// Always the last event of a good answer.
    Finish(FinishReason),
}

/// What a model of this machine tells beside its answer.
#[derive(Clone, Debug, PartialEq)]
pub enum LocalEvent {
    /// It waits for its turn, behind so many; told again whenever that changes, until it begins.
    Queued { ahead: u32 },
    /// The tokens behind the text that comes next, when they were asked for.
    LogProbs(Vec<TokenLogProb>),
    /// The tokens of the conversation with the answer, when they were asked for; once, at the end.
    Context(Vec<u32>),
    /// Where the time went; once, before the last usage.
    Timings(LocalTimings),
}

/// A token and how likely it was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenLogProb {
    pub token: LogProb,
    /// The likeliest tokens in its place, the likeliest first; as many as were asked for.
    pub top: Vec<LogProb>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogProb {
    /// The token's text; a character that it holds only a part of is U+FFFD.
    pub text: String,
    pub bytes: Vec<u8>,
    /// Natural logarithm of its probability, before any sampling option.
    pub logprob: f32,
}

/// Where the time of a call of a local model went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LocalTimings {
    /// In the queue, and until the model was loaded, if it was not.
    pub waiting: Duration,
    /// Part of `waiting`: loading the model.
    pub loading: Duration,
    /// Until the whole prompt was computed.
    pub prompt: Duration,
    /// From there to the last token.
    pub answer: Duration,
}

/// Tokens of one call, as counted by whoever ran the model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Usage {
    pub prompt_tokens: u64,
    pub completion_tokens: u64,
    /// Tokens of the prompt that the upstream took from a cache; part of `prompt_tokens`.
    #[serde(default)]
    pub cached_tokens: u64,
    /// Tokens of reasoning; part of `completion_tokens`.
    #[serde(default)]
    pub reasoning_tokens: u64,
    /// In billionths of a US dollar, where the model's prices are known. `dispatch` adds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<u64>,
}

/// Why the model itself stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    Stop,
    /// The longest answer allowed, or the end of the context window.
    Length,
    ContentFilter,
    /// The model asks for tools to be called.
    ToolCalls,
}

impl FinishReason {
    pub const ALL: [Self; 4] = [Self::Stop, Self::Length, Self::ContentFilter, Self::ToolCalls];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::ContentFilter => "content_filter",
            Self::ToolCalls => "tool_calls",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
    }
}

/// Why a call of a model failed. The text is for the person who chats: what happened, in one sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompletionError {
    /// No connection: DNS, refused, TLS, or no answer in time.
    #[error("the provider cannot be reached: {detail}")]
    Unreachable { detail: String },
    /// The address is private and no admin has allowed it. `authority` is the exact `host:port` to allow.
    #[error("the address {authority} is private, and no admin has allowed it")]
    AddressRefused { authority: String },
    /// The upstream answered with an error status; `detail` is its own message, shortened.
    #[error("the provider answered {status}: {detail}")]
    Refused { status: u16, detail: String, retry_after: Option<Duration> },
    /// An answer that is not of the protocol, or over a size cap.
    #[error("the provider's answer could not be understood: {detail}")]
    Protocol { detail: String },
    /// The answer ended without its end mark.
    #[error("the provider's answer was cut off")]
    CutOff,
    #[error("no {step} came within {after:?}")]
    TimedOut { step: TimedStep, after: Duration },
    #[error("the prompt has {prompt_tokens} tokens, but the model takes {context_window} with its answer")]
    TooLong { prompt_tokens: u64, context_window: u64 },
    #[error("the model `{model}` does not exist")]
    UnknownModel { model: String },
    /// Something in the request that this model does not take.
    #[error("{detail}")]
    Invalid { detail: String },
    /// Too much of the caller's own is waiting already.
    #[error("{waiting} of your requests wait for this model already, and no more may")]
    TooMany { waiting: usize, retry_after: Duration },
    /// Too much is waiting already.
    #[error("the model is busy")]
    Busy { retry_after: Duration },
    /// The model would not fit with all others unloaded, so nobody waits for it.
    #[error(
        "the model needs {} of memory, but at most {} can be had here: take a smaller model, or have a smaller context \
         (STOA_MODEL_CONTEXT_TOKENS) or more memory (STOA_MODELS_MEMORY) set",
        gibibytes(*needed_bytes),
        gibibytes(*room_bytes)
    )]
    NoRoom { needed_bytes: u64, room_bytes: u64 },
    /// The process that ran the model died, hung, or could not be started.
    #[error("the model's worker failed: {detail}")]
    WorkerFailed { detail: String },
}

/// With two decimals, rounded down.
fn gibibytes(bytes: u64) -> String {
    let hundredths = u128::from(bytes) * 100 / (1 << 30);
    format!("{}.{:02} GiB", hundredths / 100, hundredths % 100)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimedStep {
    Connection,
    FirstToken,
    NextToken,
    End,
}

impl std::fmt::Display for TimedStep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Connection => "connection",
            Self::FirstToken => "first token",
            Self::NextToken => "further token",
            Self::End => "end of the answer",
        })
    }
}

impl CompletionError {
    /// Stable code for problem details, logs and the usage ledger.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "provider_unreachable",
            Self::AddressRefused { .. } => "egress_refused",
            Self::Refused { .. } => "provider_refused",
            Self::Protocol { .. } => "provider_protocol",
            Self::CutOff => "provider_cut_off",
            Self::TimedOut { .. } => "provider_timed_out",
            Self::TooLong { .. } => "context_exceeded",
            Self::UnknownModel { .. } => "model_not_found",
            Self::Invalid { .. } => "invalid_request",
            Self::TooMany { .. } => "too_many_waiting",
            Self::Busy { .. } => "model_busy",
            Self::NoRoom { .. } => "model_no_room",
            Self::WorkerFailed { .. } => "worker_failed",
        }
    }
}

impl CompletionError {
    /// The fault is with whoever runs the model, or the way there: another one may do what was asked. What is wrong with
    /// the request itself is wrong everywhere.
    pub const fn another_may_answer(&self) -> bool {
        match self {
            Self::Unreachable { .. }
            | Self::AddressRefused { .. }
            | Self::Protocol { .. }
            | Self::CutOff
            | Self::TimedOut { .. }
            | Self::UnknownModel { .. }
            | Self::Busy { .. }
            | Self::NoRoom { .. }
            | Self::WorkerFailed { .. } => true,
            // A wrong or used-up key, a model that is gone, too many requests, or the provider's own trouble.
            Self::Refused { status, .. } => matches!(*status, 401..=404 | 408 | 425 | 429 | 500..),
            Self::TooLong { .. } | Self::Invalid { .. } | Self::TooMany { .. } => false,
        }
    }
}

pub type CompletionStream = Pin<Box<dyn Stream<Item = Result<CompletionEvent, CompletionError>> + Send>>;

pub type OpenFuture<'a> = Pin<Box<dyn Future<Output = Result<CompletionStream, CompletionError>> + Send + 'a>>;

/// Something that runs models: a provider over HTTP, or the local runtime. Only `dispatch` calls it.
///
/// `open` answers once the upstream has accepted the call (status and headers, or admission to the queue); the stream
/// then yields deltas, at most a few usages, and one `Finish`, or ends with one error. The implementation keeps
/// `request.timers`. Dropping the stream, or the future of `open`, cancels the call upstream at once.
pub trait Upstream: Send + Sync {
    fn open(self: Arc<Self>, request: CompletionRequest) -> OpenFuture<'static>;

    /// Texts as vectors. Most upstreams that can do it say so by doing it; the others refuse.
    fn embed(self: Arc<Self>, request: EmbeddingRequest) -> EmbedFuture<'static> {
        let detail = format!("`{}` makes no vectors", request.model);
        Box::pin(std::future::ready(Err(CompletionError::Invalid { detail })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_outside_their_range_are_refused_by_name() {
        let parameters = Parameters { temperature: Some(2.5), ..Parameters::default() };
        assert_eq!(parameters.check().unwrap_err().to_string(), "`temperature` must be between 0 and 2, but is 2.5");
        assert!(Parameters { top_p: Some(f64::NAN), ..Parameters::default() }.check().is_err());
        assert!(Parameters { max_tokens: Some(0), ..Parameters::default() }.check().is_err());
        assert!(Parameters::default().check().is_ok());
    }

    #[test]
    fn local_options_outside_their_range_are_refused_by_name() {
        let refused = |options: LocalOptions| options.check().unwrap_err().name;
        assert_eq!(refused(LocalOptions { top_k: Some(1_001), ..LocalOptions::default() }), "top_k");
        assert_eq!(refused(LocalOptions { min_p: Some(f64::NAN), ..LocalOptions::default() }), "min_p");
        assert_eq!(refused(LocalOptions { typical_p: Some(-0.1), ..LocalOptions::default() }), "typical_p");
        assert_eq!(refused(LocalOptions { repeat_penalty: Some(0.0), ..LocalOptions::default() }), "repeat_penalty");
        assert_eq!(refused(LocalOptions { repeat_last_n: Some(-2), ..LocalOptions::default() }), "repeat_last_n");
        assert_eq!(refused(LocalOptions { logprobs: Some(21), ..LocalOptions::default() }), "logprobs");
        assert!(LocalOptions::default().check().is_ok());
    }
}
