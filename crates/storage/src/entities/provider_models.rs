//! The models that a provider offers, in the order that admins gave.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "provider_models")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub provider_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub name: String,
    #[sea_orm(column_type = "Text")]
    pub display_name: Option<String>,
    pub context_window: Option<i64>,
    #[sea_orm(column_type = "Text")]
    pub abilities: String,
    #[sea_orm(column_type = "Text")]
    pub prices: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub stand_in: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub parameters: Option<String>,
    pub enabled: bool,
    pub position: i64,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
