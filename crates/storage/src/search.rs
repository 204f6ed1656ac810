//! Search in titles and messages, with the same answers on both engines.
//!
//! One tokeniser in Rust makes the tokens of texts and queries; the engine only keeps sets of them ([`engine`]) and tells,
//! newest first, which texts have all tokens of a query. Whether words follow one another, how much a text is about them,
//! and the snippet are found out from the texts themselves, a stretch at a time ([`matching`]), and so cannot differ.

mod cursor;
mod engine;
mod fold;
mod index;
mod matching;
mod query;
mod tokens;

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use sea_orm::sea_query::{Alias, Expr, ExprTrait as _, Func, JoinType, Order};
use sea_orm::{ConnectionTrait, DatabaseTransaction, FromQueryResult, TransactionTrait as _};
use stoa_model::conversation::MessageRole;
use stoa_model::search::SearchHit;
use stoa_model::{ConversationId, Principal, Timestamp};
use uuid::Uuid;

pub use cursor::SearchCursor;
pub use query::{MAX_QUERY, MAX_TERMS, QueryError, SearchQuery};

use crate::entities::{conversations, messages, search_entries};
use crate::{Database, Engine, StorageError, access};

use cursor::{Inside, Kind};
use index::{Scope, first_id_at, millis_of, text_of};
use matching::compare;
use query::Wanted;

/// Matches that are put in order together.
const STRETCH: usize = 100;
/// Stretches of one request. Phrases that are in few of the texts that have their words end here, and go on by the cursor.
const STRETCHES: usize = 10;
/// Bytes of texts that are looked at together; at least one text is.
const STRETCH_BYTES: i64 = 4 * 1024 * 1024;
const AT_MOST: Duration = Duration::from_secs(5);
/// After as many minutes a text counts half for being new.
const HALF_LIFE_MINUTES: f64 = 30.0 * 24.0 * 60.0;
/// What of the score is for what the text says; the rest is for being new.
const OF_RELEVANCE: f64 = 0.6;

/// What bounds a search besides its words. With a role or a conversation, only messages are found.
#[derive(Clone, Copy, Debug, Default)]
pub struct SearchFilter {
    pub role: Option<MessageRole>,
    pub conversation: Option<ConversationId>,
    /// Written then or later.
    pub since: Option<Timestamp>,
    /// Written earlier.
    pub until: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct SearchPage {
    /// Titles first; then the better and newer first.
    pub items: Vec<SearchHit>,
    /// There may be more, also after a page with few or none.
    pub next: Option<SearchCursor>,
    /// Everything that was written is in the index. Not so for a while after an update from a version without one.
    pub complete: bool,
}

impl Database {
    pub async fn search(
        &self,
        principal: &Principal,
        query: &SearchQuery,
        filter: &SearchFilter,
        after: Option<SearchCursor>,
        limit: usize,
    ) -> Result<SearchPage, StorageError> {
        let owner = access::person(principal)?;
        let search = async {
            let _permit = self.searches().acquire().await.map_err(|_| StorageError::TooSlow)?;
            let transaction = self.reader().begin().await?;
            if self.engine() == Engine::Postgres {
                // What this process gives up, the database gives up too. And a plan for any words would be a bad one.
                let limit = AT_MOST.as_millis();
                let limit =
                    format!("SET LOCAL statement_timeout = {limit}; SET LOCAL plan_cache_mode = force_custom_plan");
                transaction.execute_unprepared(&limit).await?;
            }
            let complete = self.is_indexed(&transaction).await?;
            let search = Search { database: self, on: &transaction, principal, owner: owner.into(), query, filter };
            let (items, next) = search.page(after, limit).await?;
            Ok(SearchPage { items, next, complete })
        };
        tokio::time::timeout(AT_MOST, search).await.unwrap_or(Err(StorageError::TooSlow))
    }
}

/// One request.
struct Search<'a> {
    database: &'a Database,
    on: &'a DatabaseTransaction,
    principal: &'a Principal,
    owner: Uuid,
    query: &'a SearchQuery,
    filter: &'a SearchFilter,
}

/// A text that has the tokens.
#[derive(FromQueryResult)]
struct Candidate {
    id: i64,
    bytes: i64,
}

#[derive(FromQueryResult)]
struct Row {
    id: i64,
    conversation_id: Uuid,
    message_id: Option<Uuid>,
    thread_of: Option<Uuid>,
    title: String,
    updated_at: i64,
    role: Option<String>,
    parts: Option<String>,
    created_at: Option<i64>,
}

struct Scored {
    score: f64,
    id: i64,
    hit: SearchHit,
}

/// Candidates that are put in order together.
struct Stretch {
    ids: Vec<i64>,
    top: i64,
    bottom: i64,
    /// Nothing lies below.
    last: bool,
}

impl Search<'_> {
    async fn page(
        &self,
        after: Option<SearchCursor>,
        limit: usize,
    ) -> Result<(Vec<SearchHit>, Option<SearchCursor>), StorageError> {
        let mut items = Vec::new();
        let titles = self.filter.role.is_none() && self.filter.conversation.is_none();
        let first = if titles { Kind::Title } else { Kind::Message };
        let mut at = after.unwrap_or(SearchCursor { kind: first, top: i64::MAX, inside: None });
        if self.query.is_empty() || (at.kind == Kind::Title && !titles) {
            return Ok((items, None));
        }
        for _ in 0..STRETCHES {
            if let Some(stretch) = self.stretch(at).await? {
                let below = SearchCursor { kind: at.kind, top: stretch.bottom.saturating_sub(1), inside: None };
                for scored in self.scored(&stretch, at.inside).await? {
                    if items.len() == limit {
                        return Ok((items, Some(at)));
                    }
                    let inside = Inside { bottom: stretch.bottom, score: scored.score, id: scored.id };
                    at = SearchCursor { kind: at.kind, top: stretch.top, inside: Some(inside) };
                    items.push(scored.hit);
                }
                if !stretch.last {
                    at = below;
                    continue;
                }
            }
            if at.kind == Kind::Message {
                return Ok((items, None));
            }
            at = SearchCursor { kind: Kind::Message, top: i64::MAX, inside: None };
        }
        Ok((items, Some(at)))
    }

    /// The stretch that `at` is in, or the one that begins there.
    async fn stretch(&self, at: SearchCursor) -> Result<Option<Stretch>, StorageError> {
        let (bottom, at_most) = match at.inside {
            // What was indexed meanwhile may have made it longer.
            Some(inside) => (inside.bottom, STRETCH * 2),
            None => (i64::MIN, STRETCH + 1),
        };
        let mut candidates = self.candidates(at.kind, bottom, at.top, at_most).await?;
        let mut last = candidates.len() < at_most;
        if at.inside.is_none() {
            let mut bytes = 0;
            let fit = candidates.iter().take(STRETCH).take_while(|candidate| {
                let first = bytes == 0;
                bytes += candidate.bytes;
                first || bytes <= STRETCH_BYTES
            });
            let fit = fit.count();
            last &= fit == candidates.len();
            candidates.truncate(fit);
        } else {
            last = false;
        }
        let ids: Vec<i64> = candidates.iter().map(|candidate| candidate.id).collect();
        Ok(match (at.inside, ids.first(), ids.last()) {
            (Some(inside), ..) => Some(Stretch { ids, top: at.top, bottom: inside.bottom, last }),
            (None, Some(top), Some(bottom)) => Some(Stretch { top: *top, bottom: *bottom, ids, last }),
            _ => None,
        })
    }

    /// Entries with all tokens that the principal may see, newest first.
    async fn candidates(
        &self,
        kind: Kind,
        bottom: i64,
        top: i64,
        at_most: usize,
    ) -> Result<Vec<Candidate>, StorageError> {
        let index = engine::of(self.database.engine());
        let since = self.filter.since.map_or(i64::MIN, |since| first_id_at(since.as_millis()));
        let until = self.filter.until.map_or(i64::MAX, |until| first_id_at(until.as_millis()) - 1);
        let (texts, titles) = (Expr::col((messages::Entity, messages::Column::Parts)), conversations::Column::Title);
        let text = match kind {
            Kind::Title => Expr::col((conversations::Entity, titles)),
            Kind::Message => texts,
        };
        let mut select = index.entries_with(&self.wanted(kind));
        join(&mut select, kind)
            .expr_as(Expr::col((search_entries::Entity, search_entries::Column::Id)), Alias::new("id"))
            // PostgreSQL counts in an integer of half the length.
            .expr_as(Expr::expr(Func::cust("octet_length").arg(text)).cast_as("bigint"), Alias::new("bytes"))
            .cond_where(access::rows(self.principal.conversations(), conversations::Column::OwnerId))
            .and_where(Expr::col((conversations::Entity, conversations::Column::DeletedAt)).is_null())
            .and_where(Expr::col(index.place()).gte(Ord::max(bottom, since)))
            .and_where(Expr::col(index.place()).lte(Ord::min(top, until)))
            .order_by(index.place(), Order::Desc)
            .limit(u64::try_from(at_most).unwrap_or(u64::MAX));
        let statement = self.on.get_database_backend().build(&select);
        Ok(Candidate::find_by_statement(statement).all(self.on).await?)
    }

    fn wanted(&self, kind: Kind) -> BTreeSet<Wanted> {
        let mut wanted = self.query.wanted();
        let whose = match (kind, self.filter.role) {
            (Kind::Title, _) => Scope::Titles(self.owner),
            (Kind::Message, None) => Scope::Messages(self.owner),
            (Kind::Message, Some(role)) => Scope::MessagesOf(self.owner, role),
        };
        wanted.insert(Wanted::Token(whose.token()));
        if let Some(conversation) = self.filter.conversation {
            wanted.insert(Wanted::Token(Scope::Within(conversation.into()).token()));
        }
        wanted
    }

    /// Those of a stretch that have what was asked for, the best first, as far as they come after `after`.
    async fn scored(&self, stretch: &Stretch, after: Option<Inside>) -> Result<Vec<Scored>, StorageError> {
        let rows = self.rows(&stretch.ids).await?;
        let mut scored: Vec<Scored> =
            stretch.ids.iter().filter_map(|id| self.score(rows.get(id)?, stretch.top)).collect();
        let order = |a: (f64, i64), b: (f64, i64)| b.0.total_cmp(&a.0).then(b.1.cmp(&a.1));
        if let Some(after) = after {
            scored.retain(|one| order((after.score, after.id), (one.score, one.id)).is_lt());
        }
        scored.sort_by(|a, b| order((a.score, a.id), (b.score, b.id)));
        Ok(scored)
    }

    async fn rows(&self, ids: &[i64]) -> Result<HashMap<i64, Row>, StorageError> {
        let mut select = sea_orm::sea_query::Query::select();
        let entry = |column: search_entries::Column| Expr::col((search_entries::Entity, column));
        let message = |column: messages::Column| Expr::col((messages::Entity, column));
        select.from(search_entries::Entity);
        select
            .join(
                JoinType::InnerJoin,
                conversations::Entity,
                Expr::col((conversations::Entity, conversations::Column::Id))
                    .equals((search_entries::Entity, search_entries::Column::ConversationId)),
            )
            .join(
                JoinType::LeftJoin,
                messages::Entity,
                message(messages::Column::Id).equals((search_entries::Entity, search_entries::Column::MessageId)),
            )
            .expr_as(entry(search_entries::Column::Id), Alias::new("id"))
            .expr_as(entry(search_entries::Column::ConversationId), Alias::new("conversation_id"))
            .expr_as(entry(search_entries::Column::MessageId), Alias::new("message_id"))
            .expr_as(message(messages::Column::Role), Alias::new("role"))
            .expr_as(message(messages::Column::Parts), Alias::new("parts"))
            .expr_as(message(messages::Column::CreatedAt), Alias::new("created_at"))
            .column((conversations::Entity, conversations::Column::ThreadOf))
            .column((conversations::Entity, conversations::Column::Title))
            .column((conversations::Entity, conversations::Column::UpdatedAt))
            .cond_where(access::rows(self.principal.conversations(), conversations::Column::OwnerId))
            .and_where(entry(search_entries::Column::Id).is_in(ids.iter().copied()));
        let statement = self.on.get_database_backend().build(&select);
        let rows = Row::find_by_statement(statement).all(self.on).await?;
        Ok(rows.into_iter().map(|row| (row.id, row)).collect())
    }

    fn score(&self, row: &Row, top: i64) -> Option<Scored> {
        let message = row.message_id.zip(row.parts.as_deref()).map(|(id, parts)| text_of(id, parts));
        let text = message.as_deref().unwrap_or(&row.title);
        let found = compare(self.query, text)?;
        let age = Ord::max(millis_of(top) - millis_of(row.id), 0) / 60_000;
        let age = f64::from(u32::try_from(age).unwrap_or(u32::MAX));
        let recency = HALF_LIFE_MINUTES / (HALF_LIFE_MINUTES + age);
        let snippet = match &message {
            Some(text) => matching::snippet(text, &found.places),
            None => matching::whole(&row.title, &found.places),
        };
        let hit = SearchHit {
            conversation_id: row.conversation_id.into(),
            conversation_title: row.title.clone(),
            thread_of: row.thread_of.map(Into::into),
            message_id: row.message_id.map(Into::into),
            role: row.role.as_deref().and_then(MessageRole::parse),
            at: Timestamp::from_millis(row.created_at.unwrap_or(row.updated_at)),
            snippet,
        };
        Some(Scored { score: OF_RELEVANCE * found.relevance + (1.0 - OF_RELEVANCE) * recency, id: row.id, hit })
    }
}

fn join(select: &mut sea_orm::sea_query::SelectStatement, kind: Kind) -> &mut sea_orm::sea_query::SelectStatement {
    let entry = |column: search_entries::Column| (search_entries::Entity, column);
    select.join(
        JoinType::InnerJoin,
        conversations::Entity,
        Expr::col((conversations::Entity, conversations::Column::Id))
            .equals(entry(search_entries::Column::ConversationId)),
    );
    if kind == Kind::Message {
        select.join(
            JoinType::InnerJoin,
            messages::Entity,
            Expr::col((messages::Entity, messages::Column::Id)).equals(entry(search_entries::Column::MessageId)),
        );
    }
    select
}
