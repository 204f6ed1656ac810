//! `POST /api/v1/generations/{id}/deltas`

use axum::Json as Answer;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use stoa_chat::{EndReason, Upload, UploadEnd};
use stoa_model::GenerationId;
use stoa_model::completion::{FinishReason, PartKind, Usage};
use stoa_model::conversation::{Failure, Timings};

use crate::app::App;
use crate::extract::{Id, InPerson, Json};
use crate::problem::{Problem, ProblemBody, Result};

const DELTAS: usize = 4_096;
const DETAIL_CHARS: usize = 1_000;

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UploadedDeltas {
    /// The sequence number of the first delta, from 1. What is known already may come again.
    #[serde(default)]
    #[schema(minimum = 1)]
    first_seq: u64,
    /// At most 4,096; none is a sign of life.
    deltas: Vec<UploadedDelta>,
    /// Nothing comes behind it.
    end: Option<UploadedEnd>,
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UploadedDelta {
    part: PartKind,
    text: String,
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UploadedEnd {
    reason: UploadedReason,
    /// As the provider told it.
    usage: Option<UploadedUsage>,
    #[serde(default)]
    first_token_ms: u64,
    #[serde(default)]
    total_ms: u64,
    /// How long the model thought.
    #[serde(default)]
    reasoning_ms: u64,
}

/// How the call ended, as the browser has it.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum UploadedReason {
    Finished { reason: FinishReason },
    Stopped,
    Interrupted,
    Failed { fault: BrowserFault, detail: String },
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UploadedUsage {
    prompt_tokens: u64,
    completion_tokens: u64,
    #[serde(default)]
    cached_tokens: u64,
    #[serde(default)]
    reasoning_tokens: u64,
}

/// What can go wrong where a browser makes a call.
#[derive(Clone, Copy, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum BrowserFault {
    /// Nothing answers at that address.
    Unreachable,
    /// Something answers, but does not let pages of this origin read it (CORS).
    NotAllowed,
    /// A page over `https` may not call an address over `http`.
    MixedContent,
    /// The browser was not permitted to reach the local network.
    LocalNetwork,
    /// The page does not know of the provider yet: it has to be loaded again.
    PageOutdated,
    /// The provider answered with an error.
    Refused,
    /// What it answered is not of the protocol.
    Protocol,
    /// Its answer ended too soon.
    CutOff,
    /// It was silent for too long.
    TimedOut,
}

/// What is kept of the answer now.
#[derive(Serialize, utoipa::ToSchema)]
pub(crate) struct Uploaded {
    last_seq: u64,
    /// More may come. Otherwise the answer has ended, perhaps because somebody stopped it, and the call is to be given up.
    running: bool,
}

/// Takes what the caller's browser has of an answer that is its to write. When this answers, it is kept.
#[utoipa::path(
    post, path = "/generations/{id}/deltas", tag = "generations", params(("id" = GenerationId, Path)),
    request_body = UploadedDeltas,
    responses(
        (status = 200, body = Uploaded),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "What was written before it has not come yet.",
            body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn upload_deltas(
    State(app): State<App>,
    InPerson(principal): InPerson,
    Id(id): Id<GenerationId>,
    Json(uploaded): Json<UploadedDeltas>,
) -> Result<Answer<Uploaded>> {
    if uploaded.deltas.len() > DELTAS {
        return Err(Problem::field("deltas", format!("at most {DELTAS} at once")));
    }
    if !uploaded.deltas.is_empty() && uploaded.first_seq == 0 {
        return Err(Problem::field("first_seq", "deltas are counted from 1"));
    }
    if uploaded.deltas.iter().any(|delta| delta.text.is_empty()) {
        return Err(Problem::field("deltas", "a delta has some text"));
    }
    let upload = Upload {
        first_seq: uploaded.first_seq,
        deltas: uploaded.deltas.into_iter().map(|delta| (delta.part, delta.text)).collect(),
        end: uploaded.end.map(UploadedEnd::read).transpose()?,
    };
    let kept = app.chat.take_upload(&principal, id, upload).await?;
    Ok(Answer(Uploaded { last_seq: kept.last_seq, running: kept.running }))
}

impl UploadedEnd {
    fn read(self) -> Result<UploadEnd> {
        let reason = match self.reason {
            UploadedReason::Finished { reason } => EndReason::Finished(reason),
            UploadedReason::Stopped => EndReason::Stopped,
            UploadedReason::Interrupted => EndReason::Interrupted,
            UploadedReason::Failed { fault, detail } => {
                if detail.chars().count() > DETAIL_CHARS {
                    return Err(Problem::field("end.reason.detail", format!("at most {DETAIL_CHARS} characters")));
                }
                EndReason::Failed(Failure { code: fault.code().to_owned(), detail, authority: None })
            }
        };
        let usage = self.usage.map(|usage| Usage {
            prompt_tokens: usage.prompt_tokens,
            completion_tokens: usage.completion_tokens,
            cached_tokens: usage.cached_tokens,
            reasoning_tokens: usage.reasoning_tokens,
            cost: None,
        });
        let timings = Timings { first_token_ms: self.first_token_ms, total_ms: self.total_ms };
        Ok(UploadEnd { reason, usage, timings, reasoning_ms: self.reasoning_ms })
    }
}

impl BrowserFault {
    const fn code(self) -> &'static str {
        match self {
            Self::Unreachable => "browser_unreachable",
            Self::NotAllowed => "browser_not_allowed",
            Self::MixedContent => "browser_mixed_content",
            Self::LocalNetwork => "browser_local_network",
            Self::PageOutdated => "browser_page_outdated",
            Self::Refused => "provider_refused",
            Self::Protocol => "provider_protocol",
            Self::CutOff => "provider_cut_off",
            Self::TimedOut => "provider_timed_out",
        }
    }
}
