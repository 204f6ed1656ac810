//! What an instance wrote, within bounds: the latest lines, and how many are gone.

use std::collections::VecDeque;

use serde::Serialize;
use stoa_model::Timestamp;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    Output,
    Error,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LogLine {
    /// Counts from 1, without gaps in what was written.
    pub number: u64,
    pub at: Timestamp,
    pub stream: Stream,
    /// Without its end. What was not UTF-8 is replaced.
    pub text: String,
    /// Whether the line was longer than is kept.
    pub cut: bool,
}

/// Lines after a number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LogPage {
    pub lines: Vec<LogLine>,
    /// Lines after the number that are gone already.
    pub lost: u64,
}

/// The latest lines of one instance.
#[derive(Debug)]
pub struct LogRing {
    lines: VecDeque<LogLine>,
    bytes: usize,
    written: u64,
    max_bytes: usize,
}

impl LogRing {
    pub const MAX_LINE_BYTES: usize = 8 * 1024;
    /// What a line takes beside its text.
    const OVERHEAD: usize = size_of::<LogLine>();

    pub fn new(max_bytes: usize) -> Self {
        Self { lines: VecDeque::new(), bytes: 0, written: 0, max_bytes }
    }

    pub fn push(&mut self, at: Timestamp, stream: Stream, text: &[u8], cut: bool) {
        let kept = text.get(..Self::MAX_LINE_BYTES);
        let cut = cut || kept.is_some_and(|kept| kept.len() < text.len());
        self.written += 1;
        let text = String::from_utf8_lossy(kept.unwrap_or(text)).into_owned();
        self.bytes += text.len() + Self::OVERHEAD;
        self.lines.push_back(LogLine { number: self.written, at, stream, text, cut });
        while self.bytes > self.max_bytes {
            let Some(line) = self.lines.pop_front() else { break };
            self.bytes -= line.text.len() + Self::OVERHEAD;
        }
    }

    pub fn after(&self, number: u64, max_lines: usize) -> LogPage {
        let first = self.lines.front().map_or(self.written + 1, |line| line.number);
        let lines: Vec<_> = self.lines.iter().filter(|line| line.number > number).take(max_lines).cloned().collect();
        LogPage { lines, lost: first.saturating_sub(number.saturating_add(1)) }
    }

    /// The last lines, together.
    pub fn tail(&self, lines: usize) -> String {
        last(self.lines.iter(), lines)
    }
}

impl LogPage {
    /// Its last lines, together.
    pub fn tail(&self, lines: usize) -> String {
        last(self.lines.iter(), lines)
    }
}

fn last<'l>(all: impl ExactSizeIterator<Item = &'l LogLine>, lines: usize) -> String {
    let from = all.len().saturating_sub(lines);
    all.skip(from).map(|line| line.text.as_str()).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(0);

    #[test]
    fn the_latest_lines_are_kept_and_the_lost_ones_counted() {
        let mut ring = LogRing::new(10 * (LogRing::OVERHEAD + 3));
        for number in 0..100 {
            ring.push(NOW, Stream::Output, format!("{number:03}").as_bytes(), false);
        }
        let page = ring.after(0, 1_000);
        assert_eq!((page.lines.len(), page.lost), (10, 90));
        assert_eq!((page.lines[0].number, page.lines[9].text.as_str()), (91, "099"));
        assert_eq!(ring.after(95, 2).lines.iter().map(|line| line.number).collect::<Vec<_>>(), [96, 97]);
        assert_eq!(ring.after(100, 2), LogPage::default());
        assert_eq!(ring.after(u64::MAX, 2), LogPage::default());
        assert_eq!(ring.tail(2), "098\n099");
    }

    #[test]
    fn a_long_line_is_cut_and_says_so() {
        let mut ring = LogRing::new(1 << 20);
        ring.push(NOW, Stream::Error, &vec![b'x'; LogRing::MAX_LINE_BYTES + 1], false);
        ring.push(NOW, Stream::Error, &[0xff], false);
        let lines = ring.after(0, 10).lines;
        assert_eq!((lines[0].text.len(), lines[0].cut), (LogRing::MAX_LINE_BYTES, true));
        assert_eq!((lines[1].text.as_str(), lines[1].cut), ("\u{fffd}", false));
    }
}
