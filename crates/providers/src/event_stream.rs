//! An incremental decoder of Amazon's event streams (`application/vnd.amazon.eventstream`): fed pieces cut at any byte, it
//! yields whole messages whose checksums are right.
//!
//! Source: <https://smithy.io/2.0/aws/amazon-eventstream.html>. A message is: its length, that of its headers and a CRC-32 of
//! both; the headers; the payload; a CRC-32 of everything before. Numbers are big-endian.

use std::ops::Range;

/// Lengths and their checksum.
const PRELUDE: usize = 12;
const CHECKSUM: usize = 4;
/// More headers than this are not read.
const MOST_HEADERS: usize = 64;

/// How large a message may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// All of it, checksums included.
    pub message_bytes: usize,
    pub headers_bytes: usize,
}

impl Default for Caps {
    fn default() -> Self {
        Self { message_bytes: 4 * 1024 * 1024, headers_bytes: 128 * 1024 }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventStreamError {
    #[error("a message of the event stream has {bytes} bytes, more than {limit}")]
    TooLong { bytes: usize, limit: usize },
    #[error("a message of the event stream has lengths that do not fit")]
    Lengths,
    #[error("the lengths of a message of the event stream do not match their checksum")]
    PreludeChecksum,
    #[error("a message of the event stream does not match its checksum")]
    MessageChecksum,
    #[error("a message of the event stream has headers that cannot be read")]
    Headers,
}

/// One message, borrowed from the decoder until the next call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// Those whose values are texts, in their order.
    texts: Vec<(&'a str, &'a str)>,
    pub payload: &'a [u8],
}

impl<'a> Message<'a> {
    /// The value of a header that holds text.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.texts.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }
}

/// Feed with [`Decoder::push`], then call [`Decoder::next_message`] until it answers `None`.
#[derive(Debug, Default)]
pub struct Decoder {
    caps: Caps,
    buffer: Vec<u8>,
    /// Where the first message that has not been taken begins.
    start: usize,
}

impl Decoder {
    pub const fn new(caps: Caps) -> Self {
        Self { caps, buffer: Vec::new(), start: 0 }
    }

    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.start);
        self.start = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole message. After an error the stream makes no sense any more.
    pub fn next_message(&mut self) -> Result<Option<Message<'_>>, EventStreamError> {
        let Some(prelude) = self.buffer[self.start..].first_chunk::<PRELUDE>() else { return Ok(None) };
        let (lengths, checksum) = prelude.split_at(PRELUDE - CHECKSUM);
        if crc32fast::hash(lengths) != number(checksum) {
            return Err(EventStreamError::PreludeChecksum);
        }
        let [bytes, headers_bytes] =
            [&lengths[..4], &lengths[4..]].map(|bytes| usize::try_from(number(bytes)).unwrap_or(usize::MAX));
        for (bytes, limit) in [(bytes, self.caps.message_bytes), (headers_bytes, self.caps.headers_bytes)] {
            if bytes > limit {
                return Err(EventStreamError::TooLong { bytes, limit });
            }
        }
        if bytes < PRELUDE + headers_bytes + CHECKSUM {
            return Err(EventStreamError::Lengths);
        }
        let Some(message) = self.buffer.get(self.start..self.start + bytes) else { return Ok(None) };
        self.start += bytes;
        let (content, checksum) = message.split_at(bytes - CHECKSUM);
        if crc32fast::hash(content) != number(checksum) {
            return Err(EventStreamError::MessageChecksum);
        }
        let headers: Range<usize> = PRELUDE..PRELUDE + headers_bytes;
        let texts = texts(&content[headers.clone()]).ok_or(EventStreamError::Headers)?;
        Ok(Some(Message { texts, payload: &content[headers.end..] }))
    }
}

fn number(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte))
}

/// The headers that hold text; `None` when there is anything that is no header.
fn texts(mut rest: &[u8]) -> Option<Vec<(&str, &str)>> {
    let mut texts = Vec::new();
    for _ in 0..MOST_HEADERS {
        let Some((name_bytes, behind)) = rest.split_first() else { return Some(texts) };
        let (name, behind) = behind.split_at_checked(usize::from(*name_bytes))?;
        let name = std::str::from_utf8(name).ok().filter(|name| !name.is_empty())?;
        let (kind, behind) = behind.split_first()?;
        let (value_bytes, behind) = match kind {
            // True and false are said by the type itself.
            0 | 1 => (0, behind),
            2 => (1, behind),
            3 => (2, behind),
            4 => (4, behind),
            // A number, or a moment.
            5 | 8 => (8, behind),
            // Bytes, or text.
            6 | 7 => {
                let (bytes, behind) = behind.split_first_chunk::<2>()?;
                (usize::from(u16::from_be_bytes(*bytes)), behind)
            }
            // A UUID.
            9 => (16, behind),
            _ => return None,
        };
        let (value, behind) = behind.split_at_checked(value_bytes)?;
        if *kind == 7 {
            texts.push((name, std::str::from_utf8(value).ok()?));
        }
        rest = behind;
    }
    rest.is_empty().then_some(texts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PAYLOAD: &[u8] = b"{'foo':'bar'}";
    /// Amazon's own examples: <https://github.com/awslabs/aws-c-event-stream>, as its other clients have them too.
    const EMPTY: [u8; 16] = [0, 0, 0, 16, 0, 0, 0, 0, 5, 194, 72, 235, 125, 152, 200, 255];
    const NO_HEADERS: &[u8] = b"\0\0\0\x1d\0\0\0\0\xfd\x52\x8c\x5a{'foo':'bar'}\xc3\x65\x39\x36";
    const ONE_TEXT: &[u8] =
        b"\0\0\0\x3d\0\0\0\x20\x07\xfd\x83\x96\x0ccontent-type\x07\0\x10application/json{'foo':'bar'}\x8d\x9c\x08\xb1";
    const ONE_NUMBER: &[u8] =
        b"\0\0\0\x2d\0\0\0\x10\x41\xc4\x24\xb8\x0aevent-type\x04\0\0\xa0\x0c{'foo':'bar'}\x36\xf4\x80\xa0";

    /// What a stream says, in pieces of `size` bytes: the texts of each message and its payload, and how it breaks.
    type Said = (Vec<(Vec<(String, String)>, Vec<u8>)>, Option<EventStreamError>);

    fn decode(stream: &[u8], size: usize, caps: Caps) -> Said {
        let (mut decoder, mut said) = (Decoder::new(caps), Vec::new());
        for piece in stream.chunks(size) {
            decoder.push(piece);
            loop {
                match decoder.next_message() {
                    Ok(Some(message)) => said.push((
                        message.texts.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
                        message.payload.to_vec(),
                    )),
                    Ok(None) => break,
                    Err(error) => return (said, Some(error)),
                }
            }
        }
        (said, None)
    }

    fn fails(stream: &[u8]) -> Option<EventStreamError> {
        decode(stream, usize::MAX, Caps::default()).1
    }

    #[test]
    fn amazons_examples_are_read_wherever_they_are_cut() {
        let stream = [&EMPTY, NO_HEADERS, ONE_TEXT, ONE_NUMBER].concat();
        let text = vec![("content-type".to_owned(), "application/json".to_owned())];
        let expected = vec![
            (Vec::new(), Vec::new()),
            (Vec::new(), PAYLOAD.to_vec()),
            (text, PAYLOAD.to_vec()),
            (Vec::new(), PAYLOAD.to_vec()),
        ];
        for size in 1..=stream.len() {
            assert_eq!(decode(&stream, size, Caps::default()), (expected.clone(), None), "by {size}");
        }
    }

    #[test]
    fn a_flipped_bit_anywhere_is_noticed() {
        for place in 0..ONE_TEXT.len() {
            let mut stream = ONE_TEXT.to_vec();
            stream[place] ^= 0x10;
            let expected =
                if place < PRELUDE { EventStreamError::PreludeChecksum } else { EventStreamError::MessageChecksum };
            assert_eq!(fails(&stream), Some(expected), "at {place}");
        }
    }

    /// A message with right checksums around whatever headers and lengths.
    fn message(bytes: u32, headers_bytes: u32, content: &[u8]) -> Vec<u8> {
        let mut message = [bytes.to_be_bytes(), headers_bytes.to_be_bytes()].concat();
        message.extend(crc32fast::hash(&message).to_be_bytes());
        message.extend(content);
        message.extend(crc32fast::hash(&message).to_be_bytes());
        message
    }

    #[test]
    fn lengths_that_do_not_fit_are_refused_before_anything_is_kept() {
        assert_eq!(fails(&message(15, 0, b"")), Some(EventStreamError::Lengths));
        assert_eq!(fails(&message(20, 8, b"")), Some(EventStreamError::Lengths));
        let limit = Caps::default().message_bytes;
        let bytes = u32::try_from(limit + 1).unwrap();
        assert_eq!(fails(&message(bytes, 0, b"")), Some(EventStreamError::TooLong { bytes: limit + 1, limit }));
        let caps = Caps { message_bytes: 1_000, headers_bytes: 10 };
        let error = decode(&message(27, 11, &[0; 11]), usize::MAX, caps).1;
        assert_eq!(error, Some(EventStreamError::TooLong { bytes: 11, limit: 10 }));
    }

    #[test]
    fn headers_that_are_none_are_refused() {
        for headers in [
            &b"\0\x07\0\0"[..],
            b"\x01",
            b"\x01a",
            b"\x01a\x0a",
            b"\x01a\x07\0\x02b",
            b"\x01a\x04\0\0\0",
            b"\x01\xff\x00",
            b"\x01a\x07\0\x01\xff",
            &b"\x01a\x00".repeat(MOST_HEADERS + 1),
        ] {
            let bytes = u32::try_from(headers.len()).unwrap();
            assert_eq!(fails(&message(16 + bytes, bytes, headers)), Some(EventStreamError::Headers), "{headers:?}");
        }
        let all = b"\x01a\0\x01b\x01\x01c\x02.\x01d\x03..\x01e\x04....\x01f\x05........\x01g\x06\0\x01.\x01h\x07\0\x02hi\x01i\x08........\x01j\x09................";
        let bytes = u32::try_from(all.len()).unwrap();
        let (said, error) = decode(&message(16 + bytes, bytes, all), usize::MAX, Caps::default());
        assert_eq!((said[0].0.as_slice(), error), (&[("h".to_owned(), "hi".to_owned())][..], None));
    }

    proptest! {
        #[test]
        fn any_bytes_say_the_same_wherever_they_are_cut(
            headers in prop::collection::vec(any::<u8>(), 0..40),
            payload in prop::collection::vec(any::<u8>(), 0..40),
            noise in prop::collection::vec(any::<u8>(), 0..40),
            size in 1_usize..50,
        ) {
            let lengths = [headers.len() + payload.len() + 16, headers.len()].map(|bytes| u32::try_from(bytes).unwrap());
            let mut stream = ONE_TEXT.to_vec();
            stream.extend(message(lengths[0], lengths[1], &[headers, payload].concat()));
            stream.extend(noise);
            let whole = decode(&stream, stream.len(), Caps::default());
            prop_assert!(!whole.0.is_empty());
            prop_assert_eq!(decode(&stream, size, Caps::default()), whole);
        }
    }
}
