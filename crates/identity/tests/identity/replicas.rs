//! Two replicas on one PostgreSQL: what changes at one is in force at the other.

use std::sync::Arc;

use stoa_identity::{AccountChange, Credential, Door, Ended, SetupToken};
use stoa_model::Principal;
use stoa_model::person::Role;
use stoa_storage::Engine;
use stoa_storage::testing::TestDatabase;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::support::{House, MEMBER, TestClock, until, within};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_at_one_replica_is_in_force_at_the_other_and_closes_its_streams() {
    let (house, owner) = House::with_owner(TestDatabase::open(Engine::Postgres).await).await;
    let member = house.add(&owner.principal, MEMBER, Role::Admin).await;
    let cookie = house.sign_in(MEMBER).await.token.to_text();

    let database = house.test.open_again().await;
    let tracker = TaskTracker::new();
    let shutdown = CancellationToken::new();
    let clock = Arc::<TestClock>::clone(&house.clock);
    let token = SetupToken::derive(&house.test.key);
    let other = Door::open(database.clone(), clock, token, &tracker, shutdown.clone());
    until("both replicas listen", || async { database.notices().fresh() && house.database.notices().fresh() }).await;

    let is = |principal: &Principal, expected| matches!(principal, Principal::User { role, .. } if *role == expected);
    let principal = other.authenticate(Credential::Cookie(&cookie)).await.unwrap();
    assert!(is(&principal, Role::Admin));
    let watched = other.watch(&principal);

    let change = AccountChange { role: Some(Role::Member), ..AccountChange::default() };
    house.door.change_account(&owner.principal, member.id, change).await.unwrap();
    let started = tokio::time::Instant::now();
    until("the demotion arrives", || async {
        is(&other.authenticate(Credential::Cookie(&cookie)).await.unwrap(), Role::Member)
    })
    .await;
    println!("in force at the other replica after {:?}", started.elapsed());
    assert_eq!(within("the stream ends", watched.revoked()).await, Ended::RightsChanged);
    println!("its stream ended after {:?}", started.elapsed());

    let signed_in = other.authenticate(Credential::Cookie(&cookie)).await.unwrap();
    let watched = other.watch(&signed_in);
    house.door.sign_out(&signed_in).await.unwrap();
    until("the sign-out arrives", || async { other.authenticate(Credential::Cookie(&cookie)).await.is_err() }).await;
    assert_eq!(within("the stream ends", watched.revoked()).await, Ended::SignedOut);
    shutdown.cancel();
}

/// While changes may have been missed, memory is not asked; without a database nobody is let in.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_its_feed_the_door_reads_and_without_its_database_it_refuses() {
    let (house, owner) = House::with_owner(TestDatabase::open(Engine::Postgres).await).await;
    let cookie = owner.token.to_text();
    until("the replica listens", || async { house.database.notices().fresh() }).await;
    house.door.authenticate(Credential::Cookie(&cookie)).await.unwrap();
    house.database.close().await;
    until("the feed is known to be gone", || async { !house.database.notices().fresh() }).await;
    let refused = house.door.authenticate(Credential::Cookie(&cookie)).await;
    assert!(
        matches!(&refused, Err(stoa_identity::IdentityError::Storage(error)) if is_unavailable(error)),
        "{refused:?}"
    );
}

const fn is_unavailable(error: &stoa_storage::StorageError) -> bool {
    matches!(error, stoa_storage::StorageError::Unavailable(_))
}
