//! Packages that functions need, by what was asked for, and the code that they were put together with. They are nobody's: the
//! key tells all that went into them. They stay as long as any of that code is a function's or a version's.

use sea_orm::sea_query::{Condition, Expr, ExprTrait as _, LockBehavior, LockType, OnConflict, Query, SelectStatement};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect,
};
use stoa_model::Timestamp;

use crate::entities::{function_build_uses as uses, function_builds, function_versions, functions};
use crate::{Database, StorageError};

use super::insert;

impl Database {
    /// The blobs of what was built, in their order, to be put together with that code, for which they stay from now on; none
    /// where nothing was built.
    pub async fn use_function_build(&self, key: &str, code: &str) -> Result<Vec<String>, StorageError> {
        let transaction = self.begin().await?;
        // Whoever sweeps passes it over until the transaction ends, and sees then that it is used.
        let held = function_builds::Entity::find_by_id((key.to_owned(), 0)).lock_shared().one(&transaction).await?;
        if held.is_none() {
            return Ok(Vec::new());
        }
        note_use(&transaction, key, code).await?;
        let rows = function_builds::Entity::find()
            .filter(function_builds::Column::Key.eq(key))
            .order_by_asc(function_builds::Column::Part)
            .all(&transaction)
            .await?;
        transaction.commit().await?;
        Ok(rows.into_iter().map(|row| row.blob).collect())
    }

    /// Notes what was built for that code. The blobs are claimed and put. False where somebody else has built the same
    /// meanwhile, which stays.
    pub async fn keep_function_build(
        &self,
        key: &str,
        code: &str,
        blobs: &[String],
        now: Timestamp,
    ) -> Result<bool, StorageError> {
        let transaction = self.begin().await?;
        for (part, blob) in (0..).zip(blobs) {
            if !super::files::touch_blob(&transaction, blob, now).await? {
                return Err(StorageError::Refused("the upload took too long"));
            }
            let row = function_builds::Model {
                key: key.to_owned(),
                part,
                blob: blob.clone(),
                built_at: now.as_millis(),
                uses_known: true,
            };
            match insert(&transaction, row).await.map_err(StorageError::taken("build")) {
                Err(StorageError::Taken(_)) => return Ok(false),
                done => done?,
            }
        }
        note_use(&transaction, key, code).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Removes builds that only code wanted which is no function's and no version's since then, and says how many. Of those
    /// that were there before their uses were noted, nobody knows who else wants them: they stay.
    pub async fn sweep_function_builds(&self, unused_since: Timestamp, now: Timestamp) -> Result<u64, StorageError> {
        let wanted = || {
            let lies_in = |query: SelectStatement| Expr::exists(query);
            Condition::any()
                .add(lies_in(with_code(functions::Entity, functions::Column::Code)))
                .add(lies_in(with_code(function_versions::Entity, function_versions::Column::Code)))
        };
        uses::Entity::update_many()
            .col_expr(uses::Column::UnusedSince, Expr::value(None::<i64>))
            .filter(uses::Column::UnusedSince.is_not_null())
            .filter(wanted())
            .exec(self.writer())
            .await?;
        uses::Entity::update_many()
            .col_expr(uses::Column::UnusedSince, Expr::value(Some(now.as_millis())))
            .filter(uses::Column::UnusedSince.is_null())
            .filter(wanted().not())
            .exec(self.writer())
            .await?;
        // The time is of the row itself, so that code which somebody just comes back to is passed over.
        uses::Entity::delete_many()
            .filter(uses::Column::UnusedSince.lt(unused_since.as_millis()))
            .filter(wanted().not())
            .exec(self.writer())
            .await?;
        let unused = || {
            let used = Query::select()
                .expr(Expr::val(1))
                .from(uses::Entity)
                .and_where(
                    Expr::col((uses::Entity, uses::Column::Key))
                        .equals((function_builds::Entity, function_builds::Column::Key)),
                )
                .take();
            Expr::exists(used).not()
        };
        let transaction = self.begin().await?;
        let keys: Vec<String> = function_builds::Entity::find()
            .select_only()
            .column(function_builds::Column::Key)
            .filter(function_builds::Column::Part.eq(0))
            .filter(function_builds::Column::UsesKnown.eq(true))
            .filter(unused())
            .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
            .into_tuple()
            .all(&transaction)
            .await?;
        if keys.is_empty() {
            return Ok(0);
        }
        // Looked at once more after the locks were got: somebody may have used one just before.
        let firsts = function_builds::Entity::find()
            .select_only()
            .column(function_builds::Column::Key)
            .filter(function_builds::Column::Part.eq(0))
            .filter(function_builds::Column::Key.is_in(keys))
            .filter(unused())
            .into_tuple::<String>()
            .all(&transaction)
            .await?;
        let swept = firsts.len();
        function_builds::Entity::delete_many()
            .filter(function_builds::Column::Key.is_in(firsts))
            .exec(&transaction)
            .await?;
        transaction.commit().await?;
        Ok(u64::try_from(swept).unwrap_or(u64::MAX))
    }
}

/// The rows of a table whose code is the one that is asked about.
fn with_code<E: EntityTrait, C: ColumnTrait>(table: E, column: C) -> SelectStatement {
    let code = Expr::col((table, column)).equals((uses::Entity, uses::Column::Code));
    Query::select().expr(Expr::val(1)).from(table).and_where(code).take()
}

async fn note_use(transaction: &DatabaseTransaction, key: &str, code: &str) -> Result<(), StorageError> {
    let row = uses::ActiveModel { code: Set(code.to_owned()), key: Set(key.to_owned()), unused_since: Set(None) };
    let again = OnConflict::columns([uses::Column::Code, uses::Column::Key])
        .update_column(uses::Column::UnusedSince)
        .to_owned();
    uses::Entity::insert(row).on_conflict(again).exec_without_returning(transaction).await?;
    Ok(())
}

/// That code is somebody's again: what it was put together with is not swept, unless it just was.
pub(super) async fn want<C: ConnectionTrait>(connection: &C, code: &str) -> Result<(), StorageError> {
    uses::Entity::update_many()
        .col_expr(uses::Column::UnusedSince, Expr::value(None::<i64>))
        .filter(uses::Column::Code.eq(code))
        .filter(uses::Column::UnusedSince.is_not_null())
        .exec(connection)
        .await?;
    Ok(())
}
