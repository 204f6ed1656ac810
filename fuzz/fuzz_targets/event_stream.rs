//! Any bytes as a stream of Amazon's messages, cut in two ways: the same messages, whatever the cuts.

#![no_main]

use libfuzzer_sys::fuzz_target;

// Taken from its crate as a file, because that crate brings all of HTTP with it.
#[path = "../../crates/providers/src/event_stream.rs"]
mod event_stream;

use event_stream::{Caps, Decoder, EventStreamError};

const CAPS: Caps = Caps { message_bytes: 1024, headers_bytes: 256 };
/// Where the checksum of the lengths ends, and how long each checksum is.
const PRELUDE: usize = 12;
const CHECKSUM: usize = 4;

type Messages = Vec<(Option<String>, Vec<u8>)>;

fn decode(stream: &[u8], piece: usize) -> (Messages, Option<EventStreamError>) {
    let mut decoder = Decoder::new(CAPS);
    let mut messages = Vec::new();
    for chunk in stream.chunks(piece) {
        decoder.push(chunk);
        loop {
            match decoder.next_message() {
                Ok(Some(message)) => {
                    messages.push((message.header(":event-type").map(str::to_owned), message.payload.to_vec()));
                }
                Ok(None) => break,
                Err(error) => return (messages, Some(error)),
            }
        }
    }
    (messages, None)
}

/// Puts the right checksums into every message, so that what stands behind them is reached.
fn repaired(mut stream: Vec<u8>) -> Vec<u8> {
    let mut start = 0;
    while let Some(message) = stream.get_mut(start..).filter(|message| message.len() >= PRELUDE) {
        let sum = crc32fast::hash(&message[..8]);
        message[8..PRELUDE].copy_from_slice(&sum.to_be_bytes());
        let length = u32::from_be_bytes([message[0], message[1], message[2], message[3]]) as usize;
        let Some(end) = length.checked_sub(CHECKSUM).filter(|end| *end >= PRELUDE && length <= message.len()) else {
            break;
        };
        let sum = crc32fast::hash(&message[..end]);
        message[end..length].copy_from_slice(&sum.to_be_bytes());
        start += length;
    }
    stream
}

fuzz_target!(|bytes: &[u8]| {
    let Some((piece, stream)) = bytes.split_first() else { return };
    for stream in [stream.to_vec(), repaired(stream.to_vec())] {
        let whole = decode(&stream, stream.len().max(1));
        assert_eq!(decode(&stream, usize::from(*piece).max(1)), whole);
    }
});
