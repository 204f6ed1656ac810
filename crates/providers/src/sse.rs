//! An incremental decoder of server-sent events (WHATWG HTML §9.2.6): fed pieces cut at any byte, it yields whole events.

use std::ops::Range;

use memchr::memchr2;

/// How much of an unfinished event is kept before the decoder gives up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    pub line_bytes: usize,
    /// All `data` lines of one event together.
    pub event_bytes: usize,
}

impl Default for Caps {
    fn default() -> Self {
        Self { line_bytes: 1024 * 1024, event_bytes: 4 * 1024 * 1024 }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    #[error("a line of the stream is longer than {limit} bytes")]
    LineTooLong { limit: usize },
    #[error("an event of the stream is longer than {limit} bytes")]
    EventTooLong { limit: usize },
}

/// One event, borrowed from the decoder until the next call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// The `event` field; empty when there was none.
    pub name: &'a [u8],
    /// The `data` lines, joined by line feeds. Not checked to be UTF-8.
    pub data: &'a [u8],
}

/// Feed with [`Decoder::push`], then call [`Decoder::next_event`] until it answers `None`. Comments, `id` and `retry` are
/// skipped. An event of one `data` line that came in one piece is not copied.
#[derive(Debug, Default)]
pub struct Decoder {
    caps: Caps,
    buffer: Vec<u8>,
    /// Where the first line that has not been taken begins.
    start: usize,
    /// How far the current line has been searched for its end.
    searched: usize,
    /// A CR ended the line before; an LF right behind it belongs to it.
    after_cr: bool,
    past_first_line: bool,
    name: Vec<u8>,
    data: Data,
    /// Parts of the event handed out last.
    taken_name: Vec<u8>,
    taken_data: Vec<u8>,
}

#[derive(Debug, Default)]
enum Data {
    #[default]
    None,
    /// One line, still in the buffer.
    InBuffer(Range<usize>),
    Joined(Vec<u8>),
}

impl Decoder {
    pub fn new(caps: Caps) -> Self {
        Self { caps, ..Self::default() }
    }

    pub fn push(&mut self, bytes: &[u8]) {
        if self.start > 0 {
            if let Data::InBuffer(range) = &self.data {
                self.data = Data::Joined(self.buffer[range.clone()].to_vec());
            }
            self.buffer.drain(..self.start);
            self.searched -= self.start;
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole event. After an error the stream makes no sense any more.
    pub fn next_event(&mut self) -> Result<Option<Event<'_>>, DecodeError> {
        loop {
            let Some(line) = self.take_line()? else { return Ok(None) };
            if !line.is_empty() {
                self.field(line)?;
            } else if self.has_data() {
                return Ok(Some(self.event()));
            } else {
                self.name.clear();
            }
        }
    }

    /// What is left when the stream has ended: an event whose blank line never came. The standard drops it; real servers
    /// forget that line.
    pub fn finish(&mut self) -> Result<Option<Event<'_>>, DecodeError> {
        if self.start < self.buffer.len() {
            let line = self.start..self.buffer.len();
            self.start = line.end;
            self.searched = line.end;
            let line = self.without_mark(line);
            self.field(line)?;
        }
        Ok(if self.has_data() { Some(self.event()) } else { None })
    }

    const fn has_data(&self) -> bool {
        !matches!(self.data, Data::None)
    }

    fn event(&mut self) -> Event<'_> {
        std::mem::swap(&mut self.taken_name, &mut self.name);
        self.name.clear();
        let data = match std::mem::take(&mut self.data) {
            Data::None => &[],
            Data::InBuffer(range) => &self.buffer[range],
            Data::Joined(joined) => {
                self.taken_data = joined;
                self.taken_data.as_slice()
            }
        };
        Event { name: &self.taken_name, data }
    }

    /// The next whole line, without its end.
    fn take_line(&mut self) -> Result<Option<Range<usize>>, DecodeError> {
        if self.after_cr && self.start < self.buffer.len() {
            if self.buffer[self.start] == b'\n' {
                self.start += 1;
            }
            self.after_cr = false;
            self.searched = self.searched.max(self.start);
        }
        let found = memchr2(b'\n', b'\r', &self.buffer[self.searched..]);
        let end = found.map_or(self.buffer.len(), |offset| self.searched + offset);
        if end - self.start > self.caps.line_bytes {
            return Err(DecodeError::LineTooLong { limit: self.caps.line_bytes });
        }
        if found.is_none() {
            self.searched = end;
            return Ok(None);
        }
        let line = self.start..end;
        self.after_cr = self.buffer[end] == b'\r';
        self.start = end + 1;
        self.searched = self.start;
        Ok(Some(self.without_mark(line)))
    }

    /// The very first line may begin with a byte order mark.
    fn without_mark(&mut self, mut line: Range<usize>) -> Range<usize> {
        if !self.past_first_line {
            self.past_first_line = true;
            if self.buffer[line.clone()].starts_with(b"\xEF\xBB\xBF") {
                line.start += 3;
            }
        }
        line
    }

    fn field(&mut self, line: Range<usize>) -> Result<(), DecodeError> {
        let bytes = &self.buffer[line.clone()];
        let colon = memchr::memchr(b':', bytes).unwrap_or(bytes.len());
        let mut value = line.start + (colon + 1).min(bytes.len())..line.end;
        if self.buffer.get(value.start) == Some(&b' ') && !value.is_empty() {
            value.start += 1;
        }
        match &bytes[..colon] {
            b"data" => self.add_data(value),
            b"event" => {
                self.name.clear();
                self.name.extend_from_slice(&self.buffer[value]);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn add_data(&mut self, value: Range<usize>) -> Result<(), DecodeError> {
        let mut joined = match std::mem::take(&mut self.data) {
            Data::None => {
                self.data = Data::InBuffer(value);
                return Ok(());
            }
            Data::InBuffer(range) => self.buffer[range].to_vec(),
            Data::Joined(joined) => joined,
        };
        if joined.len() + 1 + value.len() > self.caps.event_bytes {
            return Err(DecodeError::EventTooLong { limit: self.caps.event_bytes });
        }
        joined.push(b'\n');
        joined.extend_from_slice(&self.buffer[value]);
        self.data = Data::Joined(joined);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Decoded = Vec<(String, Vec<u8>)>;

    fn take_all(decoder: &mut Decoder, into: &mut Decoded) -> Result<(), DecodeError> {
        while let Some(event) = decoder.next_event()? {
            into.push((String::from_utf8_lossy(event.name).into_owned(), event.data.to_vec()));
        }
        Ok(())
    }

    /// Decodes `stream` cut at the given places.
    fn decode(stream: &[u8], cuts: &[usize], caps: Caps) -> Result<Decoded, DecodeError> {
        let mut decoder = Decoder::new(caps);
        let mut events = Vec::new();
        let mut from = 0;
        for cut in cuts.iter().copied().chain([stream.len()]) {
            decoder.push(&stream[from..cut]);
            from = cut;
            take_all(&mut decoder, &mut events)?;
        }
        if let Some(event) = decoder.finish()? {
            events.push((String::from_utf8_lossy(event.name).into_owned(), event.data.to_vec()));
        }
        Ok(events)
    }

    fn data(stream: &str) -> Vec<String> {
        let events = decode(stream.as_bytes(), &[], Caps::default()).unwrap();
        events.into_iter().map(|(_, data)| String::from_utf8(data).unwrap()).collect()
    }

    #[test]
    fn line_ends_of_every_kind_are_understood() {
        for end in ["\n", "\r\n", "\r"] {
            assert_eq!(data(&format!("data: a{end}{end}data: b{end}{end}")), ["a", "b"], "{end:?}");
        }
        assert_eq!(data("data: a\r\n\ndata: b\n\r\n"), ["a", "b"]);
    }

    #[test]
    fn the_examples_of_the_standard_decode_as_it_says() {
        assert_eq!(data("data: YHOO\ndata: +2\ndata: 10\n\n"), ["YHOO\n+2\n10"]);
        assert_eq!(
            data(": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n"),
            ["first event", "second event", " third event"]
        );
        assert_eq!(data("data\n\ndata\ndata\n\n"), ["", "\n"]);
        assert_eq!(data("data:test\n\ndata: test\n\n"), ["test", "test"]);
    }

    #[test]
    fn names_belong_to_their_own_event_only() {
        let events =
            decode(b"event: error\ndata: 1\n\ndata: 2\n\nevent: lost\n\ndata: 3\n\n", &[], Caps::default()).unwrap();
        let names: Vec<&str> = events.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["error", "", ""]);
    }

    #[test]
    fn a_byte_order_mark_and_a_missing_last_blank_line_do_no_harm() {
        assert_eq!(data("\u{feff}data: a\n\ndata: b"), ["a", "b"]);
        assert_eq!(data("\u{feff}data: a"), ["a"]);
        assert_eq!(data(""), Vec::<String>::new());
        assert_eq!(data("\n\n: nothing\n\n"), Vec::<String>::new());
    }

    #[test]
    fn a_line_without_end_stops_at_the_cap() {
        let caps = Caps { line_bytes: 100, event_bytes: 150 };
        let mut decoder = Decoder::new(caps);
        decoder.push(&[b'a'; 90]);
        assert_eq!(decoder.next_event(), Ok(None));
        decoder.push(&[b'a'; 90]);
        assert_eq!(decoder.next_event(), Err(DecodeError::LineTooLong { limit: 100 }));

        let line = format!("data: {}\n", "a".repeat(80));
        assert_eq!(decode(line.repeat(2).as_bytes(), &[], caps), Err(DecodeError::EventTooLong { limit: 150 }));
    }

    fn stream() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            Just("\n".to_owned()),
            Just("\r".to_owned()),
            Just("\r\n".to_owned()),
            Just("\n\n".to_owned()),
            Just("data: ".to_owned()),
            Just("data".to_owned()),
            Just("event:".to_owned()),
            Just(":".to_owned()),
            Just("\u{feff}".to_owned()),
            "[a-c é漢🎉]{0,6}",
        ];
        prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat().into_bytes())
    }

    proptest! {
        #[test]
        fn cuts_never_change_the_events(stream in stream(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12)) {
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
            cuts.sort_unstable();
            let whole = decode(&stream, &[], Caps::default()).unwrap();
            let each_byte: Vec<usize> = (0..stream.len()).collect();
            prop_assert_eq!(&decode(&stream, &cuts, Caps::default()).unwrap(), &whole);
            prop_assert_eq!(&decode(&stream, &each_byte, Caps::default()).unwrap(), &whole);
        }

        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..400), cut in any::<prop::sample::Index>()) {
            let caps = Caps { line_bytes: 64, event_bytes: 128 };
            let _ = decode(&bytes, &[cut.index(bytes.len() + 1)], caps);
        }

        #[test]
        fn what_is_written_as_events_is_read_as_events(texts in prop::collection::vec("[^\r]{0,40}", 0..10)) {
            let mut stream = String::new();
            for text in &texts {
                for line in text.split('\n') {
                    stream.push_str("data: ");
                    stream.push_str(line);
                    stream.push('\n');
                }
                stream.push('\n');
            }
            prop_assert_eq!(data(&stream), texts);
        }
    }
}
