//! Projects: the list by name, and what becomes of the conversations of one that goes.

use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};
use stoa_model::project::{Project, ProjectProfile};
use stoa_model::{Principal, ProjectId, Timestamp};
use uuid::Uuid;

use crate::entities::{conversations, projects};
use crate::{Database, Notice, StorageError, access};

use super::{from_json, insert, to_json};

/// Projects of one person.
pub const MAX_PROJECTS: u64 = 500;

/// What becomes of the conversations of a project that is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leftover {
    /// They stay, without a project.
    Keep,
    /// They are deleted, as each of them could be: for a time they can be restored.
    Delete,
}

impl Database {
    pub async fn create_project(
        &self,
        principal: &Principal,
        profile: &ProjectProfile,
        now: Timestamp,
    ) -> Result<Project, StorageError> {
        let owner = access::person(principal)?;
        let transaction = self.begin().await?;
        let held = projects::Entity::find().filter(projects::Column::OwnerId.eq(owner.as_uuid()));
        if held.count(&transaction).await? >= MAX_PROJECTS {
            return Err(StorageError::Refused("there are too many projects already"));
        }
        let row = projects::Model {
            id: ProjectId::generate(now).into(),
            owner_id: owner.into(),
            profile: to_json("projects", "profile", profile)?,
            created_at: now.as_millis(),
            updated_at: now.as_millis(),
        };
        insert(&transaction, row.clone()).await?;
        transaction.commit().await?;
        project(&row)
    }

    /// All of the caller's, by their names.
    pub async fn projects(&self, principal: &Principal) -> Result<Vec<Project>, StorageError> {
        let rows = visible(principal)
            .order_by_asc(projects::Column::CreatedAt)
            .order_by_asc(projects::Column::Id)
            .limit(MAX_PROJECTS)
            .all(self.reader())
            .await?;
        let mut all = rows.iter().map(project).collect::<Result<Vec<_>, _>>()?;
        all.sort_by_cached_key(|project| project.profile.name.to_lowercase());
        Ok(all)
    }

    pub async fn project(&self, principal: &Principal, id: ProjectId) -> Result<Project, StorageError> {
        project(&find(self.reader(), principal, id).await?)
    }

    pub async fn change_project(
        &self,
        principal: &Principal,
        id: ProjectId,
        profile: &ProjectProfile,
        now: Timestamp,
    ) -> Result<Project, StorageError> {
        let transaction = self.begin().await?;
        find(&transaction, principal, id).await?;
        projects::Entity::update_many()
            .filter(projects::Column::Id.eq(id.as_uuid()))
            .col_expr(projects::Column::Profile, Expr::value(to_json("projects", "profile", profile)?))
            .col_expr(projects::Column::UpdatedAt, Expr::value(now.as_millis()))
            .exec(&transaction)
            .await?;
        let changed = project(&find(&transaction, principal, id).await?)?;
        transaction.commit().await?;
        Ok(changed)
    }

    pub async fn delete_project(
        &self,
        principal: &Principal,
        id: ProjectId,
        leftover: Leftover,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        let transaction = self.begin().await?;
        let row = find(&transaction, principal, id).await?;
        let of_it = || {
            conversations::Entity::update_many()
                .filter(conversations::Column::ProjectId.eq(id.as_uuid()))
                .filter(conversations::Column::OwnerId.eq(row.owner_id))
        };
        if leftover == Leftover::Delete {
            of_it()
                .filter(conversations::Column::DeletedAt.is_null())
                .col_expr(conversations::Column::DeletedAt, Expr::value(Some(now.as_millis())))
                .exec(&transaction)
                .await?;
        }
        of_it().col_expr(conversations::Column::ProjectId, Expr::value(None::<Uuid>)).exec(&transaction).await?;
        projects::Entity::delete_by_id(id.as_uuid()).exec(&transaction).await?;
        transaction.commit().await?;
        // Many conversations may have changed at once: whoever shows them reads them again.
        self.notices().publish(Notice::Conversations { user: row.owner_id.into() }).await;
        Ok(())
    }
}

/// What a project says, unless it is gone or not the principal's.
pub(super) async fn profile_of<C: ConnectionTrait>(
    connection: &C,
    principal: &Principal,
    id: ProjectId,
) -> Result<Option<ProjectProfile>, StorageError> {
    match find(connection, principal, id).await {
        Ok(row) => Ok(Some(project(&row)?.profile)),
        Err(StorageError::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

fn visible(principal: &Principal) -> sea_orm::Select<projects::Entity> {
    projects::Entity::find().filter(access::rows(principal.projects(), projects::Column::OwnerId))
}

pub(super) async fn find<C: ConnectionTrait>(
    connection: &C,
    principal: &Principal,
    id: ProjectId,
) -> Result<projects::Model, StorageError> {
    visible(principal)
        .filter(projects::Column::Id.eq(id.as_uuid()))
        .one(connection)
        .await?
        .ok_or(StorageError::NotFound)
}

fn project(row: &projects::Model) -> Result<Project, StorageError> {
    Ok(Project {
        profile: from_json("projects", "profile", row.id, &row.profile)?,
        id: row.id.into(),
        created_at: Timestamp::from_millis(row.created_at),
        updated_at: Timestamp::from_millis(row.updated_at),
    })
}
