//! How many sequences a model gets, each with a context of its own.

/// Memory for the contexts of all sequences, where nobody has said how much.
pub const CONTEXT_BYTES: u64 = 1 << 30;

/// Fewer slots would make people wait for each other; a machine that has no room for so many gets fewer all the same.
const FEWEST_SLOTS: u32 = 4;

/// From here on, more sequences at once are hardly more tokens a second.
const MOST_SLOTS: u32 = 16;

/// Tokens of a sequence are reserved in multiples of this, as llama.cpp does it.
const CONTEXT_MULTIPLE: u32 = 256;

/// Tokens that are reserved for a sequence of `context_window` tokens.
pub const fn reserved_tokens(context_window: u32) -> u32 {
    context_window.next_multiple_of(CONTEXT_MULTIPLE)
}

/// How many sequences of `per_slot` bytes each there shall be: what the budget holds, within reason, and at least
/// [`FEWEST_SLOTS`] unless those would take more than half of what is free.
pub fn slots(per_slot: u64, budget: u64, free: Option<u64>) -> u32 {
    let holds = |bytes: u64| u32::try_from(bytes.checked_div(per_slot).unwrap_or(u64::MAX)).unwrap_or(u32::MAX);
    let most = free.map_or(MOST_SLOTS, |free| holds(free / 2)).clamp(1, MOST_SLOTS);
    holds(budget).clamp(FEWEST_SLOTS, MOST_SLOTS).min(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_follow_the_budget_and_the_memory_that_is_free() {
        const MIB: u64 = 1 << 20;
        assert_eq!(slots(100 * MIB, 1_024 * MIB, None), 10);
        assert_eq!(slots(10 * MIB, 1_024 * MIB, None), MOST_SLOTS);
        assert_eq!(slots(1_024 * MIB, 1_024 * MIB, None), FEWEST_SLOTS);
        assert_eq!(slots(1_024 * MIB, 1_024 * MIB, Some(4_096 * MIB)), 2);
        assert_eq!(slots(1_024 * MIB, 1_024 * MIB, Some(MIB)), 1);
        assert_eq!(slots(0, 1_024 * MIB, Some(MIB)), MOST_SLOTS, "a state that does not grow");
    }
}
