//! Why a model could not be pulled or pushed.

use http::StatusCode;
use stoa_egress::{EgressError, TargetError};

use crate::store::{Digest, StoreError};

#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    #[error("the registry {host} is not among those that may be used here")]
    NotAllowed { host: String },
    #[error("{host} is no address of a registry")]
    Host { host: String, source: TargetError },
    #[error("{host} has no model `{name}`")]
    NotFound { host: String, name: String },
    #[error("{host} lacks the blob {digest} that its manifest names")]
    BlobNotFound { host: String, digest: Digest },
    #[error("{host} wants other credentials; an administrator can set them for this registry")]
    Unauthorized { host: String },
    #[error("{host} does not allow this")]
    Forbidden { host: String },
    /// It would be told what is meant for the registry alone.
    #[error("{host} sends for its tokens to {realm}, which is another host")]
    ForeignRealm { host: String, realm: String },
    #[error("{host} wants a kind of sign-in that is not known here")]
    Challenge { host: String },
    #[error("{host} cannot be used")]
    Egress {
        host: String,
        #[source]
        source: EgressError,
    },
    #[error("{host} answered {status}{detail}")]
    Answer {
        host: String,
        status: StatusCode,
        /// The registry's own words, if it had any, after a colon.
        detail: String,
    },
    #[error("the manifest that {host} sent is not usable: {detail}")]
    Manifest { host: String, detail: String },
    #[error("{host} sent its answer packed with {encoding}, which nobody asked for")]
    Packed { host: String, encoding: String },
    #[error("the model has {size_bytes} bytes, more than the {limit_bytes} that are allowed")]
    TooLarge { size_bytes: u64, limit_bytes: u64 },
    #[error("the model needs {needed_bytes} bytes on the disk, which has only {free_bytes} left")]
    NoSpace { needed_bytes: u64, free_bytes: u64 },
    /// The server ignores or confuses ranges; a single stream takes over.
    #[error("{host} cannot send parts of a blob")]
    NoRanges { host: String },
    #[error("{host} sent fewer bytes than it said")]
    Short { host: String },
    #[error("{host} sent more bytes of {digest} than its manifest says")]
    Long { host: String, digest: Digest },
    /// What had come was deleted.
    #[error("{host} sent {actual} in place of {expected}; nothing was kept of it")]
    DigestMismatch { host: String, expected: Digest, actual: Digest },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("it was stopped")]
    Stopped,
}

impl RegistryError {
    /// The exact `host:port` that an administrator would have to allow for this to go on.
    pub fn refused_authority(&self) -> Option<&str> {
        match self {
            Self::Egress { source: EgressError::Refused { authority, .. }, .. } => Some(authority),
            _ => None,
        }
    }

    /// Stable code for problem details.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "registry_model_not_found",
            Self::Unauthorized { .. } | Self::Forbidden { .. } | Self::Challenge { .. } | Self::ForeignRealm { .. } => {
                "registry_sign_in"
            }
            Self::Egress { source: EgressError::Refused { .. }, .. } => "egress_refused",
            Self::NotAllowed { .. } | Self::Host { .. } => "registry_not_usable",
            Self::Egress { .. } => "registry_unreachable",
            Self::NoSpace { .. } | Self::Store(StoreError::DiskFull { .. }) => "disk_full",
            Self::TooLarge { .. } => "model_too_large",
            Self::Store(StoreError::UnusableBlob { .. } | StoreError::Gguf { .. }) => "model_unusable",
            Self::Store(_) => "model_store_failed",
            Self::Stopped => "pull_stopped",
            Self::BlobNotFound { .. }
            | Self::Answer { .. }
            | Self::Manifest { .. }
            | Self::Packed { .. }
            | Self::NoRanges { .. }
            | Self::Short { .. }
            | Self::Long { .. }
            | Self::DigestMismatch { .. } => "registry_answer",
        }
    }

    /// Whether the same may go well a moment later.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::Egress { source, .. } => matches!(
                source,
                EgressError::Resolve { .. }
                    | EgressError::NoAddress { .. }
                    | EgressError::Connect { .. }
                    | EgressError::Tls { .. }
                    | EgressError::Proxy { .. }
                    | EgressError::ConnectTimedOut { .. }
                    | EgressError::HeadTimedOut { .. }
                    | EgressError::IdleTimedOut { .. }
                    | EgressError::TotalTimedOut { .. }
                    | EgressError::CutOff(_)
                    | EgressError::Protocol(_)
            ),
            Self::Answer { status, .. } => {
                status.is_server_error()
                    || matches!(
                        *status,
                        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS
                    )
            }
            Self::Short { .. } => true,
            _ => false,
        }
    }
}
