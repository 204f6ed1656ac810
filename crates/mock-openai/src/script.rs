//! What a stream does next: the scenario, one step at a time.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::chunk::Chunks;
use crate::dialect::{Counted, Voice};
use crate::scenario::{ReasoningField, Scenario, Text, UsagePlace};
use crate::texts::{MARKDOWN, lorem, words};

/// Bytes of a giant line handed over at a time.
const GIANT_PIECE: usize = 64 * 1024;

#[derive(Debug)]
pub(crate) enum Step {
    /// Send this at this time after the start.
    Send {
        bytes: Bytes,
        at: Duration,
    },
    /// Close the connection without ending the body.
    Abort,
    /// Say nothing more and keep the connection.
    Hang,
    End,
}

pub(crate) struct Script {
    scenario: Scenario,
    chunks: Chunks,
    /// Speaks in the place of `chunks`, in another protocol.
    voice: Option<Box<dyn Voice>>,
    tokens: Tokens,
    usage: Option<Value>,
    prompt_tokens: u64,
    /// The tool to call, and with what.
    call: Option<(String, Value)>,
    phase: Phase,
    /// Tokens sent, of reasoning and of text.
    sent: u64,
    left_giant: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Comment,
    Start,
    Open,
    Reasoning(u64),
    Close,
    Text(u64),
    Giant,
    Finish,
    Usage,
    Done,
    End,
}

/// The words to say.
pub(crate) enum Tokens {
    Listed(Vec<String>),
    Lorem(u64),
    Counter(u64),
}

impl Tokens {
    pub(crate) fn of(scenario: &Scenario, echoed: &str) -> Self {
        match scenario.text {
            Text::Echo => Self::Listed(words(echoed)),
            Text::Markdown => Self::Listed(words(MARKDOWN)),
            Text::Lorem => Self::Lorem(scenario.tokens),
            Text::Counter => Self::Counter(scenario.tokens),
        }
    }

    fn get(&self, index: u64) -> Option<String> {
        match self {
            Self::Listed(words) => words.get(usize::try_from(index).ok()?).cloned(),
            Self::Lorem(count) => {
                (index < *count).then(|| format!("{}{}", if index == 0 { "" } else { " " }, lorem(index)))
            }
            Self::Counter(count) => (index < *count).then(|| format!("{}{index}", if index == 0 { "" } else { " " })),
        }
    }

    /// All of it, for an answer that is not streamed; at most a million tokens.
    pub(crate) fn all(&self) -> (String, u64) {
        let mut text = String::new();
        let mut count = 0;
        while count < 1_000_000
            && let Some(token) = self.get(count)
        {
            text.push_str(&token);
            count += 1;
        }
        (text, count)
    }
}

/// What a request brings along.
pub(crate) struct Asked<'a> {
    pub(crate) echoed: &'a str,
    pub(crate) prompt_tokens: u64,
    pub(crate) include_usage: bool,
    /// The tool to call, and with what.
    pub(crate) call: Option<(String, Value)>,
}

impl Script {
    pub(crate) fn new(scenario: Scenario, chunks: Chunks, voice: Option<Box<dyn Voice>>, asked: Asked<'_>) -> Self {
        let Asked { echoed, prompt_tokens, include_usage, call } = asked;
        let tokens = Tokens::of(&scenario, echoed);
        let mut script = Self {
            left_giant: scenario.giant_bytes.unwrap_or(0),
            phase: if scenario.comments && voice.is_none() { Phase::Comment } else { Phase::Start },
            scenario,
            chunks,
            voice,
            tokens,
            usage: None,
            prompt_tokens,
            call,
            sent: 0,
        };
        if script.scenario.usage == UsagePlace::Asked {
            script.scenario.usage = if include_usage { UsagePlace::Always } else { UsagePlace::None };
        }
        script
    }

    pub(crate) const fn sent(&self) -> u64 {
        self.sent
    }

    pub(crate) const fn split(&self) -> Option<usize> {
        if self.scenario.trickle.is_some() { Some(1) } else { self.scenario.split }
    }

    pub(crate) const fn trickle(&self) -> Option<Duration> {
        self.scenario.trickle
    }

    /// When token number `sent` is due after the start.
    fn due(&self) -> Duration {
        if self.scenario.rate > 0.0 {
            #[expect(clippy::cast_precision_loss, reason = "a token number beyond 2^52 is never reached")]
            let seconds = self.sent as f64 / self.scenario.rate;
            self.scenario.first + Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX / 4)
        } else {
            self.scenario.first
        }
    }

    pub(crate) fn next(&mut self) -> Step {
        let at = self.due();
        let now = |bytes: Bytes| Step::Send { bytes, at };
        loop {
            match self.phase {
                Phase::Comment => {
                    self.phase = Phase::Start;
                    return Step::Send { bytes: self.chunks.comment(), at: Duration::ZERO };
                }
                Phase::Start => {
                    self.phase = if self.scenario.giant_bytes.is_some() { Phase::Giant } else { Phase::Open };
                    let bytes = self.voice.as_mut().map_or_else(|| self.chunks.start(), |voice| voice.start());
                    if !bytes.is_empty() {
                        return now(bytes);
                    }
                }
                Phase::Open => {
                    let thinks = self.scenario.reasoning > 0;
                    self.phase = if thinks { Phase::Reasoning(0) } else { Phase::Text(0) };
                    if thinks && self.scenario.reasoning_field == ReasoningField::ThinkTags {
                        return now(self.chunks.token("content", "<think>\n"));
                    }
                }
                Phase::Reasoning(index) => {
                    if let Some(step) = self.mishap() {
                        return step;
                    }
                    if index == self.scenario.reasoning {
                        self.phase = Phase::Close;
                        continue;
                    }
                    self.phase = Phase::Reasoning(index + 1);
                    self.sent += 1;
                    let field = match self.scenario.reasoning_field {
                        ReasoningField::ReasoningContent => "reasoning_content",
                        ReasoningField::Reasoning => "reasoning",
                        ReasoningField::ThinkTags => "content",
                    };
                    let blank = if index == 0 { "" } else { " " };
                    if let Some(voice) = &mut self.voice {
                        return now(voice.thought(&format!("{blank}{}", lorem(index))));
                    }
                    return now(self.chunks.token(field, &format!("{blank}{}", lorem(index))));
                }
                Phase::Close => {
                    self.phase = Phase::Text(0);
                    if self.scenario.reasoning_field == ReasoningField::ThinkTags {
                        return now(self.chunks.token("content", "\n</think>\n\n"));
                    }
                }
                Phase::Text(index) => {
                    if let Some(step) = self.mishap() {
                        return step;
                    }
                    if let Some((name, arguments)) = self.call.take() {
                        self.phase = Phase::Finish;
                        self.sent += 1;
                        return now(match &mut self.voice {
                            None => self.chunks.call(&name, &arguments),
                            Some(voice) => voice.call(&name, &arguments),
                        });
                    }
                    let Some(token) = self.tokens.get(index) else {
                        self.phase = Phase::Finish;
                        continue;
                    };
                    self.phase = Phase::Text(index + 1);
                    self.sent += 1;
                    return now(self.text(&token));
                }
                Phase::Giant => return now(self.giant()),
                Phase::Finish => {
                    let counted = self.counted();
                    if let Some(voice) = &mut self.voice {
                        self.phase = Phase::End;
                        return now(voice.finish(&self.scenario.finish, counted));
                    }
                    let usage = self.usage();
                    self.phase = if self.scenario.usage == UsagePlace::Always { Phase::Usage } else { Phase::Done };
                    let in_choice = matches!(self.scenario.usage, UsagePlace::Choice | UsagePlace::Every);
                    let bytes = self.chunks.finish(&self.scenario.finish, in_choice.then_some(&usage));
                    self.usage = Some(usage);
                    return now(bytes);
                }
                Phase::Usage => {
                    self.phase = Phase::Done;
                    return now(self.chunks.whole(&json!([]), self.usage.as_ref()));
                }
                Phase::Done => {
                    self.phase = Phase::End;
                    if self.scenario.done {
                        return now(self.chunks.data("[DONE]"));
                    }
                }
                Phase::End => return Step::End,
            }
        }
    }

    fn counted(&self) -> Counted {
        Counted { prompt: self.prompt_tokens, answer: self.sent, reasoning: self.sent.min(self.scenario.reasoning) }
    }

    fn text(&mut self, token: &str) -> Bytes {
        if let Some(voice) = &mut self.voice {
            return voice.text(token);
        }
        if self.scenario.usage == UsagePlace::Every {
            let choices = json!([{"index": 0, "delta": {"content": token}, "finish_reason": null}]);
            return self.chunks.whole(&choices, Some(&self.usage()));
        }
        self.chunks.token("content", token)
    }

    fn usage(&self) -> Value {
        json!({
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.sent,
            "total_tokens": self.prompt_tokens + self.sent,
            "prompt_tokens_details": {"cached_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": self.sent.min(self.scenario.reasoning)},
        })
    }

    /// What goes wrong at this token, if anything.
    fn mishap(&mut self) -> Option<Step> {
        let here = |after: Option<u64>| after == Some(self.sent);
        if here(self.scenario.stall_after) {
            return Some(Step::Hang);
        }
        if here(self.scenario.cut_after) {
            return Some(Step::Abort);
        }
        if here(self.scenario.unfinished_after) {
            self.phase = Phase::End;
            return Some(Step::End);
        }
        let at = self.due();
        if here(self.scenario.malformed_after) {
            self.scenario.malformed_after = None;
            if let Some(voice) = &self.voice {
                return Some(Step::Send { bytes: voice.malformed(), at });
            }
            return Some(Step::Send { bytes: self.chunks.data(r#"{"id":"chatcmpl-mock","choices":[{"delta""#), at });
        }
        if here(self.scenario.error_after) {
            self.phase = Phase::End;
            if let Some(voice) = &self.voice {
                return Some(Step::Send { bytes: voice.failure(), at });
            }
            let error = json!({"error": {"message": "The server had an error while processing your request",
                "type": "server_error", "param": null, "code": 503}});
            return Some(Step::Send { bytes: self.chunks.data(&error.to_string()), at });
        }
        None
    }

    /// The next piece of a line that hardly ends.
    fn giant(&mut self) -> Bytes {
        static FILLER: [u8; GIANT_PIECE] = [b'a'; GIANT_PIECE];
        if self.left_giant == self.scenario.giant_bytes.unwrap_or(0) {
            self.left_giant = self.left_giant.saturating_sub(1);
            return Bytes::from_static(b"data: ");
        }
        if self.left_giant == 0 {
            self.phase = Phase::Finish;
            return Bytes::from_static(b"\n\n");
        }
        let length = usize::try_from(self.left_giant).unwrap_or(GIANT_PIECE).min(GIANT_PIECE);
        self.left_giant -= length as u64;
        Bytes::from_static(&FILLER).slice(..length)
    }
}
