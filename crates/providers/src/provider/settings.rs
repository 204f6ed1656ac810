//! How a provider is reached: its protocol, its address and its key.

use std::fmt;

use http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use stoa_egress::Request;
use stoa_model::provider::ProviderKind;

use super::base_url::{BaseUrl, BaseUrlError};

/// A provider's key. It shows itself to nobody.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the API key holds a character that no key can have; copy it again, without quotes and line breaks")]
pub struct InvalidApiKey;

impl ApiKey {
    /// `None` when there is nothing but blanks: many servers of one's own want no key.
    pub fn parse(text: &str) -> Result<Option<Self>, InvalidApiKey> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(None);
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(InvalidApiKey);
        }
        Ok(Some(Self(text.to_owned())))
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(…)")
    }
}

#[derive(Clone, Debug)]
pub struct Settings {
    pub kind: ProviderKind,
    pub base_url: BaseUrl,
    pub api_key: Option<ApiKey>,
    /// Whether `<think>…</think>` at the beginning of an answer is reasoning.
    pub think_tags: bool,
}

/// Settings that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    #[error(transparent)]
    BaseUrl(#[from] BaseUrlError),
    #[error(transparent)]
    ApiKey(#[from] InvalidApiKey),
}

impl Settings {
    /// As an administrator has written them. A blank key is none.
    pub fn parse(kind: ProviderKind, base_url: &str, api_key: &str) -> Result<Self, SettingsError> {
        let base_url = BaseUrl::parse(kind, base_url)?;
        Ok(Self { kind, base_url, api_key: ApiKey::parse(api_key)?, think_tags: true })
    }

    pub(crate) fn secret(&self) -> Option<&str> {
        self.api_key.as_ref().map(ApiKey::expose)
    }

    /// The request with the key as a bearer token, if there is one.
    pub(crate) fn bearer(&self, request: Request) -> Request {
        self.with_key(request, AUTHORIZATION, "Bearer ")
    }

    /// The request with the key in that header, if there is one.
    pub(crate) fn with_key(&self, request: Request, name: HeaderName, prefix: &str) -> Request {
        let Some(key) = &self.api_key else { return request };
        match HeaderValue::from_str(&format!("{prefix}{}", key.0)) {
            Ok(mut value) => {
                value.set_sensitive(true);
                request.header(name, value)
            }
            // `ApiKey::parse` lets only visible ASCII through.
            Err(_) => request,
        }
    }
}
