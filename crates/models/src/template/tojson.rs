//! The filter `tojson` as templates expect it: Python's `json.dumps`, which separates with a space and keeps every
//! character as it is.

use std::fmt::Write;

use minijinja::value::{Kwargs, Value, ValueKind};
use minijinja::{Error, ErrorKind, State};

use super::BYTES_PER_FUEL;
use stoa_model::json::write_text;

/// How deep a value may nest. Tools and arguments nest less; a template can build more.
const MAX_DEPTH: usize = 128;

struct Style {
    /// Spaces for a level; all on one line when absent.
    indent: Option<usize>,
    item_separator: String,
    key_separator: String,
    sorts: bool,
    ascii: bool,
}

#[expect(clippy::needless_pass_by_value, reason = "filters get their arguments by value")]
pub(super) fn tojson(state: &State, value: &Value, indent: Option<Value>, options: Kwargs) -> Result<String, Error> {
    let indent = match indent {
        Some(indent) => Some(indent),
        None => options.get("indent")?,
    };
    let indent =
        indent.filter(|indent| !indent.is_none()).map(usize::try_from).transpose()?.map(|spaces| spaces.min(16));
    let separators: Option<Vec<String>> = options.get("separators")?;
    let separators = separators.and_then(|separators| <[String; 2]>::try_from(separators).ok());
    let [item_separator, key_separator] =
        separators.unwrap_or_else(|| [if indent.is_some() { "," } else { ", " }.to_owned(), ": ".to_owned()]);
    let style = Style {
        indent,
        item_separator,
        key_separator,
        sorts: options.get::<Option<bool>>("sort_keys")?.unwrap_or(false),
        ascii: options.get::<Option<bool>>("ensure_ascii")?.unwrap_or(false),
    };
    options.assert_all_used()?;
    let mut output = Output { text: String::new(), paid: 0, state };
    style.write(value, 0, &mut output)?;
    output.pay(0)?;
    Ok(output.text)
}

/// The text, paid for while it grows.
struct Output<'a, 'b, 'c> {
    text: String,
    paid: usize,
    state: &'a State<'b, 'c>,
}

impl Output<'_, '_, '_> {
    fn pay(&mut self, least: usize) -> Result<(), Error> {
        let unpaid = self.text.len() - self.paid;
        if unpaid >= least {
            self.paid = self.text.len();
            self.state.consume_fuel(1 + u64::try_from(unpaid).unwrap_or(u64::MAX) / BYTES_PER_FUEL)?;
        }
        Ok(())
    }
}

impl Style {
    fn write(&self, value: &Value, depth: usize, output: &mut Output<'_, '_, '_>) -> Result<(), Error> {
        if depth > MAX_DEPTH {
            return Err(Error::new(ErrorKind::InvalidOperation, "a value nests too deep for JSON"));
        }
        output.pay(4_096)?;
        match value.kind() {
            ValueKind::None => output.text.push_str("null"),
            ValueKind::Bool => output.text.push_str(if value.is_true() { "true" } else { "false" }),
            ValueKind::Number => output.text.push_str(&value.to_string()),
            ValueKind::String => self.text(value.as_str().unwrap_or_default(), output),
            ValueKind::Map => {
                let mut keys: Vec<Value> = value.try_iter()?.collect();
                if self.sorts {
                    keys.sort();
                }
                output.text.push('{');
                for (index, key) in keys.iter().enumerate() {
                    self.next(index, depth, output);
                    self.text(&key.as_str().map_or_else(|| key.to_string(), str::to_owned), output);
                    output.text.push_str(&self.key_separator);
                    self.write(&value.get_item(key)?, depth + 1, output)?;
                }
                self.close(keys.is_empty(), depth, output);
                output.text.push('}');
            }
            ValueKind::Seq | ValueKind::Iterable => {
                output.text.push('[');
                let mut is_empty = true;
                for (index, item) in value.try_iter()?.enumerate() {
                    is_empty = false;
                    self.next(index, depth, output);
                    self.write(&item, depth + 1, output)?;
                }
                self.close(is_empty, depth, output);
                output.text.push(']');
            }
            kind => return Err(Error::new(ErrorKind::InvalidOperation, format!("{kind} cannot be written as JSON"))),
        }
        Ok(())
    }

    /// What stands before an item.
    fn next(&self, index: usize, depth: usize, output: &mut Output<'_, '_, '_>) {
        if index > 0 {
            output.text.push_str(&self.item_separator);
        }
        self.line(depth + 1, output);
    }

    fn close(&self, is_empty: bool, depth: usize, output: &mut Output<'_, '_, '_>) {
        if !is_empty {
            self.line(depth, output);
        }
    }

    fn line(&self, depth: usize, output: &mut Output<'_, '_, '_>) {
        if let Some(indent) = self.indent {
            output.text.push('\n');
            output.text.extend(std::iter::repeat_n(' ', indent * depth));
        }
    }

    fn text(&self, text: &str, output: &mut Output<'_, '_, '_>) {
        if !self.ascii {
            let _ = write_text(&mut output.text, text);
            return;
        }
        let mut plain = String::new();
        let _ = write_text(&mut plain, text);
        for character in plain.chars() {
            if character.is_ascii() {
                output.text.push(character);
            } else {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    let _ = write!(output.text, "\\u{unit:04x}");
                }
            }
        }
    }
}
