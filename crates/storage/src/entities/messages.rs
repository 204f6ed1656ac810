//! Messages; a tree by `parent_id`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "messages")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub conversation_id: Uuid,
    pub parent_id: Option<Uuid>,
    #[sea_orm(column_type = "Text")]
    pub role: String,
    #[sea_orm(column_type = "Text")]
    pub parts: String,
    #[sea_orm(column_type = "Text")]
    pub status: String,
    #[sea_orm(column_type = "Text")]
    pub model: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub stand_in: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub parameters: Option<String>,
    pub generation_id: Option<Uuid>,
    #[sea_orm(column_type = "Text")]
    pub usage: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub timings: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub error: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub finish_reason: Option<String>,
    pub created_at: i64,
    /// When it was taken out of its branch. It has no parent then, and is nobody's sibling.
    pub removed_at: Option<i64>,
    /// Under what it hung.
    pub removed_parent_id: Option<Uuid>,
    /// Under which message it hung until that one was taken out.
    pub moved_from_id: Option<Uuid>,
    #[sea_orm(column_type = "Text")]
    pub translation: Option<String>,
    /// What its branch comes down to, up to this answer.
    #[sea_orm(column_type = "Text")]
    pub summary: Option<String>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
