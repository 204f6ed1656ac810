//! What the server and a worker say to each other: length-prefixed JSON frames over a Unix socket.
//!
//! A frame is a 32-bit little-endian length and that many bytes of JSON. Both sides say `hello` with their version
//! first, and hang up on any other than their own: a worker is started by the very program that talks to it.

mod arguments;
mod frame;

use serde::{Deserialize, Serialize};
use stoa_model::completion::{FinishReason, Parameters, Usage};
use stoa_model::conversation::MessageRole;

pub use arguments::{ArgumentError, Processor, WorkerArguments};
pub use frame::{Decoder, FrameError, MAX_FRAME_BYTES, encode};

/// The version of this protocol; raised with every change of a message.
pub const VERSION: u32 = 1;

/// The longest prompt in bytes that may reach the tokenizer.
pub const MAX_PROMPT_BYTES: usize = 4 * 1024 * 1024;

/// The longest stop string in bytes.
pub const MAX_STOP_BYTES: usize = 256;

/// How many strings may end an answer.
pub const MAX_STOPS: usize = 8;

/// What the server asks of the worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    Hello {
        version: u32,
    },
    /// Run one sequence. Its number is chosen by the server and not used again on this connection.
    Submit {
        sequence: u64,
        messages: Vec<Message>,
        sampling: Sampling,
        max_tokens: Option<u32>,
        stop: Vec<String>,
        /// Whoever shares this may share what was computed of an earlier prompt; nobody else, since the time to the
        /// first token would tell what others wrote. `None` shares nothing.
        cache_scope: Option<String>,
        /// The time of the request, for templates that tell the model the date: milliseconds since 1970, UTC.
        now_ms: i64,
    },
    Cancel {
        sequence: u64,
    },
    Ping {
        nonce: u64,
    },
    Shutdown,
}

/// What the worker tells the server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Report {
    Hello {
        version: u32,
        /// Threads that compute.
        threads: u32,
        /// The set of instructions chosen for this processor.
        processor: String,
    },
    /// 0 to 1.
    Loading {
        progress: f32,
    },
    Ready {
        context_window: u32,
    },
    /// The model cannot be loaded; the worker ends.
    LoadFailed {
        failure: LoadFailure,
    },
    /// The prompt has been taken apart into tokens.
    Started {
        sequence: u64,
        prompt_tokens: u64,
        cached_tokens: u64,
        /// The template has already opened the model's reasoning.
        in_reasoning: bool,
    },
    Piece {
        sequence: u64,
        text: String,
        /// Tokens behind `text`; zero when it was held back from an earlier token.
        tokens: u32,
    },
    Finished {
        sequence: u64,
        outcome: Outcome,
        usage: Usage,
    },
    Refused {
        sequence: u64,
        refusal: Refusal,
    },
    Pong {
        nonce: u64,
        /// Rises with every step of the computation.
        steps: u64,
        busy: bool,
    },
}

/// How a sequence ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Stop,
    Length,
    Cancelled,
}

impl Outcome {
    pub const fn finish_reason(self) -> Option<FinishReason> {
        match self {
            Self::Stop => Some(FinishReason::Stop),
            Self::Length => Some(FinishReason::Length),
            Self::Cancelled => None,
        }
    }
}

/// Why a worker cannot serve its model at all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum LoadFailure {
    #[error("this processor lacks {missing}, which local models need")]
    Processor { missing: String },
    #[error("llama.cpp cannot load the model")]
    Model,
    #[error("there is not enough memory for a context of {context_window} tokens")]
    Context { context_window: u32 },
    #[error("the server speaks version {server} of the worker protocol, the worker {worker}")]
    Version { server: u32, worker: u32 },
}

/// Why a worker does not run, or no longer runs, one sequence. The worker itself is well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Refusal {
    #[error("the prompt has {prompt_tokens} tokens, the context {context_window}")]
    TooLong { prompt_tokens: u64, context_window: u64 },
    #[error("the prompt has {bytes} bytes, at most {maximum} are taken")]
    TooManyBytes { bytes: u64, maximum: u64 },
    #[error("the model has no chat template, so it cannot chat; it is probably a base model")]
    NoTemplate,
    #[error("the model's chat template failed: {detail}")]
    Template { detail: String },
    #[error("{detail}")]
    Sampling { detail: String },
    #[error("another sequence is running")]
    Occupied,
    #[error("llama.cpp failed: {detail}")]
    Engine { detail: String },
}

/// One message of the prompt, before the template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Message {
    pub role: MessageRole,
    pub content: String,
}

/// How the next token is chosen. What the request leaves open has llama.cpp's own defaults.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sampling {
    /// 0 always takes the likeliest token.
    pub temperature: f32,
    pub top_k: u16,
    pub top_p: f32,
    pub min_p: f32,
    pub presence_penalty: f32,
    pub frequency_penalty: f32,
    pub seed: u32,
}

/// A sampling value outside its range.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("`{name}` must be between {minimum} and {maximum}")]
pub struct SamplingOutOfRange {
    pub name: &'static str,
    pub minimum: f32,
    pub maximum: f32,
}

impl Sampling {
    /// Takes what `parameters` sets; the caller has checked their ranges.
    #[expect(clippy::cast_possible_truncation, reason = "values of a few units lose nothing that a sampler notices")]
    pub fn new(parameters: &Parameters, seed: u32) -> Self {
        Self {
            temperature: parameters.temperature.unwrap_or(0.8) as f32,
            top_k: 40,
            top_p: parameters.top_p.unwrap_or(0.95) as f32,
            min_p: 0.05,
            presence_penalty: parameters.presence_penalty.unwrap_or(0.0) as f32,
            frequency_penalty: parameters.frequency_penalty.unwrap_or(0.0) as f32,
            seed,
        }
    }

    /// Refuses what the sampler must never see, NaN among it. The worker checks again what the server has checked.
    pub fn check(&self) -> Result<(), SamplingOutOfRange> {
        for (name, value, minimum, maximum) in [
            ("temperature", self.temperature, 0.0, 2.0),
            ("top_p", self.top_p, 0.0, 1.0),
            ("min_p", self.min_p, 0.0, 1.0),
            ("presence_penalty", self.presence_penalty, -2.0, 2.0),
            ("frequency_penalty", self.frequency_penalty, -2.0, 2.0),
        ] {
            if !(minimum..=maximum).contains(&value) {
                return Err(SamplingOutOfRange { name, minimum, maximum });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sampler_never_sees_a_value_out_of_range() {
        let sampling = Sampling::new(&Parameters::default(), 1);
        assert!(sampling.check().is_ok());
        assert!(Sampling { temperature: f32::NAN, ..sampling }.check().is_err());
        assert!(Sampling { top_p: -0.1, ..sampling }.check().is_err());
        assert!(Sampling { presence_penalty: f32::INFINITY, ..sampling }.check().is_err());
    }
}
