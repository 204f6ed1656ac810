//! Any bytes as a stream of events, cut in two ways: the same events, whatever the cuts.

#![no_main]

use libfuzzer_sys::fuzz_target;

// Taken from its crate as a file, because that crate brings all of HTTP with it.
#[path = "../../crates/providers/src/sse.rs"]
mod sse;

use sse::{Caps, DecodeError, Decoder};

const CAPS: Caps = Caps { line_bytes: 64, event_bytes: 128 };

type Events = Vec<(Vec<u8>, Vec<u8>)>;

fn decode(stream: &[u8], piece: usize) -> (Events, Option<DecodeError>) {
    let mut decoder = Decoder::new(CAPS);
    let mut events = Vec::new();
    for chunk in stream.chunks(piece) {
        decoder.push(chunk);
        loop {
            match decoder.next_event() {
                Ok(Some(event)) => events.push((event.name.to_vec(), event.data.to_vec())),
                Ok(None) => break,
                Err(error) => return (events, Some(error)),
            }
        }
    }
    match decoder.finish() {
        Ok(event) => events.extend(event.map(|event| (event.name.to_vec(), event.data.to_vec()))),
        Err(error) => return (events, Some(error)),
    }
    (events, None)
}

fuzz_target!(|bytes: &[u8]| {
    let Some((piece, stream)) = bytes.split_first() else { return };
    let whole = decode(stream, stream.len().max(1));
    assert_eq!(decode(stream, usize::from(*piece).max(1)), whole);
});
