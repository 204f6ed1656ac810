//! The place where spending is bounded: before a call something is reserved, after it the reservation is settled.

use stoa_model::Principal;
use stoa_model::completion::Usage;

use crate::Call;

/// Refuses a call that nobody may pay for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct OverBudget {
    pub detail: String,
}

pub trait Budget: Send + Sync {
    fn reserve(&self, principal: &Principal, call: &Call) -> Result<Box<dyn Reservation>, OverBudget>;
}

/// Dropped unsettled, a reservation is given back.
pub trait Reservation: Send {
    fn settle(self: Box<Self>, usage: &Usage);
}

/// Nobody has set a budget.
pub struct Unlimited;

impl Budget for Unlimited {
    fn reserve(&self, _principal: &Principal, _call: &Call) -> Result<Box<dyn Reservation>, OverBudget> {
        Ok(Box::new(Self))
    }
}

impl Reservation for Unlimited {
    fn settle(self: Box<Self>, _usage: &Usage) {}
}
