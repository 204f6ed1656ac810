//! Anthropic's Messages protocol as Stoa speaks it to programs that call it.
//!
//! Source: <https://docs.anthropic.com/en/api/messages>. What changes the meaning of a request and is not understood is
//! refused by name; what only labels it (`metadata`, `cache_control`, …) is accepted. Thoughts carry an empty `signature`:
//! there is nobody who would check one.

mod error;
mod events;
mod message;
mod models;
mod request;
mod tools;
mod whole;

pub use error::anthropic_error;
pub use events::MessageEvents;
pub use models::encode_anthropic_models;
pub use request::MessagesRequest;
