//! Puts titles and messages into the index, in the transaction that writes them or, for what other versions wrote, later.

use std::collections::HashMap;

use sea_orm::sea_query::LockBehavior;
use sea_orm::sea_query::LockType;
use sea_orm::{ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde::Deserialize;
use stoa_model::conversation::{MessageRole, MessageStatus};
use stoa_model::{ConversationId, MessageId};
use uuid::Uuid;

use super::engine::{self, Entry};
use super::tokens::Atoms;
use crate::entities::{conversations, messages, search_entries, search_pending};
use crate::{Database, StorageError};

/// Before the tokens that say whose a text is and of which kind: no letter, so no text has such a token.
const SCOPE: char = '\u{E000}';
/// How many ids are tried for a text whose own is taken by another of the same millisecond.
const TRIES: i64 = 16;
/// Bits of an id below its milliseconds.
const BELOW_MILLIS: u32 = 21;
/// Messages that one statement takes.
const INDEXED_AT_ONCE: usize = 200;
const MAX_MILLIS: i64 = (1 << 42) - 1;

/// Which texts of one person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    Titles(Uuid),
    Messages(Uuid),
    MessagesOf(Uuid, MessageRole),
    /// Messages of this conversation, and of its threads.
    Within(Uuid),
}

impl Scope {
    pub(super) fn token(self) -> String {
        let (kind, of) = match self {
            Self::Titles(owner) => ('t', owner),
            Self::Messages(owner) => ('m', owner),
            Self::MessagesOf(owner, MessageRole::User) => ('u', owner),
            Self::MessagesOf(owner, MessageRole::Assistant) => ('a', owner),
            Self::MessagesOf(owner, MessageRole::System) => ('s', owner),
            Self::Within(conversation) => ('c', conversation),
        };
        format!("{SCOPE}{kind}{}", of.simple())
    }
}

/// The first id of a moment.
pub(super) fn first_id_at(millis: i64) -> i64 {
    millis.clamp(0, MAX_MILLIS) << BELOW_MILLIS
}

/// The milliseconds of an id.
pub(super) const fn millis_of(id: i64) -> i64 {
    id >> BELOW_MILLIS
}

/// A title or a message, as it is to be found.
struct Document {
    conversation: Uuid,
    message: Option<Uuid>,
    at: i64,
    scopes: Vec<Scope>,
    text: String,
}

impl Document {
    fn key(&self) -> (Uuid, Option<Uuid>) {
        (self.conversation, self.message)
    }

    /// By its time, and within a millisecond by chance: the ends of ids are random.
    fn entry_id(&self, attempt: i64) -> i64 {
        let [.., a, b, c] = self.message.unwrap_or(self.conversation).into_bytes();
        let end = i64::from(u32::from_be_bytes([0, a, b, c])) + attempt * 7_919;
        first_id_at(self.at) | (end & ((1 << BELOW_MILLIS) - 1))
    }

    /// Nothing when the text has nothing to be found by.
    fn tokens(&self) -> Option<String> {
        let atoms = Atoms::of(&self.text);
        let mut tokens: String = self.scopes.iter().map(|scope| scope.token() + " ").collect();
        let words = atoms.tokens();
        tokens.extend(words.iter().flat_map(|token| [*token, " "]));
        tokens.pop();
        (!words.is_empty()).then_some(tokens)
    }
}

impl Database {
    /// Indexes some of what was written without being indexed: before the index was there, or by a replica of an earlier
    /// version. Tells how many there were; fewer than `at_most` means that nothing is left for now.
    pub async fn index_pending(&self, at_most: u64) -> Result<u64, StorageError> {
        let transaction = self.begin().await?;
        let pending = search_pending::Entity::find()
            .order_by_desc(search_pending::Column::Id)
            .limit(at_most)
            // Another replica takes others; what is being written at this moment is indexed by whoever writes it.
            .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
            .all(&transaction)
            .await?;
        if pending.is_empty() {
            return Ok(0);
        }
        let of = |title| pending.iter().filter(move |row| row.title == title).map(|row| row.id).collect::<Vec<_>>();
        self.index(&transaction, &of(true), &of(false)).await?;
        transaction.commit().await?;
        Ok(u64::try_from(pending.len()).unwrap_or(u64::MAX))
    }

    /// Whether nothing waits to be indexed.
    pub(super) async fn is_indexed<C: ConnectionTrait>(&self, connection: &C) -> Result<bool, StorageError> {
        Ok(search_pending::Entity::find().limit(1).one(connection).await?.is_none())
    }

    /// Indexes a message in the transaction that has written it.
    pub(crate) async fn index_message(&self, on: &DatabaseTransaction, message: MessageId) -> Result<(), StorageError> {
        self.index(on, &[], &[message.as_uuid()]).await
    }

    /// Indexes all of a conversation in the transaction that has made it one to be found.
    pub(crate) async fn index_conversation(
        &self,
        on: &DatabaseTransaction,
        conversation: ConversationId,
    ) -> Result<(), StorageError> {
        let texts: Vec<Uuid> = messages::Entity::find()
            .filter(messages::Column::ConversationId.eq(conversation.as_uuid()))
            .select_only()
            .column(messages::Column::Id)
            .into_tuple()
            .all(on)
            .await?;
        for texts in texts.chunks(INDEXED_AT_ONCE) {
            self.index(on, &[], texts).await?;
        }
        self.index_title(on, conversation).await
    }

    /// Indexes a title in the transaction that has given it.
    pub(crate) async fn index_title(
        &self,
        on: &DatabaseTransaction,
        conversation: ConversationId,
    ) -> Result<(), StorageError> {
        self.index(on, &[conversation.as_uuid()], &[]).await
    }

    /// Indexes titles and messages in the transaction that has written them.
    pub(crate) async fn index(
        &self,
        on: &DatabaseTransaction,
        titles: &[Uuid],
        texts: &[Uuid],
    ) -> Result<(), StorageError> {
        let ids = titles.iter().chain(texts).copied();
        // First of all: whoever indexes the same at this moment is waited for here.
        search_pending::Entity::delete_many().filter(search_pending::Column::Id.is_in(ids)).exec(on).await?;
        let mut documents = documents_of_titles(on, titles).await?;
        documents.extend(documents_of_messages(on, texts).await?);
        self.write(on, documents).await
    }

    async fn write(&self, on: &DatabaseTransaction, documents: Vec<Document>) -> Result<(), StorageError> {
        let index = engine::of(self.engine());
        let known = known_entries(on, &documents).await?;
        let mut new = Vec::new();
        for document in documents {
            match (known.get(&document.key()), document.tokens()) {
                (Some(id), Some(tokens)) => {
                    for statement in index.replace(*id, &tokens) {
                        on.execute_raw(statement).await?;
                    }
                }
                (Some(id), None) => {
                    search_entries::Entity::delete_by_id(*id).exec(on).await?;
                }
                (None, Some(tokens)) => new.push((document, tokens)),
                (None, None) => {}
            }
        }
        for attempt in 0..TRIES {
            if new.is_empty() {
                return Ok(());
            }
            let entries: Vec<Entry> = new.iter().map(|(document, tokens)| entry(document, tokens, attempt)).collect();
            let added = on.execute_raw(index.add(&entries)).await?.rows_affected();
            let there = if added == u64::try_from(entries.len()).unwrap_or(u64::MAX) {
                entries.iter().collect()
            } else {
                added_of(on, &entries).await?
            };
            if let Some(statement) = index.add_tokens(&there) {
                on.execute_raw(statement).await?;
            }
            let there: Vec<_> = there.iter().map(|entry| (entry.conversation, entry.message)).collect();
            new.retain(|(document, _)| !there.contains(&document.key()));
        }
        match new.first() {
            None => Ok(()),
            Some((document, _)) => Err(StorageError::inconsistent("search_entries", "id", document.entry_id(0))),
        }
    }
}

fn entry(document: &Document, tokens: &str, attempt: i64) -> Entry {
    Entry {
        id: document.entry_id(attempt),
        conversation: document.conversation,
        message: document.message,
        tokens: tokens.to_owned(),
    }
}

/// Which of these are in the table, and not another with the same id.
async fn added_of<'e>(on: &DatabaseTransaction, entries: &'e [Entry]) -> Result<Vec<&'e Entry>, StorageError> {
    let rows = search_entries::Entity::find()
        .filter(search_entries::Column::Id.is_in(entries.iter().map(|entry| entry.id)))
        .all(on)
        .await?;
    let rows: HashMap<_, _> = rows.into_iter().map(|row| (row.id, (row.conversation_id, row.message_id))).collect();
    Ok(entries.iter().filter(|entry| rows.get(&entry.id) == Some(&(entry.conversation, entry.message))).collect())
}

/// The ids of those that are indexed already.
async fn known_entries(
    on: &DatabaseTransaction,
    documents: &[Document],
) -> Result<HashMap<(Uuid, Option<Uuid>), i64>, StorageError> {
    let titles = documents.iter().filter(|document| document.message.is_none()).map(|document| document.conversation);
    let titles: Vec<Uuid> = titles.collect();
    let texts: Vec<Uuid> = documents.iter().filter_map(|document| document.message).collect();
    let mut rows = Vec::new();
    if !titles.is_empty() {
        let of_titles = search_entries::Entity::find()
            .filter(search_entries::Column::ConversationId.is_in(titles))
            .filter(search_entries::Column::MessageId.is_null());
        rows.extend(of_titles.all(on).await?);
    }
    if !texts.is_empty() {
        let of_texts = search_entries::Entity::find().filter(search_entries::Column::MessageId.is_in(texts));
        rows.extend(of_texts.all(on).await?);
    }
    Ok(rows.into_iter().map(|row| ((row.conversation_id, row.message_id), row.id)).collect())
}

async fn documents_of_titles(on: &DatabaseTransaction, ids: &[Uuid]) -> Result<Vec<Document>, StorageError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows = conversations::Entity::find()
        .filter(conversations::Column::Id.is_in(ids.iter().copied()))
        // A temporary one is not to be found.
        .filter(conversations::Column::ExpiresAt.is_null())
        .select_only()
        .columns([
            conversations::Column::Id,
            conversations::Column::OwnerId,
            conversations::Column::Title,
            conversations::Column::CreatedAt,
        ])
        .into_tuple::<(Uuid, Uuid, String, i64)>()
        .all(on)
        .await?;
    let document = |(conversation, owner, text, at)| Document {
        conversation,
        message: None,
        at,
        scopes: vec![Scope::Titles(owner)],
        text,
    };
    Ok(rows.into_iter().map(document).collect())
}

async fn documents_of_messages(on: &DatabaseTransaction, ids: &[Uuid]) -> Result<Vec<Document>, StorageError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows = messages::Entity::find()
        .filter(messages::Column::Id.is_in(ids.iter().copied()))
        // Its text comes at its end.
        .filter(messages::Column::Status.ne(MessageStatus::Running.as_str()))
        .filter(messages::Column::RemovedAt.is_null())
        .select_only()
        .columns([
            messages::Column::Id,
            messages::Column::ConversationId,
            messages::Column::Role,
            messages::Column::Parts,
            messages::Column::CreatedAt,
        ])
        .into_tuple::<(Uuid, Uuid, String, String, i64)>()
        .all(on)
        .await?;
    let owners: HashMap<Uuid, (Uuid, Option<Uuid>)> = conversations::Entity::find()
        .filter(conversations::Column::Id.is_in(rows.iter().map(|row| row.1)))
        .filter(conversations::Column::ExpiresAt.is_null())
        .select_only()
        .columns([conversations::Column::Id, conversations::Column::OwnerId, conversations::Column::ThreadOf])
        .into_tuple::<(Uuid, Uuid, Option<Uuid>)>()
        .all(on)
        .await?
        .into_iter()
        .map(|(id, owner, thread_of)| (id, (owner, thread_of)))
        .collect();
    let documents = rows.into_iter().filter_map(|(message, conversation, role, parts, at)| {
        let (owner, thread_of) = *owners.get(&conversation)?;
        let role = MessageRole::parse(&role).map(|role| Scope::MessagesOf(owner, role));
        let within = [conversation].into_iter().chain(thread_of).map(Scope::Within);
        let scopes = [Scope::Messages(owner)].into_iter().chain(within).chain(role).collect();
        Some(Document { conversation, message: Some(message), at, scopes, text: text_of(message, &parts) })
    });
    Ok(documents.collect())
}

/// What is to be read in a message, without what the model thought. Parts of kinds that only a later version knows are
/// passed over.
pub(super) fn text_of(message: Uuid, parts: &str) -> String {
    #[derive(Deserialize)]
    struct Piece {
        r#type: String,
        #[serde(default)]
        text: String,
    }
    match serde_json::from_str::<Vec<Piece>>(parts) {
        Ok(pieces) => {
            let texts = pieces.iter().filter(|piece| piece.r#type == "text").map(|piece| piece.text.as_str());
            texts.collect::<Vec<_>>().join("\n\n")
        }
        Err(error) => {
            tracing::warn!(%error, %message, "a message cannot be read for search");
            String::new()
        }
    }
}
