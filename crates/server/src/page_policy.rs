//! The content security policy of the page: one for everybody, and one for whoever has providers of their own, which adds
//! the origins of exactly these.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use axum::response::Response;
use http::header::{CACHE_CONTROL, ETAG};
use http::{HeaderMap, HeaderValue};
use stoa_identity::Credential;
use stoa_model::personal::PersonalProvider;
use stoa_providers::BaseUrl;

use crate::app::App;
use crate::extract::session_cookie;

/// For everybody who has no providers of their own.
static PLAIN: LazyLock<HeaderValue> = LazyLock::new(|| policy(&BTreeSet::new()));

/// What a page may connect to, noted on its answer for the layer that writes the policy.
#[derive(Clone)]
pub(crate) struct PagePolicy(HeaderValue);

impl PagePolicy {
    /// The policy for whoever asks for the page; `None` for the plain one.
    pub(crate) async fn of(app: &App, request: &HeaderMap) -> Option<Self> {
        if !app.options.personal_providers {
            return None;
        }
        let principal = app.door.authenticate(Credential::Cookie(session_cookie(request)?)).await.ok()?;
        let providers = app.database.personal_providers(&principal).await;
        let providers = providers.inspect_err(|error| tracing::warn!(%error, "the page gets its plain policy")).ok()?;
        let origins = origins(&providers);
        (!origins.is_empty()).then(|| Self(policy(&origins)))
    }

    /// Notes it on the answer. A browser that knows the page would take a new policy for it from no answer but a whole one,
    /// and is not to keep one that may be old tomorrow.
    pub(crate) fn apply(self, response: &mut Response) {
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response.headers_mut().remove(ETAG);
        response.extensions_mut().insert(self);
    }

    pub(crate) fn header(response: &Response) -> HeaderValue {
        response.extensions().get::<Self>().map_or_else(|| PLAIN.clone(), |policy| policy.0.clone())
    }
}

/// Scheme, host and port of each. A URL holds no character that ends a source or a directive.
fn origins(providers: &[PersonalProvider]) -> BTreeSet<String> {
    let of = |provider: &PersonalProvider| {
        let url = BaseUrl::parse(stoa_model::provider::ProviderKind::Openai, &provider.base_url).ok()?;
        let origin = url.target().as_url().origin().ascii_serialization();
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '/' | '[' | ']' | '_');
        origin.chars().all(plain).then_some(origin)
    };
    providers.iter().filter_map(of).collect()
}

/// Scripts are our files and the bootstrap in the page, by its hash.
fn policy(origins: &BTreeSet<String>) -> HeaderValue {
    let hashes: String = stoa_web_assets::bootstrap_script_hashes().iter().flat_map(|hash| [" ", hash]).collect();
    let connect: String = origins.iter().flat_map(|origin| [" ", origin]).collect();
    let policy = format!(
        "default-src 'none'; script-src 'self'{hashes}; style-src-elem 'self'; style-src-attr 'unsafe-inline'; \
         img-src 'self' data: blob:; font-src 'self'; connect-src 'self'{connect}; worker-src 'self'; \
         manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    );
    // The hashes are base64, and origins plain, so this is a header value; should it not be, nothing at all may load.
    HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
}

#[cfg(test)]
mod tests {
    use stoa_model::{PersonalProviderId, Timestamp};

    use super::*;

    fn at(base_url: &str) -> PersonalProvider {
        let now = Timestamp::from_millis(0);
        PersonalProvider {
            id: PersonalProviderId::generate(now),
            name: "Mine".to_owned(),
            slug: "mine".to_owned(),
            base_url: base_url.to_owned(),
            has_api_key: false,
            models: Vec::new(),
            created_at: now,
            updated_at: now,
        }
    }

    #[test]
    fn the_page_may_connect_to_the_origins_of_ones_own_providers_and_to_no_other() {
        let mine = [at("http://127.0.0.1:11434/v1"), at("http://127.0.0.1:11434/api"), at("https://[::1]:8443/v1")];
        let header = policy(&origins(&mine));
        let text = header.to_str().unwrap();
        assert!(text.contains("; connect-src 'self' http://127.0.0.1:11434 https://[::1]:8443; "), "{text}");
        assert!(PLAIN.to_str().unwrap().contains("; connect-src 'self'; "));
    }

    #[test]
    fn no_base_url_gets_a_directive_of_its_own_into_the_policy() {
        for base in ["https://a.test/;script-src *", "https://a.test'; script-src *", "https://a.test,b"] {
            let origins = origins(&[at(base)]);
            assert!(origins.iter().all(|origin| origin == "https://a.test"), "{origins:?}");
        }
    }
}
