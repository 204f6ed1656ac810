//! Answers as Ollama's clients read them: one JSON object a line, or one object for all of it.

use std::time::{Duration, Instant};

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _, stream};
use http::header::CONTENT_TYPE;
use serde::Serialize;
use stoa_model::completion::{
    CompletionError, CompletionEvent, CompletionStream, FinishReason, LocalEvent, LocalTimings, LogProb, PartKind,
    TokenLogProb, Usage,
};
use stoa_model::json::Json;
use stoa_model::tools::ToolCall;
use stoa_model::{Clock, Timestamp};

use super::error::Refusal;
use crate::app::App;

/// What is ready goes out together, up to so many bytes.
const TOGETHER_BYTES: usize = 16 * 1024;

/// Which of the two requests is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Chat,
    Generate,
}

/// One object of an answer. What is absent is left out.
#[derive(Serialize)]
struct Chunk<'a> {
    model: &'a str,
    created_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Message<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response: Option<&'a str>,
    #[serde(skip_serializing_if = "is_empty")]
    thinking: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    logprobs: Vec<TokenChance<'a>>,
    done: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    done_reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<&'a [u32]>,
    #[serde(flatten)]
    figures: Option<Figures>,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: &'a str,
    #[serde(skip_serializing_if = "is_empty")]
    thinking: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Call<'a>>,
}

#[derive(Serialize)]
struct Call<'a> {
    id: &'a str,
    function: Function<'a>,
}

#[derive(Serialize)]
struct Function<'a> {
    index: usize,
    name: &'a str,
    /// An object, where OpenAI has a text.
    arguments: Json,
}

/// What one line says.
#[derive(Clone, Copy, Default)]
struct Said<'a> {
    text: &'a str,
    thinking: &'a str,
    logprobs: &'a [TokenLogProb],
    calls: &'a [ToolCall],
    /// The place of the first of them among those of the answer.
    first_call: usize,
    /// The tokens of all of it, at the end.
    context: Option<&'a [u32]>,
    end: Option<(&'a str, Option<Figures>)>,
}

#[derive(Serialize)]
struct TokenChance<'a> {
    #[serde(flatten)]
    token: Chance<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    top_logprobs: Vec<Chance<'a>>,
}

#[derive(Serialize)]
struct Chance<'a> {
    token: &'a str,
    logprob: f32,
    bytes: &'a [u8],
}

/// Durations are in nanoseconds.
#[derive(Clone, Copy, Default, Serialize)]
struct Figures {
    total_duration: u64,
    #[serde(skip_serializing_if = "is_zero")]
    load_duration: u64,
    #[serde(skip_serializing_if = "is_zero")]
    prompt_eval_count: u64,
    #[serde(skip_serializing_if = "is_zero")]
    prompt_eval_duration: u64,
    #[serde(skip_serializing_if = "is_zero")]
    eval_count: u64,
    #[serde(skip_serializing_if = "is_zero")]
    eval_duration: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[expect(clippy::ref_option_ref, reason = "serde asks so")]
fn is_empty(text: &Option<&str>) -> bool {
    text.is_none_or(str::is_empty)
}

pub(super) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// An answer on its way out.
pub(super) struct Answer {
    pub(super) shape: Shape,
    /// As the client wrote it.
    pub(super) model: String,
    pub(super) begun: Instant,
    pub(super) app: App,
}

impl Answer {
    /// The whole answer to a request that asks for no text.
    pub(super) fn done(&self, reason: &str, loading: Duration) -> Response {
        let figures = (loading > Duration::ZERO).then(|| Figures {
            total_duration: nanoseconds(self.begun.elapsed()),
            load_duration: nanoseconds(loading),
            ..Figures::default()
        });
        let line = self.line(Said { end: Some((reason, figures)), ..Said::default() });
        ([(CONTENT_TYPE, "application/json; charset=utf-8")], line).into_response()
    }

    /// Waits for the first sign of the model, so that an error before it still has a status of its own; then streams, or
    /// collects everything.
    pub(super) async fn send(self, mut events: CompletionStream, streaming: bool) -> Result<Response, Refusal> {
        // To wait in line is no sign of it, and there are no words for it in this protocol.
        let first = loop {
            match events.next().await.unwrap_or(Err(CompletionError::CutOff))? {
                CompletionEvent::Local(LocalEvent::Queued { .. }) => {}
                first => break first,
            }
        };
        let mut running = Running { answer: self, events, state: State::default() };
        running.state.first = Some(first);
        if streaming {
            let body = stream::unfold(running, |mut running| async move {
                let bytes = running.next().await?;
                Some((Ok::<_, std::convert::Infallible>(bytes), running))
            });
            return Ok(([(CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(body)).into_response());
        }
        let line = running.collect().await?;
        Ok(([(CONTENT_TYPE, "application/json; charset=utf-8")], line).into_response())
    }

    fn line(&self, said: Said<'_>) -> Vec<u8> {
        let Said { text, thinking, logprobs, calls, first_call, context, end } = said;
        let chat = self.shape == Shape::Chat;
        let thinking = Some(thinking);
        let chunk = Chunk {
            model: &self.model,
            created_at: self.app.clock.now(),
            message: chat.then(|| Message {
                role: "assistant",
                content: text,
                thinking,
                tool_calls: tool_calls(calls, first_call),
            }),
            response: (!chat).then_some(text),
            thinking: thinking.filter(|_| !chat),
            logprobs: logprobs.iter().map(token_chance).collect(),
            done: end.is_some(),
            context,
            done_reason: end.map(|(reason, _)| reason),
            figures: end.and_then(|(_, figures)| figures),
        };
        let mut line = serde_json::to_vec(&chunk).unwrap_or_else(|error| Refusal::internal(&error).line());
        line.push(b'\n');
        line
    }
}

fn tool_calls(calls: &[ToolCall], first: usize) -> Vec<Call<'_>> {
    (first..).zip(calls).map(|(index, call)| Call::new(index, call)).collect()
}

impl<'a> Call<'a> {
    fn new(index: usize, call: &'a ToolCall) -> Self {
        // Whoever has read the call has seen that these are an object.
        let arguments = Json::parse(&call.arguments).unwrap_or_default();
        Self { id: &call.id, function: Function { index, name: &call.name, arguments } }
    }
}

fn token_chance(token: &TokenLogProb) -> TokenChance<'_> {
    TokenChance { token: chance(&token.token), top_logprobs: token.top.iter().map(chance).collect() }
}

fn chance(token: &LogProb) -> Chance<'_> {
    Chance { token: &token.text, logprob: token.logprob, bytes: &token.bytes }
}

struct Running {
    answer: Answer,
    events: CompletionStream,
    state: State,
}

#[derive(Default)]
struct State {
    /// Read before the answer began.
    first: Option<CompletionEvent>,
    /// Of the text that comes next.
    logprobs: Vec<TokenLogProb>,
    /// Calls of tools so far.
    calls: usize,
    usage: Usage,
    timings: LocalTimings,
    context: Option<Vec<u32>>,
    over: bool,
}

impl Running {
    /// The next piece: everything that is ready, in one.
    async fn next(&mut self) -> Option<Bytes> {
        let mut out = Vec::new();
        while out.is_empty() && !self.state.over {
            let event = self.event().await;
            self.write(&mut out, event);
        }
        while !self.state.over && out.len() < TOGETHER_BYTES {
            match self.events.next().now_or_never() {
                Some(event) => self.write(&mut out, event.unwrap_or(Err(CompletionError::CutOff))),
                None => break,
            }
        }
        (!out.is_empty()).then(|| out.into())
    }

    async fn event(&mut self) -> Result<CompletionEvent, CompletionError> {
        match self.state.first.take() {
            Some(event) => Ok(event),
            None => self.events.next().await.unwrap_or(Err(CompletionError::CutOff)),
        }
    }

    fn write(&mut self, out: &mut Vec<u8>, event: Result<CompletionEvent, CompletionError>) {
        match event {
            Ok(CompletionEvent::Delta { part, text }) => {
                let logprobs = std::mem::take(&mut self.state.logprobs);
                let (text, thinking) = match part {
                    PartKind::Text => (text.as_str(), ""),
                    PartKind::Reasoning => ("", text.as_str()),
                };
                out.extend(self.answer.line(Said { text, thinking, logprobs: &logprobs, ..Said::default() }));
            }
            Ok(CompletionEvent::Finish(reason)) => {
                let logprobs = std::mem::take(&mut self.state.logprobs);
                let end = Some((word(reason), Some(self.figures())));
                let context = self.state.context.as_deref();
                out.extend(self.answer.line(Said { logprobs: &logprobs, context, end, ..Said::default() }));
                self.state.over = true;
            }
            Ok(CompletionEvent::ToolCall(call)) => {
                let first_call = self.state.calls;
                self.state.calls += 1;
                out.extend(self.answer.line(Said { calls: &[call], first_call, ..Said::default() }));
            }
            Ok(event) => self.note(event),
            Err(error) => {
                out.extend(Refusal::from(error).line());
                self.state.over = true;
            }
        }
    }

    fn note(&mut self, event: CompletionEvent) {
        match event {
            CompletionEvent::Local(LocalEvent::LogProbs(tokens)) => self.state.logprobs.extend(tokens),
            CompletionEvent::Local(LocalEvent::Timings(timings)) => self.state.timings = timings,
            CompletionEvent::Local(LocalEvent::Context(tokens)) => self.state.context = Some(tokens),
            CompletionEvent::Usage(usage) => self.state.usage = usage,
            CompletionEvent::Local(LocalEvent::Queued { .. })
            | CompletionEvent::Delta { .. }
            | CompletionEvent::ToolCall(_)
            | CompletionEvent::Finish(_) => {}
        }
    }

    /// All of it as one object.
    async fn collect(mut self) -> Result<Vec<u8>, Refusal> {
        let (mut text, mut thinking, mut calls) = (String::new(), String::new(), Vec::new());
        loop {
            match self.event().await? {
                CompletionEvent::Delta { part: PartKind::Text, text: more } => text.push_str(&more),
                CompletionEvent::Delta { part: PartKind::Reasoning, text: more } => thinking.push_str(&more),
                CompletionEvent::Finish(reason) => {
                    return Ok(self.answer.line(Said {
                        text: &text,
                        thinking: &thinking,
                        logprobs: &self.state.logprobs,
                        calls: &calls,
                        first_call: 0,
                        context: self.state.context.as_deref(),
                        end: Some((word(reason), Some(self.figures()))),
                    }));
                }
                CompletionEvent::ToolCall(call) => calls.push(call),
                event => self.note(event),
            }
        }
    }

    fn figures(&self) -> Figures {
        let (usage, timings) = (self.state.usage, self.state.timings);
        Figures {
            total_duration: nanoseconds(self.answer.begun.elapsed()),
            load_duration: nanoseconds(timings.loading),
            prompt_eval_count: usage.prompt_tokens,
            prompt_eval_duration: nanoseconds(timings.prompt),
            eval_count: usage.completion_tokens,
            eval_duration: nanoseconds(timings.answer),
        }
    }
}

/// Ollama knows two reasons.
const fn word(reason: FinishReason) -> &'static str {
    match reason {
        FinishReason::Length => "length",
        FinishReason::Stop | FinishReason::ContentFilter | FinishReason::ToolCalls => "stop",
    }
}
