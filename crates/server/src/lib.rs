//! The HTTP application: every endpoint a file with its types, one error shape, one door, and the pages.
//!
//! [`application`] is a tower service; the listener drives it, and so do tests.

mod anthropic;
mod app;
mod body_limits;
mod disposition;
mod documentation;
mod endpoints;
mod events_body;
mod exporting;
mod extract;
mod figures;
mod files;
mod function_door;
mod importing;
mod local_models;
mod ollama;
mod openai;
mod page_policy;
mod pages;
mod problem;
mod rerank;
mod routes;
mod same_origin;
mod security_headers;
mod to_the_end;
mod trace;
mod vectors;
mod visitor;

pub use app::{App, AppOptions};
pub use body_limits::body_limits;
pub use documentation::openapi_json;
pub use figures::Figures;
pub use files::FileService;
pub use local_models::LocalModelService;
pub use ollama::{OllamaOptions, ollama_application};
pub use problem::{Problem, ProblemBody};
pub use routes::{application, routes_for_functions};
pub use visitor::{NotANetwork, TrustedProxies};
