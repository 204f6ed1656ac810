//! Imports: rows with ids that follow from whence they come, so that whatever is imported again is there already.

use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, PaginatorTrait as _, QueryFilter, QueryOrder,
    QuerySelect, Statement,
};
use stoa_model::completion::Parameters;
use stoa_model::project::ProjectProfile;
use stoa_model::prompt::PromptProfile;
use stoa_model::{
    AssistantFolderId, AssistantId, ConversationId, FileId, MessageId, Principal, ProjectId, PromptId, Timestamp,
};
use uuid::Uuid;

use crate::entities::assistant_folders::Column as FolderColumn;
use crate::entities::{assistants, conversations, files, generations, messages, projects, prompts};
use crate::{Database, MAX_ASSISTANTS, MAX_PROJECTS, MAX_PROMPTS, Notice, StorageError, access};

use super::assistants::{NewAssistant, hold};
use super::bulk::set_tags;
use super::conversations::{find, fold_title, set_title, update_one};
use super::{assistant_folders, insert, threads, to_json};

/// What became of something imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Brought {
    /// It is new here.
    Made,
    /// It was imported before.
    Known,
    /// It never left: this is the account that it was exported from.
    Own,
}

/// Where an imported thread begins: the first of these that is there.
#[derive(Clone, Debug)]
pub struct ImportedThread {
    pub conversation: Vec<ConversationId>,
    pub message: Vec<MessageId>,
    pub with_context: bool,
}

#[derive(Clone, Debug)]
pub struct ImportedAssistant {
    pub id: AssistantId,
    /// The id that it has if this is the account that it was exported from.
    pub original: Option<AssistantId>,
    /// The first of these that is there.
    pub folder: Vec<AssistantFolderId>,
    pub pinned: bool,
    pub created_at: Timestamp,
}

#[derive(Clone, Debug)]
pub struct ImportedConversation {
    pub id: ConversationId,
    /// The id that it has if this is the account that it was exported from.
    pub original: Option<ConversationId>,
    pub title: String,
    pub pinned: bool,
    pub archived: bool,
    /// The first of these that is there.
    pub project: Vec<ProjectId>,
    /// The first of these that is there. The last may still come; [`Database::end_import`] looks whether it did.
    pub assistant: Vec<AssistantId>,
    /// Without the message that it begins at it is a conversation like all others.
    pub thread: Option<ImportedThread>,
    pub tags: Vec<String>,
    pub model: Option<String>,
    pub parameters: Parameters,
    pub role: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// How an imported conversation is put in order when all of it is there.
#[derive(Clone, Copy, Debug, Default)]
pub struct ImportEnd {
    /// The end of the branch that is shown; the newest message's when absent.
    pub leaf: Option<MessageId>,
    /// Its messages follow one another by their times.
    pub chain: bool,
}

impl Database {
    pub async fn import_project(
        &self,
        principal: &Principal,
        (id, original): (ProjectId, Option<ProjectId>),
        profile: &ProjectProfile,
        (created_at, updated_at): (Timestamp, Timestamp),
    ) -> Result<Brought, StorageError> {
        let owner = access::person(principal)?;
        let transaction = self.begin().await?;
        let own = || projects::Entity::find().filter(projects::Column::OwnerId.eq(owner.as_uuid()));
        let candidates = original.into_iter().chain([id]).map(ProjectId::as_uuid);
        let there = own().filter(projects::Column::Id.is_in(candidates)).all(&transaction).await?;
        if let Some(row) = there.first() {
            return Ok(if row.id == id.as_uuid() { Brought::Known } else { Brought::Own });
        }
        if own().count(&transaction).await? >= MAX_PROJECTS {
            return Err(StorageError::Refused("there are too many projects already"));
        }
        let row = projects::Model {
            id: id.into(),
            owner_id: owner.into(),
            profile: to_json("projects", "profile", profile)?,
            created_at: created_at.as_millis(),
            updated_at: updated_at.as_millis(),
        };
        insert(&transaction, row).await?;
        transaction.commit().await?;
        Ok(Brought::Made)
    }

    pub async fn import_prompt(
        &self,
        principal: &Principal,
        (id, original): (PromptId, Option<PromptId>),
        profile: &PromptProfile,
        (created_at, updated_at): (Timestamp, Timestamp),
    ) -> Result<Brought, StorageError> {
        let owner = access::person(principal)?;
        let transaction = self.begin().await?;
        let own = || prompts::Entity::find().filter(prompts::Column::OwnerId.eq(owner.as_uuid()));
        let candidates = original.into_iter().chain([id]).map(PromptId::as_uuid);
        let there = own().filter(prompts::Column::Id.is_in(candidates)).all(&transaction).await?;
        if let Some(row) = there.first() {
            return Ok(if row.id == id.as_uuid() { Brought::Known } else { Brought::Own });
        }
        if own().count(&transaction).await? >= MAX_PROMPTS {
            return Err(StorageError::Refused("there are too many prompts already"));
        }
        let row = prompts::Model {
            id: id.into(),
            owner_id: owner.into(),
            profile: to_json("prompts", "profile", profile)?,
            created_at: created_at.as_millis(),
            updated_at: updated_at.as_millis(),
        };
        insert(&transaction, row).await?;
        transaction.commit().await?;
        Ok(Brought::Made)
    }

    /// Makes a folder of assistants, after those that are there. `name` is checked already.
    pub async fn import_assistant_folder(
        &self,
        principal: &Principal,
        (id, original): (AssistantFolderId, Option<AssistantFolderId>),
        name: String,
        collapsed: bool,
    ) -> Result<Brought, StorageError> {
        let transaction = self.begin().await?;
        let candidates = original.into_iter().chain([id]).map(AssistantFolderId::as_uuid);
        let there =
            assistant_folders::visible(principal).filter(FolderColumn::Id.is_in(candidates)).all(&transaction).await?;
        if let Some(row) = there.first() {
            return Ok(if row.id == id.as_uuid() { Brought::Known } else { Brought::Own });
        }
        assistant_folders::add(&transaction, principal, id, name, collapsed).await?;
        transaction.commit().await?;
        Ok(Brought::Made)
    }

    /// Makes an assistant, after those that are there.
    pub async fn import_assistant(
        &self,
        principal: &Principal,
        assistant: ImportedAssistant,
        new: NewAssistant,
        now: Timestamp,
    ) -> Result<Brought, StorageError> {
        let ImportedAssistant { id, original, folder, pinned, created_at } = assistant;
        let owner = access::person(principal)?;
        let transaction = self.begin().await?;
        let own = || assistants::Entity::find().filter(assistants::Column::OwnerId.eq(owner.as_uuid()));
        let candidates = original.into_iter().chain([id]).map(AssistantId::as_uuid);
        let there = own().filter(assistants::Column::Id.is_in(candidates)).all(&transaction).await?;
        if let Some(row) = there.first() {
            // Brought back, if it was deleted since.
            assistants::Entity::update_many()
                .col_expr(assistants::Column::DeletedAt, Expr::value(None::<i64>))
                .filter(assistants::Column::Id.eq(row.id))
                .exec(&transaction)
                .await?;
            transaction.commit().await?;
            return Ok(if row.id == id.as_uuid() { Brought::Known } else { Brought::Own });
        }
        if own().filter(assistants::Column::DeletedAt.is_null()).count(&transaction).await? >= MAX_ASSISTANTS {
            return Err(StorageError::Refused("there are too many assistants already"));
        }
        hold(&transaction, new.picture.as_deref(), now).await?;
        let last: Option<i64> = own()
            .select_only()
            .column_as(assistants::Column::Place.max(), "last")
            .into_tuple::<Option<i64>>()
            .one(&transaction)
            .await?
            .flatten();
        let row = assistants::Model {
            id: id.into(),
            owner_id: owner.into(),
            profile: to_json("assistants", "profile", &new.profile)?,
            picture: new.picture,
            pinned,
            place: last.map_or(0, |last| last.saturating_add(1)),
            created_at: created_at.as_millis(),
            updated_at: created_at.as_millis(),
            deleted_at: None,
        };
        insert(&transaction, row).await?;
        if let Some(folder) = first_folder(&transaction, principal, &folder).await? {
            assistant_folders::put(&transaction, owner, id, folder).await?;
        }
        transaction.commit().await?;
        Ok(Brought::Made)
    }

    /// The file of the principal's that an imported one is already.
    pub async fn imported_file(
        &self,
        principal: &Principal,
        id: FileId,
        original: Option<FileId>,
    ) -> Result<Option<FileId>, StorageError> {
        let candidates = original.into_iter().chain([id]).map(FileId::as_uuid);
        let there: Option<Uuid> = files::Entity::find()
            .select_only()
            .column(files::Column::Id)
            .filter(access::rows(principal.files(), files::Column::OwnerId))
            .filter(files::Column::Id.is_in(candidates))
            .into_tuple()
            .one(self.reader())
            .await?;
        Ok(there.map(Into::into))
    }

    /// Makes a conversation without messages. One that is in the trash comes back.
    pub async fn import_conversation(
        &self,
        principal: &Principal,
        new: ImportedConversation,
    ) -> Result<Brought, StorageError> {
        let owner = access::person(principal)?;
        let transaction = self.begin().await?;
        let candidates = new.original.into_iter().chain([new.id]).map(ConversationId::as_uuid);
        let there = conversations::Entity::find()
            .filter(conversations::Column::OwnerId.eq(owner.as_uuid()))
            .filter(conversations::Column::Id.is_in(candidates))
            .one(&transaction)
            .await?;
        if let Some(row) = there {
            let mut update =
                update_one(row.id.into()).col_expr(conversations::Column::DeletedAt, Expr::value(None::<i64>));
            let named = row.title.is_empty() && !new.title.is_empty();
            if named {
                update = set_title(update, &new.title)
                    .col_expr(conversations::Column::Titled, Expr::value(true))
                    .col_expr(conversations::Column::Pinned, Expr::value(new.pinned))
                    .col_expr(conversations::Column::CreatedAt, Expr::value(new.created_at.as_millis()));
            }
            update.exec(&transaction).await?;
            if named {
                self.index(&transaction, &[row.id], &[]).await?;
            }
            transaction.commit().await?;
            return Ok(if row.id == new.id.as_uuid() { Brought::Known } else { Brought::Own });
        }
        let project = first_project(&transaction, owner.into(), &new.project).await?;
        let assistant = first_assistant(&transaction, principal, &new.assistant).await?;
        let thread = match &new.thread {
            Some(thread) => threads::place(&transaction, owner.into(), thread).await?,
            None => None,
        };
        let row = conversations::Model {
            id: new.id.into(),
            owner_id: owner.into(),
            title_folded: fold_title(&new.title),
            titled: !new.title.is_empty(),
            title: new.title,
            pinned: new.pinned,
            assistant_id: assistant,
            project_id: project,
            archived_at: new.archived.then_some(new.updated_at.as_millis()),
            model: new.model,
            parameters: to_json("conversations", "parameters", &new.parameters)?,
            role: new.role,
            leaf_id: None,
            answered_at: 0,
            read_at: 0,
            created_at: new.created_at.as_millis(),
            updated_at: new.updated_at.as_millis(),
            deleted_at: None,
            expires_at: None,
            auto_summary: true,
            summarised_at: None,
            thread_of: thread.map(|(conversation, _)| conversation),
            source_message_id: thread.map(|(_, message)| message),
            with_context: thread.is_some() && new.thread.is_some_and(|thread| thread.with_context),
        };
        let (id, titled) = (row.id, row.titled);
        insert(&transaction, row).await?;
        set_tags(&transaction, id, &new.tags).await?;
        if titled {
            self.index(&transaction, &[id], &[]).await?;
        }
        transaction.commit().await?;
        Ok(Brought::Made)
    }

    /// Puts an imported conversation in order. False when it came without any message and is gone again.
    pub async fn end_import(
        &self,
        principal: &Principal,
        id: ConversationId,
        end: ImportEnd,
    ) -> Result<bool, StorageError> {
        let transaction = self.begin().await?;
        let row = find(&transaction, principal, id).await?;
        let newest = messages::Entity::find()
            .filter(messages::Column::ConversationId.eq(row.id))
            .filter(messages::Column::RemovedAt.is_null())
            .order_by_desc(messages::Column::CreatedAt)
            .order_by_desc(messages::Column::Id)
            .select_only()
            .columns([messages::Column::Id, messages::Column::CreatedAt])
            .into_tuple::<(Uuid, i64)>()
            .one(&transaction)
            .await?;
        let Some((newest, newest_at)) = newest else {
            if end.chain {
                conversations::Entity::delete_by_id(row.id).exec(&transaction).await?;
            }
            transaction.commit().await?;
            return Ok(!end.chain);
        };
        let mut update = without_what_is_gone(principal, id);
        // One that went on here keeps the order and the branch that it has here.
        let went_on = generations::Entity::find().filter(generations::Column::ConversationId.eq(row.id));
        if went_on.count(&transaction).await? == 0 {
            let mut leaf = newest;
            if end.chain {
                chain(&transaction, row.id).await?;
                update = update.col_expr(conversations::Column::UpdatedAt, Expr::value(newest_at));
            } else if let Some(wanted) = end.leaf {
                let there = messages::Entity::find_by_id(wanted.as_uuid())
                    .filter(messages::Column::ConversationId.eq(row.id))
                    .count(&transaction)
                    .await?;
                if there > 0 {
                    leaf = wanted.as_uuid();
                }
            }
            update = update.col_expr(conversations::Column::LeafId, Expr::value(Some(leaf)));
        }
        update.exec(&transaction).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Tells whoever shows the conversations of this person that many have changed.
    pub async fn announce_import(&self, principal: &Principal) {
        if let Some(user) = principal.user_id() {
            self.notices().publish(Notice::Conversations { user }).await;
        }
    }
}

/// Hangs each message below the one before it.
async fn chain(on: &DatabaseTransaction, conversation: Uuid) -> Result<(), StorageError> {
    let sql = "UPDATE messages SET parent_id = chain.before FROM (\
        SELECT id, LAG(id) OVER (ORDER BY created_at, id) AS before FROM messages WHERE conversation_id = $1) AS chain \
        WHERE messages.id = chain.id";
    on.execute_raw(Statement::from_sql_and_values(on.get_database_backend(), sql, [conversation.into()])).await?;
    Ok(())
}

/// Takes away the assistant that never came, or that the principal may not use.
fn without_what_is_gone(principal: &Principal, id: ConversationId) -> sea_orm::UpdateMany<conversations::Entity> {
    let there = sea_orm::sea_query::Query::select()
        .column((assistants::Entity, assistants::Column::Id))
        .from(assistants::Entity)
        .and_where(
            Expr::col((assistants::Entity, assistants::Column::Id))
                .equals((conversations::Entity, conversations::Column::AssistantId)),
        )
        .cond_where(access::usable_assistants(principal.usable_assistants()))
        .take();
    let kept = Expr::case(Expr::exists(there), Expr::col((conversations::Entity, conversations::Column::AssistantId)));
    update_one(id).col_expr(conversations::Column::AssistantId, kept.into())
}

async fn first_folder(
    on: &DatabaseTransaction,
    principal: &Principal,
    ids: &[AssistantFolderId],
) -> Result<Option<AssistantFolderId>, StorageError> {
    let rows: Vec<Uuid> = assistant_folders::visible(principal)
        .select_only()
        .column(FolderColumn::Id)
        .filter(FolderColumn::Id.is_in(ids.iter().map(|id| id.as_uuid())))
        .into_tuple()
        .all(on)
        .await?;
    Ok(ids.iter().copied().find(|id| rows.contains(&id.as_uuid())))
}

async fn first_project(on: &DatabaseTransaction, owner: Uuid, ids: &[ProjectId]) -> Result<Option<Uuid>, StorageError> {
    let rows: Vec<Uuid> = projects::Entity::find()
        .select_only()
        .column(projects::Column::Id)
        .filter(projects::Column::OwnerId.eq(owner))
        .filter(projects::Column::Id.is_in(ids.iter().map(|id| id.as_uuid())))
        .into_tuple()
        .all(on)
        .await?;
    Ok(ids.iter().map(|id| id.as_uuid()).find(|id| rows.contains(id)))
}

async fn first_assistant(
    on: &DatabaseTransaction,
    principal: &Principal,
    ids: &[AssistantId],
) -> Result<Option<Uuid>, StorageError> {
    let rows: Vec<Uuid> = assistants::Entity::find()
        .select_only()
        .column(assistants::Column::Id)
        .filter(access::usable_assistants(principal.usable_assistants()))
        .filter(assistants::Column::Id.is_in(ids.iter().map(|id| id.as_uuid())))
        .into_tuple()
        .all(on)
        .await?;
    let there = ids.iter().map(|id| id.as_uuid()).find(|id| rows.contains(id));
    Ok(there.or_else(|| ids.last().map(|id| id.as_uuid())))
}
