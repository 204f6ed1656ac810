//! Migrations, oldest first. They only ever expand what the release before can still use; contraction waits a release.

use sea_orm_migration::{MigrationTrait, MigratorTrait};

mod m0001_first_tables;
mod m0002_finish_reason;
mod m0003_assistants;
mod m0004_prices_and_stand_ins;
mod m0005_files;
mod m0006_search;
mod m0007_projects;
mod m0008_personal_providers;
mod m0009_sharing_and_imports;
mod m0010_prompts_and_temporary_chats;
mod m0011_shared_assistants_and_folders;
mod m0012_threads;
mod m0013_summaries_and_own_parameters;
mod m0014_functions;
mod m0015_function_volumes;
mod m0016_accounts_of_functions;
mod m0017_uses_of_packages;
mod m0018_calls_of_functions_by_time;
mod m0019_functions_from_inside;

pub(crate) struct Migrations;

impl MigratorTrait for Migrations {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_first_tables::Migration),
            Box::new(m0002_finish_reason::Migration),
            Box::new(m0003_assistants::Migration),
            Box::new(m0004_prices_and_stand_ins::Migration),
            Box::new(m0005_files::Migration),
            Box::new(m0006_search::Migration),
            Box::new(m0007_projects::Migration),
            Box::new(m0008_personal_providers::Migration),
            Box::new(m0009_sharing_and_imports::Migration),
            Box::new(m0010_prompts_and_temporary_chats::Migration),
            Box::new(m0011_shared_assistants_and_folders::Migration),
            Box::new(m0012_threads::Migration),
            Box::new(m0013_summaries_and_own_parameters::Migration),
            Box::new(m0014_functions::Migration),
            Box::new(m0015_function_volumes::Migration),
            Box::new(m0016_accounts_of_functions::Migration),
            Box::new(m0017_uses_of_packages::Migration),
            Box::new(m0018_calls_of_functions_by_time::Migration),
            Box::new(m0019_functions_from_inside::Migration),
        ]
    }
}
