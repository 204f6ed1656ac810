//! Calls at times. `profile` and `last` are JSON.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "function_timers")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub function_id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub profile: String,
    pub enabled: bool,
    pub next_at: Option<i64>,
    #[sea_orm(column_type = "Text", nullable)]
    pub last: Option<String>,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
