//! Messages that are taken out of their branch, and put back.
//!
//! A question goes with its answers, an answer alone; what follows hangs under what was above. What is taken out stays for a
//! while, under nothing and no first message of anything, with its pictures; then it goes for good.

use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use stoa_model::conversation::{MessageRole, MessageStatus};
use stoa_model::{ConversationId, MessageId, Principal, Timestamp};
use uuid::Uuid;

use crate::entities::{conversations, messages, search_entries};
use crate::{Database, Notice, StorageError, access};

use super::conversations::update_one;
use super::messages::{find_message, newest_leaf, path};
use super::summaries::drop_summaries;

impl Database {
    /// Takes a message out of its branch; a question takes its answers along. Refused while one of them is being written.
    pub async fn remove_message(
        &self,
        principal: &Principal,
        id: MessageId,
        now: Timestamp,
    ) -> Result<ConversationId, StorageError> {
        let user = access::person(principal)?;
        let transaction = self.begin().await?;
        let row = find_message(&transaction, principal, id).await?;
        let leaf = lock(&transaction, row.conversation_id).await?;
        let mut going = vec![(row.id, row.status.clone())];
        if row.role == MessageRole::User.as_str() {
            let answers = messages::Entity::find()
                .filter(messages::Column::ParentId.eq(row.id))
                .filter(messages::Column::Role.eq(MessageRole::Assistant.as_str()))
                .filter(messages::Column::RemovedAt.is_null())
                .select_only()
                .columns([messages::Column::Id, messages::Column::Status])
                .into_tuple::<(Uuid, String)>()
                .all(&transaction)
                .await?;
            going.extend(answers);
        }
        if going.iter().any(|(_, status)| status == MessageStatus::Running.as_str()) {
            return Err(StorageError::Refused("the answer is being written"));
        }
        let ids: Vec<Uuid> = going.into_iter().map(|(id, _)| id).collect();
        messages::Entity::update_many()
            .filter(messages::Column::ParentId.is_in(ids.iter().copied()))
            .filter(messages::Column::Id.is_not_in(ids.iter().copied()))
            .col_expr(messages::Column::MovedFromId, Expr::col(messages::Column::ParentId))
            .col_expr(messages::Column::ParentId, Expr::value(row.parent_id))
            .exec(&transaction)
            .await?;
        messages::Entity::update_many()
            .filter(messages::Column::Id.is_in(ids.iter().copied()))
            .col_expr(messages::Column::RemovedParentId, Expr::col(messages::Column::ParentId))
            .col_expr(messages::Column::ParentId, Expr::value(None::<Uuid>))
            .col_expr(messages::Column::RemovedAt, Expr::value(Some(now.as_millis())))
            .exec(&transaction)
            .await?;
        search_entries::Entity::delete_many()
            .filter(search_entries::Column::MessageId.is_in(ids.iter().copied()))
            .exec(&transaction)
            .await?;
        drop_summaries(&transaction, &row, now).await?;
        let conversation = row.conversation_id.into();
        if leaf.is_some_and(|leaf| ids.contains(&leaf)) {
            let leaf = match row.parent_id {
                Some(parent) => Some(newest_leaf(&transaction, conversation, parent.into()).await?),
                None => newest_root(&transaction, conversation).await?,
            };
            set_leaf(&transaction, conversation, leaf).await?;
        }
        transaction.commit().await?;
        self.notices().publish(Notice::Conversation { user, conversation }).await;
        Ok(conversation)
    }

    /// Puts back what was taken out, with all that hung under it.
    pub async fn restore_message(&self, principal: &Principal, id: MessageId) -> Result<ConversationId, StorageError> {
        let user = access::person(principal)?;
        let transaction = self.begin().await?;
        let row = removed(&transaction, principal, id).await?;
        let leaf = lock(&transaction, row.conversation_id).await?;
        let conversation: ConversationId = row.conversation_id.into();
        let mut ids = vec![row.id];
        if row.role == MessageRole::User.as_str() {
            // What went with it comes back with it.
            let answers = messages::Entity::find()
                .filter(messages::Column::RemovedParentId.eq(row.id))
                .filter(messages::Column::RemovedAt.eq(row.removed_at))
                .select_only()
                .column(messages::Column::Id)
                .into_tuple::<Uuid>()
                .all(&transaction)
                .await?;
            ids.extend(answers);
        }
        let parent = above(&transaction, row.removed_parent_id).await?;
        messages::Entity::update_many()
            .filter(messages::Column::Id.is_in(ids.iter().copied()))
            .col_expr(messages::Column::ParentId, Expr::col(messages::Column::RemovedParentId))
            .col_expr(messages::Column::RemovedParentId, Expr::value(None::<Uuid>))
            .col_expr(messages::Column::RemovedAt, Expr::value(None::<i64>))
            .exec(&transaction)
            .await?;
        // What it hung under may have been taken out meanwhile.
        messages::Entity::update_many()
            .filter(messages::Column::Id.eq(row.id))
            .col_expr(messages::Column::ParentId, Expr::value(parent))
            .exec(&transaction)
            .await?;
        messages::Entity::update_many()
            .filter(messages::Column::MovedFromId.is_in(ids.iter().copied()))
            .filter(messages::Column::RemovedAt.is_null())
            .col_expr(messages::Column::ParentId, Expr::col(messages::Column::MovedFromId))
            .col_expr(messages::Column::MovedFromId, Expr::value(None::<Uuid>))
            .exec(&transaction)
            .await?;
        for id in &ids {
            self.index_message(&transaction, (*id).into()).await?;
        }
        // The reader sees again what was there, unless another branch has been gone on with.
        let stays = match leaf {
            Some(leaf) => {
                path(&transaction, conversation, leaf.into(), u32::MAX).await?.iter().any(|row| ids.contains(&row.id))
            }
            None => false,
        };
        if !stays {
            let leaf = newest_leaf(&transaction, conversation, row.id.into()).await?;
            set_leaf(&transaction, conversation, Some(leaf)).await?;
        }
        transaction.commit().await?;
        self.notices().publish(Notice::Conversation { user, conversation }).await;
        Ok(conversation)
    }

    /// Removes for good a few messages that were taken out before `removed_before`.
    pub async fn purge_messages(&self, removed_before: Timestamp, at_most: u64) -> Result<u64, StorageError> {
        let transaction = self.begin().await?;
        let ids: Vec<Uuid> = messages::Entity::find()
            .select_only()
            .column(messages::Column::Id)
            .filter(messages::Column::RemovedAt.lt(removed_before.as_millis()))
            .limit(at_most)
            .into_tuple()
            .all(&transaction)
            .await?;
        if ids.is_empty() {
            return Ok(0);
        }
        messages::Entity::update_many()
            .filter(messages::Column::MovedFromId.is_in(ids.iter().copied()))
            .col_expr(messages::Column::MovedFromId, Expr::value(None::<Uuid>))
            .exec(&transaction)
            .await?;
        let purged = messages::Entity::delete_many().filter(messages::Column::Id.is_in(ids)).exec(&transaction).await?;
        transaction.commit().await?;
        Ok(purged.rows_affected)
    }
}

/// Keeps others from changing the tree of a conversation meanwhile, and tells its leaf.
async fn lock(on: &DatabaseTransaction, conversation: Uuid) -> Result<Option<Uuid>, StorageError> {
    let row = conversations::Entity::find_by_id(conversation).lock_exclusive().one(on).await?;
    Ok(row.ok_or(StorageError::NotFound)?.leaf_id)
}

/// A message that was taken out of a conversation that the principal may see.
async fn removed(
    on: &DatabaseTransaction,
    principal: &Principal,
    id: MessageId,
) -> Result<messages::Model, StorageError> {
    let row = messages::Entity::find_by_id(id.as_uuid())
        .filter(messages::Column::RemovedAt.is_not_null())
        .one(on)
        .await?
        .ok_or(StorageError::NotFound)?;
    super::conversations::find(on, principal, row.conversation_id.into()).await?;
    Ok(row)
}

/// The nearest message above that is still in the tree.
async fn above(on: &DatabaseTransaction, mut parent: Option<Uuid>) -> Result<Option<Uuid>, StorageError> {
    while let Some(id) = parent {
        match messages::Entity::find_by_id(id).one(on).await? {
            Some(row) if row.removed_at.is_some() => parent = row.removed_parent_id,
            Some(row) => return Ok(Some(row.id)),
            None => return Ok(None),
        }
    }
    Ok(None)
}

/// The end of the newest branch, if there is any.
async fn newest_root(
    on: &DatabaseTransaction,
    conversation: ConversationId,
) -> Result<Option<MessageId>, StorageError> {
    let root: Option<Uuid> = messages::Entity::find()
        .filter(messages::Column::ConversationId.eq(conversation.as_uuid()))
        .filter(messages::Column::ParentId.is_null())
        .filter(messages::Column::RemovedAt.is_null())
        .select_only()
        .column(messages::Column::Id)
        .order_by_desc(messages::Column::CreatedAt)
        .order_by_desc(messages::Column::Id)
        .into_tuple()
        .one(on)
        .await?;
    match root {
        Some(root) => Ok(Some(newest_leaf(on, conversation, root.into()).await?)),
        None => Ok(None),
    }
}

async fn set_leaf(
    on: &DatabaseTransaction,
    conversation: ConversationId,
    leaf: Option<MessageId>,
) -> Result<(), StorageError> {
    update_one(conversation)
        .col_expr(conversations::Column::LeafId, Expr::value(leaf.map(MessageId::as_uuid)))
        .exec(on)
        .await?;
    Ok(())
}
