//! A part of a message or of a list that says by its `type` what it is, read field by field.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::error::ApiError;
use super::request::{Fields, read, shown, unsupported};

pub(super) struct Block<'a> {
    pub(super) path: String,
    pub(super) kind: String,
    fields: Fields<'a>,
}

impl<'a> Block<'a> {
    /// `default` is what it is when it does not say.
    pub(super) fn read(path: String, value: &'a str, default: &str) -> Result<Self, ApiError> {
        let fields: Fields<'a> = read(&path, value, "an object")?;
        let mut block = Self { path, kind: default.to_owned(), fields };
        if let Some(kind) = block.optional::<String>("type", "a text")? {
            block.kind = kind;
        }
        Ok(block)
    }

    /// A bare text in the place of a list of blocks, as a block of that text.
    pub(super) fn of_text(path: String, value: &'a RawValue) -> Self {
        Self { path, kind: "text".to_owned(), fields: Fields(vec![("text".to_owned(), value)]) }
    }

    /// The field as it stands in the request; `None` when it is absent or `null`.
    pub(super) fn raw(&self, name: &str) -> Option<&'a str> {
        let field = self.fields.0.iter().find(|(field, _)| field == name);
        field.map(|(_, value)| value.get()).filter(|value| *value != "null")
    }

    pub(super) fn at(&self, name: &str) -> String {
        format!("{}.{name}", self.path)
    }

    pub(super) fn optional<T: Deserialize<'a>>(&self, name: &str, expected: &str) -> Result<Option<T>, ApiError> {
        self.raw(name).map(|value| read(&self.at(name), value, expected)).transpose()
    }

    pub(super) fn needed<T: Deserialize<'a>>(&self, name: &str, expected: &str) -> Result<T, ApiError> {
        self.optional(name, expected)?.ok_or_else(|| self.missing(name))
    }

    pub(super) fn text(&self, name: &str) -> Result<String, ApiError> {
        self.needed(name, "a text")
    }

    pub(super) fn missing(&self, name: &str) -> ApiError {
        let path = self.at(name);
        let message = format!("You must provide `{path}`.");
        ApiError::invalid("missing_required_parameter", path, message)
    }

    /// Refuses every field that is not among these: one that is not understood may change what the request means.
    pub(super) fn only(&self, names: &[&str]) -> Result<(), ApiError> {
        let known = |name: &str| name == "type" || names.contains(&name);
        match self.fields.0.iter().find(|(name, value)| !known(name) && value.get() != "null") {
            Some((name, _)) => Err(unsupported(&self.at(name))),
            None => Ok(()),
        }
    }

    /// Refuses the block for what it is; `known` says what is taken in its place.
    pub(super) fn unknown(&self, known: &str) -> ApiError {
        let path = self.at("type");
        let message = format!("`{path}` may not be {}: {known}.", shown(&self.kind));
        ApiError::invalid("unsupported_value", path, message)
    }
}
