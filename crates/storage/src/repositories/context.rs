//! What a model gets of a conversation: what it is told to be, the last summary on the branch, and what was said since.

use sea_orm::sea_query::ExprTrait as _;
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter, QuerySelect, QueryTrait as _, Statement,
};
use stoa_model::assistant::AssistantProfile;
use stoa_model::conversation::{ContextFigures, ContextTokens, Message, MessageRole, Part, Summary};
use stoa_model::project::ProjectProfile;
use stoa_model::tokens::{estimate, estimate_picture};
use stoa_model::{ConversationId, MessageId, Principal};

use crate::entities::{conversations, generations, messages, usage_entries};
use crate::{Database, StorageError};

use super::conversations::find as find_conversation;
use super::messages::{message, path};
use super::{assistants, from_json, projects};

/// How far up a branch its last summary is looked for, in messages.
const FARTHEST: u32 = 2_000;

/// What leads to an answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// What everything above the messages comes down to.
    pub summary: Option<Summary>,
    /// Oldest first, without their siblings.
    pub messages: Vec<Message>,
    /// There are more messages between the summary, or the beginning, and these.
    pub left_out: bool,
}

impl Database {
    /// What the next question at the end of the branch that is shown would take along.
    pub async fn context(
        &self,
        principal: &Principal,
        id: ConversationId,
        longest: u32,
    ) -> Result<ContextFigures, StorageError> {
        let conversation = find_conversation(self.reader(), principal, id).await?;
        let told = instructions(self.reader(), principal, &conversation).await?;
        let history = match conversation.leaf_id {
            Some(leaf) => {
                let end = End::Above(leaf.into());
                history(self.reader(), &conversation, end, told.history.unwrap_or(longest)).await?
            }
            None => History::default(),
        };
        let said = |count: fn(&Part) -> u64| -> u64 {
            history.messages.iter().flat_map(|message| &message.parts).map(count).sum()
        };
        let tokens = ContextTokens {
            role: estimate(&told.role),
            project: estimate(&told.project),
            summary: history.summary.as_ref().map_or(0, |summary| estimate(&summary.text)),
            messages: said(|part| if part.is_text() { estimate(part.text()) } else { 0 }),
            pictures: said(|part| match part {
                Part::Image { width, height, .. } => estimate_picture(*width, *height),
                _ => 0,
            }),
        };
        let question = history.messages.iter().rposition(|message| message.role == MessageRole::User);
        let answer = question.and_then(|question| history.messages[..question].last());
        let answer = answer.filter(|message| message.role == MessageRole::Assistant && message.summary.is_none());
        Ok(ContextFigures {
            tokens,
            messages: u32::try_from(history.messages.len()).unwrap_or(u32::MAX),
            summed_up: history.summary.as_ref().map_or(0, |summary| summary.messages),
            left_out: history.left_out,
            cost: spent(self.reader(), id).await?,
            summable: answer.map(|message| message.id),
        })
    }
}

/// What a model is told before anything is said.
pub(super) struct Instructions {
    /// What it is to be: what the conversation says, or else its assistant.
    pub(super) role: String,
    pub(super) project: String,
    /// What it gets in the place of what the user writes.
    pub(super) template: Option<String>,
    /// How many messages the assistant wants sent.
    pub(super) history: Option<u32>,
}

pub(super) async fn instructions<C: ConnectionTrait>(
    connection: &C,
    principal: &Principal,
    conversation: &conversations::Model,
) -> Result<Instructions, StorageError> {
    let assistant = match conversation.assistant_id {
        // One that was deleted says nothing more.
        Some(id) => assistants::profile_of(connection, principal, id.into()).await?.unwrap_or_default(),
        None => AssistantProfile::default(),
    };
    let project = match conversation.project_id {
        Some(id) => projects::profile_of(connection, principal, id.into()).await?.unwrap_or_default(),
        None => ProjectProfile::default(),
    };
    Ok(Instructions {
        role: if conversation.role.is_empty() { assistant.role } else { conversation.role.clone() },
        project: project.instructions,
        template: Some(assistant.input_template).filter(|template| !template.is_empty()),
        history: assistant.history_messages,
    })
}

/// Where a history ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// With this message as it is, whatever is kept with it.
    At(MessageId),
    /// With this message, for one that comes below it: it may itself be summed up.
    Above(MessageId),
}

/// What leads to the end, and the end itself: the summary that is met first on the way up and what was said since, at most
/// `longest` messages of it.
pub(super) async fn history<C: ConnectionTrait>(
    connection: &C,
    conversation: &conversations::Model,
    end: End,
    longest: u32,
) -> Result<History, StorageError> {
    let id: ConversationId = conversation.id.into();
    let mut rows = if conversation.summarised_at.is_none() {
        let (End::At(last) | End::Above(last)) = end;
        path(connection, id, last, longest.saturating_add(1)).await?
    } else {
        path_to_summary(connection, id, end, longest.saturating_add(1)).await?
    };
    let summed = rows.first().filter(|row| end != End::At(row.id.into())).and_then(|row| row.summary.clone());
    let summary = match summed {
        Some(text) => {
            let row = rows.remove(0);
            Some(from_json("messages", "summary", row.id, &text)?)
        }
        None => None,
    };
    let longest = usize::try_from(longest).unwrap_or(usize::MAX);
    let over = rows.len().saturating_sub(longest);
    rows.drain(..over);
    let messages = rows.into_iter().map(|row| message(row, Vec::new())).collect::<Result<_, _>>()?;
    Ok(History { summary, messages, left_out: over > 0 })
}

/// The last `limit` messages of the way from the nearest summary to `end`, and first of all the message with that summary.
async fn path_to_summary<C: ConnectionTrait>(
    connection: &C,
    conversation: ConversationId,
    end: End,
    limit: u32,
) -> Result<Vec<messages::Model>, StorageError> {
    let sql = "WITH RECURSIVE path(id, parent_id, hop, summed) AS (\
        SELECT id, parent_id, 0, ($5 AND summary IS NOT NULL) FROM messages WHERE id = $1 AND conversation_id = $2 \
        UNION ALL \
        SELECT above.id, above.parent_id, path.hop + 1, above.summary IS NOT NULL FROM messages AS above \
        JOIN path ON above.id = path.parent_id WHERE NOT path.summed AND path.hop + 1 < $3) \
        SELECT messages.* FROM path JOIN messages ON messages.id = path.id \
        WHERE path.hop < $4 OR path.summed ORDER BY path.hop DESC";
    let (last, summed) = match end {
        End::At(last) => (last, false),
        End::Above(last) => (last, true),
    };
    let values = [
        last.as_uuid().into(),
        conversation.as_uuid().into(),
        i64::from(Ord::max(FARTHEST, limit)).into(),
        i64::from(limit).into(),
        summed.into(),
    ];
    let statement = Statement::from_sql_and_values(connection.get_database_backend(), sql, values);
    Ok(messages::Model::find_by_statement(statement).all(connection).await?)
}

/// What the answers of a conversation cost.
async fn spent<C: ConnectionTrait>(connection: &C, conversation: ConversationId) -> Result<Option<u64>, StorageError> {
    #[derive(FromQueryResult)]
    struct Sum {
        cost: Option<i64>,
    }
    let answers = generations::Entity::find()
        .select_only()
        .column(generations::Column::Id)
        .filter(generations::Column::ConversationId.eq(conversation.as_uuid()));
    let sum = usage_entries::Entity::find()
        .select_only()
        // A sum of big integers is a numeric to PostgreSQL.
        .column_as(usage_entries::Column::Cost.into_expr().sum().cast_as("bigint"), "cost")
        .filter(usage_entries::Column::GenerationId.in_subquery(answers.into_query()))
        .into_model::<Sum>()
        .one(connection)
        .await?;
    Ok(sum.and_then(|sum| sum.cost).and_then(|cost| u64::try_from(cost).ok()))
}
