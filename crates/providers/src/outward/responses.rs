//! OpenAI's Responses protocol as Stoa speaks it to programs that call it.
//!
//! Source: <https://platform.openai.com/docs/api-reference/responses/create>. Every request stands for itself: nothing is
//! kept, so what builds on something kept (`previous_response_id`, `conversation`, `background`, `store: true`) is refused
//! by name, and so are tools that run on OpenAI's servers.

mod events;
mod form;
mod input;
mod item;
mod request;
mod whole;

pub use events::ResponseEvents;
pub use request::ResponsesRequest;
