//! The ledger's rows of calls whose caller writes them together with what the calls made.

use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use stoa_storage::UsageRow;

use crate::ledger::Ledger;

/// Holds the rows of settled calls for whoever takes them, to be written in the transaction that keeps the answer: then
/// neither is there without the other. What nobody takes goes to the ledger by itself.
#[derive(Clone, Debug)]
pub struct Receipt {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    rows: Mutex<Vec<UsageRow>>,
    ledger: Ledger,
}

impl Receipt {
    pub(crate) fn new(ledger: Ledger) -> Self {
        Self { inner: Arc::new(Inner { rows: Mutex::default(), ledger }) }
    }

    pub(crate) fn add(&self, row: UsageRow) {
        self.inner.rows.lock().unwrap_or_else(PoisonError::into_inner).push(row);
    }

    /// The rows so far, which are the caller's to write from now on.
    pub fn take(&self) -> Vec<UsageRow> {
        mem::take(&mut *self.inner.rows.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        for row in mem::take(self.rows.get_mut().unwrap_or_else(PoisonError::into_inner)) {
            self.ledger.record(row);
        }
    }
}
