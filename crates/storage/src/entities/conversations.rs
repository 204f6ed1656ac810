//! Conversations. `title_folded` is the title in lower case, for search that is the same on both engines.

use sea_orm::entity::prelude::*;

#[expect(clippy::struct_excessive_bools, reason = "they are columns")]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "conversations")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub owner_id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub title: String,
    #[sea_orm(column_type = "Text")]
    pub title_folded: String,
    pub titled: bool,
    pub pinned: bool,
    pub assistant_id: Option<Uuid>,
    pub project_id: Option<Uuid>,
    pub archived_at: Option<i64>,
    #[sea_orm(column_type = "Text")]
    pub model: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub parameters: String,
    #[sea_orm(column_type = "Text")]
    pub role: String,
    pub leaf_id: Option<Uuid>,
    pub answered_at: i64,
    pub read_at: i64,
    pub created_at: i64,
    pub updated_at: i64,
    pub deleted_at: Option<i64>,
    /// When a temporary one goes for good.
    pub expires_at: Option<i64>,
    /// Old turns are summed up by themselves.
    pub auto_summary: bool,
    /// When turns were last summed up, or that was taken back.
    pub summarised_at: Option<i64>,
    /// The conversation that it is a thread of.
    pub thread_of: Option<Uuid>,
    /// The message of that one that it begins at.
    pub source_message_id: Option<Uuid>,
    /// What stands above that message belongs to it.
    pub with_context: bool,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
