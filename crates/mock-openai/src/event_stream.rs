//! The framing of Amazon's event streams: <https://smithy.io/2.0/aws/amazon-eventstream.html>.

use bytes::Bytes;

/// The type of a header's value that is text.
const TEXT: u8 = 7;

/// One message: its lengths and their checksum, its headers, all of them text, its payload, and the checksum of all that.
pub fn frame(headers: &[(&str, &str)], payload: &[u8]) -> Bytes {
    let mut head = Vec::new();
    for (name, value) in headers {
        head.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
        head.extend(name.as_bytes());
        head.push(TEXT);
        head.extend(u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes());
        head.extend(value.as_bytes());
    }
    let bytes = |length: usize| u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
    // Two lengths and two checksums stand around headers and payload.
    let mut message = [bytes(16 + head.len() + payload.len()), bytes(head.len())].concat();
    message.extend(crc32fast::hash(&message).to_be_bytes());
    message.extend(head);
    message.extend(payload);
    message.extend(crc32fast::hash(&message).to_be_bytes());
    message.into()
}

/// A message that tells of an event.
pub fn event(name: &str, payload: &[u8]) -> Bytes {
    frame(&[(":message-type", "event"), (":event-type", name), (":content-type", "application/json")], payload)
}

/// A message that ends the stream with an exception.
pub fn exception(name: &str, payload: &[u8]) -> Bytes {
    frame(&[(":message-type", "exception"), (":exception-type", name), (":content-type", "application/json")], payload)
}
