//! What functions took, by the minute. `caller` is nil where nobody is known; `latencies` and `cold` are JSON.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "function_usage")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub function_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub version: i32,
    #[sea_orm(primary_key, auto_increment = false, column_type = "Text")]
    pub alias: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub caller: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub minute: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub server: Uuid,
    pub calls: i64,
    pub errors: i64,
    pub cold_starts: i64,
    pub duration_us: i64,
    #[sea_orm(column_type = "Text")]
    pub latencies: String,
    #[sea_orm(column_type = "Text")]
    pub cold: String,
    pub cpu_us: i64,
    pub memory_mib_ms: i64,
}

#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
