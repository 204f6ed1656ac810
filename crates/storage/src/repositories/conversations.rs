//! Conversations: the list with its cursor, and what can be changed about one.

use std::collections::HashSet;

use sea_orm::sea_query::{Condition, Expr, ExprTrait, LikeExpr};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait as _, UpdateMany,
};
use stoa_model::assistant::AssistantProfile;
use stoa_model::completion::Parameters;
use stoa_model::conversation::{Conversation, MessageStatus, ThreadOf};
use stoa_model::project::ProjectProfile;
use stoa_model::{AssistantId, ConversationId, MessageId, Principal, ProjectId, Timestamp};
use uuid::Uuid;

use crate::entities::{conversation_tags, conversations, generations};
use crate::{Cursor, Database, Notice, Page, StorageError, access};

use super::bulk::{set_tags, tags_of};
use super::messages::find_message;
use super::threads;
use super::{from_json, insert, to_json};

#[derive(Clone, Debug, Default)]
pub struct ConversationFilter {
    /// Words of the title, in any case.
    pub search: Option<String>,
    pub pinned: Option<bool>,
    /// Those with this assistant.
    pub assistant: Option<AssistantId>,
    /// Those in this project.
    pub project: Option<ProjectId>,
    pub tag: Option<String>,
    /// The archived ones, in the place of the others.
    pub archived: bool,
}

/// What a conversation begins with.
#[derive(Clone, Debug, Default)]
pub struct NewConversation {
    pub title: Option<String>,
    /// Its model and parameters become the conversation's.
    pub assistant: Option<AssistantId>,
    /// The model of the project is taken where the assistant has none.
    pub project: Option<ProjectId>,
    /// When it goes for good. It is in no list and found by no search then.
    pub expires_at: Option<Timestamp>,
}

#[derive(Clone, Debug, Default)]
pub struct ConversationChange {
    pub title: Option<String>,
    pub pinned: Option<bool>,
    pub archived: Option<bool>,
    /// Into this project, or out of the one it is in.
    pub project: Option<Option<ProjectId>>,
    /// It goes on without its assistant.
    pub without_assistant: bool,
    /// In the place of those that it has.
    pub tags: Option<Vec<String>>,
    pub model: Option<String>,
    pub parameters: Option<Parameters>,
    pub role: Option<String>,
    /// Any message; the newest end below it becomes the leaf.
    pub leaf: Option<MessageId>,
    pub auto_summary: Option<bool>,
    /// A temporary one becomes one like all others.
    pub keep: bool,
}

impl Database {
    pub async fn create_conversation(
        &self,
        principal: &Principal,
        new: NewConversation,
        now: Timestamp,
    ) -> Result<Conversation, StorageError> {
        let owner = access::person(principal)?;
        let titled = new.title.is_some();
        let title = new.title.unwrap_or_default();
        let profile = match new.assistant {
            Some(id) => self.beginning(principal, id).await?,
            None => AssistantProfile::default(),
        };
        let project = match new.project {
            Some(id) => self.project(principal, id).await?.profile,
            None => ProjectProfile::default(),
        };
        let row = conversations::Model {
            id: ConversationId::generate(now).into(),
            owner_id: owner.into(),
            title_folded: fold_title(&title),
            title,
            titled,
            pinned: false,
            assistant_id: new.assistant.map(Into::into),
            project_id: new.project.map(Into::into),
            archived_at: None,
            model: profile.model.or(project.model),
            parameters: to_json("conversations", "parameters", &profile.parameters)?,
            role: String::new(),
            leaf_id: None,
            answered_at: 0,
            read_at: 0,
            created_at: now.as_millis(),
            updated_at: now.as_millis(),
            deleted_at: None,
            expires_at: new.expires_at.map(Timestamp::as_millis),
            auto_summary: true,
            summarised_at: None,
            thread_of: None,
            source_message_id: None,
            with_context: false,
        };
        let transaction = self.begin().await?;
        insert(&transaction, row.clone()).await?;
        if titled {
            self.index_title(&transaction, row.id.into()).await?;
        }
        transaction.commit().await?;
        let conversation = conversation(row, false, Vec::new())?;
        self.notices().publish(Notice::Conversation { user: owner, conversation: conversation.id }).await;
        Ok(conversation)
    }

    /// A page of conversations, the latest used first. Threads are in no list but their conversation's.
    pub async fn conversations(
        &self,
        principal: &Principal,
        filter: &ConversationFilter,
        after: Option<Cursor>,
        limit: u64,
    ) -> Result<Page<Conversation>, StorageError> {
        let mut query = visible(principal)
            .filter(conversations::Column::ExpiresAt.is_null())
            .filter(conversations::Column::ThreadOf.is_null());
        if let Some(pinned) = filter.pinned {
            query = query.filter(conversations::Column::Pinned.eq(pinned));
        }
        if let Some(assistant) = filter.assistant {
            query = query.filter(conversations::Column::AssistantId.eq(assistant.as_uuid()));
        }
        if let Some(project) = filter.project {
            query = query.filter(conversations::Column::ProjectId.eq(project.as_uuid()));
        }
        query = query.filter(if filter.archived {
            conversations::Column::ArchivedAt.is_not_null()
        } else {
            conversations::Column::ArchivedAt.is_null()
        });
        if let Some(tag) = &filter.tag {
            let tagged = conversation_tags::Entity::find()
                .select_only()
                .column(conversation_tags::Column::ConversationId)
                .filter(conversation_tags::Column::Tag.eq(tag));
            query = query.filter(conversations::Column::Id.in_subquery(tagged.into_query()));
        }
        for word in filter.search.iter().flat_map(|search| search.split_whitespace()) {
            let pattern = format!("%{}%", escape_like(&fold_title(word)));
            query = query.filter(conversations::Column::TitleFolded.like(LikeExpr::new(pattern).escape('\\')));
        }
        if let Some(after) = after {
            query = query.filter(before(after));
        }
        let mut rows = query
            .order_by_desc(conversations::Column::UpdatedAt)
            .order_by_desc(conversations::Column::Id)
            .limit(limit + 1)
            .all(self.reader())
            .await?;
        let more = u64::try_from(rows.len()).unwrap_or(u64::MAX) > limit;
        if more {
            rows.pop();
        }
        let next =
            rows.last().filter(|_| more).map(|row| Cursor { at: Timestamp::from_millis(row.updated_at), id: row.id });
        let generating = generating(self.reader(), rows.iter().map(|row| row.id)).await?;
        let mut tags = tags_of(self.reader(), rows.iter().map(|row| row.id)).await?;
        let items = rows
            .into_iter()
            .map(|row| {
                let writes = generating.contains(&row.id);
                let tags = tags.remove(&row.id).unwrap_or_default();
                conversation(row, writes, tags)
            })
            .collect::<Result<_, _>>()?;
        Ok(Page { items, next })
    }

    pub async fn conversation(&self, principal: &Principal, id: ConversationId) -> Result<Conversation, StorageError> {
        self.conversation_on(self.reader(), principal, id).await
    }

    pub async fn change_conversation(
        &self,
        principal: &Principal,
        id: ConversationId,
        change: ConversationChange,
        now: Timestamp,
    ) -> Result<Conversation, StorageError> {
        let transaction = self.begin().await?;
        let before = find(&transaction, principal, id).await?;
        // A change of settings is no use of the conversation, so `updated_at` stays. A visible one has no `deleted_at`;
        // writing that again keeps an empty change from being an empty statement.
        let mut update = update_one(id).col_expr(conversations::Column::DeletedAt, Expr::value(None::<i64>));
        let titled = change.title.is_some();
        if let Some(title) = change.title {
            update = set_title(update, &title).col_expr(conversations::Column::Titled, Expr::value(true));
        }
        if let Some(pinned) = change.pinned {
            update = update.col_expr(conversations::Column::Pinned, Expr::value(pinned));
        }
        if let Some(archived) = change.archived {
            let at = archived.then_some(now.as_millis());
            update = update.col_expr(conversations::Column::ArchivedAt, Expr::value(at));
        }
        if let Some(project) = change.project {
            if let Some(project) = project {
                super::projects::find(&transaction, principal, project).await?;
            }
            let project = project.map(ProjectId::as_uuid);
            update = update.col_expr(conversations::Column::ProjectId, Expr::value(project));
        }
        if change.without_assistant {
            update = update.col_expr(conversations::Column::AssistantId, Expr::value(None::<Uuid>));
        }
        if let Some(tags) = &change.tags {
            set_tags(&transaction, id.into(), tags).await?;
        }
        if let Some(model) = change.model {
            update = update.col_expr(conversations::Column::Model, Expr::value(model));
        }
        if let Some(parameters) = change.parameters {
            let parameters = to_json("conversations", "parameters", &parameters)?;
            update = update.col_expr(conversations::Column::Parameters, Expr::value(parameters));
        }
        if let Some(role) = change.role {
            update = update.col_expr(conversations::Column::Role, Expr::value(role));
        }
        if let Some(message) = change.leaf {
            let leaf = super::messages::newest_leaf(&transaction, id, message).await?;
            update = update.col_expr(conversations::Column::LeafId, Expr::value(leaf.as_uuid()));
        }
        if let Some(auto_summary) = change.auto_summary {
            update = update.col_expr(conversations::Column::AutoSummary, Expr::value(auto_summary));
        }
        if change.keep {
            update = update.col_expr(conversations::Column::ExpiresAt, Expr::value(None::<i64>));
        }
        update.exec(&transaction).await?;
        if let Some(project) = change.project {
            threads::move_along(&transaction, &[id.into()], project).await?;
        }
        if change.keep {
            self.index_conversation(&transaction, id).await?;
            for thread in threads::keep_along(&transaction, id).await? {
                self.index_conversation(&transaction, thread).await?;
            }
        } else if titled {
            self.index_title(&transaction, id).await?;
        }
        let after = self.conversation_on(&transaction, principal, id).await?;
        transaction.commit().await?;
        self.notices().publish(Notice::Conversation { user: before.owner_id.into(), conversation: id }).await;
        Ok(after)
    }

    /// Gives a title made by a model, unless somebody has given one meanwhile. True when it was taken.
    pub async fn suggest_title(
        &self,
        principal: &Principal,
        id: ConversationId,
        title: &str,
    ) -> Result<bool, StorageError> {
        let transaction = self.begin().await?;
        let row = find(&transaction, principal, id).await?;
        let done =
            set_title(update_one(id), title).filter(conversations::Column::Titled.eq(false)).exec(&transaction).await?;
        self.index_title(&transaction, id).await?;
        transaction.commit().await?;
        self.notices().publish(Notice::Conversation { user: row.owner_id.into(), conversation: id }).await;
        Ok(done.rows_affected == 1)
    }

    pub async fn mark_read(
        &self,
        principal: &Principal,
        id: ConversationId,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        let row = find(self.reader(), principal, id).await?;
        if row.answered_at <= row.read_at {
            return Ok(());
        }
        let at = Expr::value(Ord::max(now.as_millis(), row.answered_at));
        update_one(id).col_expr(conversations::Column::ReadAt, at).exec(self.writer()).await?;
        self.notices().publish(Notice::Conversation { user: row.owner_id.into(), conversation: id }).await;
        Ok(())
    }

    /// Hides a conversation with its threads; it can be restored until it is purged. A temporary one goes for good at once.
    pub async fn delete_conversation(
        &self,
        principal: &Principal,
        id: ConversationId,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        let row = find(self.writer(), principal, id).await?;
        if row.expires_at.is_some() {
            conversations::Entity::delete_by_id(row.id).exec(self.writer()).await?;
            self.notices().publish(Notice::Conversation { user: row.owner_id.into(), conversation: id }).await;
            return Ok(());
        }
        let transaction = self.begin().await?;
        super::removals::lock(&transaction, row.id).await?;
        update_one(id)
            .col_expr(conversations::Column::DeletedAt, Expr::value(Some(now.as_millis())))
            .exec(&transaction)
            .await?;
        threads::delete_along(&transaction, &[row.id], now).await?;
        transaction.commit().await?;
        self.notices().publish(Notice::Conversation { user: row.owner_id.into(), conversation: id }).await;
        Ok(())
    }

    /// Brings a conversation back, with the threads that went with it. A thread comes back only where it began.
    pub async fn restore_conversation(
        &self,
        principal: &Principal,
        id: ConversationId,
    ) -> Result<Conversation, StorageError> {
        let transaction = self.begin().await?;
        let row = conversations::Entity::find_by_id(id.as_uuid())
            .filter(access::rows(principal.conversations(), conversations::Column::OwnerId))
            .one(&transaction)
            .await?
            .ok_or(StorageError::NotFound)?;
        if let Some(source) = row.source_message_id {
            find_message(&transaction, principal, source.into()).await?;
        }
        threads::restore_along(&transaction, &[row.id]).await?;
        update_one(id).col_expr(conversations::Column::DeletedAt, Expr::value(None::<i64>)).exec(&transaction).await?;
        let restored = self.conversation_on(&transaction, principal, id).await?;
        transaction.commit().await?;
        self.notices().publish(Notice::Conversation { user: row.owner_id.into(), conversation: id }).await;
        Ok(restored)
    }

    /// Removes for good a few conversations that were deleted before `deleted_before`.
    pub async fn purge_conversations(&self, deleted_before: Timestamp, at_most: u64) -> Result<u64, StorageError> {
        let ids: Vec<Uuid> = conversations::Entity::find()
            .select_only()
            .column(conversations::Column::Id)
            .filter(conversations::Column::DeletedAt.lt(deleted_before.as_millis()))
            .limit(at_most)
            .into_tuple()
            .all(self.reader())
            .await?;
        if ids.is_empty() {
            return Ok(0);
        }
        let purged = conversations::Entity::delete_many()
            .filter(conversations::Column::Id.is_in(ids))
            .exec(self.writer())
            .await?;
        Ok(purged.rows_affected)
    }

    /// Removes for good a few temporary conversations whose time is over, and tells whether there may be more.
    pub async fn purge_temporary(&self, now: Timestamp, at_most: u64) -> Result<bool, StorageError> {
        let over: Vec<(Uuid, Uuid)> = conversations::Entity::find()
            .select_only()
            .columns([conversations::Column::Id, conversations::Column::OwnerId])
            .filter(conversations::Column::ExpiresAt.lte(now.as_millis()))
            .limit(at_most)
            .into_tuple()
            .all(self.reader())
            .await?;
        let ids: Vec<Uuid> = over.iter().map(|(id, _)| *id).collect();
        if ids.is_empty() {
            return Ok(false);
        }
        conversations::Entity::delete_many()
            .filter(conversations::Column::Id.is_in(ids))
            // One that is kept at this moment stays.
            .filter(conversations::Column::ExpiresAt.lte(now.as_millis()))
            .exec(self.writer())
            .await?;
        for (id, owner) in &over {
            self.notices().publish(Notice::Conversation { user: (*owner).into(), conversation: (*id).into() }).await;
        }
        Ok(u64::try_from(over.len()).unwrap_or(u64::MAX) == at_most)
    }

    async fn conversation_on<C: ConnectionTrait>(
        &self,
        connection: &C,
        principal: &Principal,
        id: ConversationId,
    ) -> Result<Conversation, StorageError> {
        let row = find(connection, principal, id).await?;
        let generating = generating(connection, [row.id]).await?;
        let writes = generating.contains(&row.id);
        let tags = tags_of(connection, [row.id]).await?.remove(&row.id).unwrap_or_default();
        let mut conversation = conversation(row, writes, tags)?;
        threads::count(connection, std::slice::from_mut(&mut conversation)).await?;
        Ok(conversation)
    }
}

/// The conversations that `principal` may see and that are not deleted.
pub(super) fn visible(principal: &Principal) -> sea_orm::Select<conversations::Entity> {
    conversations::Entity::find()
        .filter(access::rows(principal.conversations(), conversations::Column::OwnerId))
        .filter(conversations::Column::DeletedAt.is_null())
}

pub(super) async fn find<C: ConnectionTrait>(
    connection: &C,
    principal: &Principal,
    id: ConversationId,
) -> Result<conversations::Model, StorageError> {
    visible(principal)
        .filter(conversations::Column::Id.eq(id.as_uuid()))
        .one(connection)
        .await?
        .ok_or(StorageError::NotFound)
}

pub(super) fn update_one(id: ConversationId) -> UpdateMany<conversations::Entity> {
    conversations::Entity::update_many().filter(conversations::Column::Id.eq(id.as_uuid()))
}

pub(super) fn set_title(update: UpdateMany<conversations::Entity>, title: &str) -> UpdateMany<conversations::Entity> {
    update
        .col_expr(conversations::Column::Title, Expr::value(title))
        .col_expr(conversations::Column::TitleFolded, Expr::value(fold_title(title)))
}

/// Rows after `cursor` in the order newest first.
fn before(cursor: Cursor) -> Condition {
    let at = cursor.at.as_millis();
    Condition::any().add(conversations::Column::UpdatedAt.lt(at)).add(
        Condition::all()
            .add(conversations::Column::UpdatedAt.eq(at))
            .add(Expr::col(conversations::Column::Id).lt(cursor.id)),
    )
}

/// Which of these conversations have an answer being written.
pub(super) async fn generating<C: ConnectionTrait>(
    connection: &C,
    ids: impl IntoIterator<Item = Uuid>,
) -> Result<HashSet<Uuid>, StorageError> {
    let ids: Vec<Uuid> = ids.into_iter().collect();
    if ids.is_empty() {
        return Ok(HashSet::new());
    }
    let running: Vec<Uuid> = generations::Entity::find()
        .select_only()
        .column(generations::Column::ConversationId)
        .filter(generations::Column::ConversationId.is_in(ids))
        .filter(generations::Column::State.eq(MessageStatus::Running.as_str()))
        .into_tuple()
        .all(connection)
        .await?;
    Ok(running.into_iter().collect())
}

pub(super) fn fold_title(title: &str) -> String {
    title.to_lowercase()
}

fn escape_like(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}

/// The messages of a thread are still to be counted: [`threads::count`].
pub(super) fn conversation(
    row: conversations::Model,
    generating: bool,
    tags: Vec<String>,
) -> Result<Conversation, StorageError> {
    let thread = row.thread_of.zip(row.source_message_id).map(|(conversation, message)| ThreadOf {
        conversation_id: conversation.into(),
        message_id: message.into(),
        with_context: row.with_context,
        messages: 0,
    });
    Ok(Conversation {
        thread,
        parameters: from_json("conversations", "parameters", row.id, &row.parameters)?,
        id: row.id.into(),
        title: row.title,
        pinned: row.pinned,
        assistant_id: row.assistant_id.map(Into::into),
        project_id: row.project_id.map(Into::into),
        archived: row.archived_at.is_some(),
        tags,
        model: row.model,
        role: row.role,
        leaf_id: row.leaf_id.map(Into::into),
        generating,
        unread: row.answered_at > row.read_at,
        temporary_until: row.expires_at.map(Timestamp::from_millis),
        auto_summary: row.auto_summary,
        summarised_at: row.summarised_at.map(Timestamp::from_millis),
        created_at: Timestamp::from_millis(row.created_at),
        updated_at: Timestamp::from_millis(row.updated_at),
    })
}
