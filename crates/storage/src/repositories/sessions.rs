//! Signed-in browsers. A session is found by the hash of its token, and ends by itself when it is not used.

use std::time::Duration;

use sea_orm::sea_query::Expr;
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use stoa_model::person::User;
use stoa_model::{Principal, SessionId, Timestamp, UserId};

use crate::entities::{sessions, users};
use crate::{Database, Notice, StorageError, access};

use super::users::user;

#[derive(Clone, Debug)]
pub struct NewSession {
    pub user: UserId,
    pub token_hash: Vec<u8>,
    pub user_agent: String,
    pub address: String,
    pub lasts: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub id: SessionId,
    pub user_agent: String,
    pub address: String,
    pub created_at: Timestamp,
    pub last_seen_at: Timestamp,
    pub expires_at: Timestamp,
}

/// A good session and the person it belongs to.
#[derive(Clone, Debug)]
pub struct SignedIn {
    pub session: Session,
    pub user: User,
}

impl Database {
    pub async fn create_session(&self, new: NewSession, now: Timestamp) -> Result<SessionId, StorageError> {
        let id = SessionId::generate(now);
        let row = sessions::ActiveModel {
            id: Set(id.into()),
            user_id: Set(new.user.into()),
            token_hash: Set(new.token_hash),
            user_agent: Set(new.user_agent),
            address: Set(new.address),
            created_at: Set(now.as_millis()),
            last_seen_at: Set(now.as_millis()),
            expires_at: Set(now.plus(new.lasts).as_millis()),
        };
        let transaction = self.begin().await?;
        sessions::Entity::insert(row).exec_without_returning(&transaction).await?;
        users::Entity::update_many()
            .col_expr(users::Column::LastSeenAt, Expr::value(now.as_millis()))
            .filter(users::Column::Id.eq(new.user.as_uuid()))
            .exec(&transaction)
            .await?;
        transaction.commit().await?;
        Ok(id)
    }

    /// The session behind a token, when it is good and its owner may sign in. For the identity door alone.
    pub async fn session_by_token(&self, token_hash: &[u8], now: Timestamp) -> Result<Option<SignedIn>, StorageError> {
        let found = sessions::Entity::find()
            .filter(sessions::Column::TokenHash.eq(token_hash))
            .filter(sessions::Column::ExpiresAt.gt(now.as_millis()))
            .one(self.reader())
            .await?;
        let Some(found) = found else { return Ok(None) };
        let owner = users::Entity::find_by_id(found.user_id).one(self.reader()).await?;
        match owner.map(user).transpose()? {
            Some(user) if !user.disabled => Ok(Some(SignedIn { session: session(found), user })),
            _ => Ok(None),
        }
    }

    /// Notes that the session was used, and lets it last from now on.
    pub async fn touch_session(
        &self,
        id: SessionId,
        user: UserId,
        lasts: Duration,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        sessions::Entity::update_many()
            .col_expr(sessions::Column::LastSeenAt, Expr::value(now.as_millis()))
            .col_expr(sessions::Column::ExpiresAt, Expr::value(now.plus(lasts).as_millis()))
            .filter(sessions::Column::Id.eq(id.as_uuid()))
            .exec(self.writer())
            .await?;
        users::Entity::update_many()
            .col_expr(users::Column::LastSeenAt, Expr::value(now.as_millis()))
            .filter(users::Column::Id.eq(user.as_uuid()))
            .exec(self.writer())
            .await?;
        Ok(())
    }

    pub async fn sessions(&self, principal: &Principal, now: Timestamp) -> Result<Vec<Session>, StorageError> {
        let rows = sessions::Entity::find()
            .filter(access::rows(principal.credentials(), sessions::Column::UserId))
            .filter(sessions::Column::ExpiresAt.gt(now.as_millis()))
            .order_by_desc(sessions::Column::LastSeenAt)
            .all(self.reader())
            .await?;
        Ok(rows.into_iter().map(session).collect())
    }

    pub async fn delete_session(&self, principal: &Principal, id: SessionId) -> Result<(), StorageError> {
        let row = sessions::Entity::find_by_id(id.as_uuid())
            .filter(access::rows(principal.credentials(), sessions::Column::UserId))
            .one(self.writer())
            .await?
            .ok_or(StorageError::NotFound)?;
        sessions::Entity::delete_by_id(row.id).exec(self.writer()).await?;
        self.notices().publish(Notice::Identity { user: row.user_id.into() }).await;
        Ok(())
    }

    /// Ends every session of the principal but the one it speaks through.
    pub async fn delete_other_sessions(&self, principal: &Principal) -> Result<(), StorageError> {
        let owner = access::person(principal)?;
        let mut delete = sessions::Entity::delete_many().filter(sessions::Column::UserId.eq(owner.as_uuid()));
        if let Some(current) = principal.session_id() {
            delete = delete.filter(sessions::Column::Id.ne(current.as_uuid()));
        }
        delete.exec(self.writer()).await?;
        self.notices().publish(Notice::Identity { user: owner }).await;
        Ok(())
    }

    /// Ends every session of somebody, such as after an admin set a new password.
    pub async fn delete_sessions_of(&self, principal: &Principal, user: UserId) -> Result<(), StorageError> {
        access::require(principal.people())?;
        sessions::Entity::delete_many().filter(sessions::Column::UserId.eq(user.as_uuid())).exec(self.writer()).await?;
        self.notices().publish(Notice::Identity { user }).await;
        Ok(())
    }

    pub async fn sweep_sessions(&self, now: Timestamp) -> Result<u64, StorageError> {
        let swept = sessions::Entity::delete_many()
            .filter(sessions::Column::ExpiresAt.lte(now.as_millis()))
            .exec(self.writer())
            .await?;
        Ok(swept.rows_affected)
    }
}

fn session(row: sessions::Model) -> Session {
    Session {
        id: row.id.into(),
        user_agent: row.user_agent,
        address: row.address,
        created_at: Timestamp::from_millis(row.created_at),
        last_seen_at: Timestamp::from_millis(row.last_seen_at),
        expires_at: Timestamp::from_millis(row.expires_at),
    }
}
