//! A user of its own for every instance, where the engine may give one.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// How many there are.
pub(crate) const USERS: u32 = 65_536;

#[derive(Debug)]
pub(crate) struct Users {
    first: u32,
    taken: Mutex<BTreeSet<u32>>,
}

/// Given back when dropped.
#[derive(Debug)]
pub(crate) struct User {
    pub(crate) id: u32,
    /// None for one that others may be as well.
    users: Option<Arc<Users>>,
}

impl User {
    /// Who the instances of an owner are that have volumes.
    pub(crate) fn shared(id: u32) -> Self {
        Self { id, users: None }
    }
}

impl Users {
    pub(crate) fn from(first: u32) -> Arc<Self> {
        Arc::new(Self { first, taken: Mutex::default() })
    }

    /// The lowest that nobody is; none when there are none left.
    pub(crate) fn take(self: &Arc<Self>) -> Option<User> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let id = (0..USERS).map(|place| self.first.saturating_add(place)).find(|id| !taken.contains(id))?;
        taken.insert(id);
        Some(User { id, users: Some(Arc::clone(self)) })
    }
}

impl Drop for User {
    fn drop(&mut self) {
        if let Some(users) = &self.users {
            users.taken.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Users;

    #[test]
    fn no_two_are_the_same_and_what_is_given_back_is_taken_again() {
        let users = Users::from(100);
        let (first, second) = (users.take().unwrap(), users.take().unwrap());
        assert_eq!((first.id, second.id), (100, 101));
        drop(first);
        assert_eq!(users.take().unwrap().id, 100);
    }
}
