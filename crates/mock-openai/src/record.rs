//! What came in and what became of it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::HeaderMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Requests kept.
const KEPT: usize = 256;
/// A longer body is not kept.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// How an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Still being answered.
    Open,
    Finished,
    /// The mock broke it off as it was told.
    Cut,
    /// The client closed before the end.
    Cancelled,
}

impl Outcome {
    const ALL: [Self; 4] = [Self::Open, Self::Finished, Self::Cut, Self::Cancelled];
}

/// One request, as `GET /__mock/requests` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    pub number: u64,
    pub method: String,
    pub path: String,
    pub headers: Map<String, Value>,
    /// The JSON of the body; text when it is none; null when it is longer than 64 KiB.
    pub body: Value,
    pub outcome: Outcome,
    /// Tokens handed to the connection so far.
    pub tokens: u64,
}

/// All requests since the start or the last reset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    pub received: u64,
    pub open: u64,
    pub finished: u64,
    pub cut: u64,
    pub cancelled: u64,
}

#[derive(Default)]
pub(crate) struct Records {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    next: u64,
    counts: Arc<[AtomicU64; 4]>,
    kept: VecDeque<Arc<Kept>>,
}

struct Kept {
    number: u64,
    method: String,
    path: String,
    headers: Map<String, Value>,
    body: Value,
    outcome: AtomicU8,
    tokens: AtomicU64,
}

/// A request that is being answered. Dropped without being closed, it was cancelled.
pub(crate) struct Entry {
    kept: Arc<Kept>,
    counts: Arc<[AtomicU64; 4]>,
}

impl Records {
    pub(crate) fn open(&self, method: &str, path: &str, headers: &HeaderMap, body: &[u8]) -> Entry {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.to_string(), Value::from(String::from_utf8_lossy(value.as_bytes()))))
            .collect();
        let body = if body.len() > MAX_BODY_BYTES {
            Value::Null
        } else {
            serde_json::from_slice(body).unwrap_or_else(|_| Value::from(String::from_utf8_lossy(body)))
        };
        let mut inner = self.lock();
        let kept = Arc::new(Kept {
            number: inner.next,
            method: method.to_owned(),
            path: path.to_owned(),
            headers,
            body,
            outcome: AtomicU8::new(0),
            tokens: AtomicU64::new(0),
        });
        inner.next += 1;
        if inner.kept.len() == KEPT {
            inner.kept.pop_front();
        }
        inner.kept.push_back(Arc::clone(&kept));
        inner.counts[0].fetch_add(1, Ordering::SeqCst);
        Entry { kept, counts: Arc::clone(&inner.counts) }
    }

    pub(crate) fn counts(&self) -> Counts {
        let counts = Arc::clone(&self.lock().counts);
        let [open, finished, cut, cancelled] = [0, 1, 2, 3].map(|index: usize| counts[index].load(Ordering::SeqCst));
        Counts { received: open + finished + cut + cancelled, open, finished, cut, cancelled }
    }

    pub(crate) fn requests(&self) -> Vec<Recorded> {
        self.lock().kept.iter().map(|kept| kept.show()).collect()
    }

    /// Forgets everything. Answers that still run count for nothing any more.
    pub(crate) fn reset(&self) {
        *self.lock() = Inner::default();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn show(&self) -> Recorded {
        Recorded {
            number: self.number,
            method: self.method.clone(),
            path: self.path.clone(),
            headers: self.headers.clone(),
            body: self.body.clone(),
            outcome: Outcome::ALL[usize::from(self.outcome.load(Ordering::SeqCst)) % Outcome::ALL.len()],
            tokens: self.tokens.load(Ordering::SeqCst),
        }
    }
}

impl Entry {
    pub(crate) fn number(&self) -> u64 {
        self.kept.number
    }

    pub(crate) fn sent(&self, tokens: u64) {
        self.kept.tokens.store(tokens, Ordering::Relaxed);
    }

    pub(crate) fn close(&self, outcome: Outcome) {
        let open = self.kept.outcome.compare_exchange(0, outcome as u8, Ordering::SeqCst, Ordering::SeqCst);
        if open.is_ok() {
            self.counts[0].fetch_sub(1, Ordering::SeqCst);
            self.counts[usize::from(outcome as u8)].fetch_add(1, Ordering::SeqCst);
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.close(Outcome::Cancelled);
    }
}
