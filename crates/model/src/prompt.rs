//! Prompts: texts that somebody writes again and again, with places to fill in.

use serde::{Deserialize, Serialize};

use crate::assistant::{InvalidProfile, MAX_NAME, MAX_ROLE_BYTES, line, lines, text, wrong};
use crate::{PromptId, Timestamp};

const MAX_VARIABLES: usize = 20;
const MAX_VARIABLE_NAME: usize = 40;
const MAX_OPTIONS: usize = 50;
const MAX_OPTION: usize = 200;
const MAX_DEFAULT_BYTES: usize = 8 * 1024;

/// How a place is filled in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum VariableKind {
    /// One line.
    #[default]
    Text,
    /// Several lines.
    Multiline,
    Number,
    /// One of the options.
    Select,
}

/// A place in the text, written there as `{{name}}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PromptVariable {
    /// 1 to 40 letters, digits, spaces, `_` and `-`.
    pub name: String,
    #[serde(default)]
    pub kind: VariableKind,
    /// What stands there at first.
    #[serde(default)]
    pub default: String,
    /// For `select`: 1 to 50 of at most 200 characters.
    #[serde(default)]
    pub options: Vec<String>,
}

/// What somebody writes of a prompt.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PromptProfile {
    /// 1 to 80 characters.
    pub name: String,
    /// At most 64 KiB.
    pub text: String,
    /// How the places of the text are filled in; one that is not told of takes a line of text. At most 20.
    #[serde(default)]
    pub variables: Vec<PromptVariable>,
}

/// A prompt as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Prompt {
    pub id: PromptId,
    #[serde(flatten)]
    pub profile: PromptProfile,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl PromptProfile {
    /// The profile as it is kept: trimmed where blanks mean nothing.
    pub fn checked(mut self) -> Result<Self, InvalidProfile> {
        self.name = line("name", &self.name, MAX_NAME)?;
        if self.name.is_empty() {
            return Err(wrong("name", "a prompt needs a name"));
        }
        self.text = text("text", &self.text, MAX_ROLE_BYTES)?;
        if self.text.is_empty() {
            return Err(wrong("text", "a prompt needs a text"));
        }
        if self.variables.len() > MAX_VARIABLES {
            return Err(wrong("variables", format!("at most {MAX_VARIABLES}")));
        }
        let mut kept: Vec<PromptVariable> = Vec::with_capacity(self.variables.len());
        for variable in self.variables {
            let variable = variable.checked()?;
            if kept.iter().any(|other| other.name == variable.name) {
                return Err(wrong("variables", format!("{} is there twice", variable.name)));
            }
            kept.push(variable);
        }
        self.variables = kept;
        Ok(self)
    }
}

impl PromptVariable {
    fn checked(mut self) -> Result<Self, InvalidProfile> {
        self.name = line("variables", &self.name, MAX_VARIABLE_NAME)?;
        let fits = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '_' | '-');
        if self.name.is_empty() || !self.name.chars().all(fits) {
            return Err(wrong("variables", "a name has letters, digits, spaces, _ and - only"));
        }
        self.default = text("variables", &self.default, MAX_DEFAULT_BYTES)?;
        if self.kind == VariableKind::Select {
            if self.options.len() > MAX_OPTIONS {
                return Err(wrong("variables", format!("at most {MAX_OPTIONS} options")));
            }
            self.options = lines("variables", &self.options, MAX_OPTIONS, MAX_OPTION)?;
            if self.options.is_empty() {
                return Err(wrong("variables", format!("{} needs something to choose from", self.name)));
            }
            if !self.default.is_empty() && !self.options.contains(&self.default) {
                return Err(wrong("variables", format!("{} begins with none of its options", self.name)));
            }
        } else {
            self.options.clear();
        }
        let number = || self.default.parse::<f64>().is_ok_and(f64::is_finite);
        if self.kind == VariableKind::Number && !self.default.is_empty() && !number() {
            return Err(wrong("variables", format!("{} begins with no number", self.name)));
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variable(name: &str, kind: VariableKind, default: &str, options: &[&str]) -> PromptVariable {
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        PromptVariable { name: name.to_owned(), kind, default: default.to_owned(), options }
    }

    fn checked(variables: Vec<PromptVariable>) -> Result<PromptProfile, InvalidProfile> {
        PromptProfile { name: " Letter ".to_owned(), text: "Dear {{who}}".to_owned(), variables }.checked()
    }

    #[test]
    fn a_prompt_has_a_name_a_text_and_places_of_four_kinds() {
        let profile = checked(vec![
            variable(" who ", VariableKind::Text, "you", &["gone"]),
            variable("为什么", VariableKind::Multiline, "a\nb", &[]),
            variable("how many", VariableKind::Number, "2.5", &[]),
            variable("tone", VariableKind::Select, "warm", &["warm", " warm ", "cold"]),
        ])
        .unwrap();
        assert_eq!((profile.name.as_str(), profile.variables[0].name.as_str()), ("Letter", "who"));
        assert_eq!((profile.variables[0].options.len(), profile.variables[3].options.len()), (0, 2));
        assert_eq!(
            PromptProfile { text: "x".to_owned(), ..PromptProfile::default() }.checked().unwrap_err().field,
            "name"
        );
        assert_eq!(
            PromptProfile { name: "x".to_owned(), ..PromptProfile::default() }.checked().unwrap_err().field,
            "text"
        );
    }

    #[test]
    fn places_that_cannot_be_filled_in_are_refused() {
        let wrong = [
            vec![variable("", VariableKind::Text, "", &[])],
            vec![variable("a}}b", VariableKind::Text, "", &[])],
            vec![variable(&"x".repeat(41), VariableKind::Text, "", &[])],
            vec![variable("a", VariableKind::Text, "", &[]), variable(" a", VariableKind::Number, "", &[])],
            vec![variable("n", VariableKind::Number, "many", &[])],
            vec![variable("n", VariableKind::Number, "inf", &[])],
            vec![variable("s", VariableKind::Select, "", &[" "])],
            vec![variable("s", VariableKind::Select, "c", &["a", "b"])],
            vec![PromptVariable::default(); MAX_VARIABLES + 1],
        ];
        for variables in wrong {
            assert_eq!(checked(variables).unwrap_err().field, "variables");
        }
    }
}
