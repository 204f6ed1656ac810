//! One push: the blobs that the registry lacks, then the manifest that names them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_RANGE, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION, RANGE};
use http::{Method, StatusCode};
use stoa_egress::{Limits, Redirects, Request, Target};
use tokio::time::sleep;

use super::options::patiently;
use super::repository::{Repository, Rights};
use super::watch::Report;
use super::{Inner, PushEvent, RegistryError, RegistryOptions};
use crate::store::{Digest, Layer, MANIFEST_TYPE, ModelName, Store, blocking};

/// The slowest line that is still waited for, in bytes a second.
const SLOWEST: u64 = 32 * 1024;

pub(super) async fn run(inner: &Inner, name: &ModelName, report: &Report<PushEvent>) -> Result<(), RegistryError> {
    report.say(PushEvent::RetrievingManifest);
    let repository = inner.repository(name, Rights::Push)?;
    let (store, wanted) = (Arc::clone(&inner.store), name.clone());
    let held = blocking(move || {
        let (manifest, text) = store.manifest_text(&wanted)?;
        let digests: Vec<&Digest> = manifest.blobs().map(|layer| &layer.digest).collect();
        let hold = store.hold(&wanted, &digests)?;
        Ok((manifest, text, hold))
    });
    let (manifest, text, _hold) = held.await?;
    let mut sent: Vec<&Digest> = Vec::new();
    for layer in manifest.blobs() {
        if !sent.contains(&&layer.digest) {
            let upload = Upload {
                repository: &repository,
                store: &inner.store,
                options: &inner.options,
                layer,
                report,
                completed: AtomicU64::new(0),
            };
            upload.run().await?;
            sent.push(&layer.digest);
        }
    }
    report.say(PushEvent::PushingManifest);
    let kind = if manifest.media_type.is_empty() { MANIFEST_TYPE } else { &manifest.media_type };
    let kind = HeaderValue::from_str(kind).unwrap_or(HeaderValue::from_static(MANIFEST_TYPE));
    let request = Request::new(Method::PUT, repository.manifest_target()?, text).header(CONTENT_TYPE, kind);
    let limits = Limits { redirects: Redirects::None, ..Limits::default() };
    let put = || async {
        let answer = repository.send(request.clone(), limits).await?;
        repository.expect(answer, &[StatusCode::OK, StatusCode::CREATED, StatusCode::ACCEPTED]).await
    };
    patiently(&inner.options, put).await?;
    tracing::info!(model = %name, "a model was pushed");
    report.say(PushEvent::Success);
    Ok(())
}

struct Upload<'a> {
    repository: &'a Repository,
    store: &'a Arc<Store>,
    options: &'a RegistryOptions,
    layer: &'a Layer,
    report: &'a Report<PushEvent>,
    /// Bytes that have been sent; what must be sent again does not take it back.
    completed: AtomicU64,
}

/// Where an upload stands at the registry.
struct Session {
    location: Target,
    offset: u64,
}

impl Upload<'_> {
    async fn run(&self) -> Result<(), RegistryError> {
        self.report.say(self.progress(0));
        let (mut session, mut tries) = (None, 0);
        while let Err(error) = self.attempt(&mut session, &mut tries).await {
            tries += 1;
            if !error.may_pass() || tries >= self.options.tries {
                return Err(error);
            }
            sleep(self.options.pause_after(tries)).await;
        }
        self.report.update(self.progress(self.layer.size));
        Ok(())
    }

    async fn attempt(&self, session: &mut Option<Session>, tries: &mut u32) -> Result<(), RegistryError> {
        let mut current = match session.take() {
            Some(interrupted) => self.resume(interrupted).await?,
            None if self.repository.has_blob(&self.layer.digest).await? => return Ok(()),
            None => self.begin().await?,
        };
        let sent = self.send(&mut current, tries).await;
        *session = Some(current);
        sent
    }

    fn progress(&self, completed: u64) -> PushEvent {
        let completed = self.completed.fetch_max(completed, Ordering::Relaxed).max(completed);
        PushEvent::Pushing { digest: self.layer.digest.clone(), total: self.layer.size, completed }
    }

    async fn begin(&self) -> Result<Session, RegistryError> {
        let target = self.repository.target("blobs/uploads/")?;
        let answer = self.repository.send(Request::post(target.clone(), Bytes::new()), self.limits(0)).await?;
        let answer = self.repository.expect(answer, &[StatusCode::ACCEPTED]).await?;
        Ok(Session { location: self.location(&target, answer.headers())?, offset: 0 })
    }

    /// Asks how much has arrived; begins anew where that is not told.
    async fn resume(&self, session: Session) -> Result<Session, RegistryError> {
        let answer = self.repository.send(Request::get(session.location.clone()), self.limits(0)).await?;
        if answer.status() != StatusCode::NO_CONTENT {
            return self.begin().await;
        }
        let arrived = arrived(answer.headers()).filter(|arrived| *arrived <= self.layer.size);
        let Some(offset) = arrived else { return self.begin().await };
        let location = self.location(&session.location, answer.headers()).unwrap_or(session.location);
        Ok(Session { location, offset })
    }

    /// Sends what is missing, the last piece with the digest that ends the upload.
    async fn send(&self, session: &mut Session, tries: &mut u32) -> Result<(), RegistryError> {
        loop {
            let left = self.layer.size.saturating_sub(session.offset);
            if left == 0 && session.offset > 0 {
                return self.close(session).await;
            }
            let length = left.min(self.options.upload_bytes.max(1));
            let last = length == left;
            let (store, digest, offset) = (Arc::clone(self.store), self.layer.digest.clone(), session.offset);
            let piece = blocking(move || store.read_blob(&digest, offset, length)).await?;
            if piece.len() as u64 != length {
                return Err(RegistryError::Short { host: "the store".to_owned() });
            }
            let (method, target) = if last && offset == 0 {
                (Method::PUT, self.closing(&session.location)?)
            } else {
                (Method::PATCH, session.location.clone())
            };
            let closes = method == Method::PUT;
            let range = format!("{offset}-{}", (offset + length).saturating_sub(1));
            let mut request = Request::new(method, target, piece)
                .header(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
            if !closes && let Ok(range) = HeaderValue::from_str(&range) {
                request = request.header(CONTENT_RANGE, range);
            }
            let answer = self.repository.send(request, self.limits(length)).await?;
            let expected = if closes { [StatusCode::CREATED, StatusCode::OK] } else { [StatusCode::ACCEPTED; 2] };
            let answer = self.repository.expect(answer, &expected).await?;
            *tries = 0;
            self.report.update(self.progress(offset + length));
            if closes {
                return Ok(());
            }
            session.location = self.location(&session.location, answer.headers())?;
            session.offset += length;
        }
    }

    async fn close(&self, session: &Session) -> Result<(), RegistryError> {
        let request = Request::new(Method::PUT, self.closing(&session.location)?, Bytes::new());
        // The registry reads the whole blob to sum it up.
        let answer = self.repository.send(request, self.limits(self.layer.size)).await?;
        self.repository.expect(answer, &[StatusCode::CREATED, StatusCode::OK]).await.map(|_| ())
    }

    fn closing(&self, location: &Target) -> Result<Target, RegistryError> {
        let mut url = location.as_url().clone();
        url.query_pairs_mut().append_pair("digest", &self.layer.digest.to_string());
        Target::from_url(url).map_err(|source| self.unusable(source))
    }

    /// Where the registry wants the next piece. Elsewhere it is sent without a word of who we are, and never without TLS
    /// where there was TLS before.
    fn location(&self, from: &Target, headers: &HeaderMap) -> Result<Target, RegistryError> {
        let text = headers.get(LOCATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let next = from.join(text).map_err(|source| self.unusable(source))?;
        if from.is_https() && !next.is_https() {
            return Err(self.repository.egress_error(stoa_egress::EgressError::InsecureRedirect));
        }
        Ok(next)
    }

    fn unusable(&self, source: stoa_egress::TargetError) -> RegistryError {
        self.repository.egress_error(stoa_egress::EgressError::BadRedirect(source))
    }

    /// The head comes only after all of the piece has gone.
    fn limits(&self, length: u64) -> Limits {
        let time = self.options.stall + Duration::from_secs(length / SLOWEST);
        Limits { head: time, total: time + self.options.stall, redirects: Redirects::None, ..Limits::default() }
    }
}

/// `Range: 0-41` says that 42 bytes have arrived, but so does `0-0` of one or none, which is taken for none.
fn arrived(headers: &HeaderMap) -> Option<u64> {
    let text = headers.get::<HeaderName>(RANGE)?.to_str().ok()?;
    let (start, end) = text.strip_prefix("bytes=").unwrap_or(text).split_once('-')?;
    let end: u64 = end.parse().ok()?;
    (start == "0").then_some(if end == 0 { 0 } else { end.checked_add(1)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_arrived_is_read_from_the_range() {
        let read = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(RANGE, HeaderValue::from_static(text));
            arrived(&headers)
        };
        assert_eq!(read("0-41"), Some(42));
        assert_eq!(read("bytes=0-41"), Some(42));
        assert_eq!(read("0-0"), Some(0));
        for text in ["", "1-41", "0-", "41", "0--1", "0-18446744073709551615"] {
            assert_eq!(read(text), None, "{text}");
        }
        assert_eq!(arrived(&HeaderMap::new()), None);
    }
}
