//! Reads a Modelfile line by line.

use std::iter::Enumerate;
use std::str::Split;

use super::{MAX_MODELFILE_BYTES, Modelfile, ModelfileError};
use crate::template::Role;

/// Around a value on one line. The file may leave them out.
pub(super) const QUOTE: &str = "\"";

/// Around a value on several lines.
pub(super) const QUOTES: &str = "\"\"\"";

/// The lines that have not been read, each with how many there are before it.
type Lines<'a> = Enumerate<Split<'a, char>>;

pub(super) fn modelfile(text: &str) -> Result<Modelfile, ModelfileError> {
    if text.len() > MAX_MODELFILE_BYTES {
        return Err(ModelfileError::TooLong { bytes: text.len() });
    }
    let mut lines = text.strip_prefix('\u{feff}').unwrap_or(text).split('\n').enumerate();
    let mut file = Modelfile::default();
    while let Some((before, line)) = lines.next() {
        let text = line.trim_start();
        if !text.is_empty() && !text.starts_with('#') {
            instruction(&mut file, text, before + 1, &mut lines)?;
        }
    }
    if file.from.is_empty() { Err(ModelfileError::NoModel) } else { Ok(file) }
}

fn instruction(file: &mut Modelfile, text: &str, line: usize, lines: &mut Lines<'_>) -> Result<(), ModelfileError> {
    let (name, rest) = first_word(text);
    let mut value = |instruction, needed, rest| Value { instruction, needed, line }.read(rest, lines);
    match name.to_ascii_uppercase().as_str() {
        "FROM" => file.from.push(value("FROM", Some("a model or a file"), rest)?),
        "ADAPTER" => file.adapters.push(value("ADAPTER", Some("a file"), rest)?),
        "REQUIRES" => file.requires = Some(value("REQUIRES", Some("a version"), rest)?),
        "TEMPLATE" => file.template = Some(value("TEMPLATE", None, rest)?),
        "SYSTEM" => file.system = Some(value("SYSTEM", None, rest)?),
        "LICENSE" => file.licenses.push(value("LICENSE", None, rest)?),
        "PARAMETER" => {
            let (parameter, rest) = first_word(rest);
            let value = value("PARAMETER", Some("a name and a value"), rest)?;
            file.parameters.push((parameter.to_ascii_lowercase(), value));
        }
        "MESSAGE" => {
            let (role, rest) = first_word(rest);
            let role = Role::parse(&role.to_ascii_lowercase())
                .ok_or_else(|| ModelfileError::UnknownRole { line, role: clipped(role) })?;
            file.messages.push((role, value("MESSAGE", None, rest)?));
        }
        _ => return Err(ModelfileError::UnknownInstruction { line, instruction: clipped(name) }),
    }
    Ok(())
}

fn clipped(text: &str) -> String {
    text.chars().take(40).collect()
}

fn first_word(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_at(text.find(char::is_whitespace).unwrap_or(text.len()));
    (word, rest.trim_start())
}

/// A value to be read, and what is said when it is not there.
struct Value {
    instruction: &'static str,
    /// What an empty value lacks; `None` when it may be empty.
    needed: Option<&'static str>,
    line: usize,
}

impl Value {
    /// The value that begins with the rest of a line, and ends there unless it has quotes that end later.
    fn read(&self, rest: &str, lines: &mut Lines<'_>) -> Result<String, ModelfileError> {
        let value = if let Some(inside) = rest.strip_prefix(QUOTES) {
            Some(self.quoted(inside, QUOTES, lines)?)
        } else if let Some(inside) = rest.strip_prefix(QUOTE) {
            Some(self.quoted(inside, QUOTE, lines)?)
        } else {
            Some(rest.trim_end().to_owned()).filter(|value| !value.is_empty())
        };
        match (value, self.needed) {
            (Some(value), None) => Ok(value),
            (Some(value), Some(_)) if !value.is_empty() => Ok(value),
            (_, needed) => Err(ModelfileError::Incomplete {
                line: self.line,
                instruction: self.instruction,
                needed: needed.unwrap_or("a value"),
            }),
        }
    }

    fn quoted(&self, inside: &str, quotes: &str, lines: &mut Lines<'_>) -> Result<String, ModelfileError> {
        if let Some(value) = before_quotes(inside, quotes) {
            return Ok(value.to_owned());
        }
        let mut value = inside.to_owned();
        for (_, next) in lines {
            value.push('\n');
            if let Some(last) = before_quotes(next, quotes) {
                value.push_str(last);
                return Ok(value);
            }
            value.push_str(next);
        }
        Err(ModelfileError::Unterminated { line: self.line })
    }
}

/// What stands before the quotes at the end of a line.
fn before_quotes<'a>(line: &'a str, quotes: &str) -> Option<&'a str> {
    line.trim_end().strip_suffix(quotes)
}

/// Whether three quotes end `value` before its last line, which is where they are to end it.
pub(super) fn ends_early(value: &str) -> bool {
    value.split('\n').rev().skip(1).any(|line| before_quotes(line, QUOTES).is_some())
}
