//! What one step computes: who gets how many tokens, and with whom.

use std::collections::HashMap;

/// What a sequence has yet to compute. Sequences stand in the order in which they came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Need {
    /// At least 1; exactly 1 when it decodes.
    pub(super) tokens: usize,
    /// It shares no call with others.
    pub(super) alone: bool,
    /// Whose it is, as a number that all of one person's have in common.
    pub(super) owner: usize,
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
    /// The number of the step, for those who take turns.
    pub(super) turn: usize,
}

/// The calls of one step. Every sequence that decodes gets its one token, so nobody waits for somebody's prompt; only
/// those of people who have more than their share of all take turns. What is left goes to prompts. Of that, one half is
/// for the prompt that came first, which therefore never starves, and the other for the shortest, so that a question
/// does not wait for a book.
pub(super) fn plan(needs: &[Need], limits: Limits) -> Vec<Vec<Share>> {
    let mut together: Vec<Share> = Vec::new();
    let mut calls: Vec<Vec<Share>> = Vec::new();
    let mut prompts: Vec<Share> = Vec::new();
    let mut lonely: Option<Share> = None;
    let pauses = pauses(needs);
    for (index, need) in needs.iter().enumerate() {
        if need.tokens <= 1 && !limits.turn.is_multiple_of(pauses.get(&need.owner).copied().unwrap_or(1)) {
            continue;
        }
        let share = Share { index, tokens: need.tokens };
        match (need.alone, need.tokens) {
            (false, 0..=1) => together.push(share),
            (true, 0..=1) => calls.push(vec![share]),
            (false, _) => prompts.push(share),
            (true, _) => lonely = lonely.or(Some(Share { tokens: need.tokens.min(limits.alone).max(1), ..share })),
        }
    }
    match lonely {
        Some(share) if prompts.is_empty() || limits.turn % 2 == 1 => calls.push(vec![share]),
        _ => together.extend(divide(&prompts, limits.prompts.min(limits.call.saturating_sub(together.len())))),
    }
    if !together.is_empty() {
        calls.insert(0, together);
    }
    calls
}

/// In which steps the sequences that decode get their token, for people who have more of them than everybody would have
/// if all had as many: in every second, every third and so on. All of one person's go together, since calls that are
/// sometimes large and sometimes small compute more than calls of one size that leave somebody out.
fn pauses(needs: &[Need]) -> HashMap<usize, usize> {
    let mut counts: HashMap<usize, usize> = HashMap::new();
    for need in needs.iter().filter(|need| need.tokens <= 1) {
        *counts.entry(need.owner).or_default() += 1;
    }
    let all: usize = counts.values().sum();
    let share = all.div_ceil(counts.len().max(1)).max(1);
    counts.into_iter().map(|(owner, count)| (owner, count.div_ceil(share))).collect()
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

    const LIMITS: Limits = Limits { call: 512, prompts: 64, alone: 128, turn: 0 };

    fn together(tokens: usize) -> Need {
        Need { tokens, alone: false, owner: 0 }
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
        let alone = |tokens| Need { tokens, alone: true, owner: 0 };
        let needs = [together(1), alone(1), alone(300), together(90)];
        let calls = plan(&needs, Limits { turn: 1, ..LIMITS });
        assert_eq!(calls, [vec![share(0, 1)], vec![share(1, 1)], vec![share(2, 128)]]);
        let calls = plan(&needs, LIMITS);
        assert_eq!(calls, [vec![share(0, 1), share(3, 64)], vec![share(1, 1)]]);
        assert_eq!(plan(&[alone(300)], LIMITS), [vec![share(0, 128)]]);
    }

    #[test]
    fn who_has_many_takes_turns_and_who_has_few_does_not() {
        let of = |owner| Need { tokens: 1, alone: false, owner };
        let needs = [of(1), of(1), of(1), of(1), of(2), of(3)];
        let sizes: Vec<usize> = (0..4).map(|turn| plan(&needs, Limits { turn, ..LIMITS })[0].len()).collect();
        assert_eq!(sizes, [6, 2, 6, 2], "four of six is twice a share");
        let alone = [of(1), of(1), of(1)];
        assert!((0..4).all(|turn| plan(&alone, Limits { turn, ..LIMITS })[0].len() == 3), "nobody else is there");
    }

    fn need() -> impl Strategy<Value = Need> {
        (prop_oneof![Just(1_usize), 1_usize..3_000], any::<bool>(), 0_usize..4)
            .prop_map(|(tokens, alone, owner)| Need { tokens, alone, owner })
    }

    proptest! {
        #[test]
        fn a_step_keeps_every_limit(
            needs in prop::collection::vec(need(), 0..40),
            prompts in 1_usize..600,
            turn in 0_usize..12,
        ) {
            let limits = Limits { call: 64, prompts, alone: 32, turn };
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
                let others = needs.iter().any(|other| other.tokens <= 1 && other.owner != need.owner);
                prop_assert!(own == 1 || need.tokens > 1 || others, "who decodes gets a token in every step");
            }
            // Whoever has the fewest that decode never waits, and nobody waits for more steps than there are sequences.
            let decoding = |owner: usize| needs.iter().filter(|need| need.tokens <= 1 && need.owner == owner).count();
            let fewest = (0..4).filter(|owner| decoding(*owner) > 0).min_by_key(|owner| decoding(*owner));
            for (index, need) in needs.iter().enumerate().filter(|(_, need)| need.tokens <= 1) {
                prop_assert!(Some(need.owner) != fewest || shares.iter().any(|share| share.index == index));
                let got = (turn..turn + needs.len())
                    .any(|turn| plan(&needs, Limits { turn, ..limits }).iter().flatten().any(|share| share.index == index));
                prop_assert!(got, "{} never gets its token", index);
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
                let limits = Limits { call: 64, prompts: 48, alone: 32, turn: step };
                for share in plan(&needs, limits).into_iter().flatten() {
                    left[waiting[share.index]].tokens -= share.tokens;
                }
            }
            prop_assert!(false, "some are still waiting: {:?}", left);
        }
    }
}
