//! Amazon Bedrock's Converse protocol towards a provider.
//!
//! Source of the protocol: <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html>.

mod credentials;
mod interpreter;
mod list;
mod message;
mod place;
mod signature;
mod wire;

use std::fmt;
use std::sync::Arc;

use http::HeaderName;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use stoa_egress::{Request, Target};
use stoa_model::clock::Clock;
use stoa_model::completion::{CompletionError, CompletionRequest};

use crate::answer::{Framing, Interpret, Progress};
use crate::protocol::{Listed, Protocol, call_body};
use crate::provider::{JSON, Settings};
use credentials::{AccessKey, Credentials};
use interpreter::Interpreter;
use place::Place;
use signature::Signer;
use wire::WireRequest;

const STREAM: HeaderValue = HeaderValue::from_static("application/vnd.amazon.eventstream, application/json");
const MOMENT: &str = "x-amz-date";
const SESSION_TOKEN: &str = "x-amz-security-token";
/// What signatures are for, at both hosts.
const SERVICE: &str = "bedrock";
/// The most that a page of profiles may hold.
const PAGE: &str = "1000";

pub(crate) struct Bedrock {
    pub(crate) clock: Arc<dyn Clock>,
}

impl fmt::Debug for Bedrock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bedrock")
    }
}

impl Bedrock {
    /// A request that shows who makes it, by whichever key there is.
    fn authorized(
        &self,
        settings: &Settings,
        method: &http::Method,
        target: Target,
        body: Vec<u8>,
    ) -> Result<Request, CompletionError> {
        let request = |target, body| Request::new(method.clone(), target, body).header(CONTENT_TYPE, JSON);
        let Some(key) = settings.secret() else { return Ok(request(target, body)) };
        match Credentials::parse(key)? {
            Credentials::Bearer(_) => Ok(settings.bearer(request(target, body))),
            Credentials::AccessKey(key) => {
                let region = Place::new(settings.base_url.target().as_url()).region()?;
                let headers = self.signed(&key, &region, method.as_str(), &target, &body)?;
                let request = request(target, body);
                Ok(headers
                    .into_iter()
                    .fold(request, |request, (name, value)| request.header(HeaderName::from_static(name), value)))
            }
        }
    }

    /// The headers that a signature consists of.
    fn signed(
        &self,
        key: &AccessKey<'_>,
        region: &str,
        method: &str,
        target: &Target,
        body: &[u8],
    ) -> Result<Vec<(&'static str, HeaderValue)>, CompletionError> {
        let signer = Signer { key, region, service: SERVICE, now: self.clock.now() };
        let invalid = |error: &dyn fmt::Display| CompletionError::Invalid { detail: error.to_string() };
        let host = target.host_header().map_err(|error| invalid(&error))?;
        let host = host.to_str().map_err(|error| invalid(&error))?;
        let moment = signer.moment();
        let mut named = vec![("content-type", "application/json"), ("host", host), (MOMENT, moment.as_str())];
        named.extend(key.session_token.map(|token| (SESSION_TOKEN, token)));
        let authorization = signer.authorization(method, target.as_url(), &named, body);
        let mut headers = Vec::new();
        let secret = [("authorization", Some(&*authorization)), (SESSION_TOKEN, key.session_token)];
        for (name, value) in secret.into_iter().chain([(MOMENT, Some(&*moment))]) {
            let Some(value) = value else { continue };
            let mut value = HeaderValue::from_str(value).map_err(|error| invalid(&error))?;
            value.set_sensitive(name != MOMENT);
            headers.push((name, value));
        }
        Ok(headers)
    }
}

impl Protocol for Bedrock {
    fn call(&self, settings: &Settings, request: &CompletionRequest) -> Result<Request, CompletionError> {
        let body = call_body(&WireRequest::new(request)?, request)?;
        let target = Place::new(settings.base_url.target().as_url()).of_model(&request.model)?;
        Ok(self.authorized(settings, &http::Method::POST, target, body)?.header(ACCEPT, STREAM))
    }

    fn framing(&self) -> Framing {
        Framing::Messages
    }

    fn interpreter(&self, progress: Progress) -> Box<dyn Interpret> {
        Box::new(Interpreter::new(progress))
    }

    fn list(&self, settings: &Settings, page: Option<&str>) -> Result<Request, CompletionError> {
        let place = Place::new(settings.base_url.target().as_url());
        let target = match page {
            None => place.of_list("foundation-models", &[("byOutputModality", "TEXT")]),
            Some(list::FIRST_PROFILES) => place.of_list("inference-profiles", &[("maxResults", PAGE)]),
            Some(token) => place.of_list("inference-profiles", &[("maxResults", PAGE), ("nextToken", token)]),
        }?;
        Ok(self.authorized(settings, &http::Method::GET, target, Vec::new())?.header(ACCEPT, JSON))
    }

    fn read_list(&self, body: &[u8]) -> Result<Listed, CompletionError> {
        list::read(body)
    }
}
