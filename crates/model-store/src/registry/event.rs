//! What a pull and a push say while they run, in the order and the words of Ollama.

use crate::store::Digest;

/// Sizes are in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PullEvent {
    PullingManifest,
    /// Repeated for each blob in turn until `completed` is `total`; `completed` never goes back.
    Pulling {
        digest: Digest,
        total: u64,
        completed: u64,
        /// Of all blobs of the model together; neither goes back.
        model_total: u64,
        model_completed: u64,
    },
    VerifyingDigest,
    WritingManifest,
    RemovingUnusedLayers,
    Success,
}

impl PullEvent {
    /// What Ollama's clients show.
    pub fn status(&self) -> String {
        match self {
            Self::PullingManifest => "pulling manifest".to_owned(),
            Self::Pulling { digest, .. } => format!("pulling {}", digest.short()),
            Self::VerifyingDigest => "verifying sha256 digest".to_owned(),
            Self::WritingManifest => "writing manifest".to_owned(),
            Self::RemovingUnusedLayers => "removing unused layers".to_owned(),
            Self::Success => "success".to_owned(),
        }
    }
}

/// Sizes are in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PushEvent {
    RetrievingManifest,
    /// Repeated for each blob in turn until `completed` is `total`.
    Pushing {
        digest: Digest,
        total: u64,
        completed: u64,
    },
    PushingManifest,
    Success,
}

impl PushEvent {
    /// What Ollama's clients show.
    pub fn status(&self) -> String {
        match self {
            Self::RetrievingManifest => "retrieving manifest".to_owned(),
            Self::Pushing { digest, .. } => format!("pushing {}", digest.short()),
            Self::PushingManifest => "pushing manifest".to_owned(),
            Self::Success => "success".to_owned(),
        }
    }
}
