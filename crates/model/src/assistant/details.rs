//! What a model writes of an assistant when it is shown the role: read leniently, kept within the limits of a profile.

use serde::Serialize;
use serde_json::Value;

use super::{MAX_AVATAR, MAX_DESCRIPTION, MAX_NAME, MAX_OPENING_QUESTION, MAX_TAG};

/// Fewer than a profile may have: a suggestion is short.
const TAGS: usize = 5;
const QUESTIONS: usize = 4;
/// Characters.
const OPENING: usize = 1_000;

/// A suggestion for what is said of an assistant. What the model left out, or wrote wrongly, is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct AssistantDetails {
    pub name: String,
    pub description: String,
    /// An emoji.
    pub avatar: String,
    pub tags: Vec<String>,
    pub opening_message: String,
    pub opening_questions: Vec<String>,
}

impl AssistantDetails {
    /// Reads what a model wrote: a JSON object, alone or among other words. `None` when there is nothing to be had of it.
    pub fn read(written: &str) -> Option<Self> {
        let begin = written.find('{')?;
        let object = read_object(&written[begin..])?;
        let text = |name: &str, most: usize| object.get(name).map(|value| line(value, most)).unwrap_or_default();
        let details = Self {
            name: text("name", MAX_NAME),
            description: text("description", MAX_DESCRIPTION),
            avatar: object.get("emoji").or_else(|| object.get("avatar")).map(sign).unwrap_or_default(),
            tags: object
                .get("tags")
                .map(|value| list(value, &[',', '，', '、', '\n'], TAGS, MAX_TAG))
                .unwrap_or_default(),
            opening_message: object.get("opening_message").map(paragraphs).unwrap_or_default(),
            opening_questions: object
                .get("opening_questions")
                .map(|value| list(value, &['\n'], QUESTIONS, MAX_OPENING_QUESTION))
                .unwrap_or_default(),
        };
        (details != Self::default()).then_some(details)
    }
}

/// The first object, also when it was cut off: then as far as it came.
fn read_object(text: &str) -> Option<serde_json::Map<String, Value>> {
    let first = serde_json::Deserializer::from_str(text).into_iter::<Value>().next();
    if let Some(Ok(Value::Object(object))) = first {
        return Some(object);
    }
    // From the end back, to where it can be closed.
    let ends = text.char_indices().rev().filter(|(_, c)| matches!(c, '"' | ']')).map(|(at, c)| at + c.len_utf8());
    ends.take(200).find_map(|end| {
        ["}", "]}"].iter().find_map(|closing| serde_json::from_str(&format!("{}{closing}", &text[..end])).ok())
    })
}

fn clean(text: &str, most: usize) -> String {
    let flat: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let bare = flat.trim().trim_matches(['"', '“', '”', '*', '#', '`']).trim();
    bare.chars().take(most).collect::<String>().trim_end().to_owned()
}

fn line(value: &Value, most: usize) -> String {
    value.as_str().map(|text| clean(text, most)).unwrap_or_default()
}

fn paragraphs(value: &Value) -> String {
    let text = value.as_str().unwrap_or_default().replace('\0', "");
    text.trim().chars().take(OPENING).collect::<String>().trim_end().to_owned()
}

fn list(value: &Value, between: &[char], most: usize, length: usize) -> Vec<String> {
    let parts: Vec<&str> = match value {
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
        Value::String(text) => text.split(between).collect(),
        _ => Vec::new(),
    };
    let mut kept = Vec::new();
    for part in parts.into_iter().map(|part| clean(part, length)) {
        if !part.is_empty() && !kept.contains(&part) {
            kept.push(part);
        }
    }
    kept.truncate(most);
    kept
}

/// A sign that is drawn, and no word.
fn sign(value: &Value) -> String {
    let text = line(value, MAX_AVATAR + 1);
    let drawn = text.chars().count() <= MAX_AVATAR && !text.is_empty();
    if drawn && text.chars().all(|c| !c.is_alphanumeric() && !c.is_whitespace()) && !text.is_ascii() {
        text
    } else {
        String::new()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_object_is_read_among_other_words() {
        let details = AssistantDetails::read(
            "Sure! Here it is:\n```json\n{\"name\": \"**Translator**\", \"description\": \"Both\\nways\", \"emoji\": \"🌐\", \
             \"tags\": \"language, work，language\", \"opening_message\": \"Send **me** a text.\", \
             \"opening_questions\": [\"One?\", 2, \"\", \"Two?\"]}\n``` Do you like it?",
        )
        .unwrap();
        assert_eq!((details.name.as_str(), details.description.as_str()), ("Translator", "Both ways"));
        assert_eq!((details.avatar.as_str(), details.opening_message.as_str()), ("🌐", "Send **me** a text."));
        assert_eq!(
            (details.tags, details.opening_questions),
            (vec!["language".to_owned(), "work".to_owned()], vec!["One?".to_owned(), "Two?".to_owned()],)
        );
    }

    #[test]
    fn what_was_cut_off_is_read_as_far_as_it_came() {
        let details = AssistantDetails::read("{\"name\": \"Tutor\", \"tags\": [\"maths\", \"sch").unwrap();
        assert_eq!((details.name.as_str(), details.tags), ("Tutor", vec!["maths".to_owned()]));
    }

    #[test]
    fn what_says_nothing_is_no_suggestion() {
        for written in ["", "I cannot do that.", "{}", "{\"name\": 3}", "{\"answer\": \"x\"}", "{{{{"] {
            assert_eq!(AssistantDetails::read(written), None, "{written}");
        }
        assert_eq!(AssistantDetails::read("{\"name\": \"A\", \"emoji\": \"robot\"}").unwrap().avatar, "");
    }

    proptest! {
        #[test]
        fn whatever_a_model_writes_fits_a_profile(name in ".*", tags in proptest::collection::vec(".*", 0..9), cut in 0..400_usize) {
            let written = serde_json::json!({"name": name, "emoji": name, "tags": tags, "opening_questions": tags, "opening_message": name}).to_string();
            let cut = written.char_indices().nth(cut).map_or(written.len(), |(at, _)| at);
            if let Some(details) = AssistantDetails::read(&written[..cut]) {
                let profile = super::super::AssistantProfile {
                    name: if details.name.is_empty() { "x".to_owned() } else { details.name },
                    description: details.description,
                    avatar: details.avatar,
                    tags: details.tags,
                    opening_message: details.opening_message,
                    opening_questions: details.opening_questions,
                    ..super::super::AssistantProfile::default()
                };
                prop_assert!(profile.checked().is_ok());
            }
        }
    }
}
