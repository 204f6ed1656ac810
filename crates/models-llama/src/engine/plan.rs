//! What one step computes: who gets how many tokens, and with whom.

/// What a sequence has yet to compute. Sequences stand in the order in which they came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Need {
    /// At least 1; exactly 1 when it decodes.
    pub(super) tokens: usize,
    /// It shares no call with others.
    pub(super) alone: bool,
}

/// So many of the next tokens of one sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Share {
    /// Which of the needs.
    pub(super) index: usize,
    pub(super) tokens: usize,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Tokens of one call.
    pub(super) call: usize,
    /// Tokens of prompts that are computed together in one step.
    pub(super) prompts: usize,
    /// Tokens of a prompt that is computed alone. The same for every step: other sizes round differently.
    pub(super) alone: usize,
    /// Where both kinds of prompt wait, whose turn it is.
    pub(super) alone_next: bool,
}

/// The calls of one step. Every sequence that decodes gets its one token, so nobody waits for somebody's prompt; what is
/// left goes to prompts. Of that, one half is for the prompt that came first, which therefore never starves, and the
/// other for the shortest, so that a question does not wait for a book.
pub(super) fn plan(needs: &[Need], limits: Limits) -> Vec<Vec<Share>> {
    let mut together: Vec<Share> = Vec::new();
    let mut calls: Vec<Vec<Share>> = Vec::new();
    let mut prompts: Vec<Share> = Vec::new();
    let mut lonely: Option<Share> = None;
    for (index, need) in needs.iter().enumerate() {
        let share = Share { index, tokens: need.tokens };
        match (need.alone, need.tokens) {
            (false, 0..=1) => together.push(share),
            (true, 0..=1) => calls.push(vec![share]),
            (false, _) => prompts.push(share),
            (true, _) => lonely = lonely.or(Some(Share { tokens: need.tokens.min(limits.alone).max(1), ..share })),
        }
    }
    match lonely {
        Some(share) if prompts.is_empty() || limits.alone_next => calls.push(vec![share]),
        _ => together.extend(divide(&prompts, limits.prompts.min(limits.call.saturating_sub(together.len())))),
    }
    if !together.is_empty() {
        calls.insert(0, together);
    }
    calls
}

fn divide(prompts: &[Share], room: usize) -> Vec<Share> {
    let mut given = vec![0; prompts.len()];
    let Some(first) = prompts.first() else { return Vec::new() };
    given[0] = first.tokens.min(room.div_ceil(2));
    let mut left = room - given[0];
    let mut order: Vec<usize> = (0..prompts.len()).collect();
    order.sort_by_key(|place| prompts[*place].tokens);
    for place in order {
        let more = (prompts[place].tokens - given[place]).min(left);
        given[place] += more;
        left -= more;
    }
    let shares = prompts.iter().zip(given).map(|(prompt, tokens)| Share { index: prompt.index, tokens });
    shares.filter(|share| share.tokens > 0).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMITS: Limits = Limits { call: 512, prompts: 64, alone: 128, alone_next: false };

    fn together(tokens: usize) -> Need {
        Need { tokens, alone: false }
    }

    fn share(index: usize, tokens: usize) -> Share {
        Share { index, tokens }
    }

    #[test]
    fn who_decodes_never_waits_for_a_prompt() {
        let plan = plan(&[together(1), together(5_000), together(1)], LIMITS);
        assert_eq!(plan, [vec![share(0, 1), share(2, 1), share(1, 64)]]);
    }

    #[test]
    fn a_question_passes_a_book_and_the_book_gets_on() {
        let plan = plan(&[together(5_000), together(20)], LIMITS);
        assert_eq!(plan, [vec![share(0, 44), share(1, 20)]]);
    }

    #[test]
    fn equal_prompts_are_served_in_their_order() {
        let plan = plan(&[together(60), together(60), together(60)], LIMITS);
        assert_eq!(plan, [vec![share(0, 60), share(1, 4)]]);
    }

    #[test]
    fn who_is_alone_shares_no_call_and_keeps_its_steps() {
        let alone = |tokens| Need { tokens, alone: true };
        let needs = [together(1), alone(1), alone(300), together(90)];
        let calls = plan(&needs, Limits { alone_next: true, ..LIMITS });
        assert_eq!(calls, [vec![share(0, 1)], vec![share(1, 1)], vec![share(2, 128)]]);
        let calls = plan(&needs, LIMITS);
        assert_eq!(calls, [vec![share(0, 1), share(3, 64)], vec![share(1, 1)]]);
        assert_eq!(plan(&[alone(300)], LIMITS), [vec![share(0, 128)]]);
    }

    fn need() -> impl Strategy<Value = Need> {
        (prop_oneof![Just(1_usize), 1_usize..3_000], any::<bool>()).prop_map(|(tokens, alone)| Need { tokens, alone })
    }

    proptest! {
        #[test]
        fn a_step_keeps_every_limit(
            needs in prop::collection::vec(need(), 0..40),
            prompts in 1_usize..600,
            alone_next in any::<bool>(),
        ) {
            let limits = Limits { call: 64, prompts, alone: 32, alone_next };
            let calls = plan(&needs, limits);
            prop_assert_eq!(calls.is_empty(), needs.is_empty());
            for call in &calls {
                prop_assert!(!call.is_empty() && call.iter().map(|share| share.tokens).sum::<usize>() <= limits.call);
                prop_assert!(call.len() == 1 || call.iter().all(|share| !needs[share.index].alone));
                for share in call {
                    prop_assert!((1..=needs[share.index].tokens).contains(&share.tokens));
                }
            }
            let shares: Vec<Share> = calls.iter().flatten().copied().collect();
            for (index, need) in needs.iter().enumerate() {
                let own = shares.iter().filter(|share| share.index == index).count();
                prop_assert!(own <= 1);
                prop_assert!(own == 1 || need.tokens > 1, "who decodes gets a token in every step");
            }
        }

        #[test]
        fn every_prompt_comes_to_its_end(prompts in prop::collection::vec(need(), 1..20)) {
            let mut left = prompts;
            for step in 0..5_000 {
                let waiting: Vec<usize> = (0..left.len()).filter(|index| left[*index].tokens > 0).collect();
                if waiting.is_empty() {
                    return Ok(());
                }
                let needs: Vec<Need> = waiting.iter().map(|index| left[*index]).collect();
                let limits = Limits { call: 64, prompts: 48, alone: 32, alone_next: step % 2 == 0 };
                for share in plan(&needs, limits).into_iter().flatten() {
                    left[waiting[share.index]].tokens -= share.tokens;
                }
            }
            prop_assert!(false, "some are still waiting: {:?}", left);
        }
    }
}
