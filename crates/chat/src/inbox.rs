//! How one reader waits for many generations at once: each marks its place in the reader's inbox when it has news.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

/// Events waiting for a reader that is too slow are dropped past this; it is then told to read everything again.
const FEED_WAITING: usize = 256;

#[derive(Debug, Default)]
pub(crate) struct Inbox {
    state: Mutex<State>,
    notify: Notify,
}

#[derive(Debug, Default)]
struct State {
    ready: Vec<usize>,
    feed: VecDeque<Bytes>,
    overflowed: bool,
}

/// One generation's mark in one inbox.
#[derive(Debug)]
pub(crate) struct Mark {
    inbox: Arc<Inbox>,
    slot: usize,
    set: AtomicBool,
}

/// What has come since the inbox was last emptied.
#[derive(Debug, Default)]
pub(crate) struct News {
    pub(crate) ready: Vec<usize>,
    pub(crate) feed: VecDeque<Bytes>,
    pub(crate) overflowed: bool,
}

impl Inbox {
    pub(crate) fn mark(self: &Arc<Self>, slot: usize) -> Arc<Mark> {
        Arc::new(Mark { inbox: Arc::clone(self), slot, set: AtomicBool::new(false) })
    }

    /// Waits until there is news. Nothing is lost when the wait is given up.
    pub(crate) async fn wait(&self) {
        loop {
            let notified = self.notify.notified();
            {
                let state = self.lock();
                if !state.ready.is_empty() || !state.feed.is_empty() || state.overflowed {
                    return;
                }
            }
            notified.await;
        }
    }

    pub(crate) fn take(&self) -> News {
        let mut state = self.lock();
        News {
            ready: std::mem::take(&mut state.ready),
            feed: std::mem::take(&mut state.feed),
            overflowed: std::mem::take(&mut state.overflowed),
        }
    }

    pub(crate) fn push_feed(&self, event: Bytes) {
        let mut state = self.lock();
        if state.feed.len() >= FEED_WAITING {
            state.feed.clear();
            state.overflowed = true;
        }
        if !state.overflowed {
            state.feed.push_back(event);
        }
        drop(state);
        self.notify.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Mark {
    /// Says that there is news; cheap when that was said already.
    pub(crate) fn set(&self) {
        if !self.set.swap(true, Ordering::AcqRel) {
            self.inbox.lock().ready.push(self.slot);
            self.inbox.notify.notify_one();
        }
    }

    /// To be called before the news is read, so that what comes after sets the mark again.
    pub(crate) fn clear(&self) {
        self.set.store(false, Ordering::Release);
    }
}
