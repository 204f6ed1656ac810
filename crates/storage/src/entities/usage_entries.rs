//! The append-only ledger of model calls.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "usage_entries")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub at: i64,
    pub user_id: Option<Uuid>,
    pub api_key_id: Option<Uuid>,
    pub generation_id: Option<Uuid>,
    /// Which function of the user's has called.
    pub function_id: Option<Uuid>,
    #[sea_orm(column_type = "Text")]
    pub model: String,
    pub provider_id: Option<Uuid>,
    #[sea_orm(column_type = "Text")]
    pub outcome: String,
    pub prompt_tokens: i64,
    pub completion_tokens: i64,
    pub cached_tokens: i64,
    pub reasoning_tokens: i64,
    /// In billionths of a US dollar.
    pub cost: Option<i64>,
    pub first_token_ms: Option<i64>,
    pub total_ms: i64,
    /// A browser made the call and told the figures: nobody can vouch for them.
    pub by_browser: bool,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
