//! Wire protocols of language models, both directions: towards providers, and towards programs that call Stoa.

pub mod openai;
pub mod outward;
mod parts;
pub mod sse;
mod think;
