//! The places of the context, and which of them a new sequence takes.

/// One sequence of llama.cpp: what it holds, and for whom.
#[derive(Debug)]
pub(super) struct Slot<Token> {
    /// What was said here, in order. While a sequence runs, the end of it may still have to be computed.
    pub(super) tokens: Vec<Token>,
    /// How many of `tokens` the context holds the keys and values of.
    pub(super) computed: usize,
    /// Whose they are.
    pub(super) scope: Option<String>,
    pub(super) busy: bool,
    /// When it was last taken, as a count that rises.
    pub(super) used: u64,
}

impl<Token> Slot<Token> {
    pub(super) const fn new() -> Self {
        Self { tokens: Vec::new(), computed: 0, scope: None, busy: false, used: 0 }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) slot: usize,
    /// How many tokens of the prompt are there already. At least one never is, as its logits are needed.
    pub(super) kept: usize,
}

/// The slot that a sequence with this prompt takes; `None` when all are busy.
///
/// The one that holds the longest beginning of the prompt for the same owner, if that is at least half of either: a
/// greeting that all conversations begin with is no reason to forget one of them. Otherwise one beside a busy slot, since
/// llama.cpp computes only neighbours together, and of those the one that has not been used for longest.
pub(super) fn choose<Token: PartialEq>(slots: &[Slot<Token>], prompt: &[Token], scope: Option<&str>) -> Option<Choice> {
    let common = |slot: &Slot<Token>| {
        if scope.is_none() || slot.scope.as_deref() != scope {
            return 0;
        }
        let held = &slot.tokens[..slot.computed];
        let common = held.iter().zip(prompt).take_while(|(one, other)| one == other).count();
        common.min(prompt.len().saturating_sub(1))
    };
    let busy = |index: Option<usize>| index.and_then(|index| slots.get(index)).is_some_and(|slot| slot.busy);
    let free = slots.iter().enumerate().filter(|(_, slot)| !slot.busy);
    free.max_by_key(|(index, slot)| {
        let common = common(slot);
        let worth = 2 * common >= prompt.len().min(slot.computed) && common > 0;
        let neighbours = usize::from(busy(index.checked_sub(1))) + usize::from(busy(Some(index + 1)));
        let gain = if worth { (common, 0) } else { (0, neighbours) };
        // Of equals, `max_by_key` takes the last, and the lowest number is to be first.
        (gain, u64::MAX - slot.used, usize::MAX - index)
    })
    .map(|(slot, found)| Choice { slot, kept: common(found) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn slot(tokens: &[u8], scope: &str, busy: bool, used: u64) -> Slot<u8> {
        let scope = (!scope.is_empty()).then(|| scope.to_owned());
        Slot { tokens: tokens.to_vec(), computed: tokens.len(), scope, busy, used }
    }

    #[test]
    fn a_conversation_goes_on_where_it_was() {
        let slots = [slot(b"hello", "me", false, 1), slot(b"hello world", "me", false, 2), slot(b"", "", false, 0)];
        assert_eq!(choose(&slots, b"hello world, again", Some("me")), Some(Choice { slot: 1, kept: 11 }));
        assert_eq!(choose(&slots, b"hello", Some("me")), Some(Choice { slot: 0, kept: 4 }));
    }

    #[test]
    fn nobody_gets_what_another_has_said() {
        let slots = [slot(b"hello", "me", false, 1), slot(b"hello", "", false, 2)];
        assert_eq!(choose(&slots, b"hello", Some("you")), Some(Choice { slot: 0, kept: 0 }));
        assert_eq!(choose(&slots, b"hello", None), Some(Choice { slot: 0, kept: 0 }), "no owner shares with no owner");
    }

    #[test]
    fn a_common_greeting_does_not_cost_a_conversation() {
        let slots = [slot(b"You are kind. A long talk about the sea.", "me", false, 2), slot(b"", "", false, 1)];
        assert_eq!(choose(&slots, b"You are kind. Something else entirely.", Some("me")).unwrap().slot, 1);
    }

    #[test]
    fn neighbours_are_computed_together_and_the_longest_unused_goes_first() {
        let slots = [
            slot(b"", "", false, 1),
            slot(b"", "", false, 4),
            slot(b"", "", true, 3),
            slot(b"", "", false, 2),
            slot(b"", "", false, 0),
        ];
        assert_eq!(choose(&slots, b"x", None).unwrap().slot, 3);
        let idle: Vec<_> = slots.into_iter().map(|slot| Slot { busy: false, ..slot }).collect();
        assert_eq!(choose(&idle, b"x", None).unwrap().slot, 4);
    }

    fn any_slot() -> impl Strategy<Value = Slot<u8>> {
        (prop::collection::vec(0_u8..3, 0..12), 0_usize..12, prop::option::of("[ab]"), any::<bool>(), 0_u64..5)
            .prop_map(|(tokens, computed, scope, busy, used)| Slot {
                computed: computed.min(tokens.len()),
                tokens,
                scope,
                busy,
                used,
            })
    }

    proptest! {
        #[test]
        fn the_choice_is_free_and_keeps_only_what_is_there_and_ones_own(
            slots in prop::collection::vec(any_slot(), 1..8),
            prompt in prop::collection::vec(0_u8..3, 1..16),
            scope in prop::option::of("[ab]"),
        ) {
            let choice = choose(&slots, &prompt, scope.as_deref());
            prop_assert_eq!(choice.is_none(), slots.iter().all(|slot| slot.busy));
            if let Some(Choice { slot, kept }) = choice {
                let chosen = &slots[slot];
                prop_assert!(!chosen.busy);
                prop_assert!(kept < prompt.len() && kept <= chosen.computed);
                prop_assert_eq!(&chosen.tokens[..kept], &prompt[..kept]);
                prop_assert!(kept == 0 || (scope.is_some() && chosen.scope == scope));
                // A whole conversation that goes on is never left for a shorter match.
                for (index, other) in slots.iter().enumerate().filter(|(_, other)| !other.busy) {
                    let all = other.computed > 0 && other.computed < prompt.len() && scope.is_some()
                        && other.scope == scope && prompt.starts_with(&other.tokens[..other.computed]);
                    prop_assert!(!all || kept >= other.computed, "slot {} was better than {}", index, slot);
                }
            }
        }
    }
}
