//! Frames: a 32-bit little-endian length and that many bytes of JSON, or of an image, which the length's highest bit tells.

use serde::Serialize;
use serde::de::DeserializeOwned;
use stoa_model::image::MAX_IMAGE_BYTES;

/// The longest payload in bytes. Room for the longest prompt when every byte of it is escaped.
pub const MAX_FRAME_BYTES: usize = 32 * 1024 * 1024;

const PREFIX_BYTES: usize = 4;

/// What a length has when an image follows. No frame is so long that it had this bit otherwise.
const IMAGE_MARK: u32 = 1 << 31;

/// Below this, the space of consumed frames is not worth moving the rest for.
const COMPACT_BYTES: usize = 64 * 1024;

#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    #[error("a frame of {bytes} bytes is over the limit of {MAX_FRAME_BYTES}")]
    TooLong { bytes: usize },
    #[error("a frame is not a message of this protocol")]
    Malformed(#[source] serde_json::Error),
    #[error("an image came where none was announced")]
    Unexpected,
}

/// What a frame holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Frame<T> {
    Message(T),
    /// The bytes of an image, as they were sent.
    Image(Vec<u8>),
}

/// The whole frame of `message`, prefix included.
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, FrameError> {
    let mut frame = vec![0; PREFIX_BYTES];
    serde_json::to_writer(&mut frame, message).map_err(FrameError::Malformed)?;
    let bytes = frame.len() - PREFIX_BYTES;
    let length = u32::try_from(bytes).ok().filter(|_| bytes <= MAX_FRAME_BYTES).ok_or(FrameError::TooLong { bytes })?;
    frame[..PREFIX_BYTES].copy_from_slice(&length.to_le_bytes());
    Ok(frame)
}

/// What is sent before the bytes of an image.
pub fn image_prefix(image: &[u8]) -> Result<[u8; PREFIX_BYTES], FrameError> {
    let bytes = image.len();
    let length = u32::try_from(bytes).ok().filter(|_| bytes <= MAX_IMAGE_BYTES).ok_or(FrameError::TooLong { bytes })?;
    Ok((length | IMAGE_MARK).to_le_bytes())
}

/// Cuts a stream of bytes into messages. It never holds more than has arrived: a length alone reserves nothing.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: Vec<u8>,
    start: usize,
}

impl Decoder {
    pub fn push(&mut self, bytes: &[u8]) {
        if self.start == self.buffer.len() {
            self.buffer.clear();
            self.start = 0;
        } else if self.start > COMPACT_BYTES {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole message, or `None` until more bytes come. After an error the stream is of no further use, and an
    /// image is an error.
    pub fn next_message<T: DeserializeOwned>(&mut self) -> Result<Option<T>, FrameError> {
        match self.next_frame()? {
            None => Ok(None),
            Some(Frame::Message(message)) => Ok(Some(message)),
            Some(Frame::Image(_)) => Err(FrameError::Unexpected),
        }
    }

    /// The same for a side that takes images.
    pub fn next_frame<T: DeserializeOwned>(&mut self) -> Result<Option<Frame<T>>, FrameError> {
        let rest = &self.buffer[self.start..];
        let Some((prefix, rest)) = rest.split_first_chunk::<PREFIX_BYTES>() else { return Ok(None) };
        let length = u32::from_le_bytes(*prefix);
        let is_image = length & IMAGE_MARK != 0;
        let bytes = usize::try_from(length & !IMAGE_MARK).unwrap_or(usize::MAX);
        if bytes > if is_image { MAX_IMAGE_BYTES } else { MAX_FRAME_BYTES } {
            return Err(FrameError::TooLong { bytes });
        }
        let Some(payload) = rest.get(..bytes) else { return Ok(None) };
        let frame = if is_image {
            Frame::Image(payload.to_vec())
        } else {
            Frame::Message(serde_json::from_slice(payload).map_err(FrameError::Malformed)?)
        };
        self.start += PREFIX_BYTES + bytes;
        Ok(Some(frame))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use stoa_model::completion::{LogProb, TokenLogProb};

    use super::*;
    use crate::protocol::{Command, Report};

    fn logprob() -> impl Strategy<Value = TokenLogProb> {
        (any::<Vec<u8>>(), -100.0_f32..=0.0).prop_map(|(bytes, logprob)| {
            let token = LogProb { text: String::from_utf8_lossy(&bytes).into_owned(), bytes, logprob };
            TokenLogProb { top: vec![token.clone()], token }
        })
    }

    fn report() -> impl Strategy<Value = Report> {
        prop_oneof![
            (any::<u64>(), any::<String>(), any::<u32>(), prop::collection::vec(logprob(), 0..3))
                .prop_map(|(sequence, text, tokens, logprobs)| Report::Piece { sequence, text, tokens, logprobs }),
            (any::<u64>(), prop::collection::vec(-1.0_f32..=1.0, 0..50), any::<bool>())
                .prop_map(|(sequence, values, truncated)| Report::Vector { sequence, values, truncated }),
            (any::<u64>(), 0.0_f32..=1.0, any::<bool>()).prop_map(|(sequence, relevance, truncated)| Report::Score {
                sequence,
                relevance,
                truncated
            }),
            (any::<u64>(), any::<u64>(), any::<bool>(), any::<u64>())
                .prop_map(|(nonce, steps, busy, context_tokens)| Report::Pong { context_tokens, nonce, steps, busy }),
        ]
    }

    #[test]
    fn images_stand_between_messages_and_only_where_they_are_taken() {
        let image = vec![7; 70_000];
        let ping = Command::Ping { nonce: 3 };
        let mut bytes = image_prefix(&image).unwrap().to_vec();
        bytes.extend(&image);
        bytes.extend(encode(&ping).unwrap());
        let mut decoder = Decoder::default();
        decoder.push(&bytes);
        assert_eq!(decoder.next_frame::<Command>().unwrap(), Some(Frame::Image(image.clone())));
        assert_eq!(decoder.next_frame().unwrap(), Some(Frame::Message(ping)));
        assert_eq!(decoder.next_frame::<Command>().unwrap(), None);
        let mut decoder = Decoder::default();
        decoder.push(&bytes);
        assert!(matches!(decoder.next_message::<Report>(), Err(FrameError::Unexpected)));
        let mut decoder = Decoder::default();
        decoder.push(&(u32::MAX).to_le_bytes());
        assert!(matches!(decoder.next_frame::<Command>(), Err(FrameError::TooLong { .. })));
        assert!(matches!(image_prefix(&vec![0; MAX_IMAGE_BYTES + 1]), Err(FrameError::TooLong { .. })));
    }

    proptest! {
        #[test]
        fn messages_survive_however_the_bytes_are_cut(
            messages in prop::collection::vec(report(), 0..20),
            cut in 1_usize..40,
        ) {
            let bytes: Vec<u8> = messages.iter().flat_map(|message| encode(message).unwrap()).collect();
            let mut decoder = Decoder::default();
            let mut received = Vec::new();
            for chunk in bytes.chunks(cut) {
                decoder.push(chunk);
                while let Some(message) = decoder.next_message::<Report>().unwrap() {
                    received.push(message);
                }
            }
            prop_assert_eq!(received, messages);
        }

        #[test]
        fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let mut decoder = Decoder::default();
            decoder.push(&bytes);
            while let Ok(Some(_)) = decoder.next_message::<Command>() {}
        }
    }

    #[test]
    fn a_length_over_the_limit_is_refused_before_any_of_it_has_come() {
        let mut decoder = Decoder::default();
        decoder.push(&u32::MAX.to_le_bytes());
        assert!(matches!(decoder.next_message::<Command>(), Err(FrameError::TooLong { .. })));
    }

    #[test]
    fn an_unknown_field_is_refused() {
        let payload = br#"{"type":"cancel","sequence":1,"sudo":true}"#;
        let mut decoder = Decoder::default();
        decoder.push(&u32::try_from(payload.len()).unwrap().to_le_bytes());
        decoder.push(payload);
        assert!(matches!(decoder.next_message::<Command>(), Err(FrameError::Malformed(_))));
    }
}
