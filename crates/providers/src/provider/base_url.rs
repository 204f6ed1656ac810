//! The base URL of a provider, as people write it, and how paths are joined to it.

use std::fmt;

use stoa_egress::{EgressError, Target, TargetError};
use stoa_model::completion::CompletionError;
use stoa_model::provider::ProviderKind;

use super::failure;

/// Where a provider's API lives. Read by this rule:
///
/// - blanks around it and slashes at its end do not count;
/// - a path of an endpoint at its end (`/chat/completions`, `/models`) is taken off, for it was copied along;
/// - without any path, that of the protocol is added: `https://api.openai.com` means `https://api.openai.com/v1`;
/// - any other path stays as it is: `https://openrouter.ai/api/v1`, `https://open.bigmodel.cn/api/paas/v4`;
/// - a query stays and goes with every request (`?api-version=…`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl(Target);

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BaseUrlError {
    #[error("the base URL is empty")]
    Empty,
    #[error("the base URL is not usable: {0}")]
    Target(#[from] TargetError),
}

impl BaseUrl {
    pub fn parse(kind: ProviderKind, text: &str) -> Result<Self, BaseUrlError> {
        let (home, endpoints) = places(kind);
        let text = text.trim();
        if text.is_empty() {
            return Err(BaseUrlError::Empty);
        }
        let mut url = Target::parse(text)?.as_url().clone();
        let mut path = url.path().trim_end_matches('/');
        for endpoint in endpoints {
            path = path.strip_suffix(endpoint).unwrap_or(path);
        }
        let path = path.trim_end_matches('/');
        let path = if path.is_empty() { home.to_owned() } else { path.to_owned() };
        url.set_path(&path);
        Ok(Self(Target::from_url(url)?))
    }

    /// The target of an endpoint such as `chat/completions`. Names within it must be encoded already.
    pub(crate) fn join(&self, endpoint: &str) -> Result<Target, CompletionError> {
        self.join_with(endpoint, &[])
    }

    /// The same with a query behind that of the base URL.
    pub(crate) fn join_with(&self, endpoint: &str, query: &[(&str, &str)]) -> Result<Target, CompletionError> {
        let mut url = self.0.as_url().clone();
        let path = format!("{}/{endpoint}", url.path().trim_end_matches('/'));
        url.set_path(&path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Target::from_url(url).map_err(|error| failure::of_egress(EgressError::Target(error), false))
    }

    pub const fn target(&self) -> &Target {
        &self.0
    }
}

/// Where the endpoints of a protocol live when nothing is said, and which of them may have been copied along.
const fn places(kind: ProviderKind) -> (&'static str, &'static [&'static str]) {
    match kind {
        ProviderKind::Openai => ("/v1", &["/chat/completions", "/models"]),
        ProviderKind::Responses => ("/v1", &["/responses", "/models"]),
        ProviderKind::Azure => ("/openai", &[]),
        ProviderKind::Anthropic => ("/v1", &["/messages", "/models"]),
        ProviderKind::Bedrock => ("", &[]),
        ProviderKind::Gemini => ("/v1beta", &["/models"]),
        ProviderKind::Ollama => ("/api", &["/chat", "/tags"]),
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(base: &str) -> String {
        BaseUrl::parse(ProviderKind::Openai, base).unwrap().join("chat/completions").unwrap().to_string()
    }

    #[test]
    fn base_urls_are_read_as_they_are_meant() {
        for (base, expected) in [
            ("https://api.openai.com", "https://api.openai.com/v1/chat/completions"),
            ("https://api.openai.com/", "https://api.openai.com/v1/chat/completions"),
            ("https://api.openai.com/v1", "https://api.openai.com/v1/chat/completions"),
            (" https://api.openai.com/v1// ", "https://api.openai.com/v1/chat/completions"),
            ("https://api.openai.com/v1/chat/completions", "https://api.openai.com/v1/chat/completions"),
            ("https://api.openai.com/v1/models/", "https://api.openai.com/v1/chat/completions"),
            ("https://openrouter.ai/api/v1", "https://openrouter.ai/api/v1/chat/completions"),
            ("https://open.bigmodel.cn/api/paas/v4/", "https://open.bigmodel.cn/api/paas/v4/chat/completions"),
            ("http://localhost:11434", "http://localhost:11434/v1/chat/completions"),
            ("https://x.test/openai?api-version=1", "https://x.test/openai/chat/completions?api-version=1"),
        ] {
            assert_eq!(joined(base), expected, "{base}");
        }
    }

    #[test]
    fn what_cannot_be_a_base_url_is_refused_with_the_reason() {
        assert_eq!(BaseUrl::parse(ProviderKind::Openai, "  "), Err(BaseUrlError::Empty));
        for (base, reason) in [
            ("api.openai.com", "it is not a URL"),
            ("ftp://api.openai.com", "http:// or https://"),
            ("https://user:key@api.openai.com", "user name or password"),
        ] {
            let error = BaseUrl::parse(ProviderKind::Openai, base).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }
}
