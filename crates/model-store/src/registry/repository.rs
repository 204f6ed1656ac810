//! One repository of one registry, as HTTP: manifests, blobs, and the sign-in for both.

use std::ops::Range;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_RANGE, HeaderMap, HeaderName, HeaderValue, RANGE,
};
use http::{Method, Response, StatusCode};
use serde::Deserialize;
use stoa_egress::{Authority, CappedBody, Egress, EgressError, Limits, Redirects, Request, Target};
use stoa_model::{Clock as _, SystemClock};
use tokio::sync::Mutex;

use super::access::{Credentials, root, secret};
use super::challenge::Challenge;
use super::{RegistryError, RegistryOptions};
use crate::store::{Digest, MAX_MANIFEST_BYTES, Manifest, ModelName};

const MANIFEST_TYPES: &str =
    "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json";
const MAX_TOKEN_BYTES: u64 = 64 * 1024;
/// How much of a registry's own words about an error is passed on.
const MAX_DETAIL_BYTES: usize = 4 * 1024;
/// For whole blobs: as long as it takes. What does not move is found by its stalling.
const VERY_LONG: Duration = Duration::from_hours(365 * 24);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rights {
    Pull,
    Push,
}

pub(super) struct Repository {
    egress: Egress,
    /// As models' names have it, for messages.
    host: String,
    root: Target,
    /// `namespace/model`
    path: String,
    name: String,
    tag: String,
    rights: Rights,
    credentials: Option<Credentials>,
    token_host: Option<Authority>,
    stall: Duration,
    /// What the registry has been told so far about who is there.
    authorization: Mutex<Option<HeaderValue>>,
}

/// A manifest and its very text.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) manifest: Manifest,
    pub(super) text: Bytes,
}

/// What came when bytes of a blob were asked for.
#[derive(Debug)]
pub(super) enum Content {
    /// Exactly the range that was asked for.
    Part(CappedBody),
    /// The blob from its beginning.
    Whole(CappedBody),
}

#[derive(Deserialize)]
struct TokenAnswer {
    token: Option<String>,
    access_token: Option<String>,
}

impl Repository {
    pub(super) fn new(
        egress: &Egress,
        options: &RegistryOptions,
        name: &ModelName,
        rights: Rights,
    ) -> Result<Self, RegistryError> {
        let host = name.host().to_ascii_lowercase();
        let root = root(egress, options, &host)?;
        let access = options.access(&host).cloned().unwrap_or_default();
        Ok(Self {
            egress: egress.clone(),
            host,
            root,
            path: format!("{}/{}", name.namespace(), name.model()),
            name: name.to_string(),
            tag: name.tag().to_owned(),
            rights,
            credentials: access.credentials,
            token_host: access.token_host,
            stall: options.stall,
            authorization: Mutex::default(),
        })
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// The model's whole name.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// A URL of this repository.
    pub(super) fn target(&self, rest: &str) -> Result<Target, RegistryError> {
        self.root
            .join(&format!("/v2/{}/{rest}", self.path))
            .map_err(|source| RegistryError::Host { host: self.host.clone(), source })
    }

    pub(super) fn manifest_target(&self) -> Result<Target, RegistryError> {
        self.target(&format!("manifests/{}", self.tag))
    }

    /// The manifest that the name's tag stands for. Registries differ in the type they give it, so its content counts.
    pub(super) async fn manifest(&self) -> Result<Fetched, RegistryError> {
        let request = Request::get(self.manifest_target()?).header(ACCEPT, HeaderValue::from_static(MANIFEST_TYPES));
        let limits = Limits { body_bytes: MAX_MANIFEST_BYTES, ..Limits::default() };
        let too_long = |error| match error {
            RegistryError::Egress { source: EgressError::TooLarge { limit }, .. } => {
                self.bad_manifest(format!("it is longer than {limit} bytes"))
            }
            error => error,
        };
        let answer = self.send(request, limits).await.map_err(too_long)?;
        let answer = match answer.status() {
            StatusCode::NOT_FOUND => {
                return Err(RegistryError::NotFound { host: self.host.clone(), name: self.name.clone() });
            }
            _ => self.expect(answer, &[StatusCode::OK]).await?,
        };
        let said = answer.headers().get("docker-content-digest").and_then(|value| value.to_str().ok()?.parse().ok());
        let text = answer.into_body().collect().await.map_err(|error| too_long(self.egress_error(error)))?;
        if said.is_some_and(|said: Digest| said != Digest::of(&text)) {
            return Err(self.bad_manifest("its digest is not the one that was announced"));
        }
        self.read_manifest(text)
    }

    fn read_manifest(&self, text: Bytes) -> Result<Fetched, RegistryError> {
        #[derive(Deserialize)]
        struct Index {
            #[expect(dead_code, reason = "that it is there is all that matters")]
            manifests: Vec<serde_json::Value>,
        }
        let manifest: Manifest = serde_json::from_slice(&text).map_err(|error| {
            if serde_json::from_slice::<Index>(&text).is_ok() {
                self.bad_manifest("it is a list of images, not a model")
            } else {
                self.bad_manifest(error.to_string())
            }
        })?;
        if manifest.schema_version != 2 {
            return Err(self.bad_manifest(format!("its schema version is {}", manifest.schema_version)));
        }
        if manifest.layers.is_empty() {
            return Err(self.bad_manifest("it names no layers"));
        }
        Ok(Fetched { manifest, text })
    }

    fn bad_manifest(&self, detail: impl Into<String>) -> RegistryError {
        RegistryError::Manifest { host: self.host.clone(), detail: detail.into() }
    }

    /// Asks for a blob of `size` bytes, or for a range of it. What comes is never longer than that.
    pub(super) async fn blob(
        &self,
        digest: &Digest,
        size: u64,
        range: Option<&Range<u64>>,
    ) -> Result<Content, RegistryError> {
        let mut request = Request::get(self.target(&format!("blobs/{digest}"))?);
        if let Some(range) = range {
            let text = format!("bytes={}-{}", range.start, range.end.saturating_sub(1));
            request = request.header(RANGE, HeaderValue::from_str(&text).map_err(|_| self.no_ranges())?);
        }
        let limits =
            Limits { idle: self.stall, head: self.stall, total: VERY_LONG, body_bytes: size, ..Limits::default() };
        let answer = self.send(request, limits).await.map_err(|error| self.blob_error(digest, error))?;
        match answer.status() {
            StatusCode::NOT_FOUND => {
                Err(RegistryError::BlobNotFound { host: self.host.clone(), digest: digest.clone() })
            }
            StatusCode::PARTIAL_CONTENT => match range {
                Some(range) if is_exactly(answer.headers(), range, size) => Ok(Content::Part(answer.into_body())),
                _ => Err(self.no_ranges()),
            },
            StatusCode::RANGE_NOT_SATISFIABLE if range.is_some() => Err(self.no_ranges()),
            _ => Ok(Content::Whole(self.expect(answer, &[StatusCode::OK]).await?.into_body())),
        }
    }

    pub(super) fn no_ranges(&self) -> RegistryError {
        RegistryError::NoRanges { host: self.host.clone() }
    }

    /// An error while a blob's content was read.
    pub(super) fn blob_error(&self, digest: &Digest, error: RegistryError) -> RegistryError {
        match error {
            RegistryError::Egress { source: EgressError::TooLarge { .. }, .. } => {
                RegistryError::Long { host: self.host.clone(), digest: digest.clone() }
            }
            error => error,
        }
    }

    pub(super) fn egress_error(&self, source: EgressError) -> RegistryError {
        RegistryError::Egress { host: self.host.clone(), source }
    }

    /// Sends a request to where it goes, with what the registry knows of us if it goes to the registry itself, and signs
    /// in when that is asked for.
    pub(super) async fn send(&self, request: Request, limits: Limits) -> Result<Response<CappedBody>, RegistryError> {
        let request = request.header(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if !self.is_own(request.target()) {
            return self.send_plainly(request, limits).await;
        }
        let known = self.authorization.lock().await.clone();
        let answer = self.send_plainly(authorized(&request, known.as_ref()), limits).await?;
        if answer.status() != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        let challenge = Challenge::read(answer.headers());
        drop(answer);
        let fresh = self.sign_in(known.as_ref(), challenge).await?;
        let answer = self.send_plainly(authorized(&request, Some(&fresh)), limits).await?;
        if answer.status() == StatusCode::UNAUTHORIZED { Err(self.unauthorized()) } else { Ok(answer) }
    }

    async fn send_plainly(&self, request: Request, limits: Limits) -> Result<Response<CappedBody>, RegistryError> {
        let answer = Box::pin(self.egress.send(request, limits)).await.map_err(|error| self.egress_error(error))?;
        match answer.headers().get(CONTENT_ENCODING) {
            // Nothing is ever unpacked, so that nothing can be a bomb.
            Some(encoding) if encoding != "identity" => Err(RegistryError::Packed {
                host: self.host.clone(),
                encoding: encoding.to_str().unwrap_or("something").chars().take(40).collect(),
            }),
            _ => Ok(answer),
        }
    }

    fn is_own(&self, target: &Target) -> bool {
        target.is_https() == self.root.is_https() && target.authority() == self.root.authority()
    }

    /// Answers what to say from now on. `used` is what has just been refused.
    async fn sign_in(
        &self,
        used: Option<&HeaderValue>,
        challenge: Option<Challenge>,
    ) -> Result<HeaderValue, RegistryError> {
        // Held meanwhile, so that parts that are all refused at once sign in once.
        let mut known = self.authorization.lock().await;
        if let Some(known) = known.as_ref().filter(|known| Some(*known) != used) {
            return Ok(known.clone());
        }
        let fresh = match challenge.ok_or_else(|| RegistryError::Challenge { host: self.host.clone() })? {
            Challenge::Basic => {
                let header = self.credentials.as_ref().and_then(Credentials::basic);
                header.filter(|header| Some(header) != used).ok_or_else(|| self.unauthorized())?
            }
            Challenge::Bearer { realm, service, scopes } => self.token(&realm, service, scopes).await?,
        };
        *known = Some(fresh.clone());
        Ok(fresh)
    }

    /// Fetches a token (docs.docker.com/reference/api/registry/auth).
    async fn token(
        &self,
        realm: &str,
        service: Option<String>,
        mut scopes: Vec<String>,
    ) -> Result<HeaderValue, RegistryError> {
        let challenge = || RegistryError::Challenge { host: self.host.clone() };
        let realm = Target::parse(realm).map_err(|_| challenge())?;
        let listed = self.token_host.as_ref() == Some(&realm.authority());
        if !(listed || realm.authority() == self.root.authority()) || (self.root.is_https() && !realm.is_https()) {
            let realm = realm.authority().to_string();
            return Err(RegistryError::ForeignRealm { host: self.host.clone(), realm });
        }
        if scopes.is_empty() {
            let actions = if self.rights == Rights::Push { "pull,push" } else { "pull" };
            scopes.push(format!("repository:{}:{actions}", self.path));
        }
        let mut url = realm.as_url().clone();
        url.query_pairs_mut()
            .extend_pairs(service.map(|service| ("service", service)))
            .extend_pairs(scopes.into_iter().map(|scope| ("scope", scope)));
        let header = match &self.credentials {
            None => None,
            Some(Credentials::Key(key)) => {
                // What is signed is good for this moment and this one time.
                let now = SystemClock.now().as_millis() / 1_000;
                let nonce = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 16]>());
                url.query_pairs_mut().append_pair("ts", &now.to_string()).append_pair("nonce", &nonce);
                Some(secret(&key.authorization(url.as_str())).ok_or_else(challenge)?)
            }
            Some(password) => password.basic(),
        };
        let mut request = Request::get(Target::from_url(url).map_err(|_| challenge())?);
        if let Some(header) = header {
            request = request.header(AUTHORIZATION, header);
        }
        let limits = Limits { redirects: Redirects::None, body_bytes: MAX_TOKEN_BYTES, ..Limits::default() };
        let answer = self.send_plainly(request, limits).await?;
        if matches!(answer.status(), StatusCode::UNAUTHORIZED | StatusCode::BAD_REQUEST) {
            return Err(self.unauthorized());
        }
        let answer = self.expect(answer, &[StatusCode::OK]).await?;
        let text = answer.into_body().collect().await.map_err(|error| self.egress_error(error))?;
        let token: TokenAnswer = serde_json::from_slice(&text).map_err(|_| challenge())?;
        let token = token.token.or(token.access_token).filter(|token| !token.is_empty()).ok_or_else(challenge)?;
        secret(&format!("Bearer {token}")).ok_or_else(challenge)
    }

    fn unauthorized(&self) -> RegistryError {
        RegistryError::Unauthorized { host: self.host.clone() }
    }

    /// Makes an error of every answer but those.
    pub(super) async fn expect(
        &self,
        answer: Response<CappedBody>,
        expected: &[StatusCode],
    ) -> Result<Response<CappedBody>, RegistryError> {
        let (host, status) = (self.host.clone(), answer.status());
        if expected.contains(&status) {
            return Ok(answer);
        }
        match status {
            StatusCode::UNAUTHORIZED => return Err(self.unauthorized()),
            StatusCode::FORBIDDEN => return Err(RegistryError::Forbidden { host }),
            _ => {}
        }
        let body = answer.into_body().collect_some(MAX_DETAIL_BYTES, Duration::from_secs(2)).await;
        Err(RegistryError::Answer { host, status, detail: detail(&body) })
    }

    /// Whether the registry has the blob already.
    pub(super) async fn has_blob(&self, digest: &Digest) -> Result<bool, RegistryError> {
        let request = Request::new(Method::HEAD, self.target(&format!("blobs/{digest}"))?, Bytes::new());
        // A HEAD announces the length of a body that never comes.
        let limits = Limits { body_bytes: u64::MAX, redirects: Redirects::None, ..Limits::default() };
        let answer = self.send(request, limits).await?;
        match answer.status() {
            StatusCode::NOT_FOUND => Ok(false),
            // To where it lies: it is there.
            StatusCode::FOUND | StatusCode::SEE_OTHER | StatusCode::TEMPORARY_REDIRECT => Ok(true),
            _ => self.expect(answer, &[StatusCode::OK]).await.map(|_| true),
        }
    }
}

fn authorized(request: &Request, header: Option<&HeaderValue>) -> Request {
    match header {
        Some(header) => request.clone().header(AUTHORIZATION, header.clone()),
        None => request.clone(),
    }
}

/// Whether the answer holds just those bytes of a blob of that length (RFC 9110 §14.4).
fn is_exactly(headers: &HeaderMap, range: &Range<u64>, size: u64) -> bool {
    let expected = format!("bytes {}-{}/{size}", range.start, range.end.saturating_sub(1));
    single(headers, &CONTENT_RANGE).is_some_and(|value| value.as_bytes() == expected.as_bytes())
}

fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

/// What a registry says of an error, after a colon: its JSON's messages, cut short, in printable characters.
fn detail(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Errors {
        errors: Vec<Error>,
    }
    #[derive(Deserialize)]
    struct Error {
        #[serde(default)]
        code: String,
        #[serde(default)]
        message: String,
    }
    let Ok(Errors { errors }) = serde_json::from_slice(body) else { return String::new() };
    let said = errors.first().map(|error| if error.message.is_empty() { &error.code } else { &error.message });
    said.filter(|said| !said.is_empty())
        .map(|said| format!(": {}", said.chars().filter(|c| !c.is_control()).take(200).collect::<String>()))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_exactly_the_one_that_was_asked_for() {
        let check = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(CONTENT_RANGE, HeaderValue::from_str(value).unwrap());
            }
            is_exactly(&headers, &(10..20), 100)
        };
        assert!(check(&["bytes 10-19/100"]));
        for values in [
            vec![],
            vec!["bytes 10-19/*"],
            vec!["bytes 10-19/101"],
            vec!["bytes 0-19/100"],
            vec!["bytes 10-20/100"],
            vec!["bytes 10-18/100"],
            vec!["bytes */100"],
            vec!["10-19/100"],
            vec!["bytes 10-19/100", "bytes 10-19/100"],
        ] {
            assert!(!check(&values), "{values:?}");
        }
    }

    #[test]
    fn a_registrys_words_are_passed_on_in_brief() {
        assert_eq!(detail(br#"{"errors":[{"code":"DENIED","message":"no\n\u001b[31mway"}]}"#), ": no[31mway");
        assert_eq!(detail(br#"{"errors":[{"code":"DENIED"}]}"#), ": DENIED");
        for body in ["", "<html>", r#"{"errors":[]}"#, r#"{"errors":[{}]}"#, r#"{"errors":"x"}"#] {
            assert_eq!(detail(body.as_bytes()), "", "{body}");
        }
    }
}
