//! The models that can be asked: foundation models, and the profiles that newer ones must be asked by.
//!
//! Source: <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_ListFoundationModels.html> and
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_ListInferenceProfiles.html>.

use serde_json::Value;
use stoa_model::completion::CompletionError;
use stoa_model::provider::{Ability, ProviderModel};

use crate::models;
use crate::protocol::Listed;

/// Profiles come behind the foundation models, which are one page; this asks for their first.
pub(super) const FIRST_PROFILES: &str = "";

pub(super) fn read(body: &[u8]) -> Result<Listed, CompletionError> {
    let answer = models::parse(body)?;
    if let Some(entries) = answer.get("modelSummaries").and_then(Value::as_array) {
        let models = entries.iter().filter_map(foundation_model).collect();
        return Ok(Listed { models, next: Some(FIRST_PROFILES.to_owned()) });
    }
    let entries = answer.get("inferenceProfileSummaries").and_then(Value::as_array);
    let entries = entries.ok_or_else(|| models::no_list(body))?;
    let next = answer["nextToken"].as_str().filter(|token| !token.is_empty()).map(str::to_owned);
    Ok(Listed { models: entries.iter().filter_map(profile).collect(), next })
}

/// Only what answers in text, as a stream, without capacity bought beforehand or a profile.
fn foundation_model(entry: &Value) -> Option<ProviderModel> {
    let lists =
        |key: &str, word: &str| entry[key].as_array().is_some_and(|words| words.iter().any(|known| known == word));
    let usable = lists("outputModalities", "TEXT")
        && lists("inferenceTypesSupported", "ON_DEMAND")
        && entry["responseStreamingSupported"] == true;
    if !usable {
        return None;
    }
    let abilities = if lists("inputModalities", "IMAGE") { vec![Ability::Vision] } else { Vec::new() };
    models::model(entry["modelId"].as_str()?, entry["modelName"].as_str(), None, abilities)
}

/// What it can is told of the models behind it alone.
fn profile(entry: &Value) -> Option<ProviderModel> {
    let id = entry["inferenceProfileId"].as_str()?;
    // One of the account's own is known by its whole name alone.
    let name = if entry["type"] == "APPLICATION" { entry["inferenceProfileArn"].as_str()? } else { id };
    models::model(name, entry["inferenceProfileName"].as_str(), None, Vec::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(listed: &Listed) -> Vec<&str> {
        listed.models.iter().map(|model| model.name.as_str()).collect()
    }

    #[test]
    fn only_what_can_be_talked_with_at_once_is_listed() {
        let body = br#"{"modelSummaries":[
            {"modelArn":"arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0","modelId":"amazon.nova-lite-v1:0",
             "modelName":"Nova Lite","providerName":"Amazon","inputModalities":["TEXT","IMAGE","VIDEO"],"outputModalities":["TEXT"],
             "responseStreamingSupported":true,"inferenceTypesSupported":["ON_DEMAND","INFERENCE_PROFILE"],"modelLifecycle":{"status":"ACTIVE"}},
            {"modelId":"anthropic.claude-sonnet-4-20250514-v1:0","outputModalities":["TEXT"],"responseStreamingSupported":true,
             "inferenceTypesSupported":["INFERENCE_PROFILE"]},
            {"modelId":"amazon.titan-embed-text-v2:0","outputModalities":["EMBEDDING"],"inferenceTypesSupported":["ON_DEMAND"]},
            {"modelId":"ai21.j2-mid-v1","outputModalities":["TEXT"],"responseStreamingSupported":false,"inferenceTypesSupported":["ON_DEMAND"]}]}"#;
        let listed = read(body).unwrap();
        assert_eq!((names(&listed), listed.next.as_deref()), (vec!["amazon.nova-lite-v1:0"], Some(FIRST_PROFILES)));
        assert_eq!(listed.models[0].display_name.as_deref(), Some("Nova Lite"));
        assert_eq!(listed.models[0].abilities, [Ability::Vision]);
    }

    #[test]
    fn profiles_follow_page_by_page() {
        let body = br#"{"inferenceProfileSummaries":[
            {"inferenceProfileId":"us.anthropic.claude-sonnet-4-20250514-v1:0","inferenceProfileName":"US Claude Sonnet 4",
             "inferenceProfileArn":"arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-sonnet-4-20250514-v1:0",
             "models":[],"status":"ACTIVE","type":"SYSTEM_DEFINED"},
            {"inferenceProfileId":"abc","inferenceProfileName":"Mine","type":"APPLICATION",
             "inferenceProfileArn":"arn:aws:bedrock:us-east-1:1:application-inference-profile/abc"}],"nextToken":"x"}"#;
        let listed = read(body).unwrap();
        let own = "arn:aws:bedrock:us-east-1:1:application-inference-profile/abc";
        assert_eq!(names(&listed), ["us.anthropic.claude-sonnet-4-20250514-v1:0", own]);
        assert_eq!(listed.next.as_deref(), Some("x"));
        assert_eq!(read(br#"{"inferenceProfileSummaries":[]}"#).unwrap().next, None);
        assert!(read(br#"{"message":"no"}"#).is_err());
    }
}
