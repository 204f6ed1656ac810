//! Volumes of functions: whose they are, how large they may be, and which functions mount them.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use sea_orm::sea_query::{Condition, Expr, LockType};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect,
};
use serde_json::Value;
use stoa_model::volume::{FunctionVolume, MAX_VOLUMES};
use stoa_model::{FunctionId, FunctionVolumeId, Principal, Timestamp, UserId};
use uuid::Uuid;

use crate::entities::{function_aliases, function_versions, function_volumes, functions, users};
use crate::{Database, Notice, StorageError, access};

use super::{from_json, function_aliases as aliases, insert};

#[derive(Clone, Debug)]
pub struct NewVolume {
    pub name: String,
    pub description: String,
    pub size_mib: u32,
}

/// What is absent stays.
#[derive(Clone, Debug, Default)]
pub struct VolumeChange {
    pub description: Option<String>,
    pub size_mib: Option<u32>,
}

/// One whose files are to go, and after them its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemovedVolume {
    pub owner: UserId,
    pub id: FunctionVolumeId,
}

impl Database {
    /// Refuses what would make a person's volumes larger than `most_mib` together.
    pub async fn create_function_volume(
        &self,
        principal: &Principal,
        new: NewVolume,
        most_mib: u64,
        now: Timestamp,
    ) -> Result<FunctionVolume, StorageError> {
        let owner = access::person(principal)?;
        let transaction = self.begin().await?;
        take_turn(&transaction, owner.into()).await?;
        if there(principal).count(&transaction).await? >= MAX_VOLUMES {
            return Err(StorageError::Refused("there are too many volumes already"));
        }
        check_room(&transaction, owner.into(), 0, new.size_mib, most_mib).await?;
        let row = function_volumes::Model {
            id: FunctionVolumeId::generate(now).into(),
            owner_id: owner.into(),
            name: new.name,
            description: new.description,
            size_mib: i32::try_from(new.size_mib).unwrap_or(i32::MAX),
            created_at: now.as_millis(),
            removed_at: None,
        };
        insert(&transaction, row.clone()).await.map_err(StorageError::taken("name"))?;
        transaction.commit().await?;
        volume(row, &BTreeMap::new())
    }

    /// All of the caller's, by their names.
    pub async fn function_volumes(&self, principal: &Principal) -> Result<Vec<FunctionVolume>, StorageError> {
        let connection = self.reader();
        let rows = there(principal).order_by_asc(function_volumes::Column::Name).all(connection).await?;
        let mounts = match principal.user_id() {
            Some(owner) if !rows.is_empty() => mounts(connection, owner.into()).await?,
            _ => BTreeMap::new(),
        };
        rows.into_iter().map(|row| volume(row, &mounts)).collect()
    }

    pub async fn function_volume(&self, principal: &Principal, name: &str) -> Result<FunctionVolume, StorageError> {
        let connection = self.reader();
        let row = find(connection, principal, name).await?;
        let mounts = mounts(connection, row.owner_id).await?;
        volume(row, &mounts)
    }

    /// Refuses what would make a person's volumes larger than `most_mib` together. Smaller they always may be.
    pub async fn change_function_volume(
        &self,
        principal: &Principal,
        name: &str,
        change: VolumeChange,
        most_mib: u64,
    ) -> Result<FunctionVolume, StorageError> {
        let transaction = self.begin().await?;
        let mut row = locked(&transaction, principal, name).await?;
        if let Some(description) = change.description {
            row.description = description;
        }
        if let Some(size) = change.size_mib {
            take_turn(&transaction, row.owner_id).await?;
            check_room(&transaction, row.owner_id, row.size_mib, size, most_mib).await?;
            row.size_mib = i32::try_from(size).unwrap_or(i32::MAX);
        }
        function_volumes::Entity::update_many()
            .filter(function_volumes::Column::Id.eq(row.id))
            .col_expr(function_volumes::Column::Description, Expr::value(row.description.clone()))
            .col_expr(function_volumes::Column::SizeMib, Expr::value(row.size_mib))
            .exec(&transaction)
            .await?;
        let owner = row.owner_id;
        let changed = volume(row, &mounts(&transaction, owner).await?)?;
        transaction.commit().await?;
        self.tell_functions(owner).await?;
        Ok(changed)
    }

    /// Takes a volume away that no function mounts. Its files go afterwards, and then [its row](Self::forget_function_volume).
    pub async fn remove_function_volume(
        &self,
        principal: &Principal,
        name: &str,
        now: Timestamp,
    ) -> Result<RemovedVolume, StorageError> {
        let transaction = self.begin().await?;
        let row = locked(&transaction, principal, name).await?;
        if mounts(&transaction, row.owner_id).await?.contains_key(name) {
            return Err(StorageError::Refused("functions mount the volume"));
        }
        function_volumes::Entity::update_many()
            .filter(function_volumes::Column::Id.eq(row.id))
            .col_expr(function_volumes::Column::RemovedAt, Expr::value(now.as_millis()))
            // The name is free again.
            .col_expr(function_volumes::Column::Name, Expr::value(format!("~{}", row.id)))
            .exec(&transaction)
            .await?;
        transaction.commit().await?;
        self.tell_functions(row.owner_id).await?;
        Ok(RemovedVolume { owner: row.owner_id.into(), id: row.id.into() })
    }

    /// Those whose files may still be there.
    pub async fn removed_function_volumes(&self) -> Result<Vec<RemovedVolume>, StorageError> {
        let removed = function_volumes::Entity::find().filter(function_volumes::Column::RemovedAt.is_not_null());
        let rows = removed.all(self.reader()).await?;
        Ok(rows.into_iter().map(|row| RemovedVolume { owner: row.owner_id.into(), id: row.id.into() }).collect())
    }

    /// After its files.
    pub async fn forget_function_volume(&self, id: FunctionVolumeId) -> Result<(), StorageError> {
        function_volumes::Entity::delete_many()
            .filter(function_volumes::Column::Id.eq(id.as_uuid()))
            .filter(function_volumes::Column::RemovedAt.is_not_null())
            .exec(self.writer())
            .await?;
        Ok(())
    }

    /// Those of a person that are there, for whoever runs their functions; without what mounts them.
    pub async fn volumes_of(&self, owner: UserId) -> Result<Vec<FunctionVolume>, StorageError> {
        let rows = function_volumes::Entity::find().filter(of(owner.into())).all(self.reader()).await?;
        rows.into_iter().map(|row| volume(row, &BTreeMap::new())).collect()
    }

    /// What runs of a person's functions is looked at again.
    async fn tell_functions(&self, owner: Uuid) -> Result<(), StorageError> {
        let ids: Vec<Uuid> = functions::Entity::find()
            .select_only()
            .column(functions::Column::Id)
            .filter(functions::Column::OwnerId.eq(owner))
            .into_tuple()
            .all(self.reader())
            .await?;
        for id in ids {
            self.notices().publish(Notice::Function { function: FunctionId::from(id) }).await;
        }
        Ok(())
    }
}

/// What a person's volumes may be together is looked at by one after the other. Whatever else is noted of them goes on.
async fn take_turn(transaction: &DatabaseTransaction, owner: Uuid) -> Result<(), StorageError> {
    users::Entity::find_by_id(owner).lock(LockType::NoKeyUpdate).one(transaction).await?;
    Ok(())
}

/// That a person's volumes are not too large together when one of them grows.
async fn check_room(
    transaction: &DatabaseTransaction,
    owner: Uuid,
    from_mib: i32,
    to_mib: u32,
    most_mib: u64,
) -> Result<(), StorageError> {
    let grows_by = i64::from(to_mib) - i64::from(from_mib);
    if grows_by <= 0 {
        return Ok(());
    }
    let sizes: Vec<i32> = function_volumes::Entity::find()
        .select_only()
        .column(function_volumes::Column::SizeMib)
        .filter(of(owner))
        .into_tuple()
        .all(transaction)
        .await?;
    let together = sizes.into_iter().map(i64::from).sum::<i64>() + grows_by;
    if u64::try_from(together).is_ok_and(|together| together <= most_mib) {
        return Ok(());
    }
    Err(StorageError::Refused("the volumes would be too large together"))
}

fn of(owner: Uuid) -> Condition {
    Condition::all().add(function_volumes::Column::OwnerId.eq(owner)).add(function_volumes::Column::RemovedAt.is_null())
}

fn there(principal: &Principal) -> sea_orm::Select<function_volumes::Entity> {
    function_volumes::Entity::find()
        .filter(access::rows(principal.function_volumes(), function_volumes::Column::OwnerId))
        .filter(function_volumes::Column::RemovedAt.is_null())
}

async fn find<C: ConnectionTrait>(
    connection: &C,
    principal: &Principal,
    name: &str,
) -> Result<function_volumes::Model, StorageError> {
    // Names are only somebody's own.
    access::person(principal)?;
    let found = there(principal).filter(function_volumes::Column::Name.eq(name)).one(connection).await?;
    found.ok_or(StorageError::NotFound)
}

/// Whoever mounts it now waits until the transaction ends, and it for them.
async fn locked(
    transaction: &DatabaseTransaction,
    principal: &Principal,
    name: &str,
) -> Result<function_volumes::Model, StorageError> {
    access::person(principal)?;
    let found = there(principal).filter(function_volumes::Column::Name.eq(name)).lock_exclusive().one(transaction);
    found.await?.ok_or(StorageError::NotFound)
}

/// That the volumes which settings name are there, until the transaction ends.
pub(super) async fn hold(transaction: &DatabaseTransaction, owner: Uuid, settings: &Value) -> Result<(), StorageError> {
    let names = named(settings);
    if names.is_empty() {
        return Ok(());
    }
    let wanted = names.len();
    let found = function_volumes::Entity::find()
        .filter(of(owner))
        .filter(function_volumes::Column::Name.is_in(names))
        .lock_shared()
        .all(transaction)
        .await?;
    if found.len() == wanted { Ok(()) } else { Err(StorageError::Refused("there is no such volume")) }
}

/// The volumes that settings name.
fn named(settings: &Value) -> BTreeSet<String> {
    let volumes = settings["volumes"].as_array().into_iter().flatten();
    volumes.filter_map(|volume| volume["volume"].as_str()).map(str::to_owned).collect()
}

/// By its name, the functions that mount a volume: by their settings, or by those of a version that an alias leads to.
async fn mounts<C: ConnectionTrait>(
    connection: &C,
    owner: Uuid,
) -> Result<BTreeMap<String, BTreeSet<String>>, StorageError> {
    let rows: Vec<(Uuid, String, String)> = functions::Entity::find()
        .select_only()
        .columns([functions::Column::Id, functions::Column::Name, functions::Column::Settings])
        .filter(functions::Column::OwnerId.eq(owner))
        .into_tuple()
        .all(connection)
        .await?;
    let mut mounts = BTreeMap::<String, BTreeSet<String>>::new();
    let mut note = |function: &str, settings: &Value| {
        for volume in named(settings) {
            mounts.entry(volume).or_default().insert(function.to_owned());
        }
    };
    for (id, name, settings) in &rows {
        note(name, &from_json("functions", "settings", *id, settings)?);
    }
    let routes = function_aliases::Entity::find()
        .filter(function_aliases::Column::FunctionId.is_in(rows.iter().map(|(id, ..)| *id)))
        .all(connection)
        .await?;
    let mut led = HashSet::new();
    for row in routes {
        let route = aliases::route(&row)?;
        let versions = [Some(route.version), route.canary.map(|canary| canary.version)];
        led.extend(versions.into_iter().flatten().map(|version| (row.function_id, version)));
    }
    for (function, version) in led {
        let Some((id, name, _)) = rows.iter().find(|(id, ..)| *id == function) else { continue };
        let number = i32::try_from(version).map_err(|_| StorageError::inconsistent("function_aliases", "route", id))?;
        let settings: Option<String> = function_versions::Entity::find_by_id((*id, number))
            .select_only()
            .column(function_versions::Column::Settings)
            .into_tuple()
            .one(connection)
            .await?;
        if let Some(settings) = settings {
            note(name, &from_json("function_versions", "settings", *id, &settings)?);
        }
    }
    Ok(mounts)
}

fn volume(
    row: function_volumes::Model,
    mounts: &BTreeMap<String, BTreeSet<String>>,
) -> Result<FunctionVolume, StorageError> {
    let size_mib = u32::try_from(row.size_mib);
    Ok(FunctionVolume {
        id: row.id.into(),
        size_mib: size_mib.map_err(|_| StorageError::inconsistent("function_volumes", "size_mib", row.id))?,
        created_at: Timestamp::from_millis(row.created_at),
        functions: mounts.get(&row.name).into_iter().flatten().cloned().collect(),
        owner: row.owner_id.into(),
        name: row.name,
        description: row.description,
    })
}
