//! Generations and their log: a turn is begun in one transaction, the deltas of all running generations are appended in
//! one transaction, each append is fenced by the lease, and the end folds the log into the message.

use std::collections::HashMap;

use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, DatabaseTransaction, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait,
};
use stoa_model::completion::{FinishReason, Parameters, Usage};
use stoa_model::conversation::{Failure, MessageRole, MessageStatus, Part, Timings};
use stoa_model::personal::is_personal;
use stoa_model::project::told;
use stoa_model::{
    AssistantId, ConversationId, GenerationId, InstanceId, MessageId, Principal, Timestamp, UsageId, UserId,
};
use uuid::Uuid;

use crate::entities::{conversations, generation_chunks, generations, instances, messages};
use crate::{Database, Notice, StorageError, access};

use super::assistants;
use super::browser_generations::{browser_begins, browser_ends};
use super::context::{End, History, history, instructions};
use super::conversations::{find as find_conversation, set_title, update_one};
use super::files;
use super::messages::find_message;
use super::personal_providers::StoredPersonalProvider;
use super::usage::{self, UsageRow};
use super::users::name_of;
use super::{from_json, to_json};

/// Where a turn hangs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TurnParent {
    /// After the conversation's leaf.
    Leaf,
    /// A new first message.
    Root,
    After(MessageId),
}

/// What a turn begins with.
#[derive(Clone, Debug)]
pub enum NewTurn {
    /// A message of the user and the answer to it.
    Message {
        conversation: ConversationId,
        parent: TurnParent,
        parts: Vec<Part>,
        model: String,
        parameters: Parameters,
        /// Who is to answer this once, in the place of the conversation's assistant.
        assistant: Option<AssistantId>,
        /// The conversation's title until it gets a better one; left aside when it has one.
        title: String,
    },
    /// Another answer beside this one.
    Regenerate { answer: MessageId, model: Option<String>, parameters: Option<Parameters> },
    /// More of this answer.
    Continue { answer: MessageId },
}

/// What bounds a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TurnLimits {
    /// How many answers one person may have in the making at once.
    pub running_per_user: u64,
    /// How many of the latest messages of the path come back.
    pub history: u32,
    /// Whether people may have their browsers call providers of their own.
    pub personal_providers: bool,
}

/// The rows of a turn that has begun.
#[derive(Clone, Debug)]
pub struct TurnIds {
    pub conversation: ConversationId,
    pub message: MessageId,
    pub reply: MessageId,
    pub generation: GenerationId,
    pub user: UserId,
    pub model: String,
    pub parameters: Parameters,
    /// What the model is told to be.
    pub role: String,
    /// What the model gets in the place of what the user writes.
    pub template: Option<InputTemplate>,
    /// What the answer holds already, when it is continued.
    pub base: Vec<Part>,
    /// The path that leads to the answer, since its last summary, at most as long as asked for.
    pub history: History,
    /// Its old turns are to be summed up by themselves when it grows past this many messages, or past what its model takes.
    pub sum_up_past: Option<u32>,
    /// The conversation has no title but the one that this turn gave it.
    pub untitled: bool,
    pub lease: Lease,
    /// The provider that the user's own browser calls; the answer is its to write.
    pub browser: Option<StoredPersonalProvider>,
}

/// What stands around what the user writes, before the model gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputTemplate {
    pub text: String,
    /// Who writes.
    pub user: String,
}

/// The right to append to a generation's log: it is lost when somebody else has taken the generation over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    pub owner: InstanceId,
    pub epoch: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GenerationState {
    Running { owner: InstanceId },
    Ended(MessageStatus),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GenerationRow {
    pub id: GenerationId,
    pub conversation: ConversationId,
    pub message: MessageId,
    pub user: UserId,
    pub model: String,
    pub state: GenerationState,
    pub last_seq: u64,
}

/// A run of deltas, as `chat` encodes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    pub first_seq: u64,
    pub last_seq: u64,
    pub data: Vec<u8>,
}

/// The new deltas of one generation, and how it ended if it did.
#[derive(Clone, Debug)]
pub struct Append {
    pub generation: GenerationId,
    pub lease: Lease,
    pub chunk: Option<Chunk>,
    pub outcome: Option<Outcome>,
}

/// How a generation ended, to be folded into its message.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub status: MessageStatus,
    /// The whole of the message, what it held before included.
    pub parts: Vec<Part>,
    pub usage: Option<Usage>,
    /// `None` when whoever measured them is gone.
    pub timings: Option<Timings>,
    pub error: Option<Failure>,
    /// Why the model ended, if it did.
    pub finish_reason: Option<FinishReason>,
    /// The model that answered in the place of the one that was asked.
    pub stand_in: Option<String>,
    pub last_seq: u64,
    /// What the calls cost, for the ledger: kept in the same transaction as the answer.
    pub calls: Vec<UsageRow>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppendOutcome {
    Appended {
        stop_requested: bool,
    },
    /// The lease is gone; nothing was written for this generation.
    Fenced,
}

impl Database {
    /// Begins a turn: the user's message, the empty answer, the generation and its lease, all or nothing.
    pub async fn begin_turn(
        &self,
        principal: &Principal,
        turn: NewTurn,
        owner: InstanceId,
        limits: TurnLimits,
        now: Timestamp,
    ) -> Result<TurnIds, StorageError> {
        let user = access::person(principal)?;
        let transaction = self.begin().await?;
        let running = generations::Entity::find()
            .filter(generations::Column::UserId.eq(user.as_uuid()))
            .filter(generations::Column::State.eq(MessageStatus::Running.as_str()))
            .count(&transaction)
            .await?;
        if running >= limits.running_per_user {
            return Err(StorageError::Refused("too many answers are being written"));
        }
        let says = matches!(turn, NewTurn::Message { .. });
        let begun = Begun::place(&transaction, principal, turn, now).await?;
        let browser = self.called_by_browser(&transaction, principal, &begun.model, limits).await?;
        let owner = if browser.is_some() { browser_begins(&transaction, now).await? } else { owner };
        let conversation = begun.conversation.id.into();
        let generation = GenerationId::generate(now);
        let lease = Lease { owner, epoch: 1 };
        begun.write_reply(&transaction, generation, now).await?;
        let row = generations::ActiveModel {
            id: Set(generation.into()),
            conversation_id: Set(begun.conversation.id),
            message_id: Set(begun.reply.into()),
            user_id: Set(user.into()),
            model: Set(begun.model.clone()),
            state: Set(MessageStatus::Running.as_str().to_owned()),
            owner_id: Set(owner.into()),
            epoch: Set(lease.epoch),
            stop_requested: Set(false),
            last_seq: Set(0),
            started_at: Set(now.as_millis()),
            finished_at: Set(None),
        };
        generations::Entity::insert(row).exec_without_returning(&transaction).await?;
        let untitled = begun.title.is_some();
        let mut update = update_one(conversation);
        if let Some(title) = &begun.title {
            update = set_title(update, title);
        }
        // Whoever is asked once brings a model along that is not the conversation's.
        if begun.assistant.is_none() {
            update = update.col_expr(conversations::Column::Model, Expr::value(begun.model.clone()));
        }
        update
            .col_expr(conversations::Column::LeafId, Expr::value(begun.reply.as_uuid()))
            // What goes on is not put away.
            .col_expr(conversations::Column::ArchivedAt, Expr::value(None::<i64>))
            .col_expr(conversations::Column::UpdatedAt, Expr::value(now.as_millis()))
            .col_expr(conversations::Column::ReadAt, Expr::value(now.as_millis()))
            .exec(&transaction)
            .await?;
        if says {
            self.index_message(&transaction, begun.message).await?;
        }
        if untitled {
            self.index_title(&transaction, conversation).await?;
        }
        let assistants = [begun.assistant, begun.conversation.assistant_id.map(Into::into)];
        for id in assistants.into_iter().flatten() {
            assistants::check_turn(&transaction, principal, id, browser.is_some()).await?;
        }
        let instructions = instructions(&transaction, principal, &begun.conversation, begun.assistant).await?;
        let template = match instructions.template {
            Some(text) => Some(InputTemplate { text, user: name_of(&transaction, user).await? }),
            None => None,
        };
        let longest = instructions.history.unwrap_or(limits.history);
        let history = history(&transaction, &begun.conversation, End::At(begun.message), longest).await?;
        // Whoever says how many messages are sent wants just those.
        let by_itself = begun.conversation.auto_summary && instructions.history.is_none();
        transaction.commit().await?;
        self.notices().publish(Notice::Conversation { user, conversation }).await;
        Ok(TurnIds {
            conversation,
            message: begun.message,
            reply: begun.reply,
            generation,
            user,
            model: begun.model,
            parameters: begun.parameters,
            role: told(&instructions.project, &instructions.role),
            template,
            base: begun.base,
            history,
            sum_up_past: by_itself.then_some(longest),
            // Nobody reads the title of a temporary one.
            untitled: untitled && begun.conversation.expires_at.is_none(),
            lease,
            browser,
        })
    }

    /// Writes what all these generations have new, in one transaction, and tells which have lost their lease.
    pub async fn append_generations(
        &self,
        appends: &[Append],
        now: Timestamp,
    ) -> Result<Vec<AppendOutcome>, StorageError> {
        let transaction = self.begin().await?;
        let leases = leases(&transaction, appends.iter().map(|append| append.generation.as_uuid())).await?;
        let mut outcomes = Vec::with_capacity(appends.len());
        let mut chunks = Vec::new();
        for append in appends {
            let held = leases.get(&append.generation.as_uuid()).filter(|held| held.lease == append.lease);
            outcomes.push(match held {
                Some(held) => AppendOutcome::Appended { stop_requested: held.stop_requested },
                None => AppendOutcome::Fenced,
            });
            if held.is_none() {
                continue;
            }
            if let Some(chunk) = &append.chunk {
                chunks.push(chunk_row(append.generation, chunk));
            }
        }
        for chunks in chunks.chunks(4_000) {
            generation_chunks::Entity::insert_many(chunks.to_vec()).exec_without_returning(&transaction).await?;
        }
        for (append, outcome) in appends.iter().zip(&outcomes) {
            if let (AppendOutcome::Appended { .. }, Some(end)) = (outcome, &append.outcome) {
                self.fold(&transaction, append.generation, end, now).await?;
            }
        }
        transaction.commit().await?;
        Ok(outcomes)
    }

    /// A generation of a conversation that the principal may see.
    pub async fn generation(&self, principal: &Principal, id: GenerationId) -> Result<GenerationRow, StorageError> {
        let row =
            generations::Entity::find_by_id(id.as_uuid()).one(self.reader()).await?.ok_or(StorageError::NotFound)?;
        find_message(self.reader(), principal, row.message_id.into()).await?;
        generation(&row)
    }

    /// The log past `after`, oldest first, at most `limit` chunks.
    pub async fn generation_chunks(
        &self,
        principal: &Principal,
        id: GenerationId,
        after: u64,
        limit: u64,
    ) -> Result<Vec<Chunk>, StorageError> {
        self.generation(principal, id).await?;
        let rows = generation_chunks::Entity::find()
            .filter(generation_chunks::Column::GenerationId.eq(id.as_uuid()))
            .filter(generation_chunks::Column::LastSeq.gt(seq_column(after)))
            .order_by_asc(generation_chunks::Column::FirstSeq)
            .limit(limit)
            .all(self.reader())
            .await?;
        rows.into_iter().map(chunk).collect()
    }

    /// Asks whoever writes this generation to stop. No fault when it has ended.
    pub async fn request_stop(&self, principal: &Principal, id: GenerationId) -> Result<(), StorageError> {
        let row = self.generation(principal, id).await?;
        if matches!(row.state, GenerationState::Ended(_)) {
            return Ok(());
        }
        generations::Entity::update_many()
            .col_expr(generations::Column::StopRequested, Expr::value(true))
            .filter(generations::Column::Id.eq(id.as_uuid()))
            .exec(self.writer())
            .await?;
        self.notices().publish(Notice::Stop { generation: id }).await;
        Ok(())
    }

    /// Which of an instance's generations somebody wants stopped: the slow way, for when a notice was lost.
    pub async fn stop_requests(&self, owner: InstanceId) -> Result<Vec<GenerationId>, StorageError> {
        let ids: Vec<Uuid> = generations::Entity::find()
            .select_only()
            .column(generations::Column::Id)
            .filter(generations::Column::State.eq(MessageStatus::Running.as_str()))
            .filter(generations::Column::OwnerId.eq(owner.as_uuid()))
            .filter(generations::Column::StopRequested.eq(true))
            .into_tuple()
            .all(self.reader())
            .await?;
        Ok(ids.into_iter().map(Into::into).collect())
    }

    /// Running generations whose owner has been silent since before `silent_since`, or is gone.
    pub async fn orphans(&self, silent_since: Timestamp, at_most: u64) -> Result<Vec<GenerationRow>, StorageError> {
        let alive = instances::Entity::find()
            .select_only()
            .column(instances::Column::Id)
            .filter(instances::Column::HeartbeatAt.gte(silent_since.as_millis()));
        let rows = generations::Entity::find()
            .filter(generations::Column::State.eq(MessageStatus::Running.as_str()))
            .filter(Expr::col(generations::Column::OwnerId).not_in_subquery(alive.into_query()))
            .limit(at_most)
            .all(self.reader())
            .await?;
        rows.iter().map(generation).collect()
    }

    /// Takes an orphan over and ends it: the fence goes up, what its log holds becomes the message. False when its
    /// owner came back, or another replica was first. `fold` turns the log into the parts that follow `base`.
    pub async fn interrupt_orphan(
        &self,
        id: GenerationId,
        silent_since: Timestamp,
        now: Timestamp,
        fold_log: impl FnOnce(Vec<Part>, &[Chunk]) -> Vec<Part>,
    ) -> Result<bool, StorageError> {
        let transaction = self.begin().await?;
        let row = generations::Entity::find_by_id(id.as_uuid())
            .filter(generations::Column::State.eq(MessageStatus::Running.as_str()))
            .lock_exclusive()
            .one(&transaction)
            .await?;
        let Some(row) = row else { return Ok(false) };
        let heartbeat: Option<i64> = instances::Entity::find_by_id(row.owner_id)
            .select_only()
            .column(instances::Column::HeartbeatAt)
            .into_tuple()
            .one(&transaction)
            .await?;
        if heartbeat.is_some_and(|at| at >= silent_since.as_millis()) {
            return Ok(false);
        }
        let (base, chunks) = Self::base_and_log(&transaction, &row).await?;
        let outcome = Outcome {
            status: MessageStatus::Interrupted,
            last_seq: chunks.last().map_or(0, |chunk| chunk.last_seq),
            parts: fold_log(base, &chunks),
            usage: None,
            timings: None,
            error: None,
            finish_reason: None,
            stand_in: None,
            // What the model counted is lost with whoever ran it; that it was called is not.
            calls: vec![UsageRow {
                id: UsageId::generate(now),
                at: Timestamp::from_millis(row.started_at),
                user: Some(row.user_id.into()),
                api_key: None,
                generation: Some(id),
                function: None,
                model: row.model.clone(),
                provider: None,
                outcome: MessageStatus::Interrupted.as_str().to_owned(),
                usage: Usage::default(),
                timings: Timings::default(),
                by_browser: is_personal(&row.model),
            }],
        };
        self.fold(&transaction, id, &outcome, now).await?;
        transaction.commit().await?;
        let conversation = row.conversation_id.into();
        self.notices().publish(Notice::Finished { generation: id }).await;
        self.notices().publish(Notice::Conversation { user: row.user_id.into(), conversation }).await;
        Ok(true)
    }

    /// What the message held before, and all that was written since.
    pub(super) async fn base_and_log(
        transaction: &DatabaseTransaction,
        row: &generations::Model,
    ) -> Result<(Vec<Part>, Vec<Chunk>), StorageError> {
        let chunks = generation_chunks::Entity::find()
            .filter(generation_chunks::Column::GenerationId.eq(row.id))
            .order_by_asc(generation_chunks::Column::FirstSeq)
            .all(transaction)
            .await?
            .into_iter()
            .map(chunk)
            .collect::<Result<Vec<_>, _>>()?;
        let answer = messages::Entity::find_by_id(row.message_id)
            .one(transaction)
            .await?
            .ok_or_else(|| StorageError::inconsistent("generations", "message_id", row.id))?;
        Ok((from_json("messages", "parts", answer.id, &answer.parts)?, chunks))
    }

    /// Ends a generation and folds its log into the message.
    pub(super) async fn fold(
        &self,
        transaction: &DatabaseTransaction,
        id: GenerationId,
        outcome: &Outcome,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        let row =
            generations::Entity::find_by_id(id.as_uuid()).one(transaction).await?.ok_or(StorageError::NotFound)?;
        generations::Entity::update_many()
            .col_expr(generations::Column::State, Expr::value(outcome.status.as_str()))
            .col_expr(generations::Column::Epoch, Expr::col(generations::Column::Epoch).add(1))
            .col_expr(generations::Column::LastSeq, Expr::value(seq_column(outcome.last_seq)))
            .col_expr(generations::Column::FinishedAt, Expr::value(Some(now.as_millis())))
            .filter(generations::Column::Id.eq(row.id))
            .exec(transaction)
            .await?;
        let usage = outcome.usage.map(|usage| to_json("messages", "usage", &usage)).transpose()?;
        let timings = outcome.timings.map(|timings| to_json("messages", "timings", &timings)).transpose()?;
        let error = outcome.error.as_ref().map(|error| to_json("messages", "error", error)).transpose()?;
        messages::Entity::update_many()
            .col_expr(messages::Column::Parts, Expr::value(to_json("messages", "parts", &outcome.parts)?))
            .col_expr(messages::Column::Status, Expr::value(outcome.status.as_str()))
            .col_expr(messages::Column::Usage, Expr::value(usage))
            .col_expr(messages::Column::Timings, Expr::value(timings))
            .col_expr(messages::Column::Error, Expr::value(error))
            .col_expr(messages::Column::FinishReason, Expr::value(outcome.finish_reason.map(FinishReason::as_str)))
            .col_expr(messages::Column::StandIn, Expr::value(outcome.stand_in.clone()))
            .filter(messages::Column::Id.eq(row.message_id))
            .exec(transaction)
            .await?;
        generation_chunks::Entity::delete_many()
            .filter(generation_chunks::Column::GenerationId.eq(row.id))
            .exec(transaction)
            .await?;
        update_one(row.conversation_id.into())
            .col_expr(conversations::Column::AnsweredAt, Expr::value(now.as_millis()))
            .exec(transaction)
            .await?;
        self.index_message(transaction, row.message_id.into()).await?;
        if is_personal(&row.model) {
            browser_ends(transaction, row.owner_id.into()).await?;
        }
        usage::insert(transaction, &outcome.calls).await?;
        Ok(())
    }
}

/// A turn that has found its place in the tree.
struct Begun {
    conversation: conversations::Model,
    /// The user's message that is answered.
    message: MessageId,
    reply: MessageId,
    /// The reply is there already, and is continued.
    continues: bool,
    model: String,
    parameters: Parameters,
    /// Who answers this once, in the place of the conversation's assistant.
    assistant: Option<AssistantId>,
    base: Vec<Part>,
    /// For a conversation without one.
    title: Option<String>,
}

impl Begun {
    async fn place(
        transaction: &DatabaseTransaction,
        principal: &Principal,
        turn: NewTurn,
        now: Timestamp,
    ) -> Result<Self, StorageError> {
        match turn {
            NewTurn::Message { conversation, parent, parts, model, parameters, assistant, title } => {
                if let Some(id) = assistant {
                    assistants::find_usable(transaction, principal, id).await?;
                }
                let conversation = find_conversation(transaction, principal, conversation).await?;
                let parent = match parent {
                    TurnParent::Leaf => conversation.leaf_id,
                    TurnParent::Root => None,
                    TurnParent::After(id) => {
                        let row = find_message(transaction, principal, id).await?;
                        if row.conversation_id != conversation.id {
                            return Err(StorageError::NotFound);
                        }
                        Some(row.id)
                    }
                };
                let message = MessageId::generate(now);
                let row = messages::ActiveModel {
                    id: Set(message.into()),
                    conversation_id: Set(conversation.id),
                    parent_id: Set(parent),
                    role: Set(MessageRole::User.as_str().to_owned()),
                    parts: Set(to_json("messages", "parts", &parts)?),
                    status: Set(MessageStatus::Complete.as_str().to_owned()),
                    created_at: Set(now.as_millis()),
                    ..empty_message()
                };
                messages::Entity::insert(row).exec_without_returning(transaction).await?;
                files::attach(transaction, principal, message, &parts, now).await?;
                let reply = MessageId::generate(now);
                let title = conversation.title.is_empty().then_some(title);
                Ok(Self {
                    conversation,
                    message,
                    reply,
                    continues: false,
                    model,
                    parameters,
                    assistant,
                    base: Vec::new(),
                    title,
                })
            }
            NewTurn::Regenerate { answer, model, parameters } => {
                let (row, conversation, message) = answered(transaction, principal, answer).await?;
                let known = known_parameters(&row)?;
                Ok(Self {
                    model: model.or(row.model).or_else(|| conversation.model.clone()).ok_or(StorageError::NotFound)?,
                    parameters: parameters.unwrap_or(known),
                    assistant: row.assistant_id.map(Into::into),
                    conversation,
                    message,
                    reply: MessageId::generate(now),
                    continues: false,
                    base: Vec::new(),
                    title: None,
                })
            }
            NewTurn::Continue { answer } => {
                let (row, conversation, message) = answered(transaction, principal, answer).await?;
                if row.status == MessageStatus::Running.as_str() {
                    return Err(StorageError::Refused("the answer is still being written"));
                }
                Ok(Self {
                    model: row.model.clone().ok_or(StorageError::NotFound)?,
                    parameters: known_parameters(&row)?,
                    assistant: row.assistant_id.map(Into::into),
                    base: from_json("messages", "parts", row.id, &row.parts)?,
                    conversation,
                    message,
                    reply: row.id.into(),
                    continues: true,
                    title: None,
                })
            }
        }
    }

    async fn write_reply(
        &self,
        transaction: &DatabaseTransaction,
        generation: GenerationId,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        if self.continues {
            messages::Entity::update_many()
                .col_expr(messages::Column::Status, Expr::value(MessageStatus::Running.as_str()))
                .col_expr(messages::Column::GenerationId, Expr::value(Some(generation.as_uuid())))
                .col_expr(messages::Column::Error, Expr::value(None::<String>))
                .col_expr(messages::Column::FinishReason, Expr::value(None::<String>))
                // It will say more than was translated or summed up.
                .col_expr(messages::Column::Translation, Expr::value(None::<String>))
                .col_expr(messages::Column::Summary, Expr::value(None::<String>))
                .filter(messages::Column::Id.eq(self.reply.as_uuid()))
                .exec(transaction)
                .await?;
            return Ok(());
        }
        let row = messages::ActiveModel {
            id: Set(self.reply.into()),
            conversation_id: Set(self.conversation.id),
            parent_id: Set(Some(self.message.into())),
            role: Set(MessageRole::Assistant.as_str().to_owned()),
            parts: Set("[]".to_owned()),
            status: Set(MessageStatus::Running.as_str().to_owned()),
            model: Set(Some(self.model.clone())),
            assistant_id: Set(self.assistant.map(Into::into)),
            parameters: Set(Some(to_json("messages", "parameters", &self.parameters)?)),
            generation_id: Set(Some(generation.into())),
            created_at: Set(now.as_millis()),
            ..empty_message()
        };
        messages::Entity::insert(row).exec_without_returning(transaction).await?;
        Ok(())
    }
}

fn empty_message() -> messages::ActiveModel {
    messages::ActiveModel {
        parent_id: Set(None),
        model: Set(None),
        stand_in: Set(None),
        parameters: Set(None),
        generation_id: Set(None),
        usage: Set(None),
        timings: Set(None),
        error: Set(None),
        finish_reason: Set(None),
        removed_at: Set(None),
        removed_parent_id: Set(None),
        moved_from_id: Set(None),
        translation: Set(None),
        summary: Set(None),
        assistant_id: Set(None),
        ..Default::default()
    }
}

/// An answer, its conversation, and the message that it answers.
async fn answered(
    transaction: &DatabaseTransaction,
    principal: &Principal,
    answer: MessageId,
) -> Result<(messages::Model, conversations::Model, MessageId), StorageError> {
    let row = find_message(transaction, principal, answer).await?;
    let message = match row.parent_id {
        Some(parent) if row.role == MessageRole::Assistant.as_str() => parent.into(),
        _ => return Err(StorageError::Refused("only an answer can be written again or continued")),
    };
    let conversation = find_conversation(transaction, principal, row.conversation_id.into()).await?;
    Ok((row, conversation, message))
}

fn known_parameters(row: &messages::Model) -> Result<Parameters, StorageError> {
    match &row.parameters {
        Some(text) => from_json("messages", "parameters", row.id, text),
        None => Ok(Parameters::default()),
    }
}

struct Held {
    lease: Lease,
    stop_requested: bool,
}

/// The leases of running generations, locked until the transaction ends.
async fn leases(
    transaction: &DatabaseTransaction,
    ids: impl Iterator<Item = Uuid>,
) -> Result<HashMap<Uuid, Held>, StorageError> {
    let ids: Vec<Uuid> = ids.collect();
    let mut held = HashMap::with_capacity(ids.len());
    for ids in ids.chunks(10_000) {
        let rows = generations::Entity::find()
            .filter(generations::Column::Id.is_in(ids.iter().copied()))
            .filter(generations::Column::State.eq(MessageStatus::Running.as_str()))
            .lock_shared()
            .all(transaction)
            .await?;
        held.extend(rows.into_iter().map(|row| {
            let lease = Lease { owner: row.owner_id.into(), epoch: row.epoch };
            (row.id, Held { lease, stop_requested: row.stop_requested })
        }));
    }
    Ok(held)
}

fn generation(row: &generations::Model) -> Result<GenerationRow, StorageError> {
    let status =
        MessageStatus::parse(&row.state).ok_or_else(|| StorageError::inconsistent("generations", "state", row.id))?;
    Ok(GenerationRow {
        id: row.id.into(),
        conversation: row.conversation_id.into(),
        message: row.message_id.into(),
        user: row.user_id.into(),
        model: row.model.clone(),
        state: match status {
            MessageStatus::Running => GenerationState::Running { owner: row.owner_id.into() },
            status => GenerationState::Ended(status),
        },
        last_seq: u64::try_from(row.last_seq)
            .map_err(|_| StorageError::inconsistent("generations", "last_seq", row.id))?,
    })
}

pub(super) fn chunk_row(generation: GenerationId, chunk: &Chunk) -> generation_chunks::ActiveModel {
    generation_chunks::ActiveModel {
        generation_id: Set(generation.into()),
        first_seq: Set(seq_column(chunk.first_seq)),
        last_seq: Set(seq_column(chunk.last_seq)),
        data: Set(chunk.data.clone()),
    }
}

fn chunk(row: generation_chunks::Model) -> Result<Chunk, StorageError> {
    let seq = |value, column| {
        u64::try_from(value).map_err(|_| StorageError::inconsistent("generation_chunks", column, row.generation_id))
    };
    Ok(Chunk { first_seq: seq(row.first_seq, "first_seq")?, last_seq: seq(row.last_seq, "last_seq")?, data: row.data })
}

fn seq_column(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}
