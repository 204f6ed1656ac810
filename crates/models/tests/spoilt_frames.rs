//! Frames between server and worker with some bytes changed: messages or an error, never worse.

use proptest::prelude::*;
use stoa_models::protocol::{Command, Decoder, Outcome, Report, encode};

/// A few good frames.
fn frames() -> Vec<u8> {
    let reports = [
        Report::Hello { version: 1, threads: 2, processor: "any".to_owned() },
        Report::Piece { sequence: 7, text: "é\n\"".to_owned(), tokens: 1, logprobs: Vec::new() },
        Report::Finished {
            sequence: 7,
            outcome: Outcome::Stop,
            usage: stoa_model::completion::Usage::default(),
            prompt_us: 0,
            answer_us: 0,
        },
        Report::Pong { nonce: u64::MAX, steps: 3, busy: true, context_tokens: 17 },
    ];
    let commands = [Command::Cancel { sequence: 7 }, Command::Ping { nonce: 1 }, Command::Shutdown];
    let reports = reports.iter().filter_map(|report| encode(report).ok());
    reports.chain(commands.iter().filter_map(|command| encode(command).ok())).flatten().collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn spoilt_frames_never_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in 1_usize..50,
    ) {
        let mut bytes = frames();
        for (index, byte) in changes {
            let index = index.index(bytes.len());
            bytes[index] = byte;
        }
        let (mut reports, mut commands) = (Decoder::default(), Decoder::default());
        for chunk in bytes.chunks(cut) {
            reports.push(chunk);
            commands.push(chunk);
            while let Ok(Some(report)) = reports.next_message::<Report>() {
                prop_assert!(encode(&report).is_ok());
            }
            while let Ok(Some(_)) = commands.next_message::<Command>() {}
        }
    }
}
