//! Whom assistants are shared with: as their owners see it, and what those get who are shared with.

use std::collections::HashMap;

use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect};
use stoa_model::assistant::{AssistantShare, MAX_ASSISTANT_SHARES, Reach, SharedAssistant, SharedWith};
use stoa_model::person::Role;
use stoa_model::{AssistantId, AssistantShareId, Principal, Timestamp};
use uuid::Uuid;

use crate::entities::{assistant_shares, assistants, users};
use crate::{Database, StorageError, access};

use super::assistants::{complete, find, visible};
use super::insert;
use super::users::by_address;

/// Assistants of others that one person sees.
const MOST_OF_OTHERS: u64 = 1_000;

/// Whom an assistant is to be shared with.
#[derive(Clone, Debug)]
pub enum NewReach {
    Everyone,
    Role(Role),
    /// The person with this very e-mail address.
    Address(String),
}

impl Database {
    /// Lets others use an assistant of the caller's. What is shared already stays as it is.
    pub async fn share_assistant(
        &self,
        principal: &Principal,
        id: AssistantId,
        reach: NewReach,
        now: Timestamp,
    ) -> Result<AssistantShare, StorageError> {
        let transaction = self.begin().await?;
        let assistant = find(&transaction, principal, id).await?;
        let reach = match reach {
            NewReach::Everyone => Reach::Everyone,
            NewReach::Role(role) => Reach::Role(role),
            NewReach::Address(address) => {
                let person = by_address(&transaction, &address).await?;
                let person = person.ok_or(StorageError::Refused("nobody here has this e-mail address"))?;
                if person == assistant.owner_id {
                    return Err(StorageError::Refused("the assistant is your own"));
                }
                Reach::Person(person.into())
            }
        };
        let of_it = || assistant_shares::Entity::find().filter(assistant_shares::Column::AssistantId.eq(id.as_uuid()));
        let known = of_it().filter(assistant_shares::Column::Reach.eq(reach.key())).one(&transaction).await?;
        let row = if let Some(known) = known {
            known
        } else {
            if of_it().count(&transaction).await? >= MAX_ASSISTANT_SHARES {
                return Err(StorageError::Refused("the assistant is shared with too many already"));
            }
            let row = assistant_shares::Model {
                id: AssistantShareId::generate(now).into(),
                assistant_id: id.into(),
                reach: reach.key(),
                user_id: if let Reach::Person(person) = reach { Some(person.into()) } else { None },
                created_at: now.as_millis(),
            };
            insert(&transaction, row.clone()).await.map_err(StorageError::taken("share"))?;
            row
        };
        let share = shares(&transaction, vec![row]).await?.pop().ok_or(StorageError::NotFound)?;
        transaction.commit().await?;
        Ok(share)
    }

    /// Whom an assistant of the caller's is shared with, the first that it was shared with first.
    pub async fn assistant_shares(
        &self,
        principal: &Principal,
        id: AssistantId,
    ) -> Result<Vec<AssistantShare>, StorageError> {
        find(self.reader(), principal, id).await?;
        let rows = assistant_shares::Entity::find()
            .filter(assistant_shares::Column::AssistantId.eq(id.as_uuid()))
            .order_by_asc(assistant_shares::Column::CreatedAt)
            .order_by_asc(assistant_shares::Column::Id)
            .limit(MAX_ASSISTANT_SHARES)
            .all(self.reader())
            .await?;
        shares(self.reader(), rows).await
    }

    /// Takes a share back. It is in force with the next turn.
    pub async fn unshare_assistant(&self, principal: &Principal, id: AssistantShareId) -> Result<(), StorageError> {
        let own = visible(principal).select_only().column(assistants::Column::Id);
        let taken = assistant_shares::Entity::delete_many()
            .filter(assistant_shares::Column::Id.eq(id.as_uuid()))
            .filter(assistant_shares::Column::AssistantId.in_subquery(sea_orm::QueryTrait::into_query(own)))
            .exec(self.writer())
            .await?;
        if taken.rows_affected == 0 { Err(StorageError::NotFound) } else { Ok(()) }
    }

    /// What others share with the caller, by name.
    pub async fn assistants_of_others(&self, principal: &Principal) -> Result<Vec<SharedAssistant>, StorageError> {
        let rows = assistants::Entity::find()
            .filter(access::assistants_of_others(principal.usable_assistants()))
            .filter(assistants::Column::DeletedAt.is_null())
            .order_by_asc(assistants::Column::CreatedAt)
            .order_by_asc(assistants::Column::Id)
            .limit(MOST_OF_OTHERS)
            .all(self.reader())
            .await?;
        let owners = people(self.reader(), rows.iter().map(|row| row.owner_id)).await?;
        let makers: Vec<Uuid> = rows.iter().map(|row| row.owner_id).collect();
        let all = complete(self.reader(), principal, &rows).await?.into_iter().zip(makers);
        let mut seen: Vec<SharedAssistant> = all
            .map(|(assistant, maker)| {
                let name = owners.get(&maker).map(|owner| owner.name.clone()).unwrap_or_default();
                SharedAssistant::of(assistant, name)
            })
            .collect();
        seen.sort_by_cached_key(|assistant| assistant.name.to_lowercase());
        Ok(seen)
    }
}

async fn people<C: ConnectionTrait>(
    connection: &C,
    ids: impl Iterator<Item = Uuid>,
) -> Result<HashMap<Uuid, users::Model>, StorageError> {
    let rows = users::Entity::find().filter(users::Column::Id.is_in(ids)).all(connection).await?;
    Ok(rows.into_iter().map(|row| (row.id, row)).collect())
}

async fn shares<C: ConnectionTrait>(
    connection: &C,
    rows: Vec<assistant_shares::Model>,
) -> Result<Vec<AssistantShare>, StorageError> {
    let mut people = people(connection, rows.iter().filter_map(|row| row.user_id)).await?;
    let share = |row: assistant_shares::Model| {
        let odd = || StorageError::inconsistent("assistant_shares", "reach", row.id);
        let with = match Reach::parse(&row.reach).ok_or_else(odd)? {
            Reach::Everyone => SharedWith::Everyone,
            Reach::Role(role) => SharedWith::Role { role },
            Reach::Person(id) => {
                let person = people.remove(&id.as_uuid()).ok_or_else(odd)?;
                SharedWith::Person { name: person.name, email: person.email }
            }
        };
        Ok(AssistantShare { id: row.id.into(), with, created_at: Timestamp::from_millis(row.created_at) })
    };
    rows.into_iter().map(share).collect()
}
