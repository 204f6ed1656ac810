//! A generation as it grows in memory: the whole text once, read by any number of readers at their own pace.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use stoa_model::completion::{FinishReason, PartKind, Usage};
use stoa_model::conversation::{Failure, Message, Part};
use stoa_model::{ConversationId, GenerationId, MessageId, UserId};
use tokio::sync::Notify;

use crate::inbox::Mark;
use crate::log;

/// What a generation is and writes, fixed from its start.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    pub(crate) generation: GenerationId,
    pub(crate) conversation: ConversationId,
    pub(crate) message: MessageId,
    pub(crate) user: UserId,
    pub(crate) model: String,
    /// What the message held before.
    pub(crate) base: Vec<Part>,
}

#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) subject: Subject,
    state: Mutex<State>,
    /// There is more of it in the database.
    nudged: Notify,
}

#[derive(Debug, Default)]
struct State {
    text: String,
    /// Where each delta ends in `text`; the delta with sequence number `n` is at `n - 1`.
    deltas: Vec<Delta>,
    usage: Option<Usage>,
    /// The model that answers in the place of the one that was asked.
    stand_in: Option<String>,
    /// How many are before it in the line for its model, for as long as it waits there.
    ahead: Option<u32>,
    end: Option<Arc<End>>,
    readers: Vec<Weak<Mark>>,
}

#[derive(Clone, Copy, Debug)]
struct Delta {
    end: usize,
    part: PartKind,
}

/// How a generation ended, as its readers hear it.
#[derive(Clone, Debug)]
pub(crate) struct End {
    pub(crate) reason: EndReason,
    /// The message as it is kept now.
    pub(crate) message: Option<Message>,
    /// The log in memory is not all there was: readers need the message instead.
    pub(crate) log_is_partial: bool,
    /// The sequence number of the last delta ever written.
    pub(crate) last_seq: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndReason {
    Finished(FinishReason),
    Stopped,
    Interrupted,
    Failed(Failure),
}

/// What a reader gets for its place in the log.
pub(crate) enum Reading<'a> {
    /// Deltas `first..=last` of one part.
    Delta { first: u64, last: u64, part: PartKind, text: &'a str },
    /// The reader is past the end.
    Rewind { seq: u64 },
}

impl Live {
    pub(crate) fn new(subject: Subject) -> Arc<Self> {
        Arc::new(Self { subject, state: Mutex::default(), nudged: Notify::new() })
    }

    /// One that has ended, known only by its message.
    pub(crate) fn ended(subject: Subject, end: End) -> Arc<Self> {
        let state = State { end: Some(Arc::new(end)), ..State::default() };
        Arc::new(Self { subject, state: Mutex::new(state), nudged: Notify::new() })
    }

    /// Adds a delta and returns how long the text is now, in bytes.
    pub(crate) fn push(&self, part: PartKind, text: &str) -> usize {
        let mut state = self.lock();
        state.ahead = None;
        state.text.push_str(text);
        let end = state.text.len();
        state.deltas.push(Delta { end, part });
        state.wake();
        end
    }

    /// Says to whoever follows it through the database that there is more.
    pub(crate) fn nudge(&self) {
        self.nudged.notify_one();
    }

    pub(crate) async fn nudged(&self) {
        self.nudged.notified().await;
    }

    pub(crate) fn set_ahead(&self, ahead: u32) {
        let mut state = self.lock();
        state.ahead = Some(ahead);
        state.wake();
    }

    pub(crate) fn ahead(&self) -> Option<u32> {
        self.lock().ahead
    }

    pub(crate) fn set_usage(&self, usage: Usage) {
        self.lock().usage = Some(usage);
    }

    pub(crate) fn usage(&self) -> Option<Usage> {
        self.lock().usage
    }

    pub(crate) fn set_stand_in(&self, model: String) {
        self.lock().stand_in = Some(model);
    }

    pub(crate) fn stand_in(&self) -> Option<String> {
        self.lock().stand_in.clone()
    }

    pub(crate) fn end(&self, end: End) {
        let mut state = self.lock();
        state.end = Some(Arc::new(end));
        state.wake();
    }

    pub(crate) fn ending(&self) -> Option<Arc<End>> {
        self.lock().end.clone()
    }

    pub(crate) fn last_seq(&self) -> u64 {
        self.lock().last_seq()
    }

    /// The deltas past `after`, encoded for the log, and the sequence number of the last.
    pub(crate) fn encode_after(&self, after: u64) -> Option<(u64, Vec<u8>)> {
        let state = self.lock();
        let last = state.last_seq();
        if last <= after {
            return None;
        }
        let mut data = Vec::new();
        log::encode(&mut data, (after + 1..=last).map(|seq| (state.part_of(seq), state.text_of(seq, seq))));
        Some((last, data))
    }

    /// The parts of the message with all that has been written.
    pub(crate) fn parts(&self) -> Vec<Part> {
        let state = self.lock();
        let mut parts = self.subject.base.clone();
        let mut seq = 1;
        while let Some(last) = state.run_from(seq, usize::MAX) {
            log::append(&mut parts, state.part_of(seq), state.text_of(seq, last));
            seq = last + 1;
        }
        parts
    }

    /// Hands what lies past `cursor` to `read`, at most about `budget` bytes of text, and returns the new cursor.
    pub(crate) fn read(&self, cursor: u64, budget: usize, mut read: impl FnMut(Reading<'_>)) -> u64 {
        let state = self.lock();
        let last = state.last_seq();
        if cursor > last {
            let seq = state.end.as_ref().map_or(last, |end| end.last_seq.max(last));
            if cursor > seq {
                read(Reading::Rewind { seq });
            }
            return cursor.min(seq);
        }
        let mut cursor = cursor;
        let mut left = budget;
        while left > 0 {
            let Some(end) = state.run_from(cursor + 1, left) else { break };
            let text = state.text_of(cursor + 1, end);
            read(Reading::Delta { first: cursor + 1, last: end, part: state.part_of(cursor + 1), text });
            left = left.saturating_sub(text.len().max(1));
            cursor = end;
        }
        cursor
    }

    /// Wakes `mark` whenever there is news, at once if there is some past `cursor` or the end has come.
    pub(crate) fn watch(&self, mark: &Arc<Mark>) {
        let mut state = self.lock();
        state.readers.retain(|reader| reader.strong_count() > 0);
        state.readers.push(Arc::downgrade(mark));
        mark.set();
    }

    pub(crate) fn has_readers(&self) -> bool {
        self.lock().readers.iter().any(|reader| reader.strong_count() > 0)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn wake(&self) {
        for reader in &self.readers {
            if let Some(mark) = reader.upgrade() {
                mark.set();
            }
        }
    }

    fn last_seq(&self) -> u64 {
        self.deltas.len() as u64
    }

    fn delta(&self, seq: u64) -> Option<Delta> {
        usize::try_from(seq.checked_sub(1)?).ok().and_then(|index| self.deltas.get(index)).copied()
    }

    fn end_of(&self, seq: u64) -> usize {
        self.delta(seq).map_or(0, |delta| delta.end)
    }

    fn part_of(&self, seq: u64) -> PartKind {
        self.delta(seq).map_or(PartKind::Text, |delta| delta.part)
    }

    fn text_of(&self, first: u64, last: u64) -> &str {
        self.text.get(self.end_of(first - 1)..self.end_of(last)).unwrap_or_default()
    }

    /// The last of the deltas from `first` on that are of one part and together at most `budget` bytes (or one).
    fn run_from(&self, first: u64, budget: usize) -> Option<u64> {
        let part = self.delta(first)?.part;
        let start = self.end_of(first - 1);
        let mut last = first;
        while let Some(next) = self.delta(last + 1) {
            if next.part != part || next.end - start > budget {
                break;
            }
            last += 1;
        }
        Some(last)
    }
}

#[cfg(test)]
mod tests {
    use stoa_model::Timestamp;

    use super::*;

    fn live() -> Arc<Live> {
        let now = Timestamp::from_millis(0);
        Live::new(Subject {
            generation: GenerationId::generate(now),
            conversation: ConversationId::generate(now),
            message: MessageId::generate(now),
            user: UserId::generate(now),
            model: "mock/echo".to_owned(),
            base: Vec::new(),
        })
    }

    fn read(live: &Live, cursor: u64, budget: usize) -> (u64, Vec<String>) {
        let mut read = Vec::new();
        let cursor = live.read(cursor, budget, |reading| {
            read.push(match reading {
                Reading::Delta { first, last, part, text } => format!("{first}-{last} {part:?} {text}"),
                Reading::Rewind { seq } => format!("rewind {seq}"),
            });
        });
        (cursor, read)
    }

    #[test]
    fn a_reader_gets_what_it_has_not_seen_in_runs_of_one_part() {
        let live = live();
        for (part, text) in [(PartKind::Reasoning, "hm"), (PartKind::Text, "a"), (PartKind::Text, "b")] {
            live.push(part, text);
        }
        assert_eq!(read(&live, 0, 1_000), (3, vec!["1-1 Reasoning hm".to_owned(), "2-3 Text ab".to_owned()]));
        assert_eq!(read(&live, 2, 1_000), (3, vec!["3-3 Text b".to_owned()]));
        assert_eq!(read(&live, 3, 1_000), (3, vec![]));
    }

    #[test]
    fn a_budget_bounds_a_reading_and_the_rest_comes_next() {
        let live = live();
        for _ in 0..10 {
            live.push(PartKind::Text, "abcd");
        }
        assert_eq!(read(&live, 0, 8), (2, vec!["1-2 Text abcdabcd".to_owned()]));
        assert_eq!(read(&live, 2, 1), (3, vec!["3-3 Text abcd".to_owned()]));
    }

    #[test]
    fn a_reader_past_the_end_is_rewound() {
        let live = live();
        live.push(PartKind::Text, "a");
        assert_eq!(read(&live, 5, 100), (1, vec!["rewind 1".to_owned()]));
    }

    #[test]
    fn parts_follow_what_the_message_held() {
        let mut subject = live().subject.clone();
        subject.base = vec![Part::Text { text: "Once ".to_owned() }];
        let live = Live::new(subject);
        live.push(PartKind::Text, "upon");
        assert_eq!(live.parts(), [Part::Text { text: "Once upon".to_owned() }]);
    }
}
