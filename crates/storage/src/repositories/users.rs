//! People, their identities and passwords. Every change of rights raises the person's epoch.

use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, ExprTrait as _, PaginatorTrait, QueryFilter,
    QueryOrder, QuerySelect as _,
};
use stoa_model::person::{Role, User};
use stoa_model::{IdentityId, Principal, Timestamp, UserId};
use uuid::Uuid;

use crate::entities::{identities, settings, users};
use crate::{Database, Notice, StorageError, access};

use super::insert;

const LOCAL_ISSUER: &str = "local";
const OWNER_MADE: &str = "owner_made";

#[derive(Clone, Debug)]
pub struct NewUser {
    pub name: String,
    pub email: String,
    pub role: Role,
    /// As argon2 writes it, with its salt and costs.
    pub password_hash: String,
}

/// What sign-in by password needs to know.
#[derive(Clone, Debug)]
pub struct Credentials {
    pub user: User,
    pub password_hash: String,
}

#[derive(Clone, Debug, Default)]
pub struct UserChange {
    pub name: Option<String>,
    pub role: Option<Role>,
    pub disabled: Option<bool>,
    pub password_hash: Option<String>,
}

/// What somebody is called.
pub(super) async fn name_of<C: ConnectionTrait>(connection: &C, id: UserId) -> Result<String, StorageError> {
    let row = users::Entity::find_by_id(id.as_uuid()).one(connection).await?.ok_or(StorageError::NotFound)?;
    Ok(row.name)
}

/// Whoever has this very e-mail address and an account that is not switched off.
pub(super) async fn by_address<C: ConnectionTrait>(connection: &C, email: &str) -> Result<Option<Uuid>, StorageError> {
    let found = identities::Entity::find()
        .filter(identities::Column::Issuer.eq(LOCAL_ISSUER))
        .filter(identities::Column::Subject.eq(fold_email(email)))
        .one(connection)
        .await?;
    let Some(identity) = found else { return Ok(None) };
    let person = users::Entity::find_by_id(identity.user_id).filter(users::Column::DisabledAt.is_null());
    Ok(person.one(connection).await?.map(|person| person.id))
}

impl Database {
    /// Whether nobody has an account yet.
    pub async fn needs_setup(&self) -> Result<bool, StorageError> {
        Ok(users::Entity::find().limit(1).count(self.reader()).await? == 0)
    }

    /// Makes the first owner. Of two that try at once, one is refused.
    pub async fn create_first_owner(&self, new: NewUser, now: Timestamp) -> Result<User, StorageError> {
        let transaction = self.begin().await?;
        let taken = |error| match StorageError::taken("owner")(error) {
            StorageError::Taken(_) => StorageError::Refused("the owner has been made already"),
            other => other,
        };
        let mark = settings::ActiveModel { key: Set(OWNER_MADE.to_owned()), value: Set(now.to_string()) };
        settings::Entity::insert(mark).exec_without_returning(&transaction).await.map_err(taken)?;
        if users::Entity::find().count(&transaction).await? > 0 {
            return Err(StorageError::Refused("the owner has been made already"));
        }
        let user = insert_user(&transaction, NewUser { role: Role::Owner, ..new }, now).await?;
        transaction.commit().await?;
        Ok(user)
    }

    pub async fn create_user(&self, principal: &Principal, new: NewUser, now: Timestamp) -> Result<User, StorageError> {
        access::require(principal.people())?;
        if !principal.may_assign(new.role) {
            return Err(StorageError::Forbidden);
        }
        let transaction = self.begin().await?;
        let user = insert_user(&transaction, new, now).await?;
        transaction.commit().await?;
        Ok(user)
    }

    pub async fn users(&self, principal: &Principal) -> Result<Vec<User>, StorageError> {
        access::require(principal.people())?;
        let rows = users::Entity::find().order_by_asc(users::Column::CreatedAt).all(self.reader()).await?;
        rows.into_iter().map(user).collect()
    }

    /// One person: oneself, or anybody for an admin.
    pub async fn user(&self, principal: &Principal, id: UserId) -> Result<User, StorageError> {
        if principal.user_id() != Some(id) {
            access::require(principal.people()).map_err(|_| StorageError::NotFound)?;
        }
        let row = users::Entity::find_by_id(id.as_uuid()).one(self.reader()).await?;
        user(row.ok_or(StorageError::NotFound)?)
    }

    /// Notes that the caller has seen the first steps, or passed them over.
    pub async fn mark_welcomed(&self, principal: &Principal, now: Timestamp) -> Result<User, StorageError> {
        let id = access::person(principal)?;
        users::Entity::update_many()
            .col_expr(users::Column::WelcomedAt, Expr::value(Some(now.as_millis())))
            .filter(users::Column::Id.eq(id.as_uuid()))
            .filter(users::Column::WelcomedAt.is_null())
            .exec(self.writer())
            .await?;
        self.user(principal, id).await
    }

    /// Changes a person. Names are one's own to change; the rest is for those who may assign both the old and the new
    /// role. The last owner who can sign in stays one.
    pub async fn change_user(
        &self,
        principal: &Principal,
        id: UserId,
        change: UserChange,
        now: Timestamp,
    ) -> Result<User, StorageError> {
        let transaction = self.begin().await?;
        let row = users::Entity::find_by_id(id.as_uuid())
            .lock_exclusive()
            .one(&transaction)
            .await?
            .ok_or(StorageError::NotFound)?;
        let before = user(row)?;
        let own = principal.user_id() == Some(id);
        if !own {
            access::require(principal.people()).map_err(|_| StorageError::NotFound)?;
        }
        let governs = principal.may_assign(before.role);
        let only_own = change.role.is_none() && change.disabled.is_none();
        if !(governs || own && only_own) || change.role.is_some_and(|role| !principal.may_assign(role)) {
            return Err(StorageError::Forbidden);
        }
        let leaves = before.role == Role::Owner
            && !before.disabled
            && (change.role.is_some_and(|role| role != Role::Owner) || change.disabled == Some(true));
        if leaves && other_owners(&transaction, id).await? == 0 {
            return Err(StorageError::Refused("the last owner cannot leave"));
        }
        let mut update = users::Entity::update_many()
            .col_expr(users::Column::UpdatedAt, Expr::value(now.as_millis()))
            .col_expr(users::Column::Epoch, Expr::col(users::Column::Epoch).add(1))
            .filter(users::Column::Id.eq(id.as_uuid()));
        if let Some(name) = &change.name {
            update = update.col_expr(users::Column::Name, Expr::value(name.clone()));
        }
        if let Some(role) = change.role {
            update = update.col_expr(users::Column::Role, Expr::value(role.as_str()));
        }
        if let Some(disabled) = change.disabled {
            let at = disabled.then(|| now.as_millis());
            update = update.col_expr(users::Column::DisabledAt, Expr::value(at));
        }
        update.exec(&transaction).await?;
        if let Some(hash) = change.password_hash {
            identities::Entity::update_many()
                .col_expr(identities::Column::PasswordHash, Expr::value(hash))
                .filter(identities::Column::UserId.eq(id.as_uuid()))
                .filter(identities::Column::Issuer.eq(LOCAL_ISSUER))
                .exec(&transaction)
                .await?;
        }
        let after = users::Entity::find_by_id(id.as_uuid()).one(&transaction).await?.ok_or(StorageError::NotFound)?;
        transaction.commit().await?;
        self.notices().publish(Notice::Identity { user: id }).await;
        user(after)
    }

    /// The person behind a local sign-in name, for the identity door alone.
    pub async fn credentials_by_email(&self, email: &str) -> Result<Option<Credentials>, StorageError> {
        let found = identities::Entity::find()
            .filter(identities::Column::Issuer.eq(LOCAL_ISSUER))
            .filter(identities::Column::Subject.eq(fold_email(email)))
            .one(self.reader())
            .await?;
        self.credentials(found).await
    }

    /// The same for somebody who is signed in, to change a password.
    pub async fn own_credentials(&self, principal: &Principal) -> Result<Option<Credentials>, StorageError> {
        let id = access::person(principal)?;
        let found = identities::Entity::find()
            .filter(identities::Column::Issuer.eq(LOCAL_ISSUER))
            .filter(identities::Column::UserId.eq(id.as_uuid()))
            .one(self.reader())
            .await?;
        self.credentials(found).await
    }

    async fn credentials(&self, found: Option<identities::Model>) -> Result<Option<Credentials>, StorageError> {
        let Some((identity, password_hash)) =
            found.and_then(|mut row| row.password_hash.take().map(|hash| (row, hash)))
        else {
            return Ok(None);
        };
        let row = users::Entity::find_by_id(identity.user_id)
            .one(self.reader())
            .await?
            .ok_or_else(|| StorageError::inconsistent("identities", "user_id", identity.id))?;
        Ok(Some(Credentials { user: user(row)?, password_hash }))
    }
}

async fn insert_user<C: ConnectionTrait>(connection: &C, new: NewUser, now: Timestamp) -> Result<User, StorageError> {
    let id = UserId::generate(now);
    let row = users::Model {
        id: id.into(),
        name: new.name,
        email: new.email.clone(),
        role: new.role.as_str().to_owned(),
        epoch: 1,
        disabled_at: None,
        created_at: now.as_millis(),
        updated_at: now.as_millis(),
        last_seen_at: None,
        welcomed_at: None,
    };
    insert(connection, row.clone()).await?;
    let identity = identities::ActiveModel {
        id: Set(IdentityId::generate(now).into()),
        user_id: Set(id.into()),
        issuer: Set(LOCAL_ISSUER.to_owned()),
        subject: Set(fold_email(&new.email)),
        password_hash: Set(Some(new.password_hash)),
        created_at: Set(now.as_millis()),
    };
    identities::Entity::insert(identity)
        .exec_without_returning(connection)
        .await
        .map_err(StorageError::taken("email"))?;
    user(row)
}

async fn other_owners<C: ConnectionTrait>(connection: &C, than: UserId) -> Result<u64, StorageError> {
    Ok(users::Entity::find()
        .filter(users::Column::Role.eq(Role::Owner.as_str()))
        .filter(users::Column::DisabledAt.is_null())
        .filter(users::Column::Id.ne(than.as_uuid()))
        .count(connection)
        .await?)
}

/// The sign-in name: addresses that differ in case only are one.
fn fold_email(email: &str) -> String {
    email.trim().to_lowercase()
}

pub(crate) fn user(row: users::Model) -> Result<User, StorageError> {
    Ok(User {
        role: Role::parse(&row.role).ok_or_else(|| StorageError::inconsistent("users", "role", row.id))?,
        id: row.id.into(),
        name: row.name,
        email: row.email,
        disabled: row.disabled_at.is_some(),
        epoch: row.epoch,
        created_at: Timestamp::from_millis(row.created_at),
        last_seen_at: row.last_seen_at.map(Timestamp::from_millis),
        welcomed: row.welcomed_at.is_some(),
    })
}
