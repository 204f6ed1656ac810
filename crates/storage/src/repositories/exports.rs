//! Everything of one person's, page by page in an order that nothing new disturbs.

use sea_orm::sea_query::Condition;
use sea_orm::{ColumnTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect, Statement};
use stoa_model::conversation::{Conversation, Message};
use stoa_model::{AssistantId, ConversationId, MessageId, Principal, ProjectId, Timestamp};
use uuid::Uuid;

use crate::entities::messages;
use crate::{Cursor, Database, Page, StorageError, access};

use super::bulk::tags_of;
use super::conversations::{conversation, find, visible};
use super::messages::{message, newest_leaf};

impl Database {
    /// Conversations by their ids, those after `after`; the archived ones too, and no threads.
    pub async fn conversations_by_id(
        &self,
        principal: &Principal,
        after: Option<ConversationId>,
        limit: u64,
    ) -> Result<Vec<Conversation>, StorageError> {
        use crate::entities::conversations::Column;
        // What is temporary is not to be kept anywhere.
        let mut query = visible(principal)
            .filter(Column::ExpiresAt.is_null())
            .filter(Column::ThreadOf.is_null())
            .order_by_asc(Column::Id)
            .limit(limit);
        if let Some(after) = after {
            query = query.filter(Column::Id.gt(after.as_uuid()));
        }
        let rows = query.all(self.reader()).await?;
        let mut tags = tags_of(self.reader(), rows.iter().map(|row| row.id)).await?;
        let with_tags = |row: crate::entities::conversations::Model| {
            let tags = tags.remove(&row.id).unwrap_or_default();
            conversation(row, false, tags)
        };
        rows.into_iter().map(with_tags).collect()
    }

    /// The ids of the principal's projects, oldest first.
    pub async fn project_ids(&self, principal: &Principal) -> Result<Vec<ProjectId>, StorageError> {
        use crate::entities::projects::{Column, Entity};
        let ids: Vec<Uuid> = Entity::find()
            .select_only()
            .column(Column::Id)
            .filter(access::rows(principal.projects(), Column::OwnerId))
            .order_by_asc(Column::CreatedAt)
            .order_by_asc(Column::Id)
            .into_tuple()
            .all(self.reader())
            .await?;
        Ok(ids.into_iter().map(Into::into).collect())
    }

    /// The ids of the principal's assistants, in the order that their owner gave them.
    pub async fn assistant_ids(&self, principal: &Principal) -> Result<Vec<AssistantId>, StorageError> {
        use crate::entities::assistants::{Column, Entity};
        let ids: Vec<Uuid> = Entity::find()
            .select_only()
            .column(Column::Id)
            .filter(access::rows(principal.assistants(), Column::OwnerId))
            .filter(Column::DeletedAt.is_null())
            .order_by_asc(Column::Place)
            .order_by_asc(Column::Id)
            .into_tuple()
            .all(self.reader())
            .await?;
        Ok(ids.into_iter().map(Into::into).collect())
    }

    /// All messages of a conversation, on whichever branch, by their times. Their siblings are not told.
    pub async fn messages_by_time(
        &self,
        principal: &Principal,
        conversation: ConversationId,
        after: Option<Cursor>,
        limit: u64,
    ) -> Result<Page<Message>, StorageError> {
        find(self.reader(), principal, conversation).await?;
        let mut query = messages::Entity::find()
            .filter(messages::Column::ConversationId.eq(conversation.as_uuid()))
            .filter(messages::Column::RemovedAt.is_null())
            .order_by_asc(messages::Column::CreatedAt)
            .order_by_asc(messages::Column::Id)
            .limit(limit);
        if let Some(Cursor { at, id }) = after {
            let later = messages::Column::CreatedAt.gt(at.as_millis());
            let same =
                Condition::all().add(messages::Column::CreatedAt.eq(at.as_millis())).add(messages::Column::Id.gt(id));
            query = query.filter(Condition::any().add(later).add(same));
        }
        let rows = query.all(self.reader()).await?;
        let full = u64::try_from(rows.len()).unwrap_or(u64::MAX) >= limit;
        let next = rows.last().filter(|_| full);
        let next = next.map(|row| Cursor { at: Timestamp::from_millis(row.created_at), id: row.id });
        let items = rows.into_iter().map(|row| message(row, Vec::new())).collect::<Result<_, _>>()?;
        Ok(Page { items, next })
    }

    /// The end of the branch below `leaf`, or of the one that the conversation shows. Nothing where it has no message.
    pub async fn branch_end(
        &self,
        principal: &Principal,
        conversation: ConversationId,
        leaf: Option<MessageId>,
    ) -> Result<Option<MessageId>, StorageError> {
        let row = find(self.reader(), principal, conversation).await?;
        match leaf {
            Some(message) => newest_leaf(self.reader(), conversation, message).await.map(Some),
            None => Ok(row.leaf_id.map(MessageId::from_uuid)),
        }
    }

    /// A stretch of the path to `end`, from its root on, after the first `skip` messages. Their siblings are not told.
    pub async fn branch(
        &self,
        principal: &Principal,
        conversation: ConversationId,
        end: MessageId,
        skip: u32,
        limit: u32,
    ) -> Result<Vec<Message>, StorageError> {
        find(self.reader(), principal, conversation).await?;
        let sql = "WITH RECURSIVE up(id, parent_id, hop) AS (\
            SELECT id, parent_id, 0 FROM messages WHERE id = $1 AND conversation_id = $2 \
            UNION ALL \
            SELECT above.id, above.parent_id, up.hop + 1 FROM messages AS above JOIN up ON above.id = up.parent_id) \
            SELECT messages.* FROM (SELECT id, hop FROM up ORDER BY hop DESC LIMIT $3 OFFSET $4) AS near \
            JOIN messages ON messages.id = near.id ORDER BY near.hop DESC";
        let values =
            [end.as_uuid().into(), conversation.as_uuid().into(), i64::from(limit).into(), i64::from(skip).into()];
        let statement = Statement::from_sql_and_values(self.reader().get_database_backend(), sql, values);
        let rows = messages::Model::find_by_statement(statement).all(self.reader()).await?;
        rows.into_iter().map(|row| message(row, Vec::new())).collect()
    }
}
