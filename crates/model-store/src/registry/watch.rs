//! Work that any number of people watch, each from its beginning, and that stops when the last of them has left.

use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream;
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{Events, RegistryError};

/// What has been said so far. Progress replaces what was said before it, so this stays short, and whoever reads slowly
/// misses steps in between but never an end.
#[derive(Debug)]
struct Said<E> {
    events: Vec<E>,
    end: Option<Result<(), Arc<RegistryError>>>,
}

/// Held by those who watch.
pub(super) struct Work<E> {
    said: watch::Receiver<Said<E>>,
    /// Stops the work when it is dropped.
    _stop: DropGuard,
}

/// Held by the work itself.
pub(super) struct Report<E> {
    said: watch::Sender<Said<E>>,
    stop: CancellationToken,
}

impl<E: Clone + PartialEq + Send + Sync + 'static> Work<E> {
    pub(super) fn begin(shutdown: &CancellationToken) -> (Arc<Self>, Report<E>) {
        let (sender, receiver) = watch::channel(Said { events: Vec::new(), end: None });
        let stop = shutdown.child_token();
        (Arc::new(Self { said: receiver, _stop: stop.clone().drop_guard() }), Report { said: sender, stop })
    }

    pub(super) fn has_ended(&self) -> bool {
        self.said.borrow().end.is_some()
    }
}

impl<E> Report<E> {
    pub(super) fn say(&self, event: E) {
        self.said.send_modify(|said| said.events.push(event));
    }

    /// Says anew what was said last.
    pub(super) fn update(&self, event: E)
    where
        E: PartialEq,
    {
        self.said.send_if_modified(|said| match said.events.last_mut() {
            Some(last) if *last != event => {
                *last = event;
                true
            }
            _ => false,
        });
    }

    /// Does the work until it ends or nobody watches any more.
    pub(super) fn run<W, F>(self, work: W) -> impl Future<Output = ()> + Send
    where
        E: Send + Sync + 'static,
        W: FnOnce(Arc<Self>) -> F + Send,
        F: Future<Output = Result<(), RegistryError>> + Send,
    {
        let report = Arc::new(self);
        let work = Box::pin(work(Arc::clone(&report)));
        async move {
            let end = report.stop.run_until_cancelled(work).await.unwrap_or(Err(RegistryError::Stopped));
            report.said.send_modify(|said| said.end = Some(end.map_err(Arc::new)));
        }
    }
}

/// Everything that is said of the work, from its beginning.
pub(super) fn events<E: Clone + PartialEq + Send + Sync + 'static>(work: Arc<Work<E>>) -> Events<E> {
    let reader = Reader { said: work.said.clone(), work: Some(work), next: 0, last: None };
    stream::unfold(reader, |mut reader| async move { reader.read().await.map(|item| (item, reader)) }).boxed()
}

struct Reader<E> {
    said: watch::Receiver<Said<E>>,
    /// Let go of after the end.
    work: Option<Arc<Work<E>>>,
    /// Which event comes next; the one before it may still change.
    next: usize,
    last: Option<E>,
}

impl<E: Clone + PartialEq> Reader<E> {
    async fn read(&mut self) -> Option<Result<E, Arc<RegistryError>>> {
        self.work.as_ref()?;
        loop {
            {
                let said = self.said.borrow_and_update();
                let current = self.next.checked_sub(1).and_then(|index| said.events.get(index));
                if let Some(event) = current.filter(|event| self.last.as_ref() != Some(*event)) {
                    self.last = Some(event.clone());
                    return self.last.clone().map(Ok);
                }
                if let Some(event) = said.events.get(self.next) {
                    self.next += 1;
                    self.last = Some(event.clone());
                    return self.last.clone().map(Ok);
                }
                if let Some(end) = &said.end {
                    self.work = None;
                    return end.as_ref().err().map(|error| Err(Arc::clone(error)));
                }
            }
            if self.said.changed().await.is_err() {
                self.work = None;
                return Some(Err(Arc::new(RegistryError::Stopped)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_reads_from_the_beginning_and_misses_no_end() {
        let (work, report) = Work::begin(&CancellationToken::new());
        let mut early = events(Arc::clone(&work));
        report.say(1);
        assert_eq!(early.next().await.unwrap().unwrap(), 1);
        for number in [2, 3, 3, 4] {
            report.update(number);
        }
        report.say(10);
        report.update(11);
        let late = events(work);
        report.run(|_| async { Err(RegistryError::Stopped) }).await;
        let left: Vec<_> = early.map(Result::ok).collect().await;
        assert_eq!(left, [Some(4), Some(11), None]);
        let left: Vec<_> = late.map(Result::ok).collect().await;
        assert_eq!(left, [Some(4), Some(11), None]);
    }

    #[tokio::test]
    async fn work_that_all_have_left_stops() {
        let (work, report) = Work::<u8>::begin(&CancellationToken::new());
        let (one, other) = (events(Arc::clone(&work)), events(work));
        let stop = report.stop.clone();
        let running = report.run(|_| std::future::pending());
        drop(one);
        assert!(!stop.is_cancelled());
        drop(other);
        running.await;
        assert!(stop.is_cancelled());
    }
}
