//! The kinds of files that are read, and what they have in common.

pub(crate) mod chatgpt;
pub(crate) mod lobechat;
pub(crate) mod open_webui;
pub(crate) mod stoa;
mod tree;

use serde::Deserialize;
use serde_json::Value;
use stoa_model::Timestamp;
use stoa_model::assistant::{MAX_TAG, MAX_TAGS};
use stoa_model::completion::Parameters;

/// Characters of a title.
const MAX_TITLE: usize = 200;
/// Numbers below this are seconds.
const SECONDS_BELOW: f64 = 100_000_000_000.0;

/// A time as others write it: seconds or milliseconds since 1970, or RFC 3339.
pub(crate) fn time(value: Option<&Value>) -> Option<Timestamp> {
    match value? {
        Value::Number(number) => {
            let number = number.as_f64().filter(|number| *number > 0.0 && *number < 4_000_000_000_000.0)?;
            let millis = if number < SECONDS_BELOW { number * 1_000.0 } else { number };
            #[expect(clippy::cast_possible_truncation, reason = "between zero and the year 2096")]
            Some(Timestamp::from_millis(millis.round() as i64))
        }
        text @ Value::String(_) => Timestamp::deserialize(text).ok(),
        _ => None,
    }
}

/// A title of one line, and of as many characters as one has here.
pub(crate) fn title(text: Option<&str>) -> String {
    one_line(text.unwrap_or_default(), MAX_TITLE)
}

/// The beginning of what was said, where nobody gave a title.
pub(crate) fn first_words(text: &str) -> String {
    one_line(text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default(), 60)
}

pub(crate) fn one_line(text: &str, most: usize) -> String {
    let clean: String = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    clean.trim().chars().take(most).collect::<String>().trim_end().to_owned()
}

/// As many tags as a conversation has here, each as long as one is.
pub(crate) fn tags(all: Vec<String>) -> Vec<String> {
    let mut tags: Vec<String> = Vec::new();
    for tag in all {
        let tag = one_line(&tag, MAX_TAG);
        if !tag.is_empty() && tags.len() < MAX_TAGS && !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    tags
}

/// The parameters that we have too, or none of them where one is out of its range.
pub(crate) fn parameters(value: Option<&Value>) -> Parameters {
    let number = |name: &str| value.and_then(|value| value.get(name)).and_then(Value::as_f64);
    let parameters = Parameters {
        temperature: number("temperature"),
        top_p: number("top_p"),
        presence_penalty: number("presence_penalty"),
        frequency_penalty: number("frequency_penalty"),
        max_tokens: value
            .and_then(|value| value.get("max_tokens"))
            .and_then(Value::as_u64)
            .and_then(|n| n.try_into().ok()),
        ..Parameters::default()
    };
    if parameters.check().is_ok() { parameters } else { Parameters::default() }
}

/// A name of a model: some text, and not much of it.
pub(crate) fn model(text: Option<String>) -> Option<String> {
    text.map(|text| one_line(&text, 200)).filter(|text| !text.is_empty())
}
