//! What may be written into a provider's settings. Every rule answers with the field and a sentence.

use std::collections::HashSet;

use serde::{Deserialize, Deserializer};
use stoa_identity::validation::{self, Report};
use stoa_model::own::ParameterSchema;
use stoa_model::provider::{Ability, LOCAL_SLUG, ProviderKind, ProviderModel, split_model_id};
use stoa_providers::{ApiKey, BaseUrl};
use stoa_storage::Secret;

const SLUG_BYTES: usize = 32;
const BASE_URL_BYTES: usize = 2_048;
/// The queries that a base URL may have, one of them: Azure's version, and the region of an address that names none.
const QUERIES: [&str; 2] = ["api-version=", "region="];
const API_KEY_BYTES: usize = 4_096;
const MODEL_NAME_BYTES: usize = 256;
const MODEL_ID_BYTES: usize = SLUG_BYTES + 1 + MODEL_NAME_BYTES;
const DISPLAY_NAME_CHARS: usize = 200;
/// Models of one provider.
pub(in crate::endpoints) const MODELS: usize = 2_000;

pub(in crate::endpoints) fn name(text: &str) -> Result<String, String> {
    validation::name(text)
}

/// The first part of a model's id.
pub(in crate::endpoints) fn slug(text: &str) -> Result<String, String> {
    let fits = (1..=SLUG_BYTES).contains(&text.len())
        && !text.starts_with('-')
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if !fits {
        return Err(format!(
            "Use 1 to {SLUG_BYTES} lower-case letters, digits and hyphens, and begin with a letter or digit."
        ));
    }
    if text == LOCAL_SLUG {
        return Err(format!("`{LOCAL_SLUG}` stands for the models that run on this machine; choose another one."));
    }
    Ok(text.to_owned())
}

pub(in crate::endpoints) fn base_url(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.len() > BASE_URL_BYTES {
        return Err(format!("Use at most {BASE_URL_BYTES} bytes."));
    }
    if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err("Leave out spaces and control characters.".to_owned());
    }
    // A version or a region is no secret; anything else may be one.
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    let is_known = |query: &str| {
        QUERIES.iter().filter_map(|name| query.strip_prefix(name)).any(|value| value.bytes().all(is_plain))
    };
    if text.contains('#') || !text.split_once('?').is_none_or(|(_, query)| is_known(query)) {
        let [version, region] = QUERIES;
        return Err(format!("Leave out what follows a `?` or `#`, unless it is `{version}…` or `{region}…`."));
    }
    // Which protocol is spoken there changes what the path means, not what a URL is.
    match BaseUrl::parse(ProviderKind::Openai, text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(format!("Enter a URL such as https://api.openai.com/v1: {error}.")),
    }
}

/// A key that was given. Blank is none.
pub(in crate::endpoints) fn api_key(text: &str) -> Result<Option<Secret>, String> {
    let text = text.trim();
    if text.len() > API_KEY_BYTES {
        return Err(format!("Use at most {API_KEY_BYTES} bytes."));
    }
    match ApiKey::parse(text) {
        Ok(key) => Ok(key.map(|_| Secret::new(text))),
        Err(_) => Err("Copy the key again, without quotes, spaces and line breaks.".to_owned()),
    }
}

/// What to do about a key; in JSON absent, null or text.
#[derive(Default)]
pub(in crate::endpoints) enum KeyChange {
    #[default]
    Keep,
    Clear,
    Replace(String),
}

impl<'de> Deserialize<'de> for KeyChange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.map_or(Self::Clear, Self::Replace))
    }
}

impl KeyChange {
    /// `None` to keep it, `Some(None)` to take it away. An empty text is most likely a field that nobody touched, so it does
    /// not take a key away.
    #[expect(clippy::option_option, reason = "to keep, to take away and to replace are three things")]
    pub(in crate::endpoints) fn read(&self) -> Result<Option<Option<Secret>>, String> {
        let blank = "Enter a key, leave it out to keep the present one, or send null to take it away.";
        match self {
            Self::Keep => Ok(None),
            Self::Clear => Ok(Some(None)),
            Self::Replace(text) => Ok(Some(Some(api_key(text)?.ok_or_else(|| blank.to_owned())?))),
        }
    }
}

/// The models of one provider, by the names the provider knows them by.
pub(in crate::endpoints) fn models(given: Vec<ProviderModel>) -> Result<Vec<ProviderModel>, Report> {
    let mut report = Report::new();
    if given.len() > MODELS {
        report.check::<()>("models", Err(format!("Use at most {MODELS} models.")));
        return Err(report);
    }
    let mut names = HashSet::new();
    let mut models = Vec::with_capacity(given.len());
    for (place, mut model) in given.into_iter().enumerate() {
        let field = |name: &str| format!("models.{place}.{name}");
        report.check(&field("name"), model_name(&model.name, &mut names));
        let shown = report.check(&field("display_name"), display_name(model.display_name.as_deref()));
        model.display_name = shown.flatten();
        if model.context_window == Some(0) {
            report.check::<()>(&field("context_window"), Err("Use at least one token, or none at all.".to_owned()));
        }
        if model.prices.is_some_and(|prices| !prices.in_range()) {
            report.check::<()>(&field("prices"), Err("Use at most 100,000 dollars for a million tokens.".to_owned()));
        }
        report.check(&field("stand_in"), model.stand_in.as_deref().map_or(Ok(()), stand_in));
        let own = model.parameters.as_ref().map_or(Ok(()), ParameterSchema::check);
        report.check(&field("parameters"), own.map_err(|fault| format!("{fault}.")));
        model.abilities = in_order(&model.abilities);
        models.push(model);
    }
    if report.is_clean() { Ok(models) } else { Err(report) }
}

fn model_name(name: &str, taken: &mut HashSet<String>) -> Result<(), String> {
    if name.is_empty() || name.len() > MODEL_NAME_BYTES {
        Err(format!("Use 1 to {MODEL_NAME_BYTES} bytes."))
    } else if name.trim() != name || name.chars().any(char::is_control) {
        Err("Leave out control characters, and spaces at the ends.".to_owned())
    } else if !taken.insert(name.to_owned()) {
        Err("This model is in the list twice.".to_owned())
    } else {
        Ok(())
    }
}

/// Whether there is such a model may change at any time; how an id looks does not.
fn stand_in(id: &str) -> Result<(), String> {
    match split_model_id(id) {
        Some((_, name)) if id.len() <= MODEL_ID_BYTES && name.trim() == name && !id.chars().any(char::is_control) => {
            Ok(())
        }
        _ => Err("Give the id of another model, such as `openai/gpt-5`.".to_owned()),
    }
}

fn display_name(name: Option<&str>) -> Result<Option<String>, String> {
    let Some(name) = name.map(str::trim).filter(|name| !name.is_empty()) else { return Ok(None) };
    if name.chars().count() > DISPLAY_NAME_CHARS {
        Err(format!("Use at most {DISPLAY_NAME_CHARS} characters."))
    } else if name.chars().any(char::is_control) {
        Err("Leave out control characters.".to_owned())
    } else {
        Ok(Some(name.to_owned()))
    }
}

/// Each ability once.
fn in_order(abilities: &[Ability]) -> Vec<Ability> {
    [Ability::Reasoning, Ability::Tools, Ability::Vision]
        .into_iter()
        .filter(|ability| abilities.contains(ability))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(name: &str) -> ProviderModel {
        ProviderModel::named(name)
    }

    #[test]
    fn a_slug_is_short_plain_and_not_the_local_one() {
        for good in ["a", "openai", "my-own-2", &"x".repeat(32)] {
            assert_eq!(slug(good).as_deref(), Ok(good));
        }
        for bad in ["", "-a", "OpenAI", "a_b", "a/b", "a b", "é", "local", " openai", &"x".repeat(33)] {
            assert!(slug(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_base_url_is_http_and_nothing_but_a_place() {
        for good in [
            "https://api.openai.com/v1",
            " http://127.0.0.1:8080 ",
            "http://[::1]:9/v1",
            "https://x.openai.azure.com?api-version=2025-04-01-preview",
            "https://gateway.example/bedrock?region=eu-west-1",
        ] {
            assert_eq!(base_url(good).as_deref(), Ok(good.trim()));
        }
        let long = format!("https://example.com/{}", "x".repeat(2_048));
        for bad in [
            "",
            "api.openai.com",
            "ftp://example.com",
            "file:///etc/passwd",
            "https://user:key@example.com",
            "https://user@example.com",
            "https://example.com/v1?key=1",
            "https://example.com/v1?api-version=1&key=1",
            "https://example.com/v1?region=eu-west-1&key=1",
            "https://example.com/v1?region=eu/west",
            "https://example.com/v1?api-version=1#x",
            "https://example.com/v1#x",
            "https://exam\nple.com",
            "https://example.com/a b",
            "https://",
            "javascript:alert(1)",
            long.as_str(),
        ] {
            assert!(base_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_key_is_visible_text_or_none() {
        assert_eq!(api_key(" sk-1 ").unwrap().unwrap().expose(), "sk-1");
        assert!(api_key("  ").unwrap().is_none());
        for bad in ["sk 1", "sk\u{0}1", "sk\r\n1", "schlüssel", &"x".repeat(4_097)] {
            let message = api_key(bad).unwrap_err();
            assert!(!message.contains("sk"), "the answer repeats the key: {message}");
        }
    }

    #[test]
    fn models_are_named_once_and_each_fault_has_its_place() {
        let shown = ProviderModel { display_name: Some("  ".to_owned()), ..model("a") };
        let twice = ProviderModel { abilities: vec![Ability::Vision, Ability::Tools, Ability::Vision], ..model("b") };
        let models_taken = models(vec![shown, twice]).unwrap();
        assert_eq!(models_taken[0].display_name, None);
        assert_eq!(models_taken[1].abilities, [Ability::Tools, Ability::Vision]);

        let long = ProviderModel { display_name: Some("x".repeat(201)), ..model("c") };
        let none = ProviderModel { context_window: Some(0), ..model("d") };
        let report = models(vec![model("a"), model("a"), model(" b"), model(""), long, none]).unwrap_err();
        let fields: Vec<_> = report.into_errors().into_iter().map(|error| error.field).collect();
        assert_eq!(
            fields,
            ["models.1.name", "models.2.name", "models.3.name", "models.4.display_name", "models.5.context_window"]
        );
        assert!(models((0..2_001).map(|n| model(&n.to_string())).collect()).is_err());
        assert!(models((0..2_000).map(|n| model(&n.to_string())).collect()).is_ok());
    }
}
