//! Names that stand for versions. `route`, `sticky` and `previous` are JSON.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "function_aliases")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub function_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub name: String,
    #[sea_orm(column_type = "Text")]
    pub route: String,
    #[sea_orm(column_type = "Text", nullable)]
    pub sticky: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub previous: Option<String>,
    pub updated_at: i64,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
