//! Where Bedrock is asked: its two hosts, and the region that both stand in.

use std::fmt::Write as _;

use stoa_egress::{EgressError, Target};
use stoa_model::completion::CompletionError;
use url::Url;

use crate::provider::failure;

/// The first labels of the hosts that run models, and of those beside them that list models.
const HOSTS: [(&str, &str); 2] = [("bedrock-runtime", "bedrock"), ("bedrock-runtime-fips", "bedrock-fips")];
/// Names the region where the host does not.
const REGION: &str = "region";

/// The address that an administrator has written, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place<'a>(&'a Url);

impl<'a> Place<'a> {
    pub(super) const fn new(base_url: &'a Url) -> Self {
        Self(base_url)
    }

    /// The region that the query names (`?region=eu-west-1`), or else the host (`bedrock-runtime.eu-west-1.amazonaws.com`).
    pub(super) fn region(&self) -> Result<String, CompletionError> {
        let named = self.0.query_pairs().find(|(name, _)| name == REGION).map(|(_, value)| value.into_owned());
        let region = named.or_else(|| {
            let mut labels = self.0.host_str()?.split('.');
            labels.find(|label| HOSTS.iter().any(|(runtime, _)| label == runtime))?;
            labels.next().map(str::to_owned)
        });
        let usual = |region: &String| {
            (1..=32).contains(&region.len())
                && region.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        };
        region.filter(usual).ok_or_else(|| CompletionError::Invalid {
            detail: "requests signed with an access key need a region, and the base URL names none: write \
                     https://bedrock-runtime.REGION.amazonaws.com, or put ?region=REGION behind an address of your own"
                .to_owned(),
        })
    }

    /// Where a model is asked.
    pub(super) fn of_model(&self, model: &str) -> Result<Target, CompletionError> {
        self.at(self.0.clone(), &format!("model/{}/converse-stream", encoded(model)), &[])
    }

    /// Where models are listed: at Amazon's host for that, or at an address of one's own.
    pub(super) fn of_list(&self, endpoint: &str, query: &[(&str, &str)]) -> Result<Target, CompletionError> {
        let mut url = self.0.clone();
        let host = url.host_str().unwrap_or_default();
        if let Some((_, rest)) = host.split_once('.')
            && let Some((_, control)) = HOSTS.iter().find(|(runtime, _)| host.split('.').next() == Some(runtime))
        {
            let host = format!("{control}.{rest}");
            url.set_host(Some(&host)).map_err(|error| CompletionError::Invalid { detail: error.to_string() })?;
        }
        self.at(url, endpoint, query)
    }

    /// The query of the base URL is for Stoa and stays here.
    fn at(&self, mut url: Url, endpoint: &str, query: &[(&str, &str)]) -> Result<Target, CompletionError> {
        url.set_path(&format!("{}/{endpoint}", self.0.path().trim_end_matches('/')));
        url.set_query(None);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Target::from_url(url).map_err(|error| failure::of_egress(EgressError::Target(error), false))
    }
}

/// Everything but letters, digits and `-._~` as `%XX`, the way that Amazon signs it.
pub(super) fn encoded(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_region_is_read_from_the_host_or_from_the_query() {
        for (url, region) in [
            ("https://bedrock-runtime.us-east-1.amazonaws.com/", Some("us-east-1")),
            ("https://bedrock-runtime-fips.us-gov-west-1.amazonaws.com/", Some("us-gov-west-1")),
            ("https://bedrock-runtime.cn-north-1.amazonaws.com.cn/", Some("cn-north-1")),
            ("https://vpce-1-2.bedrock-runtime.eu-west-1.vpce.amazonaws.com/", Some("eu-west-1")),
            ("https://gateway.example/aws?region=eu-central-1", Some("eu-central-1")),
            ("https://bedrock-runtime.us-east-1.amazonaws.com/?region=us-west-2", Some("us-west-2")),
            ("https://gateway.example/aws", None),
            ("https://gateway.example/aws?region=A/B", None),
            ("https://bedrock-runtime/", None),
            ("http://127.0.0.1:8080/", None),
        ] {
            assert_eq!(Place::new(&Url::parse(url).unwrap()).region().ok().as_deref(), region, "{url}");
        }
    }

    #[test]
    fn models_are_listed_beside_where_they_run() {
        for (url, model, list) in [
            (
                "https://bedrock-runtime.us-east-1.amazonaws.com/",
                "https://bedrock-runtime.us-east-1.amazonaws.com/model/a.b%3A0%2F%C3%A9/converse-stream",
                "https://bedrock.us-east-1.amazonaws.com/foundation-models?a=%2B",
            ),
            (
                "https://bedrock-runtime-fips.us-east-1.amazonaws.com/",
                "https://bedrock-runtime-fips.us-east-1.amazonaws.com/model/a.b%3A0%2F%C3%A9/converse-stream",
                "https://bedrock-fips.us-east-1.amazonaws.com/foundation-models?a=%2B",
            ),
            (
                "http://gateway.example:81/aws/?region=eu-west-1",
                "http://gateway.example:81/aws/model/a.b%3A0%2F%C3%A9/converse-stream",
                "http://gateway.example:81/aws/foundation-models?a=%2B",
            ),
        ] {
            let url = Url::parse(url).unwrap();
            let place = Place::new(&url);
            assert_eq!(place.of_model("a.b:0/é").unwrap().to_string(), model);
            assert_eq!(place.of_list("foundation-models", &[("a", "+")]).unwrap().to_string(), list);
        }
    }
}
