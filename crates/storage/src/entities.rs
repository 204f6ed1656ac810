//! One entity a table. Rows are plain; `repositories` turns them into the words of the model.

#![expect(unreachable_pub, reason = "SeaORM's derives make public items")]

pub mod api_keys;
pub mod assistant_folders;
pub mod assistant_places;
pub mod assistant_shares;
pub mod assistants;
pub mod blobs;
pub mod conversation_tags;
pub mod conversations;
pub mod egress_allowances;
pub mod files;
pub mod function_aliases;
pub mod function_build_uses;
pub mod function_builds;
pub mod function_secrets;
pub mod function_timers;
pub mod function_usage;
pub mod function_versions;
pub mod function_volumes;
pub mod functions;
pub mod generation_chunks;
pub mod generations;
pub mod identities;
pub mod instances;
pub mod message_files;
pub mod messages;
pub mod personal_providers;
pub mod projects;
pub mod prompts;
pub mod provider_models;
pub mod providers;
pub mod search_entries;
pub mod search_pending;
pub mod sessions;
pub mod settings;
pub mod shared_files;
pub mod shared_messages;
pub mod shares;
pub mod usage_entries;
pub mod users;
