//! What the ledger of model calls adds up to.

use std::ops::AddAssign;

use serde::Serialize;

use crate::UserId;

/// Calls of models, summed up. Calls that failed count, with the tokens that they used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct UsageSum {
    pub calls: u64,
    /// Those that ended with an error or were interrupted; part of `calls`.
    pub failed: u64,
    pub prompt_tokens: u64,
    /// Part of `prompt_tokens`.
    pub cached_tokens: u64,
    pub completion_tokens: u64,
    /// Part of `completion_tokens`.
    pub reasoning_tokens: u64,
    /// In billionths of a US dollar, of those calls whose model had prices; absent when none had.
    #[schema(required)]
    pub cost: Option<u64>,
}

impl AddAssign for UsageSum {
    fn add_assign(&mut self, other: Self) {
        self.calls += other.calls;
        self.failed += other.failed;
        self.prompt_tokens += other.prompt_tokens;
        self.cached_tokens += other.cached_tokens;
        self.completion_tokens += other.completion_tokens;
        self.reasoning_tokens += other.reasoning_tokens;
        self.cost = [self.cost, other.cost].into_iter().flatten().reduce(|one, other| one + other);
    }
}

/// One model on one day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct DailyUsage {
    /// By the caller's clock: `2026-11-24`.
    pub date: String,
    /// `slug/name`
    pub model: String,
    #[serde(flatten)]
    pub sum: UsageSum,
}

/// One person, over all days that were asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct PersonalUsage {
    /// Absent for those at the machine who have shown no key.
    #[schema(required)]
    pub user_id: Option<UserId>,
    /// Absent where nobody has that account any more, too.
    #[schema(required)]
    pub name: Option<String>,
    #[serde(flatten)]
    pub sum: UsageSum,
}
