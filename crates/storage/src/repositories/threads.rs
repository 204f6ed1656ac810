//! Threads: side conversations that begin at a message of another. Each is a conversation of its own that no list has, and goes
//! where its conversation and its message go.

use std::collections::{BTreeSet, HashMap};

use sea_orm::sea_query::{Condition, Expr};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, PaginatorTrait as _, QueryFilter, QueryOrder,
    QuerySelect,
};
use stoa_model::conversation::{Conversation, MessageStatus, MessageThread};
use stoa_model::{ConversationId, MessageId, Principal, ProjectId, Timestamp};
use uuid::Uuid;

use crate::entities::{conversations, messages};
use crate::{Database, ImportedThread, Notice, StorageError, access};

use super::conversations::{conversation, find, generating, visible};
use super::insert;
use super::messages::find_message;
use super::removals::lock;

/// Threads of one conversation.
pub const MAX_THREADS: u64 = 200;

impl Database {
    /// Begins a thread at a message. It has the assistant, the project, the role, the model and the parameters that its
    /// conversation has now, and goes when that one goes.
    pub async fn create_thread(
        &self,
        principal: &Principal,
        message: MessageId,
        with_context: bool,
        now: Timestamp,
    ) -> Result<Conversation, StorageError> {
        let owner = access::person(principal)?;
        let transaction = self.begin().await?;
        let within = find_message(&transaction, principal, message).await?.conversation_id;
        lock(&transaction, within).await?;
        // Whoever took the message out meanwhile has been waited for.
        let source = find_message(&transaction, principal, message).await?;
        let parent = find(&transaction, principal, within.into()).await?;
        if parent.thread_of.is_some() {
            return Err(StorageError::Refused("a thread begins in no thread"));
        }
        if source.status == MessageStatus::Running.as_str() {
            return Err(StorageError::Refused("the answer is being written"));
        }
        if held(&transaction, within).await? >= MAX_THREADS {
            return Err(StorageError::Refused("a conversation has at most 200 threads"));
        }
        let row = conversations::Model {
            id: ConversationId::generate(now).into(),
            owner_id: owner.into(),
            title: String::new(),
            title_folded: String::new(),
            titled: false,
            pinned: false,
            archived_at: None,
            leaf_id: None,
            answered_at: 0,
            read_at: 0,
            created_at: now.as_millis(),
            updated_at: now.as_millis(),
            thread_of: Some(within),
            source_message_id: Some(source.id),
            with_context,
            summarised_at: None,
            ..parent
        };
        insert(&transaction, row.clone()).await?;
        transaction.commit().await?;
        let thread = conversation(row, false, Vec::new())?;
        self.notices().publish(Notice::Conversation { user: owner, conversation: thread.id }).await;
        Ok(thread)
    }

    /// The threads of a conversation, the latest used first.
    pub async fn threads(&self, principal: &Principal, id: ConversationId) -> Result<Vec<Conversation>, StorageError> {
        find(self.reader(), principal, id).await?;
        let rows = visible(principal)
            .filter(conversations::Column::ThreadOf.eq(id.as_uuid()))
            .order_by_desc(conversations::Column::UpdatedAt)
            .order_by_desc(conversations::Column::Id)
            .limit(MAX_THREADS)
            .all(self.reader())
            .await?;
        let writes = generating(self.reader(), rows.iter().map(|row| row.id)).await?;
        let mut threads = rows
            .into_iter()
            .map(|row| {
                let writes = writes.contains(&row.id);
                conversation(row, writes, Vec::new())
            })
            .collect::<Result<Vec<_>, _>>()?;
        count(self.reader(), &mut threads).await?;
        Ok(threads)
    }
}

async fn held(on: &DatabaseTransaction, conversation: Uuid) -> Result<u64, StorageError> {
    let threads = conversations::Entity::find()
        .filter(conversations::Column::ThreadOf.eq(conversation))
        .filter(conversations::Column::DeletedAt.is_null());
    Ok(threads.count(on).await?)
}

/// How many messages each of these conversations has, on all of its branches.
async fn counts<C: ConnectionTrait>(connection: &C, ids: &[Uuid]) -> Result<HashMap<Uuid, u64>, StorageError> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<(Uuid, i64)> = messages::Entity::find()
        .select_only()
        .column(messages::Column::ConversationId)
        .column_as(messages::Column::Id.count(), "messages")
        .filter(messages::Column::ConversationId.is_in(ids.iter().copied()))
        .filter(messages::Column::RemovedAt.is_null())
        .group_by(messages::Column::ConversationId)
        .into_tuple()
        .all(connection)
        .await?;
    Ok(rows.into_iter().map(|(id, count)| (id, u64::try_from(count).unwrap_or(0))).collect())
}

/// Counts the messages of those that are threads.
pub(super) async fn count<C: ConnectionTrait>(
    connection: &C,
    threads: &mut [Conversation],
) -> Result<(), StorageError> {
    let ids: Vec<Uuid> = threads.iter().filter(|one| one.thread.is_some()).map(|one| one.id.into()).collect();
    let counts = counts(connection, &ids).await?;
    for one in threads {
        let id = one.id.as_uuid();
        if let Some(thread) = &mut one.thread {
            thread.messages = counts.get(&id).copied().unwrap_or(0);
        }
    }
    Ok(())
}

/// The threads that begin at these messages, by the message, the oldest first.
pub(super) async fn begun_at<C: ConnectionTrait>(
    connection: &C,
    messages: impl Iterator<Item = Uuid>,
) -> Result<HashMap<Uuid, Vec<MessageThread>>, StorageError> {
    let mut threads: HashMap<Uuid, Vec<MessageThread>> = HashMap::new();
    let rows = conversations::Entity::find()
        .filter(conversations::Column::SourceMessageId.is_in(messages))
        .filter(conversations::Column::DeletedAt.is_null())
        .order_by_asc(conversations::Column::CreatedAt)
        .order_by_asc(conversations::Column::Id)
        .all(connection)
        .await?;
    if rows.is_empty() {
        return Ok(threads);
    }
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    let counts = counts(connection, &ids).await?;
    let writes = generating(connection, ids).await?;
    for row in rows {
        let Some(source) = row.source_message_id else { continue };
        threads.entry(source).or_default().push(MessageThread {
            id: row.id.into(),
            messages: counts.get(&row.id).copied().unwrap_or(0),
            generating: writes.contains(&row.id),
            unread: row.answered_at > row.read_at,
            title: row.title,
        });
    }
    Ok(threads)
}

fn of(conversations: &[Uuid]) -> sea_orm::UpdateMany<conversations::Entity> {
    conversations::Entity::update_many().filter(conversations::Column::ThreadOf.is_in(conversations.iter().copied()))
}

/// Hides the threads of these conversations with them.
pub(super) async fn delete_along(
    on: &DatabaseTransaction,
    conversations: &[Uuid],
    now: Timestamp,
) -> Result<(), StorageError> {
    of(conversations)
        .filter(conversations::Column::DeletedAt.is_null())
        .col_expr(conversations::Column::DeletedAt, Expr::value(Some(now.as_millis())))
        .exec(on)
        .await?;
    Ok(())
}

/// Brings back the threads that went with these conversations, which are still hidden.
pub(super) async fn restore_along(on: &DatabaseTransaction, conversations: &[Uuid]) -> Result<(), StorageError> {
    let hidden: Vec<(Uuid, Option<i64>)> = conversations::Entity::find()
        .select_only()
        .columns([conversations::Column::Id, conversations::Column::DeletedAt])
        .filter(conversations::Column::Id.is_in(conversations.iter().copied()))
        .into_tuple()
        .all(on)
        .await?;
    let moments: BTreeSet<i64> = hidden.iter().filter_map(|(_, at)| *at).collect();
    for moment in moments {
        let then: Vec<Uuid> = hidden.iter().filter(|(_, at)| *at == Some(moment)).map(|(id, _)| *id).collect();
        of(&then)
            .filter(conversations::Column::DeletedAt.eq(moment))
            .col_expr(conversations::Column::DeletedAt, Expr::value(None::<i64>))
            .exec(on)
            .await?;
    }
    Ok(())
}

/// Takes the threads of these conversations into the project that they go to.
pub(super) async fn move_along(
    on: &DatabaseTransaction,
    conversations: &[Uuid],
    project: Option<ProjectId>,
) -> Result<(), StorageError> {
    let project = project.map(ProjectId::as_uuid);
    of(conversations).col_expr(conversations::Column::ProjectId, Expr::value(project)).exec(on).await?;
    Ok(())
}

/// Makes the threads of a temporary conversation ones that stay, and tells which they are.
pub(super) async fn keep_along(
    on: &DatabaseTransaction,
    conversation: ConversationId,
) -> Result<Vec<ConversationId>, StorageError> {
    let temporary = Condition::all()
        .add(conversations::Column::ThreadOf.eq(conversation.as_uuid()))
        .add(conversations::Column::ExpiresAt.is_not_null());
    let threads = ids_of(on, temporary).await?;
    of(&[conversation.into()]).col_expr(conversations::Column::ExpiresAt, Expr::value(None::<i64>)).exec(on).await?;
    Ok(threads)
}

/// Hides the threads that begin at messages that are taken out, and tells which they are.
pub(super) async fn remove_with(
    on: &DatabaseTransaction,
    messages: &[Uuid],
    now: Timestamp,
) -> Result<Vec<ConversationId>, StorageError> {
    hide(on, messages, None, Some(now)).await
}

/// Brings back the threads that went with messages that were taken out at `then`.
pub(super) async fn restore_with(
    on: &DatabaseTransaction,
    messages: &[Uuid],
    then: Timestamp,
) -> Result<Vec<ConversationId>, StorageError> {
    hide(on, messages, Some(then), None).await
}

/// Those that begin at these messages and went at `before`, if they did, go at `after`, or are there again.
async fn hide(
    on: &DatabaseTransaction,
    messages: &[Uuid],
    before: Option<Timestamp>,
    after: Option<Timestamp>,
) -> Result<Vec<ConversationId>, StorageError> {
    let gone = match before {
        Some(then) => conversations::Column::DeletedAt.eq(then.as_millis()),
        None => conversations::Column::DeletedAt.is_null(),
    };
    let which = Condition::all().add(conversations::Column::SourceMessageId.is_in(messages.iter().copied())).add(gone);
    let threads = ids_of(on, which.clone()).await?;
    conversations::Entity::update_many()
        .filter(which)
        .col_expr(conversations::Column::DeletedAt, Expr::value(after.map(Timestamp::as_millis)))
        .exec(on)
        .await?;
    Ok(threads)
}

async fn ids_of(on: &DatabaseTransaction, which: Condition) -> Result<Vec<ConversationId>, StorageError> {
    let ids: Vec<Uuid> = conversations::Entity::find()
        .select_only()
        .column(conversations::Column::Id)
        .filter(which)
        .into_tuple()
        .all(on)
        .await?;
    Ok(ids.into_iter().map(Into::into).collect())
}

/// Where an imported thread begins here, as conversation and message. Nothing when that is not there, or has no room.
pub(super) async fn place(
    on: &DatabaseTransaction,
    owner: Uuid,
    thread: &ImportedThread,
) -> Result<Option<(Uuid, Uuid)>, StorageError> {
    let there: Vec<Uuid> = conversations::Entity::find()
        .select_only()
        .column(conversations::Column::Id)
        .filter(conversations::Column::OwnerId.eq(owner))
        .filter(conversations::Column::ThreadOf.is_null())
        .filter(conversations::Column::Id.is_in(thread.conversation.iter().map(|id| id.as_uuid())))
        .into_tuple()
        .all(on)
        .await?;
    let Some(within) = thread.conversation.iter().map(|id| id.as_uuid()).find(|id| there.contains(id)) else {
        return Ok(None);
    };
    let source: Option<Uuid> = messages::Entity::find()
        .select_only()
        .column(messages::Column::Id)
        .filter(messages::Column::ConversationId.eq(within))
        .filter(messages::Column::RemovedAt.is_null())
        .filter(messages::Column::Id.is_in(thread.message.iter().map(|id| id.as_uuid())))
        .into_tuple()
        .one(on)
        .await?;
    let full = held(on, within).await? >= MAX_THREADS;
    Ok(source.filter(|_| !full).map(|source| (within, source)))
}
