//! The base URL of a provider, as people write it, and how paths are joined to it.

use std::fmt;

use stoa_egress::{Target, TargetError};

/// Where a provider's API lives. Read by this rule:
///
/// - blanks around it and slashes at its end do not count;
/// - a path of an endpoint at its end (`/chat/completions`, `/models`) is taken off, for it was copied along;
/// - without any path, `/v1` is added: `https://api.openai.com` means `https://api.openai.com/v1`;
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
    pub fn parse(text: &str) -> Result<Self, BaseUrlError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(BaseUrlError::Empty);
        }
        let mut url = Target::parse(text)?.as_url().clone();
        let mut path = url.path().trim_end_matches('/');
        for endpoint in ["/chat/completions", "/models"] {
            path = path.strip_suffix(endpoint).unwrap_or(path);
        }
        let path = path.trim_end_matches('/');
        let path = if path.is_empty() { "/v1".to_owned() } else { path.to_owned() };
        url.set_path(&path);
        Ok(Self(Target::from_url(url)?))
    }

    /// The target of an endpoint such as `chat/completions`.
    pub(crate) fn join(&self, endpoint: &str) -> Result<Target, TargetError> {
        let mut url = self.0.as_url().clone();
        let path = format!("{}/{endpoint}", url.path());
        url.set_path(&path);
        Target::from_url(url)
    }

    pub const fn target(&self) -> &Target {
        &self.0
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
        BaseUrl::parse(base).unwrap().join("chat/completions").unwrap().to_string()
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
        assert_eq!(BaseUrl::parse("  "), Err(BaseUrlError::Empty));
        for (base, reason) in [
            ("api.openai.com", "it is not a URL"),
            ("ftp://api.openai.com", "http:// or https://"),
            ("https://user:key@api.openai.com", "user name or password"),
        ] {
            let error = BaseUrl::parse(base).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }
}
