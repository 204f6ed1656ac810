//! Those who wait, in turns: whoever has many requests waits behind whoever has few.

use std::collections::VecDeque;

/// A line for each caller; the first line is the next to be served from.
#[derive(Debug)]
pub(super) struct Queue<T> {
    lines: VecDeque<Line<T>>,
    length: usize,
    capacity: usize,
}

#[derive(Debug)]
struct Line<T> {
    caller: Box<str>,
    waiting: VecDeque<T>,
}

impl<T> Queue<T> {
    pub(super) fn new(capacity: usize) -> Self {
        Self { lines: VecDeque::new(), length: 0, capacity }
    }

    pub(super) fn len(&self) -> usize {
        self.length
    }

    pub(super) fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Puts one at the end of its caller's line. Where all places are taken, the longest line gives its last one up, which
    /// is returned: the new one, if its own line is as long as any.
    pub(super) fn push(&mut self, caller: &str, item: T) -> Option<T> {
        let own = self.lines.iter().position(|line| &*line.caller == caller);
        let own_length = own.and_then(|place| self.lines.get(place)).map_or(0, |line| line.waiting.len());
        let mut given_up = None;
        if self.length >= self.capacity {
            match self.lines.iter_mut().max_by_key(|line| line.waiting.len()) {
                Some(longest) if longest.waiting.len() > own_length + 1 => {
                    given_up = longest.waiting.pop_back();
                    self.length -= 1;
                }
                _ => return Some(item),
            }
        }
        match own.and_then(|place| self.lines.get_mut(place)) {
            Some(line) => line.waiting.push_back(item),
            None => self.lines.push_back(Line { caller: caller.into(), waiting: [item].into() }),
        }
        self.length += 1;
        given_up
    }

    /// The next of the caller whose turn it is.
    pub(super) fn pop(&mut self) -> Option<T> {
        let mut line = self.lines.pop_front()?;
        let item = line.waiting.pop_front();
        if !line.waiting.is_empty() {
            self.lines.push_back(line);
        }
        if item.is_some() {
            self.length -= 1;
        }
        item
    }

    pub(super) fn retain(&mut self, stays: impl Fn(&T) -> bool) {
        for line in &mut self.lines {
            line.waiting.retain(&stays);
        }
        self.lines.retain(|line| !line.waiting.is_empty());
        self.length = self.lines.iter().map(|line| line.waiting.len()).sum();
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.lines.iter().flat_map(|line| &line.waiting)
    }

    pub(super) fn take_all(&mut self) -> Vec<T> {
        self.length = 0;
        std::mem::take(&mut self.lines).into_iter().flat_map(|line| line.waiting).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Queue;

    #[test]
    fn callers_take_turns() {
        let mut queue = Queue::new(10);
        for item in ["a1", "a2", "a3", "b1", "c1", "c2"] {
            assert_eq!(queue.push(&item[..1], item), None);
        }
        let order: Vec<_> = std::iter::from_fn(|| queue.pop()).collect();
        assert_eq!(order, ["a1", "b1", "c1", "a2", "c2", "a3"]);
    }

    #[test]
    fn whoever_has_many_makes_room_for_whoever_has_none() {
        let mut queue = Queue::new(4);
        for item in ["a1", "a2", "a3", "a4"] {
            queue.push("a", item);
        }
        assert_eq!(queue.push("a", "a5"), Some("a5"), "for itself there is no room");
        assert_eq!(queue.push("b", "b1"), Some("a4"));
        assert_eq!(queue.push("b", "b2"), Some("a3"));
        assert_eq!(queue.push("b", "b3"), Some("b3"), "and not more than an equal share");
        assert_eq!(queue.len(), 4);
    }

    proptest! {
        #[test]
        fn none_is_lost_and_none_comes_twice(
            steps in prop::collection::vec((0..4_usize, any::<bool>()), 0..200), capacity in 1..20_usize,
        ) {
            let mut queue = Queue::new(capacity);
            let (mut pushed, mut out) = (0_u32, Vec::new());
            for (caller, pops) in steps {
                out.extend(queue.push(["a", "b", "c", "d"][caller], pushed));
                pushed += 1;
                if pops {
                    out.extend(queue.pop());
                }
                prop_assert!(queue.len() <= capacity);
                prop_assert_eq!(queue.len(), queue.iter().count());
            }
            out.extend(queue.take_all());
            out.sort_unstable();
            prop_assert_eq!(out, (0..pushed).collect::<Vec<_>>());
        }
    }
}
