//! Finds models by the public API of Hugging Face, `GET /api/models` (<https://huggingface.co/docs/hub/api>).

mod quantization;

use std::time::Duration;

use http::StatusCode;
use http::header::{ACCEPT, HeaderValue};
use serde::Deserialize;
use stoa_egress::{Egress, EgressError, Limits, Request, Target, TargetError};
use stoa_model::Timestamp;

use crate::ModelName;

/// The longest text that is searched for, in bytes.
pub const MAX_QUERY_BYTES: usize = 200;

/// Models of one answer. Each comes with the names of all its files.
const MAX_FOUND: usize = 20;
const MAX_ANSWER_BYTES: u64 = 8 * 1024 * 1024;
const TIME: Duration = Duration::from_secs(15);

/// Whatever a name begins with, there is one place that those models are pulled from.
const HOST: &str = "hf.co";

/// A repository with models that can be pulled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundModel {
    /// `hf.co/user/repository`, to which a quantization is added after a colon.
    pub name: String,
    /// What its files offer, the smallest first; never empty.
    pub quantizations: Vec<String>,
    /// The one to take without a reason for another.
    pub recommended: String,
    pub downloads: u64,
    pub likes: u64,
    /// As the repository names it: `apache-2.0`.
    pub license: Option<String>,
    /// Its owner lets only those in who have signed something there.
    pub gated: bool,
    pub modified_at: Option<Timestamp>,
}

#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    #[error("{host} cannot be reached")]
    Egress {
        host: String,
        #[source]
        source: EgressError,
    },
    #[error("{host} answered {status}")]
    Answer { host: String, status: StatusCode },
    #[error("the answer of {host} is none to a search for models: {detail}")]
    Unreadable { host: String, detail: String },
}

impl SearchError {
    /// The exact `host:port` that an administrator would have to allow for this to go on.
    pub fn refused_authority(&self) -> Option<&str> {
        match self {
            Self::Egress { source: EgressError::Refused { authority, .. }, .. } => Some(authority),
            _ => None,
        }
    }
}

/// A server that models are searched at.
#[derive(Clone)]
pub struct ModelSearch {
    egress: Egress,
    /// Of the API; ends with a slash.
    base: Target,
}

impl ModelSearch {
    /// `base` is what stands before `/api/models`.
    pub fn new(egress: Egress, base: &str) -> Result<Self, TargetError> {
        let base = Target::parse(&format!("{}/", base.trim_end_matches('/')))?;
        Ok(Self { egress, base })
    }

    /// The models for `text` that people download most.
    pub async fn find(&self, text: &str) -> Result<Vec<FoundModel>, SearchError> {
        let host = self.base.authority().to_string();
        let egress = |source| SearchError::Egress { host: host.clone(), source };
        let request = Request::get(self.address(text).map_err(|error| egress(error.into()))?)
            .header(ACCEPT, HeaderValue::from_static("application/json"));
        let limits = Limits { head: TIME, total: TIME, body_bytes: MAX_ANSWER_BYTES, ..Limits::default() };
        let answer = Box::pin(self.egress.send(request, limits)).await.map_err(egress)?;
        if answer.status() != StatusCode::OK {
            return Err(SearchError::Answer { host: host.clone(), status: answer.status() });
        }
        let body = answer.into_body().collect().await.map_err(egress)?;
        let repositories: Vec<Repository> = serde_json::from_slice(&body)
            .map_err(|error| SearchError::Unreadable { host: host.clone(), detail: error.to_string() })?;
        Ok(repositories.into_iter().filter_map(Repository::found).take(MAX_FOUND).collect())
    }

    fn address(&self, text: &str) -> Result<Target, TargetError> {
        let mut url = self.base.join("api/models")?.as_url().clone();
        url.query_pairs_mut()
            .append_pair("search", text)
            .append_pair("filter", "gguf")
            .append_pair("sort", "downloads")
            .append_pair("direction", "-1")
            .append_pair("limit", &MAX_FOUND.to_string())
            .append_pair("full", "true");
        Target::from_url(url)
    }
}

impl std::fmt::Debug for ModelSearch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ModelSearch").field("base", &self.base).finish_non_exhaustive()
    }
}

/// What is read of each repository; the API says much more.
#[derive(Deserialize)]
struct Repository {
    id: String,
    #[serde(default)]
    downloads: u64,
    #[serde(default)]
    likes: u64,
    #[serde(default)]
    tags: Vec<String>,
    /// `false`, or the kind of gate.
    #[serde(default)]
    gated: serde_json::Value,
    #[serde(default)]
    siblings: Vec<File>,
    #[serde(default, rename = "lastModified")]
    last_modified: Option<String>,
}

#[derive(Deserialize)]
struct File {
    rfilename: String,
}

impl Repository {
    /// `None` when nothing in it could be pulled.
    fn found(self) -> Option<FoundModel> {
        let name = format!("{HOST}/{}", self.id);
        let is_name = |quantization: &String| format!("{name}:{quantization}").parse::<ModelName>().is_ok();
        let files = self.siblings.iter().map(|file| file.rfilename.as_str());
        let mut quantizations = quantization::of_files(files);
        quantizations.retain(is_name);
        Some(FoundModel {
            recommended: quantization::recommended(&quantizations)?,
            name,
            quantizations,
            downloads: self.downloads,
            likes: self.likes,
            license: self.tags.iter().find_map(|tag| tag.strip_prefix("license:")).map(str::to_owned),
            gated: !matches!(self.gated, serde_json::Value::Null | serde_json::Value::Bool(false)),
            modified_at: self.last_modified.and_then(|text| serde_json::from_value(text.into()).ok()),
        })
    }
}
