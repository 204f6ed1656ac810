//! Cookies and keys become principals, with the rights of this very moment.

use std::time::Duration;

use stoa_identity::{AccountChange, Credential, IdentityError, NewKey};
use stoa_model::person::Role;
use stoa_model::{Clock as _, Principal, Scope};
use stoa_storage::on_both_engines;

use crate::support::{House, MEMBER, until};

const DAY: Duration = Duration::from_hours(24);

fn role(principal: &Principal) -> Role {
    match principal {
        Principal::User { role, .. } => *role,
        Principal::AtTheMachine | Principal::Shared { .. } | Principal::System(_) => {
            panic!("a system principal came through the door")
        }
    }
}

on_both_engines! {
    async fn a_cookie_opens_until_sign_out(test: TestDatabase) {
        let (house, owner) = House::with_owner(test).await;
        let cookie = owner.token.to_text();
        let principal = house.door.authenticate(Credential::Cookie(&cookie)).await.unwrap();
        assert_eq!(principal, owner.principal);
        assert_eq!(house.door.authenticate(Credential::Cookie(&cookie)).await.unwrap(), owner.principal);
        house.door.sign_out(&principal).await.unwrap();
        let refused = house.door.authenticate(Credential::Cookie(&cookie)).await;
        assert!(matches!(refused, Err(IdentityError::Unauthenticated)));
        house.door.sign_out(&principal).await.unwrap();
        house.close().await;
    }

    async fn nonsense_opens_nothing(test: TestDatabase) {
        let (house, owner) = House::with_owner(test).await;
        let key = NewKey { name: "k".to_owned(), scopes: None, expires_at: None };
        let (_, key) = house.door.create_api_key(&owner.principal, key).await.unwrap();
        let (key, cookie) = (key.to_text(), owner.token.to_text());
        let mut wrong_secret = key.clone();
        wrong_secret.replace_range(30..34, "0000");
        for text in ["", "x", &"A".repeat(43), &key, &"A".repeat(100_000)] {
            let refused = house.door.authenticate(Credential::Cookie(text)).await;
            assert!(matches!(refused, Err(IdentityError::Unauthenticated)), "{text}");
        }
        // The right key has been seen, and so is in memory; its neighbour still is not let in.
        house.door.authenticate(Credential::ApiKey(&key)).await.unwrap();
        for text in ["", "stoa_", &cookie, &key[..70], &wrong_secret, &format!("{key}=")] {
            let refused = house.door.authenticate(Credential::ApiKey(text)).await;
            assert!(matches!(refused, Err(IdentityError::Unauthenticated)), "{text}");
        }
    }

    async fn a_session_slides_while_it_is_used_and_ends_when_it_is_not(test: TestDatabase) {
        let (house, owner) = House::with_owner(test).await;
        let cookie = owner.token.to_text();
        for _ in 0..4 {
            house.clock.forward(20 * DAY);
            house.door.authenticate(Credential::Cookie(&cookie)).await.unwrap();
            let expected = house.clock.now().plus(30 * DAY);
            until("the use is written down", || async {
                let sessions = house.database.sessions(&owner.principal, house.clock.now()).await.unwrap();
                sessions[0].expires_at == expected && sessions[0].last_seen_at == house.clock.now()
            })
            .await;
        }
        house.clock.forward(30 * DAY);
        let refused = house.door.authenticate(Credential::Cookie(&cookie)).await;
        assert!(matches!(refused, Err(IdentityError::Unauthenticated)));
    }

    async fn use_is_written_down_at_most_every_five_minutes(test: TestDatabase) {
        let (house, owner) = House::with_owner(test).await;
        let cookie = owner.token.to_text();
        let signed_in_at = house.clock.now();
        house.clock.forward(Duration::from_secs(299));
        house.door.authenticate(Credential::Cookie(&cookie)).await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        let sessions = house.database.sessions(&owner.principal, house.clock.now()).await.unwrap();
        assert_eq!(sessions[0].last_seen_at, signed_in_at);
        house.clock.forward(Duration::from_secs(1));
        house.door.authenticate(Credential::Cookie(&cookie)).await.unwrap();
        until("the use is written down", || async {
            let sessions = house.database.sessions(&owner.principal, house.clock.now()).await.unwrap();
            sessions[0].last_seen_at == house.clock.now()
        })
        .await;
    }

    async fn a_demotion_is_in_force_with_the_very_next_request(test: TestDatabase) {
        let (house, owner) = House::with_owner(test).await;
        let member = house.add(&owner.principal, MEMBER, Role::Admin).await;
        let cookie = house.sign_in(MEMBER).await.token.to_text();
        assert_eq!(role(&house.door.authenticate(Credential::Cookie(&cookie)).await.unwrap()), Role::Admin);
        for expected in [Role::Member, Role::Admin, Role::Member] {
            let change = AccountChange { role: Some(expected), ..AccountChange::default() };
            house.door.change_account(&owner.principal, member.id, change).await.unwrap();
            assert_eq!(role(&house.door.authenticate(Credential::Cookie(&cookie)).await.unwrap()), expected);
        }
    }

    async fn whoever_is_disabled_is_out_by_cookie_and_by_key(test: TestDatabase) {
        let (house, owner) = House::with_owner(test).await;
        let member = house.add(&owner.principal, MEMBER, Role::Member).await;
        let signed_in = house.sign_in(MEMBER).await;
        let key = NewKey { name: "k".to_owned(), scopes: None, expires_at: None };
        let (_, key) = house.door.create_api_key(&signed_in.principal, key).await.unwrap();
        let (cookie, key) = (signed_in.token.to_text(), key.to_text());
        house.door.authenticate(Credential::Cookie(&cookie)).await.unwrap();
        house.door.authenticate(Credential::ApiKey(&key)).await.unwrap();
        let disable = AccountChange { disabled: Some(true), ..AccountChange::default() };
        house.door.change_account(&owner.principal, member.id, disable).await.unwrap();
        assert!(house.door.authenticate(Credential::Cookie(&cookie)).await.is_err());
        assert!(house.door.authenticate(Credential::ApiKey(&key)).await.is_err());
        let enable = AccountChange { disabled: Some(false), ..AccountChange::default() };
        house.door.change_account(&owner.principal, member.id, enable).await.unwrap();
        assert!(house.door.authenticate(Credential::Cookie(&cookie)).await.is_err(), "the session is gone for good");
        house.door.authenticate(Credential::ApiKey(&key)).await.unwrap();
    }

    async fn a_key_carries_its_scopes_runs_out_and_can_be_deleted(test: TestDatabase) {
        let (house, owner) = House::with_owner(test).await;
        let expires_at = Some(house.clock.now().plus(DAY));
        let new = NewKey { name: " ci ".to_owned(), scopes: None, expires_at };
        let (row, text) = house.door.create_api_key(&owner.principal, new).await.unwrap();
        assert_eq!((row.name.as_str(), row.scopes.as_slice()), ("ci", [Scope::Infer].as_slice()));
        let key = text.to_text();
        let principal = house.door.authenticate(Credential::ApiKey(&key)).await.unwrap();
        assert!(principal.allows(Scope::Infer) && !principal.allows(Scope::Account));
        assert_eq!(principal.api_key_id(), Some(row.id));
        until("the use is written down", || async {
            house.database.api_keys(&owner.principal).await.unwrap()[0].last_used_at == Some(house.clock.now())
        })
        .await;
        house.clock.forward(DAY);
        assert!(house.door.authenticate(Credential::ApiKey(&key)).await.is_err());

        let new = NewKey { name: "k".to_owned(), scopes: Some(vec![Scope::Account]), expires_at: None };
        let (row, text) = house.door.create_api_key(&owner.principal, new).await.unwrap();
        house.door.authenticate(Credential::ApiKey(&text.to_text())).await.unwrap();
        house.database.delete_api_key(&owner.principal, row.id).await.unwrap();
        assert!(house.door.authenticate(Credential::ApiKey(&text.to_text())).await.is_err());
    }

    async fn a_key_opens_neither_keys_nor_passwords_nor_accounts(test: TestDatabase) {
        let (house, owner) = House::with_owner(test).await;
        let new = NewKey { name: "k".to_owned(), scopes: Some(vec![Scope::Infer, Scope::Account]), expires_at: None };
        let (_, text) = house.door.create_api_key(&owner.principal, new.clone()).await.unwrap();
        let by_key = house.door.authenticate(Credential::ApiKey(&text.to_text())).await.unwrap();
        assert!(matches!(house.door.create_api_key(&by_key, new).await, Err(IdentityError::Forbidden)));
        assert!(matches!(house.door.sign_out(&by_key).await, Err(IdentityError::Forbidden)));
        let change = AccountChange::default();
        let id = owner.user.id;
        assert!(matches!(house.door.change_account(&by_key, id, change).await, Err(IdentityError::Forbidden)));
    }
}
