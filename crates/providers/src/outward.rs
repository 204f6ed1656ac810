//! The OpenAI protocol as Stoa speaks it to programs that call it: requests parsed, answers encoded. Knows no web framework.
//!
//! Source: <https://platform.openai.com/docs/api-reference/chat/create>. What changes the meaning of a request and is not
//! understood is refused by name, in OpenAI's own error shape; what only labels it (`user`, `metadata`, …) is accepted.

mod anthropic;
mod block;
mod completions;
mod content;
mod embeddings;
mod encode;
mod error;
mod events;
mod form;
mod gather;
mod logprobs;
mod message;
mod models;
mod request;
mod responses;
mod whole;

pub use anthropic::{MessageEvents, MessagesRequest, anthropic_error, encode_anthropic_models};
pub use completions::TextRequest;
pub use embeddings::EmbeddingsRequest;
pub use encode::{ChunkEncoder, Form};
pub use error::ApiError;
pub use events::{ChunkEvents, EventEncoder};
pub use gather::Collector;
pub use models::{ListedModel, encode_models};
pub use request::{ChatRequest, MAX_MESSAGES, MAX_STOPS};
pub use responses::{ResponseEvents, ResponsesRequest};
