//! Whom assistants are shared with. `reach` names a person, a role or everyone; `user_id` is the person it names.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "assistant_shares")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub assistant_id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub reach: String,
    pub user_id: Option<Uuid>,
    pub created_at: i64,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
