//! A model's chat template: Jinja that came with the model, so foreign code, run with every limit there is.

mod capabilities;
mod date;
pub mod go;
mod input;
mod jinja;
mod tojson;

use std::io::{self, Write};

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Value;
use minijinja::{Environment, Error, ErrorKind, State};
use stoa_model::Timestamp;

use crate::protocol::{MAX_PROMPT_BYTES, Message};

pub use capabilities::Capabilities;
pub use input::{Role, TemplateInput, TemplateMessage, TemplateToolCall};
use jinja::Arguments;

/// The longest template in bytes. The longest known one has about 30 KiB.
pub const MAX_TEMPLATE_BYTES: usize = 512 * 1024;

/// What one rendering may cost: 1 for an instruction, and 1 for 64 bytes of data made or looked at. The longest prompt
/// needs about a quarter of it; all of it is spent in well under a second and makes at most 128 MB.
const FUEL: u64 = 2_000_000;

/// How deep templates may nest calls of macros.
const RECURSION_LIMIT: usize = 100;

const NAME: &str = "chat_template";

/// Bytes that one unit of fuel pays for.
const BYTES_PER_FUEL: u64 = 64;

#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    #[error("it has {bytes} bytes, more than {MAX_TEMPLATE_BYTES}")]
    TooLong { bytes: usize },
    #[error("it is no valid template: {detail}")]
    Syntax { detail: String },
    /// The template itself refuses the messages.
    #[error("it refuses these messages: {detail}")]
    Refused { detail: String },
    #[error("it costs too much to render")]
    TooCostly,
    #[error("what it renders is longer than {MAX_PROMPT_BYTES} bytes")]
    OutputTooLong,
    #[error("it cannot be rendered: {detail}")]
    Render { detail: String },
}

/// A template that has been compiled once.
pub struct ChatTemplate {
    environment: Environment<'static>,
    bos: String,
    eos: String,
}

impl ChatTemplate {
    /// `bos` and `eos` are the texts of the model's tokens for the beginning and the end.
    pub fn new(source: String, bos: String, eos: String) -> Result<Self, TemplateError> {
        if source.len() > MAX_TEMPLATE_BYTES {
            return Err(TemplateError::TooLong { bytes: source.len() });
        }
        let mut environment = Environment::new();
        environment.set_fuel(Some(FUEL));
        environment.set_recursion_limit(RECURSION_LIMIT);
        // What the templates are written for: the way of the Python library that reads them first.
        environment.set_syntax(
            SyntaxConfig::builder()
                .trim_blocks(true)
                .lstrip_blocks(true)
                .build()
                .map_err(|error| TemplateError::Syntax { detail: brief(&error) })?,
        );
        environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        environment.set_unknown_method_callback(python_method);
        environment.add_filter("tojson", tojson::tojson);
        environment.add_function("raise_exception", |detail: String| -> Result<Value, Error> {
            Err(Error::new(ErrorKind::InvalidOperation, "raise_exception").with_source(Raised(detail)))
        });
        environment
            .add_template_owned(NAME, source)
            .map_err(|error| TemplateError::Syntax { detail: brief(&error) })?;
        Ok(Self { environment, bos, eos })
    }

    /// The prompt of `messages`, ending where the model's answer begins.
    pub fn render(&self, messages: &[Message], now: Timestamp) -> Result<String, TemplateError> {
        let messages = messages.iter().map(TemplateMessage::from).collect();
        self.render_input(&TemplateInput { messages, ..TemplateInput::default() }, now)
    }

    /// The prompt of all that `input` has. Templates that know no system role get its text at the head of the first
    /// message of the user, and those that take the arguments of earlier calls for text get them so.
    pub fn render_input(&self, input: &TemplateInput, now: Timestamp) -> Result<String, TemplateError> {
        match self.render_as_is(input, Arguments::Object, now) {
            Err(TemplateError::Refused { detail }) => match fold_system(&input.messages) {
                Some(messages) => {
                    let folded = TemplateInput { messages, ..input.clone() };
                    self.render_as_is(&folded, Arguments::Object, now)
                }
                None => Err(TemplateError::Refused { detail }),
            },
            Err(TemplateError::Render { detail })
                if input.messages.iter().any(|message| !message.tool_calls.is_empty()) =>
            {
                self.render_as_is(input, Arguments::Text, now).map_err(|_| TemplateError::Render { detail })
            }
            rendered => rendered,
        }
    }

    fn render_as_is(
        &self,
        input: &TemplateInput,
        arguments: Arguments,
        now: Timestamp,
    ) -> Result<String, TemplateError> {
        let values = jinja::values(input, arguments, &self.bos, &self.eos, now);
        let mut output = Capped { bytes: Vec::new(), full: false };
        let template = self.environment.get_template(NAME).map_err(|error| explain(&error))?;
        let rendered = template.render_captured_to(values, &mut output).map(drop);
        if output.full {
            return Err(TemplateError::OutputTooLong);
        }
        rendered.map_err(|error| explain(&error))?;
        String::from_utf8(output.bytes).map_err(|error| TemplateError::Render { detail: error.to_string() })
    }
}

/// What `raise_exception` of a template was called with.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Raised(String);

fn explain(error: &Error) -> TemplateError {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(current) = source {
        if let Some(Raised(detail)) = current.downcast_ref::<Raised>() {
            return TemplateError::Refused { detail: clip(detail) };
        }
        if current.downcast_ref::<Error>().is_some_and(|error| error.kind() == ErrorKind::OutOfFuel) {
            return TemplateError::TooCostly;
        }
        source = current.source();
    }
    TemplateError::Render { detail: brief(error) }
}

fn brief(error: &Error) -> String {
    let what = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    clip(&error.line().map_or_else(|| what.clone(), |line| format!("{what} (line {line})")))
}

/// Foreign text goes into errors and logs, but only so much of it.
fn clip(text: &str) -> String {
    text.chars().take(300).collect()
}

/// The system's text at the head of the first message of the user; `None` when there is nothing to fold.
fn fold_system(messages: &[TemplateMessage]) -> Option<Vec<TemplateMessage>> {
    let (system, rest) = messages.split_first().filter(|(first, _)| first.role == Role::System)?;
    let mut folded = rest.to_vec();
    let first = folded.iter_mut().find(|message| message.role == Role::User)?;
    first.content = format!("{}\n\n{}", system.content, first.content);
    Some(folded)
}

/// Methods of Python's types. The two whose result may be much longer than what goes in are paid for beforehand.
fn python_method(state: &mut State, value: &Value, method: &str, arguments: &[Value]) -> Result<Value, Error> {
    let cost = match (method, value.as_str(), arguments) {
        ("replace", Some(text), [old, new, ..]) => {
            let (old, new) = (old.as_str().unwrap_or_default(), new.as_str().unwrap_or_default());
            let found = if old.is_empty() { text.len() + 1 } else { text.matches(old).count() };
            text.len().saturating_add(found.saturating_mul(new.len()))
        }
        ("join", Some(separator), [items, ..]) => items.try_iter()?.fold(0_usize, |sum, item| {
            sum.saturating_add(separator.len()).saturating_add(item.as_str().map_or(64, str::len))
        }),
        _ => 0,
    };
    if cost > 0 {
        state.consume_fuel(u64::try_from(cost).unwrap_or(u64::MAX) / BYTES_PER_FUEL)?;
    }
    minijinja_contrib::pycompat::unknown_method_callback(state, value, method, arguments)
}

/// Takes so many bytes and then fails.
struct Capped {
    bytes: Vec<u8>,
    full: bool,
}

impl Write for Capped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > MAX_PROMPT_BYTES {
            self.full = true;
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
