//! Sign-in by password: what it tells, and how often it may be tried.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use stoa_identity::{AccountChange, Credential, IdentityError, PasswordChange};
use stoa_model::Clock as _;
use stoa_model::person::Role;
use stoa_storage::on_both_engines;

use crate::support::{HOME, House, MEMBER, OWNER, PASSWORD, laptop, sign_in};

const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7));

on_both_engines! {
    async fn the_address_is_taken_in_any_case_and_the_session_shows_the_device(test: TestDatabase) {
        let (house, _) = House::with_owner(test).await;
        let signed_in = house.door.sign_in(sign_in(" ADA@Example.org ", PASSWORD, ELSEWHERE)).await.unwrap();
        let sessions = house.database.sessions(&signed_in.principal, house.clock.now()).await.unwrap();
        let own = sessions.iter().find(|session| Some(session.id) == signed_in.principal.session_id()).unwrap();
        assert_eq!((own.address.as_str(), own.user_agent.as_str()), ("198.51.100.7", "Browser 1"));
    }

    async fn wrong_password_unknown_address_and_disabled_account_look_the_same(test: TestDatabase) {
        let (house, owner) = House::with_owner(test).await;
        let member = house.add(&owner.principal, MEMBER, Role::Member).await;
        let disable = AccountChange { disabled: Some(true), ..AccountChange::default() };
        house.door.change_account(&owner.principal, member.id, disable).await.unwrap();
        let long = "long enough ".repeat(1_000);
        for (email, password) in [
            (OWNER, "not the password"),
            (OWNER, ""),
            (OWNER, long.as_str()),
            ("nobody@example.org", PASSWORD),
            ("not an address", PASSWORD),
            ("", ""),
            ("' OR 1=1 --", "' OR 1=1 --"),
            (MEMBER, PASSWORD),
        ] {
            let refused = house.door.sign_in(sign_in(email, password, HOME)).await;
            assert!(matches!(refused, Err(IdentityError::WrongCredentials)), "{email}");
        }
    }

    async fn guessing_is_slowed_down_by_account_and_place(test: TestDatabase) {
        let (house, owner) = House::with_owner(test).await;
        house.add(&owner.principal, MEMBER, Role::Member).await;
        for _ in 0..10 {
            let refused = house.door.sign_in(sign_in(OWNER, "not the password", HOME)).await;
            assert!(matches!(refused, Err(IdentityError::WrongCredentials)));
            // Knowing some other password in between does not help.
            house.door.sign_in(sign_in(MEMBER, PASSWORD, HOME)).await.unwrap();
        }
        // Not even the right password is looked at, in whatever spelling of the address.
        let refused = house.door.sign_in(sign_in("Ada@Example.ORG", PASSWORD, HOME)).await;
        let Err(IdentityError::TooManyAttempts { retry_after }) = refused else { panic!("{refused:?}") };
        assert_eq!(retry_after, Duration::from_secs(30));
        // The owner elsewhere is not locked out by it.
        house.door.sign_in(sign_in(OWNER, PASSWORD, ELSEWHERE)).await.unwrap();
        house.clock.forward(retry_after);
        house.door.sign_in(sign_in(OWNER, PASSWORD, HOME)).await.unwrap();
    }

    async fn the_present_password_is_needed_for_a_new_one_and_cannot_be_guessed(test: TestDatabase) {
        let (house, owner) = House::with_owner(test).await;
        let change = |current: &str, new: &str| PasswordChange { current: current.to_owned(), new: new.to_owned() };
        let field = |result: Result<(), IdentityError>| match result {
            Err(IdentityError::Invalid(errors)) => errors[0].field.clone(),
            other => panic!("{other:?}"),
        };
        let door = &house.door;
        let weak = door.change_password(&owner.principal, change(PASSWORD, "password123"), &laptop()).await;
        assert_eq!(field(weak), "new_password");
        let own = door.change_password(&owner.principal, change(PASSWORD, "Ada@Example.org"), &laptop()).await;
        assert_eq!(field(own), "new_password");
        for _ in 0..10 {
            let wrong = door.change_password(&owner.principal, change("a guess", "another phrase"), &laptop()).await;
            assert_eq!(field(wrong), "current_password");
        }
        let refused = door.change_password(&owner.principal, change(PASSWORD, "another phrase"), &laptop()).await;
        assert!(matches!(refused, Err(IdentityError::TooManyAttempts { .. })));
        house.clock.forward(Duration::from_secs(30));
        door.change_password(&owner.principal, change(PASSWORD, "another phrase"), &laptop()).await.unwrap();
        assert!(door.sign_in(sign_in(OWNER, PASSWORD, ELSEWHERE)).await.is_err());
        door.sign_in(sign_in(OWNER, "another phrase", ELSEWHERE)).await.unwrap();
    }

    async fn a_password_that_an_admin_sets_ends_every_session(test: TestDatabase) {
        let (house, owner) = House::with_owner(test).await;
        let member = house.add(&owner.principal, MEMBER, Role::Member).await;
        let signed_in = house.sign_in(MEMBER).await;
        let change = AccountChange { password: Some("a new beginning".to_owned()), ..AccountChange::default() };
        house.door.change_account(&owner.principal, member.id, change).await.unwrap();
        assert!(house.door.authenticate(Credential::Cookie(&signed_in.token.to_text())).await.is_err());
        house.door.sign_in(sign_in(MEMBER, "a new beginning", HOME)).await.unwrap();
    }
}
