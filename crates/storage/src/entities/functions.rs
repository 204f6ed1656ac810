//! Functions. `code` is the blob that their files lie in, `files` tells what is in it, as JSON; `settings` is what versions ask for.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "functions")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub owner_id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub name: String,
    #[sea_orm(column_type = "Text")]
    pub profile: String,
    #[sea_orm(column_type = "Text")]
    pub language: String,
    #[sea_orm(column_type = "Text", nullable)]
    pub template: Option<String>,
    pub revision: i64,
    #[sea_orm(column_type = "Text")]
    pub settings: String,
    #[sea_orm(column_type = "Text")]
    pub code: String,
    #[sea_orm(column_type = "Text")]
    pub files: String,
    pub secrets_revision: i64,
    #[sea_orm(column_type = "Text")]
    pub access: String,
    #[sea_orm(column_type = "Text")]
    pub access_alias: String,
    /// Whose tokens are taken, as JSON.
    #[sea_orm(column_type = "Text", nullable)]
    pub access_jwt: Option<String>,
    pub access_inside: bool,
    #[sea_orm(column_type = "Text")]
    pub models: String,
    pub provider_id: Option<Uuid>,
    #[sea_orm(column_type = "Text", nullable)]
    pub model_alias: Option<String>,
    pub created_at: i64,
    pub updated_at: i64,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
