//! Who asks, and the rules of what they may see and do. `storage` compiles the predicates to SQL; nothing else decides.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::assistant::Reach;
use crate::function::ModelAccess;
use crate::person::Role;
use crate::{ApiKeyId, FunctionId, SessionId, ShareId, UserId};

/// Whoever a request or a job acts for. Every repository takes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    User {
        id: UserId,
        role: Role,
        /// Rises with every change of the user's rights; an older one is no longer good.
        epoch: i64,
        via: Via,
    },
    /// Somebody at this very machine who has shown no credential. They may run its models and list them, and that is all.
    AtTheMachine,
    /// Whoever came by a link to a conversation. They see the picture of it that was taken for the link, and nothing else.
    Shared { share: ShareId },
    /// The server itself, doing the named job.
    System(&'static str),
}

/// The door that the user came through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Via {
    Session(SessionId),
    ApiKey {
        id: ApiKeyId,
        scopes: Vec<Scope>,
    },
    /// A function of the user's, which runs models and does nothing else.
    Function {
        id: FunctionId,
        models: Arc<ModelAccess>,
        /// How many functions have called one another until this call, itself included.
        depth: u8,
    },
}

/// What an API key may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// List models and run them: `/v1/*`.
    Infer,
    /// Everything that the user may do in the browser, short of changing passwords, sessions and keys.
    Account,
    /// Bring models to this machine, change and remove them; good in the hands of administrators only.
    Models,
}

impl Scope {
    pub const ALL: [Self; 3] = [Self::Infer, Self::Account, Self::Models];
}

/// Which rows of a kind a principal may touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Predicate {
    All,
    None,
    OwnedBy(UserId),
}

/// Which pictures of conversations a principal may read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    None,
    /// That of this link.
    Of(ShareId),
}

/// Which assistants a principal may use, which is to talk to them and to see who they are. It is no sight of what they are
/// built on: that is of those whose rows they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usable {
    All,
    None,
    /// Those of this person, and those whose owners share them with any of these.
    OwnOrShared(UserId, [Reach; 3]),
}

impl Principal {
    pub const fn user_id(&self) -> Option<UserId> {
        match self {
            Self::User { id, .. } => Some(*id),
            Self::AtTheMachine | Self::Shared { .. } | Self::System(_) => None,
        }
    }

    pub const fn api_key_id(&self) -> Option<ApiKeyId> {
        match self {
            Self::User { via: Via::ApiKey { id, .. }, .. } => Some(*id),
            _ => None,
        }
    }

    pub const fn session_id(&self) -> Option<SessionId> {
        match self {
            Self::User { via: Via::Session(id), .. } => Some(*id),
            _ => None,
        }
    }

    pub const fn function_id(&self) -> Option<FunctionId> {
        match self {
            Self::User { via: Via::Function { id, .. }, .. } => Some(*id),
            _ => None,
        }
    }

    /// How many functions have called one another until this call.
    pub const fn depth(&self) -> u8 {
        match self {
            Self::User { via: Via::Function { depth, .. }, .. } => *depth,
            _ => 0,
        }
    }

    /// Whether this door leads to a model, if its user may run it.
    pub fn admits_model(&self, model: &str) -> bool {
        match self {
            Self::User { via: Via::Function { models, .. }, .. } => models.admits(model),
            _ => true,
        }
    }

    /// Whether this door allows `scope` at all. A browser session carries every scope.
    pub fn allows(&self, scope: Scope) -> bool {
        match self {
            Self::User { via: Via::ApiKey { scopes, .. }, .. } => scopes.contains(&scope),
            Self::User { via: Via::Session(_), .. } | Self::System(_) => true,
            Self::User { via: Via::Function { models, .. }, .. } => {
                scope == Scope::Infer && **models != ModelAccess::Off
            }
            Self::AtTheMachine => scope == Scope::Infer,
            Self::Shared { .. } => false,
        }
    }

    /// Conversations, messages and generations belong to one person; not even an owner reads another's.
    pub const fn conversations(&self) -> Predicate {
        self.own_rows()
    }

    /// Assistants belong to whoever made them: only they see all of them, change, copy, export and share them.
    pub const fn assistants(&self) -> Predicate {
        self.own_rows()
    }

    /// One's own, and those that reach one by a share. A share grants use alone: neither sight of the role or the
    /// template, nor anything of its owner's, such as a provider that only the owner's browser calls.
    pub const fn usable_assistants(&self) -> Usable {
        match self {
            Self::User { id, role, .. } => {
                Usable::OwnOrShared(*id, [Reach::Everyone, Reach::Role(*role), Reach::Person(*id)])
            }
            Self::System(_) => Usable::All,
            Self::AtTheMachine | Self::Shared { .. } => Usable::None,
        }
    }

    /// Folders of assistants, and what lies in them, are everybody's own.
    pub const fn assistant_folders(&self) -> Predicate {
        self.own_rows()
    }

    /// Files belong to whoever uploaded them.
    pub const fn files(&self) -> Predicate {
        self.own_rows()
    }

    /// Projects belong to whoever made them.
    pub const fn projects(&self) -> Predicate {
        self.own_rows()
    }

    /// Functions belong to whoever made them; who may call them is for the function to say.
    pub const fn functions(&self) -> Predicate {
        self.own_rows()
    }

    /// What everybody's functions took: how much of what, never what is in them.
    pub const fn function_accounts_of_all(&self) -> Predicate {
        self.administered()
    }

    /// Volumes and what is in them belong to whoever made them; administrators see none but their own.
    pub const fn function_volumes(&self) -> Predicate {
        self.own_rows()
    }

    /// Links belong to whoever made them.
    pub const fn shares(&self) -> Predicate {
        self.own_rows()
    }

    /// Whoever came by a link reads what it shows; its owner comes by the link like everybody.
    pub const fn sight(&self) -> Sight {
        match self {
            Self::Shared { share } => Sight::Of(*share),
            _ => Sight::None,
        }
    }

    /// Whether this principal decides for whom links may be made.
    pub const fn may_decide_on_links(&self) -> bool {
        self.may_administer()
    }

    /// Prompts belong to whoever wrote them.
    pub const fn prompts(&self) -> Predicate {
        self.own_rows()
    }

    /// Providers that only their owner's browser calls.
    pub const fn personal_providers(&self) -> Predicate {
        self.own_rows()
    }

    /// A person's own sessions and API keys.
    pub const fn credentials(&self) -> Predicate {
        self.own_rows()
    }

    /// What a person has had models do.
    pub const fn usage(&self) -> Predicate {
        self.own_rows()
    }

    /// What everybody has: how much of which model, never what was said.
    pub const fn usage_of_all(&self) -> Predicate {
        self.administered()
    }

    /// Providers with their settings: admins only. Using an enabled model needs no sight of its provider.
    pub const fn providers(&self) -> Predicate {
        self.administered()
    }

    /// The directory of people.
    pub const fn people(&self) -> Predicate {
        self.administered()
    }

    /// Private addresses that the server may reach.
    pub const fn egress_allowances(&self) -> Predicate {
        self.administered()
    }

    /// Whether this principal may use the models of providers, which cost money, beside those of this machine.
    pub const fn may_use_providers(&self) -> bool {
        !matches!(self, Self::AtTheMachine | Self::Shared { .. })
    }

    /// Whether this principal may bring models to this machine, change and remove them.
    pub fn may_manage_models(&self) -> bool {
        self.may_administer() && self.allows(Scope::Models)
    }

    pub const fn may_administer(&self) -> bool {
        matches!(self, Self::System(_) | Self::User { role: Role::Owner | Role::Admin, .. })
    }

    /// Whether this principal may give, take or change `role` of somebody: owners any, admins only members.
    pub const fn may_assign(&self, role: Role) -> bool {
        match self {
            Self::System(_) | Self::User { role: Role::Owner, .. } => true,
            Self::User { role: Role::Admin, .. } => matches!(role, Role::Member),
            Self::User { role: Role::Member, .. } | Self::AtTheMachine | Self::Shared { .. } => false,
        }
    }

    const fn own_rows(&self) -> Predicate {
        match self {
            Self::User { id, .. } => Predicate::OwnedBy(*id),
            Self::System(_) => Predicate::All,
            Self::AtTheMachine | Self::Shared { .. } => Predicate::None,
        }
    }

    const fn administered(&self) -> Predicate {
        if self.may_administer() { Predicate::All } else { Predicate::None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Timestamp;

    fn user(role: Role) -> Principal {
        let now = Timestamp::from_millis(0);
        Principal::User { id: UserId::generate(now), role, epoch: 1, via: Via::Session(SessionId::generate(now)) }
    }

    #[test]
    fn nobody_reads_the_conversations_of_another_not_even_the_owner() {
        let owner = user(Role::Owner);
        assert_eq!(owner.conversations(), Predicate::OwnedBy(owner.user_id().unwrap()));
    }

    #[test]
    fn a_share_reaches_a_person_a_role_or_everyone_and_lets_nobody_see_the_rows() {
        let admin = user(Role::Admin);
        let id = admin.user_id().unwrap();
        let reached = [Reach::Everyone, Reach::Role(Role::Admin), Reach::Person(id)];
        assert_eq!(admin.usable_assistants(), Usable::OwnOrShared(id, reached));
        assert_eq!(admin.assistants(), Predicate::OwnedBy(id), "not even an administrator");
        assert_eq!(Principal::AtTheMachine.usable_assistants(), Usable::None);
    }

    #[test]
    fn members_see_no_providers_and_no_people() {
        assert_eq!(user(Role::Member).providers(), Predicate::None);
        assert_eq!(user(Role::Member).people(), Predicate::None);
        assert_eq!(user(Role::Admin).providers(), Predicate::All);
    }

    #[test]
    fn who_shows_no_credential_runs_models_and_nothing_else() {
        let somebody = Principal::AtTheMachine;
        assert!(somebody.allows(Scope::Infer) && !somebody.allows(Scope::Account));
        assert!(!somebody.may_use_providers() && !somebody.may_manage_models() && !somebody.may_administer());
        let rows = [somebody.conversations(), somebody.credentials(), somebody.providers(), somebody.people()];
        assert_eq!(rows, [Predicate::None; 4]);
    }

    #[test]
    fn who_comes_by_a_link_sees_what_it_shows_and_nothing_else() {
        let share = ShareId::generate(Timestamp::from_millis(0));
        let visitor = Principal::Shared { share };
        assert_eq!(visitor.sight(), Sight::Of(share));
        assert!(!Scope::ALL.into_iter().any(|scope| visitor.allows(scope)));
        assert!(!visitor.may_use_providers() && !visitor.may_manage_models() && !visitor.may_administer());
        let rows = [
            visitor.conversations(),
            visitor.files(),
            visitor.shares(),
            visitor.assistants(),
            visitor.projects(),
            visitor.credentials(),
            visitor.usage(),
            visitor.usage_of_all(),
            visitor.function_accounts_of_all(),
            visitor.people(),
        ];
        assert_eq!(rows, [Predicate::None; 10]);
        assert_eq!(visitor.usable_assistants(), Usable::None);
        assert_eq!(user(Role::Owner).sight(), Sight::None);
    }

    #[test]
    fn a_function_runs_the_models_it_is_held_to_and_does_nothing_else() {
        let now = Timestamp::from_millis(0);
        let models = Arc::new(ModelAccess::Only(vec!["a/b".to_owned()]));
        let via = Via::Function { id: FunctionId::generate(now), models, depth: 3 };
        let function = Principal::User { id: UserId::generate(now), role: Role::Owner, epoch: 1, via };
        let allowed: Vec<_> = Scope::ALL.into_iter().filter(|scope| function.allows(*scope)).collect();
        assert_eq!(allowed, [Scope::Infer]);
        assert!(function.admits_model("a/b") && !function.admits_model("a/c"));
        assert!(!function.may_manage_models() && function.may_use_providers() && function.depth() == 3);
        assert!(user(Role::Member).admits_model("a/c"));
        let none = Via::Function { id: FunctionId::generate(now), models: Arc::default(), depth: 1 };
        let function = Principal::User { id: UserId::generate(now), role: Role::Owner, epoch: 1, via: none };
        assert!(!Scope::ALL.into_iter().any(|scope| function.allows(scope)) && !function.admits_model("a/b"));
    }

    #[test]
    fn an_admin_makes_members_but_no_admins() {
        assert!(user(Role::Admin).may_assign(Role::Member));
        assert!(!user(Role::Admin).may_assign(Role::Admin));
        assert!(user(Role::Owner).may_assign(Role::Owner));
        assert!(!user(Role::Member).may_assign(Role::Member));
    }
}
