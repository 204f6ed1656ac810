//! One attempt to read a call, from its mark on, while its text comes in.

use indexmap::IndexMap;

use super::MAX_CALL_BYTES;
use super::call::{self, MAX_NAME_BYTES, Written};
use super::family::{Opening, Step, Way};
use super::offered::Offered;
use super::scan::Scan;
use stoa_model::json::Json;

#[derive(Debug)]
pub(super) struct Attempt {
    opening: &'static Opening,
    /// White space before the mark, which is text after all when the call is none.
    gap: String,
    /// Everything from the mark on.
    buffer: String,
    way: usize,
    state: State,
    /// How far any way has come. What lies before is not looked at again, so that nothing is read twice for long.
    furthest: usize,
}

/// How far one way has come.
#[derive(Debug, Default)]
struct State {
    /// Bytes that have been read.
    position: usize,
    step: usize,
    /// Of the JSON that is being read: where it begins, and what is known of its first bytes.
    json: Option<(usize, usize, Scan)>,
    name: String,
    parameters: IndexMap<String, Json>,
    /// How far the value of a parameter has been searched for its end.
    searched: usize,
    calls: Vec<Written>,
    /// Where the last whole call ended; 0 when there is none.
    complete: usize,
}

pub(super) enum Progress {
    /// More text is needed.
    More,
    Calls {
        calls: Vec<Written>,
        rest: String,
    },
    /// It is no call; `rest` has not been looked at.
    Text {
        text: String,
        rest: String,
    },
}

/// What one step has come to.
enum Next {
    Done,
    More,
    Fail,
    /// It is too long to be a call.
    TooLong,
}

impl Attempt {
    pub(super) fn new(opening: &'static Opening, gap: String, buffer: String) -> Self {
        let state = State { position: opening.mark.len(), ..State::default() };
        Self { opening, gap, buffer, way: 0, state, furthest: 1 }
    }

    pub(super) fn push(&mut self, text: &str) {
        self.buffer.push_str(text);
    }

    #[cfg(test)]
    pub(super) const fn held_bytes(&self) -> usize {
        self.gap.len() + self.buffer.len()
    }

    pub(super) fn advance(&mut self, at_end: bool, offered: &Offered) -> Progress {
        while let Some(way) = self.opening.ways.get(self.way) {
            let next = self.state.advance(way, &self.buffer, at_end, offered);
            self.furthest = self.furthest.max(self.state.position);
            match next {
                Next::More => return Progress::More,
                Next::Done => {
                    let rest = self.buffer.split_off(self.state.position);
                    return Progress::Calls { calls: std::mem::take(&mut self.state.calls), rest };
                }
                Next::TooLong => break,
                Next::Fail => {
                    self.way += 1;
                    self.state = State { position: self.opening.mark.len(), ..State::default() };
                }
            }
        }
        // What begins like a call and has not ended at the end of the answer is text to its end.
        let read = if at_end { self.buffer.len() } else { self.furthest };
        let rest = self.buffer.split_off(read);
        let text = std::mem::take(&mut self.gap) + &self.buffer;
        Progress::Text { text, rest }
    }
}

impl State {
    fn advance(&mut self, way: &Way, buffer: &str, at_end: bool, offered: &Offered) -> Next {
        loop {
            let next = match way.steps.get(self.step) {
                Some(Step::Mark(mark)) => self.mark(mark, buffer, at_end),
                Some(Step::Optional(mark)) => self.optional(mark, buffer, at_end),
                Some(Step::Name(until)) => self.name(until, buffer, at_end),
                Some(Step::NameBeforeJson) => self.name_before_json(buffer, at_end),
                Some(Step::Json) => self.json(way, buffer, at_end, offered),
                Some(Step::Parameters) => self.parameters(buffer, at_end, offered),
                None => match self.again(way, buffer, at_end) {
                    Some(next) => return next,
                    None => continue,
                },
            };
            match next {
                Next::Done => self.step += 1,
                // Of several calls, those before the broken one are good.
                Next::Fail | Next::TooLong if self.complete > 0 => {
                    self.position = self.complete;
                    return Next::Done;
                }
                other => return other,
            }
        }
    }

    /// Behind the last step: another call, for which the steps begin again, or the closing mark.
    fn again(&mut self, way: &Way, buffer: &str, at_end: bool) -> Option<Next> {
        self.complete = self.position;
        let (rest, _) = self.rest(buffer);
        if let Some(again) = way.again {
            if rest.starts_with(again) {
                self.step = 0;
                return None;
            }
            if !at_end && again.starts_with(rest) {
                return Some(Next::More);
            }
        }
        Some(way.close.map_or(Next::Done, |close| self.optional(close, buffer, at_end)))
    }

    /// What has not been read, without the white space before it; and how much that is.
    fn rest<'b>(&self, buffer: &'b str) -> (&'b str, usize) {
        let rest = &buffer[self.position..];
        let trimmed = rest.trim_start();
        (trimmed, rest.len() - trimmed.len())
    }

    fn mark(&mut self, mark: &str, buffer: &str, at_end: bool) -> Next {
        let (rest, space) = self.rest(buffer);
        if rest.starts_with(mark) {
            self.position += space + mark.len();
            return Next::Done;
        }
        if !at_end && mark.starts_with(rest) { Next::More } else { Next::Fail }
    }

    fn optional(&mut self, mark: &str, buffer: &str, at_end: bool) -> Next {
        let (rest, space) = self.rest(buffer);
        if rest.starts_with(mark) {
            self.position += space + mark.len();
        } else if mark.starts_with(rest) {
            if !at_end {
                return Next::More;
            }
            // The end of the answer has cut it.
            self.position = buffer.len();
        }
        Next::Done
    }

    fn name(&mut self, until: &str, buffer: &str, at_end: bool) -> Next {
        let rest = &buffer[self.position..];
        match rest.find(until) {
            Some(end) if end <= MAX_NAME_BYTES => {
                rest[..end].trim().clone_into(&mut self.name);
                self.position += end + until.len();
                if self.name.is_empty() { Next::Fail } else { Next::Done }
            }
            None if !at_end && rest.len() < MAX_NAME_BYTES + until.len() => Next::More,
            _ => Next::Fail,
        }
    }

    fn name_before_json(&mut self, buffer: &str, at_end: bool) -> Next {
        let rest = &buffer[self.position..];
        match rest.find('{') {
            Some(end) if end <= MAX_NAME_BYTES => {
                let name = rest[..end].trim().trim_end_matches("json").trim_end_matches("```").trim();
                if !name.is_empty() {
                    name.clone_into(&mut self.name);
                }
                self.position += end;
                Next::Done
            }
            None if !at_end && rest.len() <= MAX_NAME_BYTES => Next::More,
            _ => Next::Fail,
        }
    }

    /// `<parameter=name>value</parameter>` as often as there are arguments, and `</function>`.
    fn parameters(&mut self, buffer: &str, at_end: bool, offered: &Offered) -> Next {
        const OPEN: &str = "<parameter=";
        const CLOSE: &str = "</parameter>";
        const END: &str = "</function>";
        loop {
            let (rest, space) = self.rest(buffer);
            let start = self.position + space;
            if rest.starts_with(END) {
                self.position = start + END.len();
                let arguments = Json::Object(std::mem::take(&mut self.parameters)).to_string();
                self.calls.extend(call::named(&std::mem::take(&mut self.name), &arguments));
                return if self.calls.is_empty() { Next::Fail } else { Next::Done };
            }
            let Some(named) = rest.strip_prefix(OPEN) else {
                let may_come = OPEN.starts_with(rest) || END.starts_with(rest);
                return if may_come && !at_end { Next::More } else { Next::Fail };
            };
            let Some((name, _)) = named.split_once('>').filter(|(name, _)| name.len() <= MAX_NAME_BYTES) else {
                return if named.len() <= MAX_NAME_BYTES && !at_end { Next::More } else { Next::Fail };
            };
            let value = start + OPEN.len() + name.len() + 1;
            let from = buffer.floor_char_boundary(self.searched.saturating_sub(CLOSE.len()).max(value));
            let found = buffer[from..].find(CLOSE).map(|end| from + end);
            if found.unwrap_or(buffer.len()) > MAX_CALL_BYTES {
                self.position = buffer.floor_char_boundary(MAX_CALL_BYTES.max(value));
                return Next::TooLong;
            }
            let Some(end) = found else {
                self.searched = buffer.len();
                return if at_end { Next::Fail } else { Next::More };
            };
            let name = name.trim();
            let argument = call::parameter(&buffer[value..end], offered.is_text(&self.name, name));
            self.parameters.insert(name.to_owned(), argument);
            self.position = end + CLOSE.len();
        }
    }

    fn json(&mut self, way: &Way, buffer: &str, at_end: bool, offered: &Offered) -> Next {
        let (start, scanned, mut scan) = if let Some(json) = self.json {
            json
        } else {
            let (rest, space) = self.rest(buffer);
            match rest.chars().next() {
                Some('{' | '[') => (self.position + space, self.position + space, Scan::default()),
                None if !at_end => return Next::More,
                _ => return Next::Fail,
            }
        };
        if way.only_known && buffer[start..].starts_with('{') && call::may_begin(&buffer[start..]) == Some(false) {
            return Next::Fail;
        }
        let limit = buffer.len().min(start + MAX_CALL_BYTES);
        let Some(end) = scan.push(&buffer.as_bytes()[scanned..limit]).map(|end| scanned + end) else {
            if limit < buffer.len() {
                self.position = buffer.floor_char_boundary(limit);
                return Next::TooLong;
            }
            self.json = Some((start, limit, scan));
            return if at_end { Next::Fail } else { Next::More };
        };
        self.json = None;
        self.position = end;
        let text = &buffer[start..end];
        let name = std::mem::take(&mut self.name);
        let calls =
            if name.is_empty() { call::read_all(text) } else { call::named(&name, text).map(|call| vec![call]) };
        match calls {
            Some(calls) if !way.only_known || calls.iter().all(|call| offered.has(&call.name)) => {
                self.calls.extend(calls);
                Next::Done
            }
            _ => Next::Fail,
        }
    }
}
