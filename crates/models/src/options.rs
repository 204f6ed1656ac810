//! What a request of Ollama's protocol sets: `options` and `keep_alive`, each checked and typed.
//!
//! A value of the wrong type or out of its range is an error that names it. A key that is not known is passed over with a
//! warning, as Ollama does. `null` is the same as nothing.

mod duration;
mod keep_alive;
mod settings;
mod table;

use crate::protocol::{MAX_STOP_BYTES, MAX_STOPS};
use stoa_model::json::Json;

pub use duration::{DurationError, GoDuration};
pub use keep_alive::{KeepAlive, KeepAliveError};
pub use settings::Settings;

/// What `options` set. Absent is what nobody set, so that defaults can be laid under.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ModelOptions {
    pub sampling: SamplingOptions,
    pub load: LoadOptions,
}

/// How the next token is chosen, and when the answer ends.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SamplingOptions {
    /// Tokens at the head of the prompt that stay when the context is full; -1 keeps all.
    pub num_keep: Option<i32>,
    /// -1 takes another seed each time. The sampler has 32 bits for it; the upper ones may be dropped.
    pub seed: Option<i64>,
    /// Tokens of the answer; -1 for no limit of its own, -2 to fill the context.
    pub num_predict: Option<i32>,
    /// 0 looks at all tokens.
    pub top_k: Option<u32>,
    pub top_p: Option<f32>,
    pub min_p: Option<f32>,
    pub typical_p: Option<f32>,
    /// Tokens that penalties look back on: 0 for none, -1 for the whole context.
    pub repeat_last_n: Option<i32>,
    pub temperature: Option<f32>,
    pub repeat_penalty: Option<f32>,
    pub presence_penalty: Option<f32>,
    pub frequency_penalty: Option<f32>,
    pub stop: Option<Vec<String>>,
}

/// How the model is loaded. A request does not load it anew: each is a bound on what the request wants of the loaded one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadOptions {
    /// Tokens of the context, at most.
    pub num_ctx: Option<u32>,
    pub num_batch: Option<u32>,
    /// Layers on graphics processors: -1 for as many as fit, 0 for none. As a model's own parameter it bounds them; of a
    /// request it is only checked, as a request loads no model anew.
    pub num_gpu: Option<i32>,
    pub main_gpu: Option<u32>,
    pub use_mmap: Option<bool>,
    /// 0 for as many as there are cores.
    pub num_thread: Option<u32>,
    pub draft_num_predict: Option<u32>,
}

/// What a request asks for that has no effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionWarning {
    pub name: String,
}

impl std::fmt::Display for OptionWarning {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "the option `{}` is not known and has no effect", self.name)
    }
}

#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum OptionError {
    #[error("the options must be an object, not {found}")]
    NotAnObject { found: &'static str },
    #[error("the option `{name}` must be {expected}, not {found}")]
    WrongType { name: &'static str, expected: &'static str, found: &'static str },
    #[error("the option `{name}` must be between {minimum} and {maximum}, but is {value}")]
    OutOfRange { name: &'static str, minimum: f64, maximum: f64, value: f64 },
    #[error("the option `stop` has {count} strings, more than {MAX_STOPS}")]
    TooManyStops { count: usize },
    #[error("a string of the option `stop` is longer than {MAX_STOP_BYTES} bytes")]
    StopTooLong,
}

impl ModelOptions {
    /// Reads `options`, or the parameters of a model; and what had no effect.
    pub fn parse(options: &Json) -> Result<(Self, Vec<OptionWarning>), OptionError> {
        let entries = match options {
            Json::Null => return Ok((Self::default(), Vec::new())),
            Json::Object(entries) => entries,
            other => return Err(OptionError::NotAnObject { found: other.kind() }),
        };
        let (mut parsed, mut warnings) = (Self::default(), Vec::new());
        for (name, value) in entries {
            if !table::set(&mut parsed, name, value)? {
                warnings.push(OptionWarning { name: name.chars().take(100).collect() });
            }
        }
        Ok((parsed, warnings))
    }
}

#[cfg(test)]
mod tests;
