//! Wire protocols of language models, both directions: towards providers, and towards programs that call Stoa.

mod answer;
mod anthropic;
mod azure;
mod bedrock;
pub mod event_stream;
mod gemini;
mod models;
mod ollama;
mod openai;
pub mod outward;
mod parts;
mod protocol;
mod provider;
mod responses;
pub mod sse;
mod turns;

pub use answer::Reading;
pub use openai::{OpenAiEndpoints, openai_body, openai_endpoints};
pub use provider::{
    ApiKey, BaseUrl, BaseUrlError, CheckFailed, Checked, InvalidApiKey, Provider, Settings, SettingsError,
};
