//! What is open is closed when its principal is no longer good, and only then.

use std::time::Duration;

use stoa_identity::{AccountChange, Credential, Ended, NewKey, PasswordChange};
use stoa_model::person::Role;
use stoa_model::{Clock as _, Principal};
use stoa_storage::on_both_engines;

use crate::support::{House, MEMBER, PASSWORD, laptop, within};

on_both_engines! {
    async fn sign_out_ends_the_streams_of_that_browser_alone(test: TestDatabase) {
        let (house, owner) = House::with_owner(test).await;
        let other = house.sign_in(crate::support::OWNER).await;
        let (here, there) = (house.door.watch(&owner.principal), house.door.watch(&other.principal));
        house.door.sign_out(&owner.principal).await.unwrap();
        assert_eq!(within("the word comes", here.revoked()).await, Ended::SignedOut);
        assert!(here.is_revoked() && !there.is_revoked());
        // One that was let in before and is watched only now hears of it all the same.
        let late = house.door.watch(&owner.principal);
        assert_eq!(within("the word comes late", late.revoked()).await, Ended::SignedOut);
        house.close().await;
    }

    async fn demotion_and_disabling_end_streams(test: TestDatabase) {
        let (house, owner) = House::with_owner(test).await;
        let member = house.add(&owner.principal, MEMBER, Role::Admin).await;
        let signed_in = house.sign_in(MEMBER).await;
        let watched = house.door.watch(&signed_in.principal);
        let change = AccountChange { role: Some(Role::Member), ..AccountChange::default() };
        house.door.change_account(&owner.principal, member.id, change).await.unwrap();
        assert_eq!(within("the word comes", watched.revoked()).await, Ended::RightsChanged);

        let cookie = signed_in.token.to_text();
        let demoted = house.door.authenticate(Credential::Cookie(&cookie)).await.unwrap();
        let watched = house.door.watch(&demoted);
        let change = AccountChange { disabled: Some(true), ..AccountChange::default() };
        house.door.change_account(&owner.principal, member.id, change).await.unwrap();
        assert_eq!(within("the word comes", watched.revoked()).await, Ended::SignedOut);
    }

    async fn a_new_name_ends_nothing(test: TestDatabase) {
        let (house, owner) = House::with_owner(test).await;
        let watched = house.door.watch(&owner.principal);
        house.door.rename(&owner.principal, Some("Countess")).await.unwrap();
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(!watched.is_revoked());
    }

    async fn a_new_password_ends_the_other_browsers(test: TestDatabase) {
        let (house, owner) = House::with_owner(test).await;
        let other = house.sign_in(crate::support::OWNER).await;
        let (here, there) = (house.door.watch(&owner.principal), house.door.watch(&other.principal));
        let change = PasswordChange { current: PASSWORD.to_owned(), new: "another fine phrase".to_owned() };
        house.door.change_password(&owner.principal, change, &laptop()).await.unwrap();
        assert_eq!(within("the word comes", there.revoked()).await, Ended::SignedOut);
        assert!(!here.is_revoked());
        house.door.authenticate(Credential::Cookie(&owner.token.to_text())).await.unwrap();
        assert!(house.door.authenticate(Credential::Cookie(&other.token.to_text())).await.is_err());
    }

    async fn a_key_that_runs_out_or_is_deleted_ends_its_streams(test: TestDatabase) {
        let (house, owner) = House::with_owner(test).await;
        let day = Duration::from_hours(24);
        let mut watched = Vec::new();
        for expires_at in [Some(house.clock.now().plus(day)), None] {
            let new = NewKey { name: "k".to_owned(), scopes: None, expires_at };
            let (row, text) = house.door.create_api_key(&owner.principal, new).await.unwrap();
            let principal = house.door.authenticate(Credential::ApiKey(&text.to_text())).await.unwrap();
            watched.push((row.id, house.door.watch(&principal)));
        }
        house.clock.forward(day);
        assert_eq!(within("the first has run out", watched[0].1.revoked()).await, Ended::SignedOut);
        assert!(!watched[1].1.is_revoked());
        house.database.delete_api_key(&owner.principal, watched[1].0).await.unwrap();
        assert_eq!(within("the second is deleted", watched[1].1.revoked()).await, Ended::SignedOut);
    }

    async fn a_session_that_runs_out_ends_its_streams_and_one_that_slid_does_not(test: TestDatabase) {
        let (house, owner) = House::with_owner(test).await;
        let used = house.sign_in(crate::support::OWNER).await;
        let (idle, used_watch) = (house.door.watch(&owner.principal), house.door.watch(&used.principal));
        tokio::time::sleep(Duration::from_millis(100)).await;
        house.clock.forward(Duration::from_hours(29 * 24));
        house.door.authenticate(Credential::Cookie(&used.token.to_text())).await.unwrap();
        house.clock.forward(Duration::from_hours(24));
        assert_eq!(within("the idle one has run out", idle.revoked()).await, Ended::SignedOut);
        tokio::time::sleep(Duration::from_millis(1_200)).await;
        assert!(!used_watch.is_revoked());
    }

    async fn the_server_itself_is_always_good(test: TestDatabase) {
        let house = House::new(test);
        let watched = house.door.watch(&Principal::System("title"));
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(!watched.is_revoked());
        house.close().await;
    }
}
