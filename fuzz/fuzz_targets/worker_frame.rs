//! Any bytes on the socket of a worker: messages or an error, however they are cut.

#![no_main]

use libfuzzer_sys::fuzz_target;
use stoa_models::protocol::{Command, Decoder, Report, encode};

fuzz_target!(|bytes: &[u8]| {
    let mut decoder = Decoder::default();
    for chunk in bytes.chunks(7) {
        decoder.push(chunk);
        loop {
            match decoder.next_message::<Report>() {
                Ok(Some(report)) => drop(encode(&report)),
                Ok(None) => break,
                Err(_) => return,
            }
        }
    }
    let mut decoder = Decoder::default();
    decoder.push(bytes);
    while let Ok(Some(command)) = decoder.next_message::<Command>() {
        drop(encode(&command));
    }
});
