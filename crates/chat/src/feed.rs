//! Who has the application open: list changes go to every open stream of their owner.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use stoa_model::{ConversationId, Principal, StreamId, UserId};
use stoa_storage::{Database, StorageError};
use tokio::sync::mpsc;

use crate::events;
use crate::inbox::Inbox;
use crate::stream::StreamCommand;

/// The open streams of this process.
#[derive(Clone, Debug, Default)]
pub(crate) struct Feeds {
    open: Arc<Mutex<Open>>,
}

#[derive(Debug, Default)]
struct Open {
    by_user: HashMap<UserId, Vec<StreamId>>,
    streams: HashMap<StreamId, OpenStream>,
}

#[derive(Clone, Debug)]
pub(crate) struct OpenStream {
    pub(crate) user: UserId,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) commands: mpsc::Sender<StreamCommand>,
}

/// Takes the stream out again when it is closed.
#[derive(Debug)]
pub(crate) struct Registration {
    feeds: Feeds,
    id: StreamId,
}

impl Feeds {
    pub(crate) fn register(&self, id: StreamId, stream: OpenStream) -> Registration {
        let mut open = self.lock();
        open.by_user.entry(stream.user).or_default().push(id);
        open.streams.insert(id, stream);
        Registration { feeds: self.clone(), id }
    }

    pub(crate) fn count(&self, user: UserId) -> usize {
        self.lock().by_user.get(&user).map_or(0, Vec::len)
    }

    /// The stream, when it is of this process and of this user.
    pub(crate) fn find(&self, id: StreamId, user: UserId) -> Option<OpenStream> {
        self.lock().streams.get(&id).filter(|stream| stream.user == user).cloned()
    }

    /// Tells the streams of `user`, if there are any, how the conversation is now.
    pub(crate) async fn announce(&self, database: &Database, user: UserId, id: ConversationId) {
        let inboxes = self.inboxes(Some(user));
        if inboxes.is_empty() {
            return;
        }
        let mut event = Vec::new();
        match database.conversation(&Principal::System("feed"), id).await {
            Ok(conversation) => events::conversation(&mut event, &conversation),
            Err(StorageError::NotFound) => events::conversation_deleted(&mut event, id),
            Err(error) => {
                tracing::warn!(%error, "a list change could not be read");
                event.extend_from_slice(events::RESYNC);
            }
        }
        deliver(&inboxes, &event.into());
    }

    /// Tells one user, or everybody, that something may have been missed.
    pub(crate) fn resync(&self, user: Option<UserId>) {
        deliver(&self.inboxes(user), &Bytes::from_static(events::RESYNC));
    }

    fn inboxes(&self, user: Option<UserId>) -> Vec<Arc<Inbox>> {
        let open = self.lock();
        match user {
            Some(user) => {
                let ids = open.by_user.get(&user).map(Vec::as_slice).unwrap_or_default();
                ids.iter().filter_map(|id| open.streams.get(id)).map(|stream| Arc::clone(&stream.inbox)).collect()
            }
            None => open.streams.values().map(|stream| Arc::clone(&stream.inbox)).collect(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn deliver(inboxes: &[Arc<Inbox>], event: &Bytes) {
    for inbox in inboxes {
        inbox.push_feed(event.clone());
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut open = self.feeds.lock();
        let Some(stream) = open.streams.remove(&self.id) else { return };
        if let Some(ids) = open.by_user.get_mut(&stream.user) {
            ids.retain(|id| *id != self.id);
            if ids.is_empty() {
                open.by_user.remove(&stream.user);
            }
        }
    }
}
