//! What a function shows, as long as it is good.

use stoa_identity::{AccountChange, Credential, FunctionPass, IdentityError};
use stoa_model::function::{FunctionProfile, HttpAccess, HttpTrigger, Language, ModelAccess};
use stoa_model::person::Role;
use stoa_model::{Clock as _, FunctionId, Principal, Scope, Via};
use stoa_storage::{FunctionChange, NewFunction, StoredCode, on_both_engines};

use crate::support::{House, MEMBER};

async fn function(house: &House, owner: &Principal, models: ModelAccess) -> FunctionId {
    let digest = "a".repeat(64);
    let now = house.clock.now();
    assert!(house.database.claim_blob(&digest, now).await.unwrap());
    let new = NewFunction {
        name: "agent".to_owned(),
        profile: FunctionProfile::default(),
        language: Language::Python,
        template: None,
        settings: serde_json::json!({}),
        code: StoredCode { digest, files: Vec::new() },
        models,
    };
    house.database.create_function(owner, new, now).await.unwrap().id
}

async fn allow(house: &House, owner: &Principal, id: FunctionId, models: ModelAccess) {
    let change = FunctionChange { models: Some(models), ..FunctionChange::default() };
    house.database.change_function(owner, id, change, house.clock.now()).await.unwrap();
}

async fn shown(house: &House, pass: &FunctionPass) -> Option<Principal> {
    match house.door.authenticate(Credential::Function(&pass.token().to_text())).await {
        Ok(principal) => Some(principal),
        Err(IdentityError::Unauthenticated) => None,
        Err(error) => panic!("{error}"),
    }
}

on_both_engines! {
    async fn a_function_is_let_in_for_its_owner_and_with_the_models_of_this_moment(test: TestDatabase) {
        let (house, owner) = House::with_owner(test).await;
        let owner = owner.principal;
        let id = function(&house, &owner, ModelAccess::All).await;
        let pass = house.door.admit_function(id);
        let principal = shown(&house, &pass).await.unwrap();
        assert_eq!((principal.user_id(), principal.function_id()), (owner.user_id(), Some(id)));
        assert!(principal.allows(Scope::Infer) && !principal.allows(Scope::Account) && principal.admits_model("a/b"));
        let models = ModelAccess::Only(vec!["a/b".to_owned()]);
        allow(&house, &owner, id, models.clone()).await;
        let principal = shown(&house, &pass).await.unwrap();
        assert!(principal.admits_model("a/b") && !principal.admits_model("a/c"), "at once");
        assert!(matches!(principal, Principal::User { via: Via::Function { models: now, .. }, .. } if *now == models));
        allow(&house, &owner, id, ModelAccess::Off).await;
        let principal = shown(&house, &pass).await.unwrap();
        assert!(!Scope::ALL.into_iter().any(|scope| principal.allows(scope)), "who it is, it may say");
        allow(&house, &owner, id, ModelAccess::All).await;
        assert!(shown(&house, &pass).await.is_some());
        // What has nothing to do with models changes nothing.
        let http = Some(HttpTrigger { access: HttpAccess::Public, alias: "live".to_owned(), jwt: None, inside: false });
        let change = FunctionChange { http, ..FunctionChange::default() };
        house.database.change_function(&owner, id, change, house.clock.now()).await.unwrap();
        assert!(shown(&house, &pass).await.is_some());
        house.database.delete_function(&owner, id).await.unwrap();
        assert_eq!(shown(&house, &pass).await, None);
        house.close().await;
    }

    async fn a_token_ends_with_its_pass_and_with_its_owners_account_and_is_no_key(test: TestDatabase) {
        let (house, owner) = House::with_owner(test).await;
        let member = house.add(&owner.principal, MEMBER, Role::Member).await;
        let theirs = house.sign_in(MEMBER).await.principal;
        let id = function(&house, &theirs, ModelAccess::All).await;
        let (first, second) = (house.door.admit_function(id), house.door.admit_function(id));
        assert!(shown(&house, &first).await.is_some() && shown(&house, &second).await.is_some());
        let text = first.token().to_text();
        drop(first);
        for credential in [Credential::Function(&text), Credential::Function("stoafn_"), Credential::Function("")] {
            let refused = house.door.authenticate(credential).await;
            assert!(matches!(refused, Err(IdentityError::Unauthenticated)), "although it was seen a moment ago");
        }
        let text = second.token().to_text();
        for credential in [Credential::ApiKey(&text), Credential::Cookie(&text)] {
            assert!(matches!(house.door.authenticate(credential).await, Err(IdentityError::Unauthenticated)));
        }
        let disabled = |disabled| AccountChange { disabled: Some(disabled), ..AccountChange::default() };
        house.door.change_account(&owner.principal, member.id, disabled(true)).await.unwrap();
        assert_eq!(shown(&house, &second).await, None, "its owner may not sign in");
        house.door.change_account(&owner.principal, member.id, disabled(false)).await.unwrap();
        assert!(shown(&house, &second).await.is_some());
        house.close().await;
    }
}
