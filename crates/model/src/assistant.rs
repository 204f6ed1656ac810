//! Assistants: what a model is told to be, with a face, and what a conversation with one begins with.

use serde::{Deserialize, Serialize};

use crate::completion::Parameters;
use crate::{AssistantFolderId, AssistantId, Timestamp};

mod details;
mod folder;
mod sharing;

pub use details::AssistantDetails;
pub use folder::{AssistantFolder, AssistantFolderChange, MAX_ASSISTANT_FOLDERS, folder_name};
pub use sharing::{AssistantShare, MAX_ASSISTANT_SHARES, Reach, SharedAssistant, SharedWith};

/// Characters.
pub const MAX_NAME: usize = 80;
pub const MAX_DESCRIPTION: usize = 500;
pub const MAX_TAGS: usize = 10;
pub const MAX_TAG: usize = 30;
pub const MAX_OPENING_QUESTIONS: usize = 8;
pub const MAX_OPENING_QUESTION: usize = 300;
/// An emoji may be made of many code points.
const MAX_AVATAR: usize = 24;
/// Bytes.
pub const MAX_ROLE_BYTES: usize = 64 * 1024;
const MAX_OPENING_BYTES: usize = 8 * 1024;
const MAX_TEMPLATE_BYTES: usize = 8 * 1024;
/// Messages.
pub const MAX_HISTORY: u32 = 200;

/// What its maker writes of an assistant; also what is exported of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AssistantProfile {
    /// 1 to 80 characters.
    pub name: String,
    /// At most 500 characters.
    #[serde(default)]
    pub description: String,
    /// An emoji; empty for the first letter of the name.
    #[serde(default)]
    pub avatar: String,
    /// The colour behind the avatar, as `#rrggbb`; empty for that of the page.
    #[serde(default)]
    pub background: String,
    /// At most 10, of 30 characters each.
    #[serde(default)]
    pub tags: Vec<String>,
    /// What it says before anybody has said anything; Markdown, at most 8 KiB.
    #[serde(default)]
    pub opening_message: String,
    /// At most 8, of 300 characters each.
    #[serde(default)]
    pub opening_questions: Vec<String>,
    /// What the model is told to be; at most 64 KiB.
    #[serde(default)]
    pub role: String,
    /// What the model gets in the place of what somebody writes, which is `{{text}}` in it. Empty for the text alone.
    #[serde(default)]
    pub input_template: String,
    /// `slug/name`; absent for the one that is in use.
    #[serde(default)]
    #[schema(required)]
    pub model: Option<String>,
    #[serde(default)]
    pub parameters: Parameters,
    /// How many of the latest messages the model gets: 1 to 200. Absent for as many as others get.
    #[serde(default)]
    #[schema(required, minimum = 1, maximum = 200)]
    pub history_messages: Option<u32>,
}

/// An assistant as its owner sees it.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Assistant {
    pub id: AssistantId,
    #[serde(flatten)]
    pub profile: AssistantProfile,
    pub pinned: bool,
    /// The folder that it lies in.
    #[schema(required)]
    pub folder_id: Option<AssistantFolderId>,
    /// Changes with the picture that is its face; absent where there is none.
    #[schema(required)]
    pub picture: Option<String>,
    /// Somebody else may use it.
    pub shared: bool,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// What is wrong with a profile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{field}`: {problem}")]
pub struct InvalidProfile {
    pub field: &'static str,
    pub problem: String,
}

impl AssistantProfile {
    /// The profile as it is kept: trimmed where blanks mean nothing, without empty tags and questions.
    pub fn checked(mut self) -> Result<Self, InvalidProfile> {
        self.name = line("name", &self.name, MAX_NAME)?;
        if self.name.is_empty() {
            return Err(wrong("name", "an assistant needs a name"));
        }
        self.description = line("description", &self.description.replace(['\n', '\r'], " "), MAX_DESCRIPTION)?;
        self.avatar = line("avatar", &self.avatar, MAX_AVATAR)?;
        if !(self.background.is_empty() || is_colour(&self.background)) {
            return Err(wrong("background", "must be a colour such as #1f6feb"));
        }
        self.tags = lines("tags", &self.tags, MAX_TAGS, MAX_TAG)?;
        self.opening_questions =
            lines("opening_questions", &self.opening_questions, MAX_OPENING_QUESTIONS, MAX_OPENING_QUESTION)?;
        self.opening_message = text("opening_message", &self.opening_message, MAX_OPENING_BYTES)?;
        self.role = text("role", &self.role, MAX_ROLE_BYTES)?;
        self.input_template = text("input_template", &self.input_template, MAX_TEMPLATE_BYTES)?;
        if !self.input_template.is_empty() && !self.input_template.contains("{{text}}") {
            return Err(wrong("input_template", "must have {{text}} in it, where the message goes"));
        }
        if let Some(model) = self.model.take() {
            let model = line("model", &model, 400)?;
            self.model = Some(model).filter(|model| !model.is_empty());
        }
        self.parameters.check().map_err(|error| wrong("parameters", error.to_string()))?;
        if self.history_messages.is_some_and(|count| !(1..=MAX_HISTORY).contains(&count)) {
            return Err(wrong("history_messages", format!("must be between 1 and {MAX_HISTORY}")));
        }
        Ok(self)
    }
}

pub(crate) fn wrong(field: &'static str, problem: impl Into<String>) -> InvalidProfile {
    InvalidProfile { field, problem: problem.into() }
}

pub(crate) fn line(field: &'static str, text: &str, most: usize) -> Result<String, InvalidProfile> {
    let text = text.trim();
    if text.chars().count() > most {
        return Err(wrong(field, format!("at most {most} characters")));
    }
    if text.chars().any(char::is_control) {
        return Err(wrong(field, "no line breaks or control characters"));
    }
    Ok(text.to_owned())
}

pub(crate) fn lines(
    field: &'static str,
    items: &[String],
    most: usize,
    length: usize,
) -> Result<Vec<String>, InvalidProfile> {
    let mut kept = Vec::new();
    for item in items {
        let item = line(field, item, length)?;
        if !item.is_empty() && !kept.contains(&item) {
            kept.push(item);
        }
    }
    if kept.len() > most { Err(wrong(field, format!("at most {most} of them"))) } else { Ok(kept) }
}

pub(crate) fn text(field: &'static str, text: &str, most: usize) -> Result<String, InvalidProfile> {
    if text.len() > most {
        return Err(wrong(field, format!("at most {most} bytes")));
    }
    // PostgreSQL keeps no NUL.
    Ok(text.replace('\0', "").trim().to_owned())
}

pub(crate) fn is_colour(text: &str) -> bool {
    text.strip_prefix('#').is_some_and(|hex| hex.len() == 6 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// What an input template knows beside the text.
#[derive(Clone, Copy, Debug)]
pub struct TemplateValues<'a> {
    pub text: &'a str,
    /// When it was written.
    pub at: Timestamp,
    /// Who wrote it.
    pub user: &'a str,
}

/// Fills an input template in one go: what somebody writes is no template. What it does not know it leaves as it is.
pub fn fill_template(template: &str, values: TemplateValues<'_>) -> String {
    let mut filled = String::with_capacity(template.len() + values.text.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        filled.push_str(before);
        let Some((name, behind)) = after.split_once("}}") else {
            filled.push_str("{{");
            rest = after;
            continue;
        };
        match name.trim() {
            "text" => filled.push_str(values.text),
            "date" => filled.push_str(&values.at.date()),
            "time" => filled.push_str(&values.at.time()),
            "user" => filled.push_str(values.user),
            _ => {
                filled.push_str("{{");
                rest = after;
                continue;
            }
        }
        rest = behind;
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn profile(change: impl FnOnce(&mut AssistantProfile)) -> Result<AssistantProfile, String> {
        let mut profile = AssistantProfile { name: "Translator".to_owned(), ..AssistantProfile::default() };
        change(&mut profile);
        profile.checked().map_err(|error| error.to_string())
    }

    #[test]
    fn a_profile_is_kept_tidy() {
        let kept = profile(|profile| {
            profile.name = "  Translator ".to_owned();
            profile.tags = ["a", " ", "a ", "b"].map(str::to_owned).to_vec();
            profile.role = "Translate.\n\0".to_owned();
            profile.model = Some(" ".to_owned());
        })
        .unwrap();
        assert_eq!((kept.name.as_str(), kept.role.as_str(), kept.model), ("Translator", "Translate.", None));
        assert_eq!(kept.tags, ["a", "b"]);
    }

    #[test]
    fn what_does_not_fit_is_refused_by_name() {
        let long = |count: usize| "x".repeat(count);
        let wrong = [
            profile(|profile| profile.name = " ".to_owned()),
            profile(|profile| profile.name = long(81)),
            profile(|profile| profile.name = "a\nb".to_owned()),
            profile(|profile| profile.description = long(501)),
            profile(|profile| profile.avatar = long(25)),
            profile(|profile| profile.background = "red; x: url(y)".to_owned()),
            profile(|profile| profile.tags = (0..11).map(|number| number.to_string()).collect()),
            profile(|profile| profile.opening_questions = vec![long(301)]),
            profile(|profile| profile.role = long(MAX_ROLE_BYTES + 1)),
            profile(|profile| profile.input_template = "no place for it".to_owned()),
            profile(|profile| profile.parameters.temperature = Some(9.0)),
            profile(|profile| profile.history_messages = Some(0)),
        ];
        let fields = [
            "name",
            "name",
            "name",
            "description",
            "avatar",
            "background",
            "tags",
            "opening_questions",
            "role",
            "input_template",
            "parameters",
            "history_messages",
        ];
        for (refusal, field) in wrong.into_iter().zip(fields) {
            let error = refusal.unwrap_err();
            assert!(error.starts_with(&format!("`{field}`")), "{error}");
        }
    }

    #[test]
    fn a_template_is_filled_once() {
        let at = Timestamp::from_millis(1_795_511_100_000);
        let values = |text| TemplateValues { text, at, user: "Ann" };
        let filled = fill_template("{{user}} on {{ date }} at {{time}}: {{text}} {{else}} {{", values("{{date}}"));
        assert_eq!(filled, "Ann on 2026-11-24 at 09:05 UTC: {{date}} {{else}} {{");
    }

    proptest! {
        #[test]
        fn any_text_stands_in_it_as_it_is(text in ".*", before in "[^{]*") {
            let at = Timestamp::from_millis(0);
            let template = format!("{before}{{{{text}}}}");
            let filled = fill_template(&template, TemplateValues { text: &text, at, user: "" });
            prop_assert_eq!(filled, format!("{before}{text}"));
        }
    }
}
