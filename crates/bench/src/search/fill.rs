//! A database with many messages, written in lots: half of them one person's, the others of nine.

use std::time::Duration;

use anyhow::Context as _;
use sea_orm::{ConnectionTrait as _, DatabaseConnection, Statement, TransactionTrait as _, Value};
use stoa_model::person::Role;
use stoa_model::{Clock as _, ConversationId, MessageId, Principal, SessionId, SystemClock, Timestamp, Via};
use stoa_storage::{Database, Engine, MasterKey, NewConversation, NewUser};
use tokio_util::task::TaskTracker;

use super::text::Texts;

const PEOPLE: usize = 10;
const OF_ONE: u64 = 200;
const LOT: u64 = 2_000;
/// A message every ten minutes; a million are twenty years.
const APART: Duration = Duration::from_mins(10);
/// The bindings of one statement that SQLite takes are 32,766.
const ROWS: usize = 2_000;

pub(super) struct Filled {
    pub(super) database: Database,
    /// Beside Stoa's own.
    pub(super) connection: DatabaseConnection,
    /// Whose half of the messages are.
    pub(super) person: Principal,
}

impl Filled {
    pub(super) async fn with(url: &str, messages: u64) -> anyhow::Result<Self> {
        let database = Database::open(url, MasterKey::generate(), &TaskTracker::new()).await?;
        let connection = sea_orm::Database::connect(url).await?;
        let people = people(&database).await?;
        let mut texts = Texts::from(7);
        let begun = SystemClock.now().minus(APART * u32::try_from(messages)?);
        let mut written = 0;
        let mut at = begun;
        let mut conversations = 0_usize;
        while written < messages {
            let transaction = connection.begin().await?;
            let mut rows: Vec<Value> = Vec::new();
            let mut count = 0;
            while count < LOT.min(messages - written) {
                let person = if conversations.is_multiple_of(2) { 0 } else { 1 + conversations / 2 % (PEOPLE - 1) };
                conversations += 1;
                let conversation = ConversationId::generate(at);
                let owner = people[person].user_id().context("a person")?;
                let title = texts.message().chars().take(40).collect::<String>();
                transaction
                    .execute_raw(conversation_row(&connection, conversation, owner.as_uuid(), &title, at))
                    .await?;
                for _ in 0..OF_ONE.min(messages - written - count) {
                    at = at.plus(APART);
                    let parts = serde_json::json!([{"type": "text", "text": texts.message()}]).to_string();
                    let role = if count % 2 == 0 { "user" } else { "assistant" };
                    rows.extend::<[Value; 5]>([
                        MessageId::generate(at).as_uuid().into(),
                        conversation.as_uuid().into(),
                        role.into(),
                        parts.into(),
                        at.as_millis().into(),
                    ]);
                    count += 1;
                }
            }
            for rows in rows.chunks(5 * ROWS) {
                transaction.execute_raw(message_rows(&connection, rows)).await?;
            }
            transaction.commit().await?;
            written += count;
        }
        let person = people.into_iter().next().context("a person")?;
        Ok(Self { database, connection, person })
    }

    /// What an engine does by itself in the background of a longer life.
    pub(super) async fn settle(&self) -> anyhow::Result<()> {
        let statements: &[&str] = match self.database.engine() {
            Engine::Sqlite => &["PRAGMA wal_checkpoint(TRUNCATE)", "ANALYZE"],
            Engine::Postgres => &["VACUUM ANALYZE search_entries", "VACUUM ANALYZE messages", "ANALYZE conversations"],
        };
        for statement in statements {
            self.connection.execute_unprepared(statement).await?;
        }
        Ok(())
    }
}

async fn people(database: &Database) -> anyhow::Result<Vec<Principal>> {
    let new = |number: usize, role| NewUser {
        name: format!("Person {number}"),
        email: format!("person-{number}@example.com"),
        role,
        password_hash: "$argon2id$no-password".to_owned(),
    };
    let acting = |id, role| {
        let via = Via::Session(SessionId::generate(SystemClock.now()));
        Principal::User { id, role, epoch: 1, via }
    };
    let now = SystemClock.now();
    let owner = database.create_first_owner(new(0, Role::Owner), now).await?;
    let owner = acting(owner.id, Role::Owner);
    let mut people = vec![owner.clone()];
    for number in 1..PEOPLE {
        let user = database.create_user(&owner, new(number, Role::Member), now).await?;
        people.push(acting(user.id, Role::Member));
    }
    // Everything that this version of the tables has, so that the rows below can be written as they are.
    database.create_conversation(&owner, NewConversation::default(), now).await?;
    Ok(people)
}

fn conversation_row(
    connection: &DatabaseConnection,
    id: ConversationId,
    owner: sea_orm::prelude::Uuid,
    title: &str,
    at: Timestamp,
) -> Statement {
    let sql = "INSERT INTO conversations (id, owner_id, title, title_folded, titled, pinned, parameters, role, answered_at, \
        read_at, created_at, updated_at) VALUES ($1, $2, $3, $3, TRUE, FALSE, '{}', '', 0, 0, $4, $4)";
    let values = [id.as_uuid().into(), owner.into(), title.into(), at.as_millis().into()];
    Statement::from_sql_and_values(connection.get_database_backend(), sql, values)
}

fn message_rows(connection: &DatabaseConnection, rows: &[Value]) -> Statement {
    let places: Vec<String> = (0..rows.len() / 5)
        .map(|row| {
            let [id, conversation, role, parts, at] = [1, 2, 3, 4, 5].map(|column| row * 5 + column);
            format!("(${id}, ${conversation}, ${role}, ${parts}, 'complete', ${at})")
        })
        .collect();
    let sql = format!(
        "INSERT INTO messages (id, conversation_id, role, parts, status, created_at) VALUES {}",
        places.join(", ")
    );
    Statement::from_sql_and_values(connection.get_database_backend(), sql, rows.iter().cloned())
}

/// Makes a database of its own on a server; its URL and name.
pub(super) async fn make_postgres(server: &str) -> anyhow::Result<(String, String)> {
    let name = format!("stoa_bench_{}", std::process::id());
    let connection = sea_orm::Database::connect(server).await?;
    connection.execute_unprepared(&format!("CREATE DATABASE {name}")).await?;
    let (before, _) = server.rsplit_once('/').context("the server's URL has no database")?;
    Ok((format!("{before}/{name}"), name))
}

pub(super) async fn drop_postgres(url: &str, name: &str) -> anyhow::Result<()> {
    let (before, _) = url.rsplit_once('/').context("the URL has no database")?;
    let connection = sea_orm::Database::connect(format!("{before}/postgres")).await?;
    connection.execute_unprepared(&format!("DROP DATABASE {name} WITH (FORCE)")).await?;
    Ok(())
}
