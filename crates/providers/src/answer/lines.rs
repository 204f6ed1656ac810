//! A stream of lines, each a piece of JSON, fed in pieces cut anywhere.

use crate::sse::DecodeError;

#[derive(Debug)]
pub(crate) struct Lines {
    limit: usize,
    held: Vec<u8>,
    /// How far the line that is held has been searched for its end.
    searched: usize,
}

impl Lines {
    pub(crate) const fn new(limit: usize) -> Self {
        Self { limit, held: Vec::new(), searched: 0 }
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.held.extend_from_slice(bytes);
    }

    /// The next whole line, without its end. Blank ones are passed over.
    pub(crate) fn next_line(&mut self) -> Result<Option<Vec<u8>>, DecodeError> {
        loop {
            let Some(end) = memchr::memchr(b'\n', &self.held[self.searched..]) else {
                self.searched = self.held.len();
                return if self.held.len() > self.limit { Err(self.too_long()) } else { Ok(None) };
            };
            let rest = self.held.split_off(self.searched + end + 1);
            let line = std::mem::replace(&mut self.held, rest);
            self.searched = 0;
            if line.len() > self.limit {
                return Err(self.too_long());
            }
            let line = line.trim_ascii();
            if !line.is_empty() {
                return Ok(Some(line.to_vec()));
            }
        }
    }

    /// The last line, whose end never came.
    pub(crate) fn finish(&mut self) -> Option<Vec<u8>> {
        let line = std::mem::take(&mut self.held);
        self.searched = 0;
        let line = line.trim_ascii();
        (!line.is_empty()).then(|| line.to_vec())
    }

    const fn too_long(&self) -> DecodeError {
        DecodeError::LineTooLong { limit: self.limit }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_whole_wherever_they_are_cut() {
        let text = b"{\"a\":1}\r\n\n  \n{\"b\":2}\n{\"c\"";
        for size in 1..text.len() {
            let (mut lines, mut seen) = (Lines::new(100), Vec::new());
            for piece in text.chunks(size) {
                lines.push(piece);
                while let Some(line) = lines.next_line().unwrap() {
                    seen.push(line);
                }
            }
            seen.extend(lines.finish());
            assert_eq!(seen, [b"{\"a\":1}".to_vec(), b"{\"b\":2}".to_vec(), b"{\"c\"".to_vec()], "by {size}");
        }
    }

    #[test]
    fn a_line_without_end_stops_at_the_cap() {
        let mut lines = Lines::new(10);
        lines.push(&[b'a'; 10]);
        assert_eq!(lines.next_line(), Ok(None));
        lines.push(b"a");
        assert_eq!(lines.next_line(), Err(DecodeError::LineTooLong { limit: 10 }));
    }
}
