//! The OpenAI chat-completions protocol towards a provider, with the habits of the servers that speak it.
//!
//! Source of the protocol: <https://platform.openai.com/docs/api-reference/chat>. Variants understood: `reasoning_content`
//! (DeepSeek, vLLM, LM Studio, llama.cpp) and `reasoning` (OpenRouter, Ollama, Groq) beside the text, `<think>` within it,
//! content as a list of parts (Mistral), usage in the last chunk, in a choice (Moonshot) or in every chunk, errors in
//! mid-stream, comments as keep-alive (OpenRouter), whole JSON answers to a streaming request.

mod answer;
mod base_url;
mod calls;
mod failure;
mod list;
mod provider;
mod stream;
mod wire;

pub(crate) use wire::WireCall;

pub use answer::Interpreter;
pub use base_url::{BaseUrl, BaseUrlError};
pub use provider::{ApiKey, CheckFailed, Checked, InvalidApiKey, OpenAiProvider, Settings};
