//! Modelfiles, from which Ollama makes models: read for `stoa model create -f`, written for `/api/show`.
//!
//! A line is an instruction and its value. A value in `"""` may have several lines; it ends with the last three quotes
//! of a line, so that it may have quotes inside. Lines that begin with `#` are comments.

mod read;

use crate::template::Role;

/// The longest Modelfile in bytes. Templates and licences are in it.
pub const MAX_MODELFILE_BYTES: usize = 4 * 1024 * 1024;

/// What a Modelfile says. Instructions that may be there several times keep their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Modelfile {
    /// Models or files, the first of which has the weights.
    pub from: Vec<String>,
    pub adapters: Vec<String>,
    pub template: Option<String>,
    pub system: Option<String>,
    /// Names and values; a name such as `stop` may be there several times.
    pub parameters: Vec<(String, String)>,
    pub messages: Vec<(Role, String)>,
    pub licenses: Vec<String>,
    /// The least version of Ollama that the model needs.
    pub requires: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ModelfileError {
    #[error("it has {bytes} bytes, more than {MAX_MODELFILE_BYTES}")]
    TooLong { bytes: usize },
    #[error("line {line}: `{instruction}` is no instruction; there are {INSTRUCTIONS}")]
    UnknownInstruction { line: usize, instruction: String },
    #[error("line {line}: `{instruction}` needs {needed}")]
    Incomplete { line: usize, instruction: &'static str, needed: &'static str },
    #[error("line {line}: the quotes do not end")]
    Unterminated { line: usize },
    #[error("line {line}: `{role}` is no role; there are system, user, assistant and tool")]
    UnknownRole { line: usize, role: String },
    #[error("`FROM` is missing")]
    NoModel,
    #[error("the value of `{instruction}` has a line that ends with three quotes, which a Modelfile cannot say")]
    Unwritable { instruction: &'static str },
}

const INSTRUCTIONS: &str = "FROM, PARAMETER, TEMPLATE, SYSTEM, ADAPTER, LICENSE, MESSAGE and REQUIRES";

impl Modelfile {
    pub fn parse(text: &str) -> Result<Self, ModelfileError> {
        read::modelfile(text)
    }

    /// The text of the file. It fails for a value that no quotes can hold.
    pub fn to_text(&self) -> Result<String, ModelfileError> {
        let mut text = String::new();
        for from in &self.from {
            write(&mut text, "FROM", "", from)?;
        }
        for adapter in &self.adapters {
            write(&mut text, "ADAPTER", "", adapter)?;
        }
        if let Some(template) = &self.template {
            write(&mut text, "TEMPLATE", "", template)?;
        }
        if let Some(system) = &self.system {
            write(&mut text, "SYSTEM", "", system)?;
        }
        for (name, value) in &self.parameters {
            write(&mut text, "PARAMETER", name, value)?;
        }
        for (role, content) in &self.messages {
            write(&mut text, "MESSAGE", role.as_str(), content)?;
        }
        for license in &self.licenses {
            write(&mut text, "LICENSE", "", license)?;
        }
        if let Some(version) = &self.requires {
            write(&mut text, "REQUIRES", "", version)?;
        }
        Ok(text)
    }
}

fn write(text: &mut String, instruction: &'static str, name: &str, value: &str) -> Result<(), ModelfileError> {
    text.push_str(instruction);
    if !name.is_empty() {
        text.push(' ');
        text.push_str(name);
    }
    let is_plain = !value.is_empty()
        && !value.contains(['\n', '"'])
        && value.trim() == value
        && matches!(instruction, "FROM" | "ADAPTER" | "PARAMETER" | "REQUIRES");
    let quotes = if is_plain {
        ""
    } else if value.contains(['\n', '"']) {
        if read::ends_early(value) {
            return Err(ModelfileError::Unwritable { instruction });
        }
        read::QUOTES
    } else {
        read::QUOTE
    };
    for part in [" ", quotes, value, quotes, "\n"] {
        text.push_str(part);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
