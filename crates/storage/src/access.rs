//! Compiles the model's access predicates to SQL conditions: the only place that does.

use sea_orm::ColumnTrait;
use sea_orm::sea_query::{Condition, Expr, ExprTrait};
use stoa_model::{Predicate, Principal, UserId};

use crate::StorageError;

/// The rows that `predicate` lets through, by the column that names a row's owner.
pub(crate) fn rows<C: ColumnTrait>(predicate: Predicate, owner: C) -> Condition {
    match predicate {
        Predicate::All => Condition::all(),
        Predicate::None => Condition::all().add(Expr::val(1).eq(0)),
        Predicate::OwnedBy(user) => Condition::all().add(owner.eq(user.as_uuid())),
    }
}

/// For kinds whose rows nobody owns: all or nothing.
pub(crate) fn require(predicate: Predicate) -> Result<(), StorageError> {
    if predicate == Predicate::All { Ok(()) } else { Err(StorageError::Forbidden) }
}

/// Whoever makes a row that must belong to a person.
pub(crate) fn person(principal: &Principal) -> Result<UserId, StorageError> {
    principal.user_id().ok_or(StorageError::Forbidden)
}
