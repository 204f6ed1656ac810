//! Go's text/template, as the documentation of that package describes it, for templates of others: run with every limit
//! there is.
//!
//! All of the language but methods and `call` is there, with two functions of Ollama, `json` and `currentDate`. Some things
//! differ, because what is written is read by a model: a field that is not there is false and writes nothing (Go
//! writes `<no value>` or fails), whole and fractional numbers compare with one another, lists and objects are written as
//! JSON, and JSON is not escaped for HTML.

mod format;
mod functions;
mod lexer;
mod literal;
mod node;
mod parser;
mod run;
mod value;

pub use run::Run;
pub use value::{Items, Object, Value};

use parser::Parsed;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("{detail} (line {line})")]
    Syntax { line: usize, detail: String },
    #[error("it costs too much to run")]
    TooCostly,
    #[error("what it writes is too long")]
    OutputTooLong,
    #[error("{detail}")]
    Run { detail: String },
}

/// What one run may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// 1 for a step, and 1 for so many bytes as `bytes_per_fuel` says that are made or looked at.
    pub fuel: u64,
    pub bytes_per_fuel: u64,
    /// The longest text, written or in a variable.
    pub output_bytes: usize,
}

/// A template that has been read once, and all that are defined in it. Its length is the caller's to limit.
#[derive(Debug)]
pub struct Template {
    parsed: Parsed,
}

impl Template {
    pub fn parse(source: &str) -> Result<Self, Error> {
        parser::parse(source).map(|parsed| Self { parsed })
    }

    /// Whether any part of it looks at a field of one of these names.
    pub fn looks_at(&self, names: &[&str]) -> bool {
        self.parsed.any_field(|path| path.iter().any(|field| names.contains(&field.as_str())))
    }
}

/// Text of others goes into errors, but only so much of it.
fn clip(text: &str) -> String {
    text.chars().take(300).collect()
}

#[cfg(test)]
mod tests;
