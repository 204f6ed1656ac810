//! Summaries of old turns, each kept with the last answer that it stands for. It belongs to the branches through that answer.

use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter};
use stoa_model::conversation::{MessageRole, MessageStatus, Summary};
use stoa_model::{ConversationId, MessageId, Principal, Timestamp};
use uuid::Uuid;

use crate::entities::{conversations, messages};
use crate::{Database, Notice, StorageError, access};

use super::context::{End, History, history};
use super::conversations::{find as find_conversation, update_one};
use super::messages::find_message;
use super::to_json;

/// What is to be summed up.
#[derive(Clone, Debug, PartialEq)]
pub struct Summable {
    /// The model of the conversation.
    pub model: Option<String>,
    pub history: History,
}

/// Whether whoever takes a summary also says whether more are to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// A person asked.
    Asked,
    /// It grew long. Nothing is kept where a person has said meanwhile that nothing is to be made by itself.
    ByItself,
}

impl Database {
    /// The branch that ends with an answer, since its last summary, at most so many messages of it.
    pub async fn summable(
        &self,
        principal: &Principal,
        answer: MessageId,
        most: u32,
    ) -> Result<Summable, StorageError> {
        let row = find_answer(self.reader(), principal, answer).await?;
        let conversation = find_conversation(self.reader(), principal, row.conversation_id.into()).await?;
        let history = history(self.reader(), &conversation, End::At(answer), most).await?;
        Ok(Summable { model: conversation.model, history })
    }

    /// Keeps a summary with the last answer that it stands for. False when nobody wants it any more.
    pub async fn keep_summary(
        &self,
        principal: &Principal,
        answer: MessageId,
        summary: &Summary,
        wish: Wish,
        now: Timestamp,
    ) -> Result<bool, StorageError> {
        let user = access::person(principal)?;
        let transaction = self.begin().await?;
        let row = find_answer(&transaction, principal, answer).await?;
        let conversation = row.conversation_id.into();
        if wish == Wish::ByItself && !find_conversation(&transaction, principal, conversation).await?.auto_summary {
            return Ok(false);
        }
        set(&transaction, row.id, Some(to_json("messages", "summary", summary)?)).await?;
        touch(&transaction, conversation, now).await?;
        transaction.commit().await?;
        self.notices().publish(Notice::Conversation { user, conversation }).await;
        Ok(true)
    }

    /// Takes a summary back: models get the messages themselves again. Whoever does that wants none made by itself there.
    pub async fn forget_summary(
        &self,
        principal: &Principal,
        answer: MessageId,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        let user = access::person(principal)?;
        let transaction = self.begin().await?;
        let row = find_message(&transaction, principal, answer).await?;
        let conversation = row.conversation_id.into();
        set(&transaction, row.id, None).await?;
        update_one(conversation)
            .col_expr(conversations::Column::AutoSummary, Expr::value(false))
            .exec(&transaction)
            .await?;
        touch(&transaction, conversation, now).await?;
        transaction.commit().await?;
        self.notices().publish(Notice::Conversation { user, conversation }).await;
        Ok(())
    }
}

/// Takes back every summary that may stand for a message that is taken out: what it said must not go on in them.
pub(super) async fn drop_summaries(
    transaction: &DatabaseTransaction,
    removed: &messages::Model,
    now: Timestamp,
) -> Result<(), StorageError> {
    let dropped = messages::Entity::update_many()
        .filter(messages::Column::ConversationId.eq(removed.conversation_id))
        .filter(messages::Column::Summary.is_not_null())
        .filter(messages::Column::CreatedAt.gte(removed.created_at))
        .col_expr(messages::Column::Summary, Expr::value(None::<String>))
        .exec(transaction)
        .await?;
    if dropped.rows_affected > 0 {
        touch(transaction, removed.conversation_id.into(), now).await?;
    }
    Ok(())
}

async fn find_answer<C: ConnectionTrait>(
    connection: &C,
    principal: &Principal,
    id: MessageId,
) -> Result<messages::Model, StorageError> {
    let row = find_message(connection, principal, id).await?;
    if row.role != MessageRole::Assistant.as_str() {
        return Err(StorageError::Refused("only what ends with an answer can be summed up"));
    }
    if row.status == MessageStatus::Running.as_str() {
        return Err(StorageError::Refused("the answer is being written"));
    }
    Ok(row)
}

async fn set(on: &DatabaseTransaction, message: Uuid, summary: Option<String>) -> Result<(), StorageError> {
    messages::Entity::update_many()
        .filter(messages::Column::Id.eq(message))
        .col_expr(messages::Column::Summary, Expr::value(summary))
        .exec(on)
        .await?;
    Ok(())
}

/// Notes that the branches of a conversation may hold summaries, or other ones.
pub(super) async fn touch(
    on: &DatabaseTransaction,
    conversation: ConversationId,
    now: Timestamp,
) -> Result<(), StorageError> {
    update_one(conversation)
        .col_expr(conversations::Column::SummarisedAt, Expr::value(Some(now.as_millis())))
        .exec(on)
        .await?;
    Ok(())
}
