//! A model's chat template: Jinja that came with the model, so foreign code, run with every limit there is.

mod capabilities;
mod choice;
mod date;
pub mod go;
mod input;
mod jinja;
mod tojson;

use std::io::{self, Write};

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind, State};
use stoa_model::Timestamp;

use stoa_model::completion::PromptMessage;

use crate::protocol::MAX_PROMPT_BYTES;

pub use capabilities::Capabilities;
pub use choice::{PromptTemplate, TemplateSources};
pub use input::{Role, TemplateInput, TemplateMessage, TemplateToolCall};
use jinja::Shape;

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
        // In Python, nothing is not iterable; templates test for tools so.
        environment.add_test("iterable", |value: &Value| {
            matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable | ValueKind::Map | ValueKind::String)
        });
        environment.add_function("raise_exception", |detail: String| -> Result<Value, Error> {
            Err(Error::new(ErrorKind::InvalidOperation, "raise_exception").with_source(Raised(detail)))
        });
        environment
            .add_template_owned(NAME, without_training_marks(source))
            .map_err(|error| TemplateError::Syntax { detail: brief(&error) })?;
        Ok(Self { environment, bos, eos })
    }

    /// The prompt of `messages`, ending where the model's answer begins.
    pub fn render(&self, messages: &[PromptMessage], now: Timestamp) -> Result<String, TemplateError> {
        let messages = messages.iter().map(TemplateMessage::from).collect();
        self.render_input(&TemplateInput { messages, ..TemplateInput::default() }, now)
    }

    /// The prompt of all that `input` has. Templates that know no system role get its text at the head of the first
    /// message of the user. Those that take arguments for text, or content for a list of parts, get them so.
    pub fn render_input(&self, input: &TemplateInput, now: Timestamp) -> Result<String, TemplateError> {
        let shape = Shape::default();
        match self.render_as_is(input, shape, now) {
            Err(TemplateError::Refused { detail }) => match fold_system(&input.messages) {
                Some(messages) => {
                    let folded = TemplateInput { messages, ..input.clone() };
                    self.render_as_is(&folded, shape, now)
                }
                None => Err(TemplateError::Refused { detail }),
            },
            // Some templates silently drop what is not in the shape that they expect.
            Ok(prompt) if shows_question(&prompt, input) => Ok(prompt),
            result @ (Ok(_) | Err(TemplateError::Render { .. })) => {
                let mut others: Vec<String> =
                    Shape::OTHERS.into_iter().filter_map(|shape| self.render_as_is(input, shape, now).ok()).collect();
                let best = others.iter().position(|prompt| shows_question(prompt, input));
                match (best, result) {
                    (Some(best), _) => Ok(others.swap_remove(best)),
                    (None, Err(_)) if !others.is_empty() => Ok(others.swap_remove(0)),
                    (None, result) => result,
                }
            }
            refused => refused,
        }
    }

    fn render_as_is(&self, input: &TemplateInput, shape: Shape, now: Timestamp) -> Result<String, TemplateError> {
        let values = jinja::values(input, shape, &self.bos, &self.eos, now);
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

/// The template without `{% generation %}`, a block of Hugging Face that marks what a model is trained on and writes
/// nothing of its own.
fn without_training_marks(source: String) -> String {
    if !source.contains("endgeneration") {
        return source;
    }
    let mut rest = source.as_str();
    let mut result = String::with_capacity(source.len());
    while let Some((before, tag)) = rest.split_once("{%") {
        result.push_str(before);
        result.push_str("{%");
        let inside = tag.trim_start_matches(['-', '+']).trim_start();
        let space = &tag[..tag.len() - inside.len()];
        rest = tag;
        for (name, same) in [("generation", "if true"), ("endgeneration", "endif")] {
            if let Some(after) =
                inside.strip_prefix(name).filter(|after| after.trim_start().starts_with(['%', '-', '+']))
            {
                result.push_str(space);
                result.push_str(same);
                rest = after;
            }
        }
    }
    result.push_str(rest);
    result
}

/// Whether the last thing that the user said is in the prompt.
fn shows_question(prompt: &str, input: &TemplateInput) -> bool {
    let question = input.messages.iter().rfind(|message| message.role == Role::User);
    question.is_none_or(|question| prompt.contains(question.content.trim()))
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
