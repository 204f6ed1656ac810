//! An image of a running prompt on its way: asked of the eye's own thread, computed there, and put into the context.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use super::eye::{Eye, Sight};
use super::unit::Shown;

/// Lower than that of those who compute tokens: of a busy processor, an image gets about a quarter.
const NICE: i32 = 5;

/// One image to look at.
pub(crate) struct Look {
    pub(crate) sequence: u64,
    sight: Arc<Sight>,
    cancelled: Arc<AtomicBool>,
}

/// What came of it; `Ok(None)` when nobody wants it any more.
pub(crate) type Seen = Result<Option<Vec<f32>>, String>;

/// How the session asks for images.
pub(crate) type Looks = Sender<Look>;

pub(crate) fn looks() -> (Looks, Receiver<Look>) {
    channel()
}

/// Computes what is asked for, one after the other, until nobody can ask any more.
pub(crate) fn watch(eye: &Eye<'_>, looks: &Receiver<Look>, mut tell: impl FnMut(u64, Seen)) {
    // Threads that it starts for its computation have the same priority.
    if let Err(error) = rustix::process::nice(NICE) {
        tracing::warn!(%error, "images are computed with the same priority as text");
    }
    while let Ok(Look { sequence, sight, cancelled }) = looks.recv() {
        let seen = eye.look(&sight, &cancelled);
        tell(sequence, seen);
    }
}

/// Where an image of a prompt stands, and how far it is.
pub(super) struct Glance {
    shown: Shown,
    state: State,
}

enum State {
    Waiting,
    Asked(Arc<AtomicBool>),
    Seen(Vec<f32>),
}

impl Glance {
    pub(super) const fn new(shown: Shown) -> Self {
        Self { shown, state: State::Waiting }
    }

    pub(super) const fn start(&self) -> usize {
        self.shown.start
    }

    pub(super) fn end(&self) -> usize {
        self.shown.end()
    }

    pub(super) fn sight(&self) -> &Sight {
        &self.shown.sight
    }

    /// Asks for it, unless that has been done. Fails when nobody computes images any more.
    pub(super) fn ask(&mut self, sequence: u64, looks: &Looks) -> Result<(), String> {
        if !matches!(self.state, State::Waiting) {
            return Ok(());
        }
        let cancelled = Arc::new(AtomicBool::new(false));
        self.state = State::Asked(Arc::clone(&cancelled));
        let look = Look { sequence, sight: Arc::clone(&self.shown.sight), cancelled };
        looks.send(look).map_err(|_| "nobody computes images any more".to_owned())
    }

    pub(super) fn seen(&mut self, vectors: Vec<f32>) {
        self.state = State::Seen(vectors);
    }

    pub(super) const fn vectors(&self) -> Option<&Vec<f32>> {
        match &self.state {
            State::Seen(vectors) => Some(vectors),
            State::Waiting | State::Asked(_) => None,
        }
    }
}

impl Drop for Glance {
    fn drop(&mut self) {
        if let State::Asked(cancelled) = &self.state {
            cancelled.store(true, Ordering::Relaxed);
        }
    }
}
