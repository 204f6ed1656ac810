//! Migrations, oldest first. They only ever expand what the release before can still use; contraction waits a release.

use sea_orm_migration::{MigrationTrait, MigratorTrait};

mod m0001_first_tables;
mod m0002_finish_reason;
mod m0003_assistants;
mod m0010_search;
mod m0011_projects;

pub(crate) struct Migrations;

impl MigratorTrait for Migrations {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_first_tables::Migration),
            Box::new(m0002_finish_reason::Migration),
            Box::new(m0003_assistants::Migration),
            Box::new(m0010_search::Migration),
            Box::new(m0011_projects::Migration),
        ]
    }
}
