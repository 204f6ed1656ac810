//! Links to conversations, as their owners see them, and the pictures of branches that are taken for them.

use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, PaginatorTrait as _, QueryFilter, QueryOrder,
    QuerySelect, Statement,
};
use stoa_model::share::{Audience, Share};
use stoa_model::{ConversationId, MessageId, Principal, ShareId, Timestamp};
use uuid::Uuid;

use crate::entities::{conversations, shared_files, shared_messages, shares};
use crate::{Database, StorageError, access};

use super::conversations::{find as find_conversation, visible as visible_conversations};
use super::insert;
use super::messages::newest_leaf;

/// Links of one person.
const MAX_SHARES: u64 = 1_000;

#[derive(Clone, Debug)]
pub struct NewShare {
    /// Of what opens the link.
    pub token_hash: Vec<u8>,
    pub conversation: ConversationId,
    /// Any message of the branch; the branch that the conversation shows when absent.
    pub leaf: Option<MessageId>,
    pub audience: Audience,
    pub expires_at: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct ShareChange {
    pub audience: Option<Audience>,
    /// Then, or never.
    pub expires_at: Option<Option<Timestamp>>,
    /// The picture is taken again, of the branch that the conversation shows now.
    pub retake: bool,
}

impl Database {
    /// Takes a picture of a branch as it is now, for whoever has the link.
    pub async fn create_share(
        &self,
        principal: &Principal,
        new: NewShare,
        now: Timestamp,
    ) -> Result<Share, StorageError> {
        let owner = access::person(principal)?;
        let transaction = self.begin().await?;
        let conversation = find_conversation(&transaction, principal, new.conversation).await?;
        self.check_audience(&transaction, new.audience).await?;
        let held = shares::Entity::find().filter(shares::Column::OwnerId.eq(owner.as_uuid()));
        if held.count(&transaction).await? >= MAX_SHARES {
            return Err(StorageError::Refused("there are too many links already"));
        }
        let leaf = match new.leaf {
            Some(message) => Some(newest_leaf(&transaction, new.conversation, message).await?.as_uuid()),
            None => conversation.leaf_id,
        };
        let id: Uuid = ShareId::generate(now).into();
        let row = shares::Model {
            id,
            owner_id: owner.into(),
            conversation_id: conversation.id,
            token_hash: new.token_hash,
            audience: new.audience.as_str().to_owned(),
            title: conversation.title.clone(),
            messages: 0,
            expires_at: new.expires_at.map(Timestamp::as_millis),
            created_at: now.as_millis(),
            taken_at: now.as_millis(),
        };
        insert(&transaction, row).await?;
        take(&transaction, id, &conversation, leaf, now).await?;
        let made = find(&transaction, principal, id.into()).await?;
        transaction.commit().await?;
        share(made)
    }

    /// The principal's links to conversations that are there, the newest first.
    pub async fn shares(&self, principal: &Principal) -> Result<Vec<Share>, StorageError> {
        let there = visible_conversations(principal).select_only().column(conversations::Column::Id);
        let rows = visible(principal)
            .filter(shares::Column::ConversationId.in_subquery(sea_orm::QueryTrait::into_query(there)))
            .order_by_desc(shares::Column::CreatedAt)
            .order_by_desc(shares::Column::Id)
            .limit(MAX_SHARES)
            .all(self.reader())
            .await?;
        rows.into_iter().map(share).collect()
    }

    pub async fn change_share(
        &self,
        principal: &Principal,
        id: ShareId,
        change: ShareChange,
        now: Timestamp,
    ) -> Result<Share, StorageError> {
        let transaction = self.begin().await?;
        let row = find(&transaction, principal, id).await?;
        let conversation = find_conversation(&transaction, principal, row.conversation_id.into()).await?;
        let mut update = update_one(row.id).col_expr(shares::Column::Title, Expr::value(row.title.clone()));
        if let Some(audience) = change.audience {
            self.check_audience(&transaction, audience).await?;
            update = update.col_expr(shares::Column::Audience, Expr::value(audience.as_str()));
        }
        if let Some(expires_at) = change.expires_at {
            let at = expires_at.map(Timestamp::as_millis);
            update = update.col_expr(shares::Column::ExpiresAt, Expr::value(at));
        }
        update.exec(&transaction).await?;
        if change.retake {
            take(&transaction, row.id, &conversation, conversation.leaf_id, now).await?;
        }
        let changed = find(&transaction, principal, id).await?;
        transaction.commit().await?;
        share(changed)
    }

    /// Ends a link: it opens nothing from now on.
    pub async fn delete_share(&self, principal: &Principal, id: ShareId) -> Result<(), StorageError> {
        let row = find(self.writer(), principal, id).await?;
        shares::Entity::delete_by_id(row.id).exec(self.writer()).await?;
        Ok(())
    }

    async fn check_audience(&self, on: &DatabaseTransaction, audience: Audience) -> Result<(), StorageError> {
        if audience == Audience::Everyone && !super::settings::public_links(on).await? {
            return Err(StorageError::Refused("links for everyone are switched off"));
        }
        Ok(())
    }
}

/// Copies a branch in the database, without ever having it here.
async fn take(
    on: &DatabaseTransaction,
    share: Uuid,
    conversation: &conversations::Model,
    leaf: Option<Uuid>,
    now: Timestamp,
) -> Result<(), StorageError> {
    shared_messages::Entity::delete_many().filter(shared_messages::Column::ShareId.eq(share)).exec(on).await?;
    shared_files::Entity::delete_many().filter(shared_files::Column::ShareId.eq(share)).exec(on).await?;
    let leaf = leaf.ok_or(StorageError::Refused("there is nothing to share yet"))?;
    let up = "WITH RECURSIVE up(id, parent_id, hop) AS (\
        SELECT id, parent_id, 0 FROM messages WHERE id = $1 AND conversation_id = $2 \
        UNION ALL \
        SELECT above.id, above.parent_id, up.hop + 1 FROM messages AS above JOIN up ON above.id = up.parent_id)";
    // What a model was told to be is nobody else's; neither is what went wrong.
    let said = format!(
        "INSERT INTO shared_messages (share_id, place, role, parts, model, created_at) {up} \
         SELECT shares.id, ROW_NUMBER() OVER (ORDER BY up.hop DESC) - 1, said.role, said.parts, \
         COALESCE(said.stand_in, said.model), said.created_at \
         FROM up JOIN messages AS said ON said.id = up.id JOIN shares ON shares.id = $3 \
         WHERE said.role IN ('user', 'assistant') AND said.status <> 'running' AND said.parts <> '[]'"
    );
    let shown = format!(
        "INSERT INTO shared_files (share_id, file_id) {up} \
         SELECT DISTINCT shares.id, shown.file_id \
         FROM up JOIN message_files AS shown ON shown.message_id = up.id JOIN shares ON shares.id = $3"
    );
    let mut messages = 0;
    for sql in [shown, said] {
        let values = [leaf.into(), conversation.id.into(), share.into()];
        let done = on.execute_raw(Statement::from_sql_and_values(on.get_database_backend(), sql, values)).await?;
        messages = done.rows_affected();
    }
    if messages == 0 {
        return Err(StorageError::Refused("there is nothing to share yet"));
    }
    update_one(share)
        .col_expr(shares::Column::Title, Expr::value(conversation.title.clone()))
        .col_expr(shares::Column::Messages, Expr::value(i64::try_from(messages).unwrap_or(i64::MAX)))
        .col_expr(shares::Column::TakenAt, Expr::value(now.as_millis()))
        .exec(on)
        .await?;
    Ok(())
}

fn update_one(id: Uuid) -> sea_orm::UpdateMany<shares::Entity> {
    shares::Entity::update_many().filter(shares::Column::Id.eq(id))
}

/// The links that `principal` may see.
fn visible(principal: &Principal) -> sea_orm::Select<shares::Entity> {
    shares::Entity::find().filter(access::rows(principal.shares(), shares::Column::OwnerId))
}

async fn find<C: ConnectionTrait>(
    connection: &C,
    principal: &Principal,
    id: ShareId,
) -> Result<shares::Model, StorageError> {
    visible(principal).filter(shares::Column::Id.eq(id.as_uuid())).one(connection).await?.ok_or(StorageError::NotFound)
}

fn share(row: shares::Model) -> Result<Share, StorageError> {
    let id = row.id;
    Ok(Share {
        audience: Audience::parse(&row.audience).ok_or_else(|| StorageError::inconsistent("shares", "audience", id))?,
        messages: u64::try_from(row.messages).map_err(|_| StorageError::inconsistent("shares", "messages", id))?,
        id: id.into(),
        conversation_id: row.conversation_id.into(),
        title: row.title,
        expires_at: row.expires_at.map(Timestamp::from_millis),
        created_at: Timestamp::from_millis(row.created_at),
        taken_at: Timestamp::from_millis(row.taken_at),
    })
}
