//! Compiles the model's access predicates to SQL conditions: the only place that does.

use sea_orm::sea_query::{Condition, Expr, ExprTrait};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect, QueryTrait};
use stoa_model::assistant::Reach;
use stoa_model::{Predicate, Principal, Usable, UserId};

use crate::StorageError;
use crate::entities::{assistant_shares, assistants};

/// The rows that `predicate` lets through, by the column that names a row's owner.
pub(crate) fn rows<C: ColumnTrait>(predicate: Predicate, owner: C) -> Condition {
    match predicate {
        Predicate::All => Condition::all(),
        Predicate::None => Condition::all().add(Expr::val(1).eq(0)),
        Predicate::OwnedBy(user) => Condition::all().add(owner.eq(user.as_uuid())),
    }
}

/// The assistants that a principal may use.
pub(crate) fn usable_assistants(usable: Usable) -> Condition {
    match usable {
        Usable::All => rows(Predicate::All, assistants::Column::OwnerId),
        Usable::None => rows(Predicate::None, assistants::Column::OwnerId),
        Usable::OwnOrShared(user, reached) => {
            Condition::any().add(rows(Predicate::OwnedBy(user), assistants::Column::OwnerId)).add(shared_with(reached))
        }
    }
}

/// The assistants that a principal may use although they are somebody else's.
pub(crate) fn assistants_of_others(usable: Usable) -> Condition {
    match usable {
        Usable::OwnOrShared(user, reached) => {
            Condition::all().add(assistants::Column::OwnerId.ne(user.as_uuid())).add(shared_with(reached))
        }
        Usable::All | Usable::None => rows(Predicate::None, assistants::Column::OwnerId),
    }
}

fn shared_with(reached: [Reach; 3]) -> Condition {
    let shares = assistant_shares::Entity::find()
        .select_only()
        .column(assistant_shares::Column::AssistantId)
        .filter(assistant_shares::Column::Reach.is_in(reached.map(Reach::key)));
    Condition::all().add(assistants::Column::Id.in_subquery(shares.into_query()))
}

/// For kinds whose rows nobody owns: all or nothing.
pub(crate) fn require(predicate: Predicate) -> Result<(), StorageError> {
    if predicate == Predicate::All { Ok(()) } else { Err(StorageError::Forbidden) }
}

/// Whoever makes a row that must belong to a person.
pub(crate) fn person(principal: &Principal) -> Result<UserId, StorageError> {
    principal.user_id().ok_or(StorageError::Forbidden)
}
