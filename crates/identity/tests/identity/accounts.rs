//! Accounts: who may make and change whom.

use stoa_identity::{AccountChange, IdentityError, NewAccount, NewKey};
use stoa_model::person::Role;
use stoa_model::{Clock as _, Scope};
use stoa_storage::{StorageError, on_both_engines};

use crate::support::{House, MEMBER, OWNER, PASSWORD};

fn account(email: &str, role: Role) -> NewAccount {
    NewAccount { name: "Somebody".to_owned(), email: email.to_owned(), password: PASSWORD.to_owned(), role }
}

on_both_engines! {
    async fn an_address_is_taken_in_every_case(test: TestDatabase) {
        let (house, owner) = House::with_owner(test).await;
        let taken = house.door.create_account(&owner.principal, account("ADA@example.ORG", Role::Member)).await;
        assert!(matches!(taken, Err(IdentityError::Storage(StorageError::Taken("email")))));
    }

    async fn admins_make_members_and_members_make_nobody(test: TestDatabase) {
        let (house, owner) = House::with_owner(test).await;
        house.add(&owner.principal, "admin@example.org", Role::Admin).await;
        let admin = house.sign_in("admin@example.org").await.principal;
        let member = house.add(&admin, MEMBER, Role::Member).await;
        for role in [Role::Admin, Role::Owner] {
            let refused = house.door.create_account(&admin, account("x@example.org", role)).await;
            assert!(matches!(refused, Err(IdentityError::Forbidden)));
        }
        let promote = AccountChange { role: Some(Role::Owner), ..AccountChange::default() };
        let refused = house.door.change_account(&admin, member.id, promote.clone()).await;
        assert!(matches!(refused, Err(IdentityError::Storage(StorageError::Forbidden))), "{refused:?}");
        let reset = AccountChange { password: Some("taking over now".to_owned()), ..AccountChange::default() };
        let refused = house.door.change_account(&admin, owner.user.id, reset.clone()).await;
        assert!(matches!(refused, Err(IdentityError::Forbidden)));

        let by_member = house.sign_in(MEMBER).await.principal;
        let refused = house.door.create_account(&by_member, account("x@example.org", Role::Member)).await;
        assert!(matches!(refused, Err(IdentityError::Forbidden)));
        for change in [promote, reset, AccountChange::default()] {
            let refused = house.door.change_account(&by_member, member.id, change).await;
            assert!(matches!(refused, Err(IdentityError::Forbidden)));
        }
    }

    async fn an_own_password_needs_the_present_one_even_for_an_owner(test: TestDatabase) {
        let (house, owner) = House::with_owner(test).await;
        let change = AccountChange { password: Some("a stolen browser".to_owned()), ..AccountChange::default() };
        let refused = house.door.change_account(&owner.principal, owner.user.id, change).await;
        assert!(matches!(refused, Err(IdentityError::Invalid(_))));
        house.sign_in(OWNER).await;
    }

    async fn the_last_owner_stays(test: TestDatabase) {
        let (house, owner) = House::with_owner(test).await;
        for change in [
            AccountChange { role: Some(Role::Member), ..AccountChange::default() },
            AccountChange { disabled: Some(true), ..AccountChange::default() },
        ] {
            let refused = house.door.change_account(&owner.principal, owner.user.id, change).await;
            assert!(matches!(refused, Err(IdentityError::Storage(StorageError::Refused(_)))), "{refused:?}");
        }
        house.sign_in(OWNER).await;
    }

    async fn a_key_needs_a_name_a_scope_and_a_time_ahead(test: TestDatabase) {
        let (house, owner) = House::with_owner(test).await;
        let bad = NewKey { name: String::new(), scopes: Some(Vec::new()), expires_at: Some(house.clock.now()) };
        let Err(IdentityError::Invalid(errors)) = house.door.create_api_key(&owner.principal, bad).await else {
            panic!("it was taken")
        };
        let fields: Vec<_> = errors.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(fields, ["name", "scopes", "expires_at"]);
        let twice = NewKey {
            name: "k".to_owned(),
            scopes: Some(vec![Scope::Account, Scope::Infer, Scope::Account]),
            expires_at: None,
        };
        let (key, _) = house.door.create_api_key(&owner.principal, twice).await.unwrap();
        assert_eq!(key.scopes, [Scope::Infer, Scope::Account]);
    }
}
