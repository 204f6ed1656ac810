//! The first account, by the page and by the operator's configuration.

use stoa_identity::{IdentityError, NewOwner, SetupToken};
use stoa_model::person::Role;
use stoa_storage::on_both_engines;

use crate::support::{House, OWNER, PASSWORD, elsewhere, laptop};

fn owner(token: Option<&str>) -> NewOwner {
    NewOwner {
        name: "Ada".to_owned(),
        email: OWNER.to_owned(),
        password: PASSWORD.to_owned(),
        token: token.map(str::to_owned),
    }
}

on_both_engines! {
    async fn set_up_makes_one_owner_and_signs_them_in(test: TestDatabase) {
        let house = House::new(test);
        let before = house.door.setup_state(&laptop()).await.unwrap();
        assert!(before.needed && !before.token_required);
        let signed_in = house.door.set_up(owner(None), laptop()).await.unwrap();
        assert_eq!(signed_in.user.role, Role::Owner);
        assert!(!house.door.setup_is_needed().await.unwrap());
        let again = house.door.set_up(owner(None), laptop()).await;
        assert!(matches!(again, Err(IdentityError::AlreadySetUp)));
    }

    async fn of_two_that_set_up_at_once_one_is_late(test: TestDatabase) {
        let house = House::new(test);
        let other = NewOwner { email: "second@example.org".to_owned(), ..owner(None) };
        let (first, second) = tokio::join!(house.door.set_up(owner(None), laptop()), house.door.set_up(other, laptop()));
        assert_eq!(u8::from(first.is_ok()) + u8::from(second.is_ok()), 1);
        let late = first.err().or(second.err()).unwrap();
        assert!(matches!(late, IdentityError::AlreadySetUp), "{late:?}");
    }

    async fn from_elsewhere_only_the_right_token_will_do(test: TestDatabase) {
        let token = SetupToken::derive(&test.key);
        assert_eq!(token.expose().len(), 32);
        assert_eq!(SetupToken::derive(&test.key).expose(), token.expose(), "every replica names the same");
        let house = House::new(test);
        assert!(house.door.setup_state(&elsewhere()).await.unwrap().token_required);
        for wrong in [None, Some(""), Some("0123456789abcdef0123456789abcdef")] {
            let refused = house.door.set_up(owner(wrong), elsewhere()).await;
            assert!(matches!(refused, Err(IdentityError::WrongSetupToken)));
        }
        house.door.set_up(owner(Some(token.expose())), elsewhere()).await.unwrap();
        assert!(!house.door.setup_state(&elsewhere()).await.unwrap().token_required);
    }

    async fn the_token_cannot_be_guessed_at_length(test: TestDatabase) {
        let house = House::new(test);
        for _ in 0..10 {
            let _ = house.door.set_up(owner(Some("guess")), elsewhere()).await;
        }
        let refused = house.door.set_up(owner(Some("guess")), elsewhere()).await;
        assert!(matches!(refused, Err(IdentityError::TooManyAttempts { .. })));
    }

    async fn every_wrong_field_is_named_at_once(test: TestDatabase) {
        let house = House::new(test);
        let bad = NewOwner {
            name: "\u{7}".to_owned(),
            email: "nowhere".to_owned(),
            password: "password123".to_owned(),
            token: None,
        };
        let Err(IdentityError::Invalid(errors)) = house.door.set_up(bad, laptop()).await else {
            panic!("it was taken")
        };
        let fields: Vec<_> = errors.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(fields, ["name", "password", "email"]);
        assert!(house.door.setup_is_needed().await.unwrap());
    }

    async fn a_configured_owner_is_made_once_and_never_with_a_weak_password(test: TestDatabase) {
        let house = House::new(test);
        let weak = house.door.make_configured_owner(OWNER, "password123").await;
        assert!(matches!(weak, Err(IdentityError::Invalid(_))));
        assert!(house.door.make_configured_owner(OWNER, PASSWORD).await.unwrap());
        assert!(!house.door.make_configured_owner(OWNER, PASSWORD).await.unwrap());
        assert!(!house.door.make_configured_owner("other@example.org", "some other phrase").await.unwrap());
        assert_eq!(house.sign_in(OWNER).await.user.name, "ada");
    }
}
