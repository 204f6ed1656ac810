//! Long work told line by line: `{"status": …}`, with figures where there are any, or one line at the end.

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, stream};
use http::header::CONTENT_TYPE;
use serde::Serialize;

use super::error::Refusal;

/// One line.
#[derive(Debug, Serialize)]
pub(super) struct Progress {
    pub(super) status: String,
    #[serde(flatten)]
    pub(super) layer: Option<Layer>,
}

/// Sizes are in bytes.
#[derive(Debug, Serialize)]
pub(super) struct Layer {
    pub(super) digest: String,
    pub(super) total: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) completed: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Progress {
    pub(super) fn says(status: impl Into<String>) -> Self {
        Self { status: status.into(), layer: None }
    }

    fn line(&self) -> Vec<u8> {
        let mut line = serde_json::to_vec(self).unwrap_or_else(|error| Refusal::internal(&error).line());
        line.push(b'\n');
        line
    }
}

/// Sends what comes, or only how it ended. An error before the first line has a status of its own.
pub(super) async fn send(
    mut lines: BoxStream<'static, Result<Progress, Refusal>>,
    streaming: bool,
) -> Result<Response, Refusal> {
    if !streaming {
        let mut last = Progress::says("success");
        while let Some(line) = lines.next().await {
            last = line?;
        }
        let body = last.line();
        return Ok(([(CONTENT_TYPE, "application/json; charset=utf-8")], body).into_response());
    }
    let first = lines.next().await.transpose()?;
    let body = stream::iter(first.map(Ok)).chain(lines).map(|line| {
        let bytes = line.map_or_else(|refusal| refusal.line(), |progress| progress.line());
        Ok::<_, std::convert::Infallible>(Bytes::from(bytes))
    });
    Ok(([(CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(body)).into_response())
}
