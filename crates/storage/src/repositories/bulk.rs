//! Many conversations at once: archived, moved, tagged, deleted and brought back in one transaction. And their tags.

use std::collections::{BTreeSet, HashMap};

use sea_orm::sea_query::{Expr, ExprTrait as _, OnConflict};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect,
};
use stoa_model::conversation::{MAX_TAGS, TagCount};
use stoa_model::{ConversationId, Principal, ProjectId, Timestamp};
use uuid::Uuid;

use crate::entities::{conversation_tags, conversations};
use crate::{Database, Notice, StorageError, access};

use super::{projects, threads};

/// Conversations of one request.
pub const MAX_AT_ONCE: usize = 200;
/// Tags of one person that are listed.
const MAX_LISTED: u64 = 1_000;

/// What is done with each of them; what is absent stays as it is.
#[derive(Clone, Debug, Default)]
pub struct BulkChange {
    pub archived: Option<bool>,
    /// Into this project, or out of the one they are in.
    pub project: Option<Option<ProjectId>>,
    pub add_tags: Vec<String>,
    pub remove_tags: Vec<String>,
    /// Deleted, or brought back.
    pub deleted: Option<bool>,
}

impl Database {
    /// Changes all of these, or none when one of them or the project is not the principal's to see.
    pub async fn change_conversations(
        &self,
        principal: &Principal,
        ids: &[ConversationId],
        change: &BulkChange,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        let user = access::person(principal)?;
        let ids: BTreeSet<Uuid> = ids.iter().map(|id| id.as_uuid()).collect();
        let transaction = self.begin().await?;
        let mut seen = conversations::Entity::find()
            .select_only()
            .column(conversations::Column::Id)
            .filter(access::rows(principal.conversations(), conversations::Column::OwnerId))
            // Threads go where their conversation goes.
            .filter(conversations::Column::ThreadOf.is_null())
            .filter(conversations::Column::Id.is_in(ids.iter().copied()));
        // Only what is brought back may be deleted.
        if change.deleted != Some(false) {
            seen = seen.filter(conversations::Column::DeletedAt.is_null());
        }
        let seen: Vec<Uuid> = seen.into_tuple().all(&transaction).await?;
        if seen.len() != ids.len() {
            return Err(StorageError::NotFound);
        }
        if let Some(Some(project)) = change.project {
            projects::find(&transaction, principal, project).await?;
        }
        let all: Vec<Uuid> = ids.iter().copied().collect();
        match change.deleted {
            Some(true) => threads::delete_along(&transaction, &all, now).await?,
            Some(false) => threads::restore_along(&transaction, &all).await?,
            None => {}
        }
        if let Some(project) = change.project {
            threads::move_along(&transaction, &all, project).await?;
        }
        let moment = |on: bool| Expr::value(on.then_some(now.as_millis()));
        let columns = [
            change.archived.map(|on| (conversations::Column::ArchivedAt, moment(on))),
            change.deleted.map(|on| (conversations::Column::DeletedAt, moment(on))),
            change.project.map(|to| (conversations::Column::ProjectId, Expr::value(to.map(ProjectId::as_uuid)))),
        ];
        let columns: Vec<_> = columns.into_iter().flatten().collect();
        if !columns.is_empty() {
            let mut update =
                conversations::Entity::update_many().filter(conversations::Column::Id.is_in(ids.iter().copied()));
            for (column, value) in columns {
                update = update.col_expr(column, value);
            }
            update.exec(&transaction).await?;
        }
        if !change.remove_tags.is_empty() {
            conversation_tags::Entity::delete_many()
                .filter(conversation_tags::Column::ConversationId.is_in(ids.iter().copied()))
                .filter(conversation_tags::Column::Tag.is_in(change.remove_tags.iter()))
                .exec(&transaction)
                .await?;
        }
        add_tags(&transaction, &ids, &change.add_tags).await?;
        transaction.commit().await?;
        for id in ids {
            self.notices().publish(Notice::Conversation { user, conversation: id.into() }).await;
        }
        Ok(())
    }

    /// The tags of the principal's conversations, and how many have each.
    pub async fn tags(&self, principal: &Principal) -> Result<Vec<TagCount>, StorageError> {
        let own = conversations::Entity::find()
            .select_only()
            .column(conversations::Column::Id)
            .filter(access::rows(principal.conversations(), conversations::Column::OwnerId))
            .filter(conversations::Column::DeletedAt.is_null());
        let rows: Vec<(String, i64)> = conversation_tags::Entity::find()
            .select_only()
            .column(conversation_tags::Column::Tag)
            .column_as(conversation_tags::Column::ConversationId.count(), "conversations")
            .filter(
                Expr::col(conversation_tags::Column::ConversationId).in_subquery(sea_orm::QueryTrait::into_query(own)),
            )
            .group_by(conversation_tags::Column::Tag)
            .order_by_asc(conversation_tags::Column::Tag)
            .limit(MAX_LISTED)
            .into_tuple()
            .all(self.reader())
            .await?;
        let count = |(tag, count): (String, i64)| TagCount { tag, conversations: u64::try_from(count).unwrap_or(0) };
        Ok(rows.into_iter().map(count).collect())
    }
}

/// Gives these conversations these tags, each once.
async fn add_tags(on: &DatabaseTransaction, ids: &BTreeSet<Uuid>, tags: &[String]) -> Result<(), StorageError> {
    if tags.is_empty() {
        return Ok(());
    }
    let rows = ids.iter().flat_map(|id| {
        tags.iter().map(|tag| conversation_tags::ActiveModel { conversation_id: Set(*id), tag: Set(tag.clone()) })
    });
    let twice = OnConflict::columns([conversation_tags::Column::ConversationId, conversation_tags::Column::Tag])
        .do_nothing()
        .to_owned();
    conversation_tags::Entity::insert_many(rows).on_conflict(twice).exec_without_returning(on).await?;
    let held = tags_of(on, ids.iter().copied()).await?;
    if held.values().any(|tags| tags.len() > MAX_TAGS) {
        return Err(StorageError::Refused("a conversation has at most 10 tags"));
    }
    Ok(())
}

/// Puts these tags in the place of those that a conversation has.
pub(super) async fn set_tags(on: &DatabaseTransaction, id: Uuid, tags: &[String]) -> Result<(), StorageError> {
    conversation_tags::Entity::delete_many().filter(conversation_tags::Column::ConversationId.eq(id)).exec(on).await?;
    add_tags(on, &BTreeSet::from([id]), tags).await
}

/// The tags of each of these conversations, in alphabetical order.
pub(super) async fn tags_of<C: ConnectionTrait>(
    connection: &C,
    ids: impl IntoIterator<Item = Uuid>,
) -> Result<HashMap<Uuid, Vec<String>>, StorageError> {
    let ids: Vec<Uuid> = ids.into_iter().collect();
    let mut tags: HashMap<Uuid, Vec<String>> = HashMap::new();
    if ids.is_empty() {
        return Ok(tags);
    }
    let rows = conversation_tags::Entity::find()
        .filter(conversation_tags::Column::ConversationId.is_in(ids))
        .order_by_asc(conversation_tags::Column::Tag)
        .all(connection)
        .await?;
    for row in rows {
        tags.entry(row.conversation_id).or_default().push(row.tag);
    }
    Ok(tags)
}
