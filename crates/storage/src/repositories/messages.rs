//! Messages: a page of the path to a leaf with the siblings of each message, never a whole conversation.

use std::collections::HashMap;

use sea_orm::sea_query::{Condition, Expr};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect, Statement,
};
use stoa_model::completion::FinishReason;
use stoa_model::conversation::{Message, MessageRole, MessageStatus, Translation};
use stoa_model::{ConversationId, MessageId, Principal, Timestamp};
use uuid::Uuid;

use crate::entities::{conversations, messages};
use crate::{Database, StorageError, access};

use super::{conversations as conversation_rows, from_json, to_json};

/// Which part of which path.
#[derive(Clone, Copy, Debug, Default)]
pub struct PathQuery {
    /// The end of the path; the conversation's own leaf when absent.
    pub leaf: Option<MessageId>,
    /// Only messages above this one, on its own path.
    pub before: Option<MessageId>,
    /// Only messages below this one, on the way to the leaf.
    pub after: Option<MessageId>,
    /// The messages on both sides of this one. Where it is not on the path to the leaf, another leaf is taken.
    pub around: Option<MessageId>,
    pub limit: u32,
}

/// A stretch of a path, oldest first.
#[derive(Clone, Debug, PartialEq)]
pub struct MessagePage {
    pub items: Vec<Message>,
    pub leaf: Option<MessageId>,
    /// There are messages above the first of these.
    pub has_more: bool,
    /// There are messages below the last of these.
    pub has_newer: bool,
}

impl Database {
    pub async fn messages(
        &self,
        principal: &Principal,
        conversation: ConversationId,
        query: PathQuery,
    ) -> Result<MessagePage, StorageError> {
        let row = conversation_rows::find(self.reader(), principal, conversation).await?;
        let leaf = match query.leaf {
            Some(message) => Some(newest_leaf(self.reader(), conversation, message).await?),
            None => row.leaf_id.map(MessageId::from_uuid),
        };
        let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
        if let Some(message) = query.after {
            let leaf = leaf.ok_or(StorageError::NotFound)?;
            let below = below(self.reader(), conversation, message, leaf, query.limit).await?;
            let (mut path, has_newer) = below.ok_or(StorageError::NotFound)?;
            path.remove(0);
            let items = with_siblings(self.reader(), conversation, path).await?;
            return Ok(MessagePage { items, leaf: Some(leaf), has_more: true, has_newer });
        }
        if let Some(message) = query.around {
            return self.messages_around(conversation, message, leaf, query.limit).await;
        }
        let start = match query.before {
            Some(message) => Some(message),
            None => leaf,
        };
        let Some(start) = start else {
            return Ok(MessagePage { items: Vec::new(), leaf, has_more: false, has_newer: false });
        };
        // One more than asked tells whether there is more; with `before`, the start itself is not part of the answer.
        let skipped = u32::from(query.before.is_some());
        let mut path = path(self.reader(), conversation, start, query.limit + 1 + skipped).await?;
        if query.before.is_some() {
            path.pop().ok_or(StorageError::NotFound)?;
        } else if path.is_empty() {
            return Err(StorageError::NotFound);
        }
        let has_more = path.len() > limit;
        if has_more {
            path.remove(0);
        }
        let items = with_siblings(self.reader(), conversation, path).await?;
        Ok(MessagePage { items, leaf, has_more, has_newer: query.before.is_some() })
    }

    async fn messages_around(
        &self,
        conversation: ConversationId,
        message: MessageId,
        leaf: Option<MessageId>,
        limit: u32,
    ) -> Result<MessagePage, StorageError> {
        let newest = newest_leaf(self.reader(), conversation, message).await?;
        let half = limit.div_ceil(2);
        let leaf = leaf.unwrap_or(newest);
        let on_the_way = below(self.reader(), conversation, message, leaf, half).await?;
        let (leaf, (rest, has_newer)) = if let Some(rest) = on_the_way {
            (leaf, rest)
        } else {
            let other = below(self.reader(), conversation, message, newest, half).await?;
            (newest, other.ok_or(StorageError::NotFound)?)
        };
        let mut all = path(self.reader(), conversation, message, half + 1).await?;
        let has_more = all.len() > usize::try_from(half).unwrap_or(usize::MAX);
        if has_more {
            all.remove(0);
        }
        // The message itself is the last of the one and the first of the other.
        all.extend(rest.into_iter().skip(1));
        let items = with_siblings(self.reader(), conversation, all).await?;
        Ok(MessagePage { items, leaf: Some(leaf), has_more, has_newer })
    }

    /// Keeps a translation of a message in the place of the one before, or forgets that one.
    pub async fn keep_translation(
        &self,
        principal: &Principal,
        id: MessageId,
        translation: Option<&Translation>,
    ) -> Result<(), StorageError> {
        let transaction = self.begin().await?;
        find_message(&transaction, principal, id).await?;
        let text = translation.map(|kept| to_json("messages", "translation", kept)).transpose()?;
        messages::Entity::update_many()
            .filter(messages::Column::Id.eq(id.as_uuid()))
            .col_expr(messages::Column::Translation, Expr::value(text))
            .exec(&transaction)
            .await?;
        transaction.commit().await?;
        Ok(())
    }

    /// One message, wherever it hangs, with its siblings.
    pub async fn message(&self, principal: &Principal, id: MessageId) -> Result<Message, StorageError> {
        let row = find_message(self.reader(), principal, id).await?;
        let conversation = row.conversation_id.into();
        with_siblings(self.reader(), conversation, vec![row]).await?.pop().ok_or(StorageError::NotFound)
    }
}

/// A message of a conversation that the principal may see.
pub(super) async fn find_message<C: ConnectionTrait>(
    connection: &C,
    principal: &Principal,
    id: MessageId,
) -> Result<messages::Model, StorageError> {
    let row = messages::Entity::find_by_id(id.as_uuid())
        .filter(messages::Column::RemovedAt.is_null())
        .one(connection)
        .await?
        .ok_or(StorageError::NotFound)?;
    let seen = conversations::Entity::find_by_id(row.conversation_id)
        .filter(access::rows(principal.conversations(), conversations::Column::OwnerId))
        .filter(conversations::Column::DeletedAt.is_null())
        .select_only()
        .column(conversations::Column::Id)
        .into_tuple::<Uuid>()
        .one(connection)
        .await?;
    seen.map(|_| row).ok_or(StorageError::NotFound)
}

/// The last `limit` messages of the path from the root to `end`, oldest first. Empty when `end` is not in the
/// conversation.
pub(super) async fn path<C: ConnectionTrait>(
    connection: &C,
    conversation: ConversationId,
    end: MessageId,
    limit: u32,
) -> Result<Vec<messages::Model>, StorageError> {
    let sql = "WITH RECURSIVE path(id, parent_id, hop) AS (\
        SELECT id, parent_id, 0 FROM messages WHERE id = $1 AND conversation_id = $2 \
        UNION ALL \
        SELECT above.id, above.parent_id, path.hop + 1 FROM messages AS above \
        JOIN path ON above.id = path.parent_id WHERE path.hop + 1 < $3) \
        SELECT messages.* FROM path JOIN messages ON messages.id = path.id ORDER BY path.hop DESC";
    let values = [end.as_uuid().into(), conversation.as_uuid().into(), i64::from(limit).into()];
    let statement = Statement::from_sql_and_values(connection.get_database_backend(), sql, values);
    Ok(messages::Model::find_by_statement(statement).all(connection).await?)
}

/// `message` and what follows it on the way to `leaf`, at most `limit` of that, and whether there is more. `None` when it is
/// not on that way.
async fn below<C: ConnectionTrait>(
    connection: &C,
    conversation: ConversationId,
    message: MessageId,
    leaf: MessageId,
    limit: u32,
) -> Result<Option<(Vec<messages::Model>, bool)>, StorageError> {
    let sql = "WITH RECURSIVE up(id, parent_id, hop) AS (\
        SELECT id, parent_id, 0 FROM messages WHERE id = $1 AND conversation_id = $2 \
        UNION ALL \
        SELECT above.id, above.parent_id, up.hop + 1 FROM messages AS above \
        JOIN up ON above.id = up.parent_id WHERE up.id <> $3) \
        SELECT messages.* FROM (SELECT id, hop FROM up ORDER BY hop DESC LIMIT $4) AS near \
        JOIN messages ON messages.id = near.id ORDER BY near.hop DESC";
    let values =
        [leaf.as_uuid().into(), conversation.as_uuid().into(), message.as_uuid().into(), i64::from(limit + 2).into()];
    let statement = Statement::from_sql_and_values(connection.get_database_backend(), sql, values);
    let mut rows = messages::Model::find_by_statement(statement).all(connection).await?;
    if rows.first().is_none_or(|row| row.id != message.as_uuid()) {
        return Ok(None);
    }
    let all = usize::try_from(limit).unwrap_or(usize::MAX).saturating_add(1);
    let more = rows.len() > all;
    rows.truncate(all);
    Ok(Some((rows, more)))
}

/// The end of the branch that `message` is on: its newest child's newest child, and so on.
pub(super) async fn newest_leaf<C: ConnectionTrait>(
    connection: &C,
    conversation: ConversationId,
    message: MessageId,
) -> Result<MessageId, StorageError> {
    #[derive(FromQueryResult)]
    struct End {
        id: Uuid,
    }
    let sql = "WITH RECURSIVE down(id, hop) AS (\
        SELECT id, 0 FROM messages WHERE id = $1 AND conversation_id = $2 \
        UNION ALL \
        SELECT (SELECT child.id FROM messages AS child WHERE child.parent_id = down.id \
                ORDER BY child.created_at DESC, child.id DESC LIMIT 1), down.hop + 1 \
        FROM down WHERE down.id IS NOT NULL) \
        SELECT id FROM down WHERE id IS NOT NULL ORDER BY hop DESC LIMIT 1";
    let values = [message.as_uuid().into(), conversation.as_uuid().into()];
    let statement = Statement::from_sql_and_values(connection.get_database_backend(), sql, values);
    let end = End::find_by_statement(statement).one(connection).await?.ok_or(StorageError::NotFound)?;
    Ok(end.id.into())
}

async fn with_siblings<C: ConnectionTrait>(
    connection: &C,
    conversation: ConversationId,
    path: Vec<messages::Model>,
) -> Result<Vec<Message>, StorageError> {
    let parents: Vec<Uuid> = path.iter().filter_map(|row| row.parent_id).collect();
    let mut beside = Condition::any().add(messages::Column::ParentId.is_in(parents));
    if path.iter().any(|row| row.parent_id.is_none()) {
        beside = beside.add(messages::Column::ParentId.is_null());
    }
    let rows: Vec<(Uuid, Option<Uuid>)> = messages::Entity::find()
        .select_only()
        .column(messages::Column::Id)
        .column(messages::Column::ParentId)
        .filter(messages::Column::ConversationId.eq(conversation.as_uuid()))
        .filter(messages::Column::RemovedAt.is_null())
        .filter(beside)
        .order_by_asc(messages::Column::CreatedAt)
        .order_by_asc(messages::Column::Id)
        .into_tuple()
        .all(connection)
        .await?;
    let mut siblings = HashMap::<Option<Uuid>, Vec<MessageId>>::new();
    for (id, parent) in rows {
        siblings.entry(parent).or_default().push(id.into());
    }
    path.into_iter()
        .map(|row| {
            let beside = siblings.get(&row.parent_id).cloned().unwrap_or_default();
            message(row, beside)
        })
        .collect()
}

pub(super) fn message(row: messages::Model, siblings: Vec<MessageId>) -> Result<Message, StorageError> {
    let id = row.id;
    Ok(Message {
        role: MessageRole::parse(&row.role).ok_or_else(|| StorageError::inconsistent("messages", "role", id))?,
        status: MessageStatus::parse(&row.status)
            .ok_or_else(|| StorageError::inconsistent("messages", "status", id))?,
        parts: from_json("messages", "parts", id, &row.parts)?,
        parameters: row.parameters.map(|text| from_json("messages", "parameters", id, &text)).transpose()?,
        usage: row.usage.map(|text| from_json("messages", "usage", id, &text)).transpose()?,
        timings: row.timings.map(|text| from_json("messages", "timings", id, &text)).transpose()?,
        error: row.error.map(|text| from_json("messages", "error", id, &text)).transpose()?,
        // A reason that only a later release knows is none to this one.
        finish_reason: row.finish_reason.as_deref().and_then(FinishReason::parse),
        id: id.into(),
        conversation_id: row.conversation_id.into(),
        parent_id: row.parent_id.map(Into::into),
        translation: row.translation.map(|text| from_json("messages", "translation", id, &text)).transpose()?,
        summary: row.summary.map(|text| from_json("messages", "summary", id, &text)).transpose()?,
        model: row.model,
        stand_in: row.stand_in,
        generation_id: row.generation_id.map(Into::into),
        siblings,
        created_at: Timestamp::from_millis(row.created_at),
    })
}
