//! Functions by their names, as calls meet them, as long as nothing was heard of a change.

use std::collections::HashMap;
use std::sync::Arc;

use stoa_storage::{CallableFunction, Notice};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::TryRecvError;

/// Functions whose routes are at hand.
const MOST: usize = 10_000;

pub(crate) struct Known {
    notices: Receiver<Notice>,
    functions: HashMap<String, Arc<CallableFunction>>,
    /// Counts what was heard.
    changes: u64,
}

impl Known {
    pub(crate) fn new(notices: Receiver<Notice>) -> Self {
        Self { notices, functions: HashMap::new(), changes: 0 }
    }

    /// Takes in what there is to hear. Looked at before every call, so that whoever has changed a function finds it changed.
    pub(crate) fn hear(&mut self) -> &mut Self {
        loop {
            match self.notices.try_recv() {
                Ok(Notice::Function { function }) => self.functions.retain(|_, known| known.id != function),
                Ok(Notice::Resync) | Err(TryRecvError::Lagged(_)) => self.functions.clear(),
                Ok(_) => continue,
                Err(TryRecvError::Empty | TryRecvError::Closed) => return self,
            }
            self.changes += 1;
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<Arc<CallableFunction>> {
        self.functions.get(name).cloned()
    }

    pub(crate) const fn changes(&self) -> u64 {
        self.changes
    }

    /// What was read when so much had been heard. What may have changed meanwhile is read again.
    pub(crate) fn put(&mut self, function: Arc<CallableFunction>, changes: u64) {
        if self.changes != changes {
            return;
        }
        if self.functions.len() >= MOST {
            self.functions.clear();
        }
        self.functions.insert(function.name.clone(), function);
    }
}

#[cfg(test)]
mod tests {
    use stoa_model::function::{HttpAccess, HttpTrigger};
    use stoa_model::{FunctionId, Timestamp, UserId};
    use tokio::sync::broadcast;

    use super::*;

    fn function(name: &str) -> Arc<CallableFunction> {
        let now = Timestamp::from_millis(0);
        Arc::new(CallableFunction {
            id: FunctionId::generate(now),
            name: name.to_owned(),
            owner: UserId::generate(now),
            http: HttpTrigger { access: HttpAccess::Off, alias: "live".to_owned(), jwt: None, inside: false },
            aliases: Vec::new(),
            revision: 1,
            secrets_revision: 0,
        })
    }

    #[test]
    fn what_has_changed_is_forgotten_before_the_next_call() {
        let (sender, notices) = broadcast::channel(2);
        let mut known = Known::new(notices);
        let (one, other) = (function("one"), function("other"));
        let there = |known: &Known| ["one", "other"].map(|name| known.get(name).is_some());
        let changes = known.hear().changes();
        known.put(Arc::clone(&one), changes);
        known.put(Arc::clone(&other), changes);
        sender.send(Notice::Settings).unwrap();
        assert_eq!(there(known.hear()), [true, true]);
        sender.send(Notice::Function { function: one.id }).unwrap();
        assert_eq!(there(known.hear()), [false, true]);
        // It was read before it changed.
        known.put(Arc::clone(&one), changes);
        assert_eq!(there(&known), [false, true]);
        let changes = known.changes();
        known.put(one, changes);
        for _ in 0..3 {
            sender.send(Notice::Settings).unwrap();
        }
        assert_eq!(there(known.hear()), [false, false], "nobody knows what was missed");
    }
}
