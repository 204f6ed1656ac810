//! Everything that is kept, in one set of entities, migrations and queries for SQLite and PostgreSQL.
//!
//! A repository is a module of functions on [`Database`]. Each takes the [`Principal`](stoa_model::Principal) it works
//! for and returns only what that principal may see; somebody else's row is simply not there.

mod access;
mod cursor;
mod database;
mod entities;
mod error;
mod migrations;
mod notices;
mod repositories;
mod sealing;
mod search;
#[cfg(feature = "testing")]
pub mod testing;

pub use cursor::{Cursor, Page};
pub use database::{Database, Engine, OpenError};
pub use error::StorageError;
pub use notices::{Notice, Notices};
pub use repositories::allowances::Allowance;
pub use repositories::api_keys::{ApiKey, NewApiKey};
pub use repositories::assistant_shares::NewReach;
pub use repositories::assistants::{AssistantChange, MAX_ASSISTANTS, NewAssistant};
pub use repositories::browser_generations::{BROWSER_PATIENCE, BrowserAppend, BrowserStep, EndLog, LogSoFar};
pub use repositories::bulk::{BulkChange, MAX_AT_ONCE};
pub use repositories::context::History;
pub use repositories::conversations::{ConversationChange, ConversationFilter, NewConversation};
pub use repositories::files::{FileLimits, NewFile, StoredFile};
pub use repositories::function_accounts::{FunctionAccount, FunctionPoint, FunctionSum, FunctionsOf};
pub use repositories::function_timers::DueTimer;
pub use repositories::function_usage::{FunctionUsage, UsageCursor};
pub use repositories::function_versions::{CallableFunction, RunnableVersion};
pub use repositories::function_volumes::{NewVolume, RemovedVolume, VolumeChange};
pub use repositories::functions::{FunctionChange, FunctionLine, NewFunction, StoredCode};
pub use repositories::generations::{
    Append, AppendOutcome, Chunk, GenerationRow, GenerationState, InputTemplate, Lease, NewTurn, Outcome, TurnIds,
    TurnLimits, TurnParent,
};
pub use repositories::imported_messages::{ImportedMessage, ImportedMessages};
pub use repositories::imports::{Brought, ImportEnd, ImportedAssistant, ImportedConversation, ImportedThread};
pub use repositories::messages::{MessagePage, PathQuery};
pub use repositories::personal_providers::{
    MAX_PERSONAL_PROVIDERS, NewPersonalProvider, PersonalProviderChange, StoredPersonalProvider,
};
pub use repositories::projects::{Leftover, MAX_PROJECTS};
pub use repositories::prompts::MAX_PROMPTS;
pub use repositories::providers::{NewProvider, ProviderChange, StoredProvider};
pub use repositories::sessions::{NewSession, Session, SignedIn};
pub use repositories::shares::{NewShare, ShareChange};
pub use repositories::summaries::{Summable, Wish};
pub use repositories::threads::MAX_THREADS;
pub use repositories::usage::UsageRow;
pub use repositories::usage_sums::{UsageLimit, UsageOf, UsageSpan};
pub use repositories::users::{Credentials, NewUser, UserChange};
pub use sealing::{MasterKey, SealError, Secret};
pub use search::{MAX_QUERY, MAX_TERMS, QueryError, SearchCursor, SearchFilter, SearchPage, SearchQuery};
